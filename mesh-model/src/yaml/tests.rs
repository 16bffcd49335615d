#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::{Value as Json, json};

use super::*;
use crate::diagnostic::Severity;

mod findings;
mod json_lists;
mod json_texts;
mod random;
mod rare;
mod scalar_table;

fn lenient(text: impl AsRef<[u8]>) -> Loaded {
    load("t.yaml", text, &LoadOptions::default())
}

fn strict(text: &str) -> Loaded {
    load("t.yaml", text, &LoadOptions::default().with_strict(true))
}

/// The one document of a text as JSON; `None` when it is refused.
fn as_json(text: &str) -> Option<Json> {
    let loaded = lenient(text);
    assert_eq!(loaded.documents.is_empty(), loaded.report.has_errors(), "{text:?}: {:?}", loaded.report);
    loaded.documents.first().map(|document| document.root().to_json())
}

fn codes(loaded: &Loaded) -> Vec<(&'static str, u32)> {
    loaded.report.iter().map(|finding| (finding.code.as_str(), finding.at.line)).collect()
}

#[test]
fn scalars_mean_what_they_mean_to_kubernetes() {
    for (text, expected) in [
        ("y", json!(true)),
        ("Y", json!(true)),
        ("yes", json!(true)),
        ("on", json!(true)),
        ("n", json!(false)),
        ("No", json!(false)),
        ("OFF", json!(false)),
        ("~", json!(null)),
        ("Null", json!(null)),
        ("", json!(null)),
        ("2001-01-01", json!("2001-01-01")),
        ("12:30:45", json!("12:30:45")),
        ("190:20:30", json!("190:20:30")),
        ("!foo b", json!("b")),
        ("!foo 5", json!("5")),
        ("! 5", json!("5")),
        ("012", json!(10)),
        ("0777", json!(511)),
        ("08", json!(8)),
        ("-012", json!(-10)),
        ("0o14", json!(12)),
        ("0x1F", json!(31)),
        ("0b11", json!(3)),
        ("-0b11", json!(-3)),
        ("0B11", json!(3)),
        ("1_000", json!(1000)),
        ("1__0", json!(10)),
        ("685_230.15", json!(685_230.15)),
        ("0o_1", json!(1)),
        ("+1", json!(1)),
        ("-0", json!(0)),
        (".5", json!(0.5)),
        ("1.", json!(1)),
        ("1e3", json!(1000)),
        ("1.0", json!(1)),
        ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
        ("100000000000000000000", json!(1e20)),
        ("123456789012345678901234567890", json!(1.234_567_890_123_456_8e29)),
        ("9007199254740993", json!(9_007_199_254_740_993_u64)),
        ("1e500", json!("1e500")),
        ("0x", json!("0x")),
        ("_1", json!("_1")),
        ("nan", json!("nan")),
        ("0o08", json!("0o08")),
        ("!!binary aGk=", json!("hi")),
        ("!!str 5", json!("5")),
        ("!!int \"5\"", json!(5)),
        ("!!float 5", json!(5)),
        ("!!bool \"yes\"", json!(true)),
        ("!!null \"\"", json!(null)),
        ("!!timestamp 2001-01-01", json!("2001-01-01")),
        ("[2001:db8::]", json!(["2001:db8::"])),
        ("[2001:db8::, 2001:db8::1]", json!(["2001:db8::", "2001:db8::1"])),
        ("{b: 2001:db8::}", json!({"b": "2001:db8::"})),
        ("{b: 2001:db8::, c: fe80::}", json!({"b": "2001:db8::", "c": "fe80::"})),
        ("{b: [fe80::, {c: d::}]}", json!({"b": ["fe80::", {"c": "d::"}]})),
        ("[a:]", json!(["a:"])),
        ("{a:}", json!({"a:": null})),
        ("\"5\"", json!("5")),
        ("'yes'", json!("yes")),
        ("|\n  x", json!("x")),
        ("|\n  x\n", json!("x\n")),
        (">\n  x", json!("x")),
        ("=", json!("=")),
    ] {
        assert_eq!(as_json(&format!("k: {text}")).map(|json| json["k"].clone()), Some(expected), "{text}");
    }
}

#[test]
fn scalars_without_a_json_form_are_refused() {
    for text in [
        "k: .inf",
        "k: .nan",
        "k: -.inf",
        "k: [::1]",
        "null: x",
        "~: x",
        "[a, b]: c",
        "k: !!int foo",
        "k: !!binary ?",
    ] {
        assert_eq!(as_json(text), None, "{text}");
    }
}

