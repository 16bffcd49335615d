#![allow(clippy::unwrap_used)]

use std::path::Path;

use proptest::prelude::*;

use super::super::problems::Problems;
use super::super::text::{Cut, split};
use super::super::{Budget, events};
use super::*;
use crate::diagnostic::Report;
use crate::document::{Document, Source, TextAtRest};

#[path = "../../../../benches/benches/mesh_text/mod.rs"]
#[expect(unreachable_pub, reason = "a bench has it too")]
mod mesh_text;

/// Findings with all that people see of them.
fn said(report: &Report) -> Vec<String> {
    report
        .iter()
        .map(|found| format!("{found} {:?} {:?} {:?}", found.at, found.severity, found.help))
        .collect()
}

/// What a road gives for a chunk.
struct Given {
    trees: Vec<Tree>,
    report: Report,
}

fn long_road(text: &str, chunk: &Chunk<'_>, options: &LoadOptions) -> Given {
    let mut problems = Problems::new("t.yaml");
    let trees = events::read(text, chunk, options, &mut TreeBuilder::default(), &mut problems);
    let mut report = Report::new();
    problems.into_report(&mut report);
    Given { trees, report }
}

/// `None`: the text is declined.
fn short_road(text: &str, chunk: &Chunk<'_>, options: &LoadOptions) -> Option<Given> {
    let mut problems = Problems::new("t.yaml");
    let trees = match read(text, chunk, options, &mut TreeBuilder::default(), &mut problems) {
        Outcome::Tree(tree) => vec![tree],
        Outcome::Refused => Vec::new(),
        Outcome::Declined => {
            let mut report = Report::new();
            problems.into_report(&mut report);
            assert!(report.is_empty(), "{report:?} of a text that is declined");
            return None;
        }
    };
    let mut report = Report::new();
    problems.into_report(&mut report);
    Some(Given { trees, report })
}

/// Whether the short road found too many nodes; fails where the long one says something else of them.
fn too_many(text: &str, nodes: usize) -> Result<bool, String> {
    let options = LoadOptions::default().with_budget(Budget::default().with_nodes(nodes));
    let mut any = false;
    for cut in split(text.as_bytes()) {
        let chunk = cut.of(text.as_bytes());
        let part = std::str::from_utf8(chunk.bytes).unwrap();
        if super::super::text::decode(&chunk).is_err() {
            continue;
        }
        let Some(short) = short_road(part, &chunk, &options).filter(|short| short.trees.is_empty()) else {
            continue;
        };
        let long = long_road(part, &chunk, &options);
        // The scanner may stumble over what follows before the node is counted.
        let is_syntax = long.report.iter().any(|found| found.code == crate::diagnostic::Code::Syntax);
        // Where a value of several lines ends is not known before it is read.
        let told = |report: &Report| {
            report.iter().map(|found| format!("{found} {:?}", found.help)).collect::<Vec<_>>()
        };
        if !long.trees.is_empty() || !is_syntax && told(&short.report) != told(&long.report) {
            return Err(format!("{:#?}\n{:#?}\n{part}", told(&short.report), told(&long.report)));
        }
        any = true;
    }
    Ok(any)
}

/// Whether the short road was taken; fails where it leads elsewhere than the long one.
fn taken(text: &str, options: &LoadOptions) -> Result<bool, String> {
    let mut all = true;
    for cut in split(text.as_bytes()) {
        all &= same(text, cut, options)?;
    }
    Ok(all)
}

fn same(text: &str, cut: Cut, options: &LoadOptions) -> Result<bool, String> {
    let chunk = cut.of(text.as_bytes());
    let part = std::str::from_utf8(chunk.bytes).unwrap();
    if super::super::text::decode(&chunk).is_err() {
        return Ok(false);
    }
    let Some(mut short) = short_road(part, &chunk, options) else { return Ok(false) };
    let long = long_road(part, &chunk, options);
    if said(&short.report) != said(&long.report) {
        return Err(format!("{:#?}\n{:#?}\n{part}", said(&short.report), said(&long.report)));
    }
    match (short.trees.pop(), long.trees.as_slice()) {
        (Some(short), [long]) if long.root() == short.root() => rests(short),
        (Some(short), [long]) => Err(format!(
            "{part}\n{}\n{}\n{}",
            short.root().to_json(),
            long.root().to_json(),
            first_difference(short.root(), long.root())
        )),
        (None, []) => Ok(true),
        _ => Err(format!("{} documents\n{part}", long.trees.len())),
    }
}

/// Whether the tree is the same when it is read again from the text that is kept.
fn rests(short: Tree) -> Result<bool, String> {
    let source = Source { file: "t.yaml".into(), cluster: "Kubernetes".into() };
    let document = Document::new(source, 0, short);
    match document.at_rest(TextAtRest::Packed) {
        Some(rest) if rest.root() != document.root() => Err(format!("{} at rest", document.root().to_json())),
        Some(_) => Ok(true),
        None if document.status().is_some() || document.is_ending() => Ok(true),
        None => Err("it does not go to rest".to_owned()),
    }
}

fn first_difference(short: crate::document::Node<'_>, long: crate::document::Node<'_>) -> String {
    for (a, b) in short
        .items()
        .zip(long.items())
        .chain(short.entries().zip(long.entries()).map(|(a, b)| (a.value, b.value)))
    {
        if a != b {
            return first_difference(a, b);
        }
    }
    for (a, b) in short.entries().zip(long.entries()) {
        if a.key_span() != b.key_span() {
            return format!("key {}: {:?} {:?}", a.key, a.key_span(), b.key_span());
        }
    }
    format!("{:?} {:?}", short.span(), long.span())
}

#[test]
fn every_document_of_the_workload_takes_it() {
    for text in mesh_text::documents(20) {
        assert_eq!(taken(&text, &LoadOptions::default()), Ok(true), "{text}");
    }
    assert_eq!(taken(&mesh_text::stream(&mesh_text::documents(20)), &LoadOptions::default()), Ok(true));
    let list = mesh_text::json_list(&mesh_text::documents(20));
    assert_eq!(taken(&list, &LoadOptions::default()), Ok(true));
    let pretty: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(taken(&serde_json::to_string_pretty(&pretty).unwrap(), &LoadOptions::default()), Ok(true));
}

#[test]
fn ordinary_texts_take_it() {
    for text in [
        "a",
        "---\n  'a b' # c\n# d\n",
        "1\n\n",
        "a: 1\n",
        "a: 1",
        "a:\n  b: c\n",
        "a:\n  b: c\n\n# end\n",
        "---\na: b # c\n# d\nb:\n- c\n-   d: e\n    f: 'g'\n- - h\n  - i\n-\n  j: k\nl: m\n",
        "  a: b\n  c:\n    - d\n",
        "- a\n- b: c\n  d: e\n",
        "a: [b, \"c\", 1, {d: e, \"f\":g}]\nb: {}\nc: [] # d\n",
        "a: [b, ]\nc: {d: e,}\n",
        "[{},{},]",
        "a: http://b:80/c#d\nb: c:d\n\"e\": \"f # g\"\n",
        "a: \"b\\\"c\\n\\u00e9\"\n8080: x\né: ü # ß\n",
        "a: - b\n".trim_end_matches("- b\n"),
        "{\"a\": [1, 2.5, -3, true, null, \"x\\ty\", \"\"], \"b\": {\"c\": {}}}\n",
        "a:\n- b:\n  - c\n  d: e\nf: g\n",
    ] {
        assert_eq!(taken(text, &LoadOptions::default()), Ok(!text.ends_with(": ")), "{text}");
    }
}

#[test]
fn doubled_keys_are_told_as_the_long_road_tells_them() {
    let strict = LoadOptions::default().with_strict(true);
    for text in [
        "a: b\na: c\n",
        "\"a\": b\na: c\n",
        "{\"a\": 1, \"a\": 2}",
        "{\"a\": 1, \"\\u0061\": 2, \"a\": 3}",
        "kind: Secret\nmetadata: {name: a, name: b}\ndata:\n  k: v\n  k: w\n",
        "kind: List\nitems:\n- kind: X\n  metadata: {name: a}\n  b: {c: 1, c: 2}\n  b: 1\n- [{}, [], {d: {e: 1, e: [{f: 1, f: 2}]}}]\n",
        "a.b:\n  - - x: 1\n      x: {z: 1, z: 2}\n- z\n".trim_end_matches("- z\n"),
    ] {
        for options in [&LoadOptions::default(), &strict] {
            assert_eq!(taken(text, options), Ok(true), "{text}");
        }
    }
    let many = "a: 1\n".repeat(300) + &(0..40).map(|n| format!("b{n}: {{x: 1, x: 2}}\n")).collect::<String>();
    for options in [&LoadOptions::default(), &strict] {
        assert_eq!(taken(&many, options), Ok(true));
    }
    // Their findings stay when the document is refused for its size.
    assert_eq!(too_many("a: {b: 1, b: 2}\nc: 1\nd: 1\n", 7), Ok(true));
}