#[test]
fn keys_become_text() {
    for (text, key) in [
        ("yes", "true"),
        ("y", "true"),
        ("true", "true"),
        ("1", "1"),
        ("1.5", "1.5"),
        ("0x10", "16"),
        ("\"yes\"", "yes"),
    ] {
        assert_eq!(as_json(&format!("{text}: v")), Some(json!({ key: "v" })), "{text}");
    }
}

#[test]
fn y01_an_exponential_alias_bomb_is_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert_eq!(codes(&lenient(&bomb))[0].0, "budget-exceeded");
}

#[test]
fn y02_a_byte_amplifying_alias_is_refused() {
    let bomb = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 20_000].join(", "));
    assert_eq!(codes(&lenient(&bomb)), [("budget-exceeded", 2)]);
}

#[test]
fn y03_alias_problems_are_found_and_the_last_anchor_counts() {
    assert_eq!(codes(&lenient("a: &a [*a]\n")), [("alias-problem", 1)]);
    assert_eq!(codes(&lenient("a: 1\nb: *nope\n")), [("alias-problem", 2)]);
    assert_eq!(codes(&lenient("a: &a [*b]\nb: &b [*a]\n")), [("alias-problem", 1)]);
    assert_eq!(as_json("- &a 1\n- &a 2\n- *a\n"), Some(json!([1, 2, 2])));
    // Anchors end with their document.
    assert_eq!(codes(&lenient("a: &a 1\n---\nb: *a\n")), [("alias-problem", 3)]);
}

#[test]
fn y04_deep_nesting_is_refused_fast() {
    for levels in [100, 10_000, 1_000_000] {
        for text in [
            "[".repeat(levels),
            "{a: ".repeat(levels),
            "- ".repeat(levels),
            "? ".repeat(levels),
            format!("a: {}", "[".repeat(levels)),
        ] {
            let loaded = lenient(&text);
            assert!(loaded.documents.is_empty());
            assert_eq!(codes(&loaded).len(), 1, "{:?}", loaded.report);
            assert_eq!(codes(&loaded)[0].0, "budget-exceeded", "{levels} of {:?}", &text[..4]);
        }
    }
    let fits = format!("{}1{}", "[".repeat(64), "]".repeat(64));
    assert_eq!(lenient(&fits).documents.len(), 1);
    let over = format!("{}1{}", "[".repeat(65), "]".repeat(65));
    assert_eq!(codes(&lenient(&over)), [("budget-exceeded", 1)]);
}

#[test]
fn y04_aliases_cannot_build_depth() {
    let mut text = "a0: &a0 [1]\n".to_owned();
    for level in 1..100 {
        text.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert_eq!(codes(&lenient(&text))[0].0, "budget-exceeded");
}

#[test]
fn y05_sizes_are_bounded() {
    let large = format!("a: {}\n---\nb: 1\n", "x".repeat(5 << 20));
    let loaded = lenient(&large);
    assert_eq!((codes(&loaded), loaded.documents.len()), (vec![("budget-exceeded", 1)], 1));
    let options = LoadOptions::default().with_budget(Budget::default().with_documents(3));
    let loaded = load("t", "a: 1\n---\n".repeat(5), &options);
    assert_eq!((loaded.documents.len(), codes(&loaded)[0].0), (3, "budget-exceeded"));
}

#[test]
fn y05_a_text_of_many_documents_that_are_no_resources_is_given_up() {
    let resource = "kind: A\nmetadata: {name: a}\n---\n";
    for (strange, documents) in [("a: 1\n---\n", 5), ("[\n---\n", 2), ("kind: A\n---\n", 5)] {
        let text = format!("{resource}{resource}{}{resource}", strange.repeat(4));
        let options = LoadOptions::default().with_budget(Budget::default().with_strange_documents(3));
        let loaded = load("t.yaml", &text, &options);
        assert_eq!(loaded.documents.len(), documents, "{text}");
        assert!(codes(&loaded).contains(&("budget-exceeded", 13)), "{:?}", codes(&loaded));
        let options = LoadOptions::default().with_budget(Budget::default().with_strange_documents(4));
        assert!(codes(&load("t.yaml", &text, &options)).iter().all(|(code, _)| *code != "budget-exceeded"));
    }
    let list = format!("kind: List\napiVersion: v1\nitems:\n{}", "- {a: 1}\n".repeat(4));
    let options = LoadOptions::default().with_budget(Budget::default().with_strange_documents(3));
    assert_eq!(load("t.yaml", &list, &options).documents.len(), 3);
}

#[test]
fn y05_many_documents_and_wide_maps_are_read_in_linear_time() {
    assert_eq!(lenient("a: 1\n---\n".repeat(20_000)).documents.len(), 20_000);
    let wide: String = (0..200_000).map(|number| format!("k{number}: 1\n")).collect();
    assert_eq!(lenient(&wide).documents[0].root().entries().len(), 200_000);
    let in_one_line: String = (0..200_000).map(|number| format!("k{number}: 1, ")).collect();
    let started = std::time::Instant::now();
    let loaded = lenient(format!("{{{in_one_line}}}"));
    assert_eq!(loaded.documents[0].root().entries().len(), 200_000);
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn y06_long_scalars_keys_and_comments_are_read_or_refused() {
    let long = "x".repeat(1 << 20);
    assert_eq!(lenient(format!("a: {long}\n")).documents.len(), 1);
    assert_eq!(lenient(format!("# {long}\na: 1\n")).documents.len(), 1);
    assert_eq!(lenient(format!("{}a: 1\n", "# c\n".repeat(200_000))).documents.len(), 1);
    assert_eq!(codes(&lenient(format!("{long}: 1\n"))).len(), 1);
    assert!(lenient(format!("? {long}\n: 1\n")).report.is_empty());
}

#[test]
fn y07_duplicate_keys_name_both_places_and_the_last_wins() {
    let text = "metadata:\n  labels:\n    app: a\n    app: b\n";
    let loaded = lenient(text);
    assert_eq!(loaded.documents[0].root().to_json(), json!({"metadata": {"labels": {"app": "b"}}}));
    let finding = loaded.report.iter().next().unwrap();
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(
        (finding.at.line, finding.at.column, finding.at.field.as_str()),
        (4, 5, "metadata.labels.app")
    );
    assert!(finding.message.contains("line 3, column 5"), "{}", finding.message);
    let loaded = strict(text);
    assert!(loaded.documents.is_empty() && loaded.report.has_errors());
    for text in ["yes: 1\ntrue: 2\n", "\"a\": 1\n\"\\u0061\": 2\n", "? &k a\n: 1\n? *k\n: 2\n"] {
        assert!(
            codes(&strict(text)).contains(&("duplicate-key", if text.starts_with('?') { 3 } else { 2 })),
            "{text}"
        );
    }
}

#[test]
fn y07_duplicates_are_found_in_large_maps() {
    let mut text: String = (0..50_000).map(|number| format!("k{number}: 1\n")).collect();
    text.push_str("k7: 2\n");
    assert_eq!(codes(&lenient(&text)), [("duplicate-key", 50_001)]);
}

#[test]
fn y08_line_breaks_and_tabs() {
    assert_eq!(as_json("a: 1\r\nb:\r\n- x\r\n"), Some(json!({"a": 1, "b": ["x"]})));
    assert_eq!(as_json("a: 1\rb: 2\r"), Some(json!({"a": 1, "b": 2})));
    assert_eq!(codes(&lenient("a:\n\tb: 1\n")), [("syntax", 2)]);
    assert_eq!(as_json("a:\tb\n"), Some(json!({"a": "b"})));
    let crlf = lenient("a: 1\r\n---\r\nb: [\r\n---\r\nc: 1\r\n");
    assert_eq!((crlf.documents.len(), codes(&crlf).len()), (2, 1));
    assert_eq!(crlf.documents[1].root().locate("c").line, 5);
}

#[test]
fn y09_encodings() {
    assert_eq!(lenient(b"\xef\xbb\xbfa: 1\n").documents[0].root().to_json(), json!({"a": 1}));
    for bytes in [
        &b"\xff\xfea\0:\0"[..],
        b"\xfe\xff\0a\0:",
        b"a\0:\0 \x001\0",
        b"a\0\0\0:\0\0\0",
        b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0",
    ] {
        assert_eq!(codes(&lenient(bytes)), [("encoding", 1)], "{bytes:?}");
    }
    assert_eq!(codes(&lenient(b"a: 1\nb: \xff\xfe\n")), [("encoding", 2)]);
    assert_eq!(codes(&lenient(b"a: 1\nb: \0\n---\nc: 1\n")), [("encoding", 2)]);
    assert_eq!(codes(&lenient("a: 1\nb: \u{1b}\n")), [("encoding", 2)]);
    assert_eq!(codes(&lenient("a: \"\\0\"\n")), [("encoding", 1)]);
    assert_eq!(codes(&lenient("a: 1\nb: \u{feff}x: 1\n"))[0].1, 2);
}

#[test]
fn y12_spellings_that_other_readers_read_differently_are_noted() {
    for text in ["k: yes", "k: 0777", "k: 1_000", "k: 0b11", "on: 1"] {
        assert_eq!(codes(&lenient(text)), [("unusual-scalar", 1)], "{text}");
    }
    for text in ["k: true", "k: 0", "k: 0x1f", "k: 1.5", "k: 'yes'", "k: 08.5"] {
        assert_eq!(codes(&lenient(text)), [], "{text}");
    }
}

#[test]
fn y13_merge_keys_are_applied() {
    assert_eq!(as_json("<<: {x: 1}"), Some(json!({"x": 1})));
    assert_eq!(as_json("b: &b {x: 1, z: 2}\nc:\n  <<: *b\n  x: 3\n").unwrap()["c"], json!({"x": 3, "z": 2}));
    assert_eq!(as_json("<<: [{a: 1}, {a: 2, b: 2}]"), Some(json!({"a": 1, "b": 2})));
    // As Kubernetes' reader has it: a merge below a key replaces the key.
    assert_eq!(as_json("a: 1\n<<: {a: 2, b: 3}"), Some(json!({"a": 2, "b": 3})));
    assert_eq!(as_json("\"<<\": {x: 1}"), Some(json!({"<<": {"x": 1}})));
    assert_eq!(codes(&lenient("<<: 5")), [("bad-key", 1)]);
    assert!(lenient("<<: {x: 1}\nx: 2\n").report.is_empty());
}

#[test]
fn y14_foreign_tags_are_warnings_or_errors_in_strict_mode() {
    for text in ["k: !foo b", "k: !!binary aGk=", "k: !!set {a: }", "k: !!omap [a: 1]"] {
        assert_eq!(codes(&lenient(text)), [("unusual-scalar", 1)], "{text}");
        assert!(strict(text).documents.is_empty(), "{text}");
    }
}

#[test]
fn y18_a_bad_document_does_not_sink_the_others() {
    for bad in [
        "b: [1\n",
        "b: \"open\n",
        "b: {x\n",
        "b: *x\n",
        "b: 1\n c: 2\n",
        "b: @x\n",
        "'x\n",
        "b: |\n  x\n y\n",
        "%YAML\n",
    ] {
        let loaded = lenient(format!("a: 1\n---\n{bad}---\nc: 3\n"));
        let trees: Vec<Json> = loaded.documents.iter().map(|document| document.root().to_json()).collect();
        assert_eq!(trees, [json!({"a": 1}), json!({"c": 3})], "{bad}");
        assert_eq!(codes(&loaded).len(), 1, "{bad}");
        let last = loaded.documents[1].root();
        assert_eq!(last.locate("c").line as usize, 4 + bad.lines().count(), "{bad}");
    }
}

#[test]
fn y18_documents_ended_by_dots_stand_alone_too() {
    let loaded = lenient("a: 1\n...\nb: [\n...\nc: 3\n");
    assert_eq!((loaded.documents.len(), codes(&loaded).len()), (2, 1));
    assert_eq!(loaded.documents.last().unwrap().root().locate("c").line, 5);
}

#[test]
fn y18_lists_are_taken_apart() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- kind: A\n  apiVersion: x/v1\n- kind: List\n  apiVersion: v1\n  items: [{kind: B}]\n---\n\
        apiVersion: v1\nkind: ServiceList\nitems:\n- metadata: {name: a}\n---\nkind: C\n";
    let loaded = lenient(text);
    let kinds: Vec<_> = loaded
        .documents
        .iter()
        .map(|document| document.root().get("kind").unwrap().as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["A", "B", "Service", "C"]);
    assert_eq!(loaded.documents.iter().map(|document| document.index).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(loaded.documents[0].root().locate("kind").line, 4);
    assert!(lenient("apiVersion: v1\nkind: List\nitems: []\n").documents.is_empty());
}

#[test]
fn empty_documents_are_skipped_and_an_empty_file_is_noted() {
    assert_eq!(lenient("---\n---\n# c\n---\na: 1\n---\n").documents.len(), 1);
    for text in ["", "\n", "# c\n", "---\n...\n"] {
        assert_eq!(codes(&lenient(text)), [("no-documents", 1)], "{text:?}");
    }
    assert_eq!(lenient("%YAML 1.2\n---\na: 1\n...\n%TAG ! x:\n---\nb: !y 1\n").documents.len(), 2);
}

#[test]
fn spans_point_at_keys_and_values() {
    let text = "# c\nspec:\n  hösts:\n  - \"a\"\n---\nx: {v: zz}\n";
    let loaded = lenient(text);
    let hosts = loaded.documents[0].root().locate("spec.hösts[0]");
    assert_eq!((hosts.line, hosts.column), (4, 5));
    assert_eq!(&text[hosts.start as usize..hosts.end as usize], "\"a\"");
    let value = loaded.documents[1].root().get("x").unwrap().get("v").unwrap().span();
    assert_eq!((value.line, value.column, &text[value.start as usize..value.end as usize]), (6, 8, "zz"));
}

#[test]
fn a_secret_in_a_list_or_a_broken_document_is_not_repeated() {
    let items = "items:\n- kind: A\n  metadata: {name: a}\n  x: yes\n- kind: Secret\n  metadata: {name: s}\n";
    for text in [
        format!("apiVersion: v1\nkind: List\n{items}  data: {{k: !!int HUSH, l: HUSH::, m: 0777}}\n"),
        format!("{items}  data: {{k: !!int HUSH}}\napiVersion: v1\nkind: List\n"),
        format!("apiVersion: v1\nkind: List\n{items}  data: {{k: !!int HUSH}}\n b: [\n"),
        "apiVersion: v1\nkind: SecretList\nitems: [{data: {k: !!int HUSH}}]\n".to_owned(),
        "apiVersion: v1\nkind: Secret\ndata: {k: !!int HUSH, k: ::}\n".to_owned(),
        "data: {k: !!int HUSH}\nb: [\n".to_owned(),
        "data: {k: !!int HUSH, kind: B, b: [\n".to_owned(),
        "apiVersion: v1\nkind: List\nitems:\n- kind: List\n  items: [{kind: Secret, data: {k: !!int HUSH}}]\n".to_owned(),
    ] {
        let report = lenient(&text).report;
        assert!(report.has_errors(), "{text}");
        for finding in &report {
            assert!(!finding.message.contains("HUSH") && !finding.message.contains("0777"), "{text}\n{finding}");
        }
        assert!(report.iter().all(|finding| finding.at.resource.kind != "A" || finding.message.starts_with("`yes`")));
    }
    let shown = lenient("kind: A\ndata: {k: !!int SHOW}\nb: [\n").report;
    assert!(shown.iter().any(|finding| finding.message.contains("SHOW")));
}

#[test]
fn several_threads_read_what_one_reads() {
    let mut text = String::new();
    for number in 0..4_000 {
        let odd =
            ["b: [", "b: yes", "b: *x", "c: {d: 2001:db8::}"].get(number % 40).copied().unwrap_or("b: 1");
        text.push_str(&format!("kind: A\nmetadata: {{name: n{number}}}\n{odd}\n---\n"));
    }
    let one = lenient(&text);
    for threads in [2, 3, 64] {
        assert!(load("t.yaml", &text, &LoadOptions::default().with_threads(threads)) == one);
    }
}

#[test]
fn json_with_tabs_escapes_and_long_lines_is_read() {
    let text = "{\n\t\"a\": [\n\t\t1,\n\t\t\"\\u00e9\\/\\ud83d\\ude00\"\n\t],\n\t\"b\" : {\"c\":null}\n}\n";
    assert_eq!(as_json(text), Some(json!({"a": [1, "é/😀"], "b": {"c": null}})));
    let long = serde_json::to_string(
        &json!({"a": vec!["x".repeat(50); 200], "k".repeat(900): {"b": "y".repeat(5000)}}),
    )
    .unwrap();
    assert_eq!(as_json(&long), Some(serde_json::from_str(&long).unwrap()));
}