#[test]
fn what_is_out_of_the_ordinary_is_declined() {
    for text in [
        "",
        "a\nb",
        "a\n...\n",
        "...\n",
        "a:\n",
        "a: &b c\n",
        "a: *b\n",
        "a: !c d\n",
        "a: |\n  b\n",
        "a: b\n  c\n",
        "a: b: c\n",
        "a: yes\n",
        "a: 0777\n",
        "a: .inf\n",
        "<<: a\n",
        "~: a\n",
        "a: b\n c: d\n",
        "a:\n   b: c\n  d: e\n",
        "- a\nb: c\n",
        "a: b\n- c\n",
        "? a\n: b\n",
        "a:\tb\n",
        "a: b\r\nc: d\r\n",
        "a : b\n",
        "a: 'b''c'\n",
        "a: [b\n]\n",
        "a: [b,,]\n",
        "a: [,]\n",
        "a: {,}\n",
        "a: [b: c]\n",
        "{a: b\n",
        "{\"a\"\n: 1}",
        "[\"\\ud83d\\ude00\"]",
        "[\"\\u0000\"]",
        "a: b\n...\n",
        "%YAML 1.2\n---\na: b\n",
        "--- a\n",
        "a: 'b\n",
        "a: \"b\n  c\"\n",
        "a: @b\n",
        "a: [::1]\n",
        "- \n",
        "a: %b\n",
        "1_0: a\n",
        "0x1: a\n",
        "a: b\u{2028}c\n",
    ] {
        assert_eq!(taken(text, &LoadOptions::default()), Ok(false), "{text}");
    }
    let (mut deep, mut long) = ("[".repeat(65), "x".repeat(1_100));
    deep.push_str(&"]".repeat(65));
    long.push_str(": a\n");
    assert_eq!(taken(&deep, &LoadOptions::default()), Ok(false));
    assert_eq!(taken(&long, &LoadOptions::default()), Ok(false));
    for budget in [Budget::default().with_depth(0), Budget::default().with_scalar_bytes(0)] {
        assert_eq!(taken("a: b\n", &LoadOptions::default().with_budget(budget)), Ok(false));
    }
    assert_eq!(
        taken("a: b\n", &LoadOptions::default().with_budget(Budget::default().with_nodes(3))),
        Ok(true)
    );
}

#[test]
fn files_of_the_repository_read_the_same() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut count, mut short) = (0, 0);
    let mut folders = vec![root.join("testdata"), root.join("docs"), root.join("mesh-model/tests")];
    let shared = std::env::var_os("MESH_SHARED").map(|shared| Path::new(&shared).join("conformance"));
    folders.extend(shared.filter(|folder| folder.is_dir()));
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let is_text =
                path.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|name| end == *name));
            let Some(text) = is_text
                .then(|| std::fs::read(&path).ok())
                .flatten()
                .and_then(|bytes| String::from_utf8(bytes).ok())
            else {
                continue;
            };
            // The long road takes a while where nothing is optimised.
            for cut in split(text.as_bytes()).into_iter().take(25) {
                count += 1;
                short += usize::from(
                    same(&text, cut, &LoadOptions::default())
                        .unwrap_or_else(|error| panic!("{path:?}: {error}")),
                );
            }
        }
    }
    println!("{short} of {count} documents took the short road");
    assert!(short * 2 > count, "{short} of {count}");
}

/// Lines of an ordinary document, sometimes at odds with each other.
fn lines() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        8 => "[a-z0-9./-]{1,8}",
        1 => "[ -~é\n]{0,10}",
        1 => "(\"[ -!#-~]{0,6}\"|'[ -&(-~]{0,6}')( #x)?",
        1 => "(true|null|yes|~|1\\.5|0x1|007|-1|1e3|[0-9]{1,12}|\\.5|<<|- a|# a|a # b|a#b|a: b|a:b|&a b|\\*a|!a b)",
        1 => "\\[([a-z0-9\", ]{0,6}|\\{\\}|\\[\\],)\\]",
        1 => "\\{[a-b\": ,]{0,8}\\}",
    ];
    let key = prop_oneof![6 => "[a-f]{1,2}", 1 => "(\"[a-c]\"|'[a-c]'|[0-9]{1,3}|yes|~|<<)"];
    let line = (
        0_usize..4,
        prop_oneof![Just(""), Just("- "), Just("- - "), Just("-   ")],
        key,
        prop_oneof![3 => value.prop_map(Some), 1 => Just(None)],
        0_usize..8,
    )
        .prop_map(|(indent, dash, key, value, sort)| {
            let blanks = " ".repeat(indent * 2);
            match (sort, value) {
                (0, Some(value)) => format!("{blanks}{dash}{value}\n"),
                (1, None) => format!("{blanks}# {key}\n"),
                (2, None) => "\n".to_owned(),
                (_, Some(value)) => format!("{blanks}{dash}{key}: {value}\n"),
                (_, None) => format!("{blanks}{dash}{key}:\n"),
            }
        });
    prop::collection::vec(line, 1..8).prop_map(|lines| lines.concat())
}

/// A value as block YAML, so that deep nesting is met as well.
fn block(value: &serde_json::Value, indent: usize, wide: usize, out: &mut String) {
    let blanks = " ".repeat(indent);
    match value {
        serde_json::Value::Object(map) if !map.is_empty() => {
            for (number, (key, value)) in map.iter().enumerate() {
                out.push_str(if number == 0 { "" } else { &blanks });
                out.push_str(&format!("{key}:"));
                nested(value, indent, wide, out);
            }
        }
        serde_json::Value::Array(list) if !list.is_empty() => {
            for (number, value) in list.iter().enumerate() {
                out.push_str(if number == 0 { "" } else { &blanks });
                out.push('-');
                out.push_str(&" ".repeat(wide));
                block(value, indent + 1 + wide, wide, out);
            }
        }
        other => out.push_str(&format!("{other}\n")),
    }
}

fn nested(value: &serde_json::Value, indent: usize, wide: usize, out: &mut String) {
    let inner = match value {
        serde_json::Value::Object(map) if !map.is_empty() => indent + 1 + wide,
        serde_json::Value::Array(list) if !list.is_empty() => indent + wide - 1,
        other => return out.push_str(&format!(" {other}\n")),
    };
    out.push_str(&format!("\n{}", " ".repeat(inner)));
    block(value, inner, wide, out);
}

fn values() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i32>().prop_map(serde_json::Value::from),
        "[ -~é\n]{0,8}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            prop::collection::btree_map("[a-z/]{1,6}", inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn too_many_nodes_are_told_as_the_long_road_tells_them() {
    for text in
        ["a: 1\nkind: X\nb:\n  c: [1, {d: 2}]\n  e:\n    f.g: 1\n", "- 1\n- a: b\n  c: d\n- [[1], 2]\n"]
    {
        let told = (1..9).filter(|nodes| too_many(text, *nodes).unwrap()).count();
        assert!(told > 4, "{told} of {text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn lines_read_as_the_long_road_reads_them(text in lines(), nodes in 1_usize..12) {
        too_many(&text, nodes).map_err(TestCaseError::fail)?;
        taken(&text, &LoadOptions::default()).map_err(TestCaseError::fail)?;
        taken(&text, &LoadOptions::default().with_strict(true)).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn values_read_as_the_long_road_reads_them(
        value in values(), wide in 1_usize..4, pretty in any::<bool>(), nodes in 1_usize..12
    ) {
        let mut text = String::new();
        block(&value, 0, wide, &mut text);
        too_many(&text, nodes).map_err(TestCaseError::fail)?;
        taken(&text, &LoadOptions::default()).map_err(TestCaseError::fail)?;
        let json = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        taken(&json.unwrap(), &LoadOptions::default()).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn soup_reads_as_the_long_road_reads_it(text in "([-?:,\\[\\]{}#&*!|>'\"%@` \n.a0~]|: |- |a: |\n  |\n- ){0,40}") {
        taken(&text, &LoadOptions::default()).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn json_soup_reads_as_the_long_road_reads_it(text in "[\\[{]([,\\[\\]{}\": \n\\\\a1.-]|\"a\": |\"b\":|, |null){0,30}") {
        taken(&text, &LoadOptions::default()).map_err(TestCaseError::fail)?;
    }
}
