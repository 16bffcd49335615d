//! What is wrong in one document is told with its place, and everything else goes on as if it were not there.
//!
//! The road of the command line: text, documents, typed objects, snapshot, tables, decisions. What one scalar or one
//! token comes to is tested beside the reader; here stand whole files.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

mod common;

use std::sync::Arc;

use common::{Case, Dice, NOW, conformance, mesh_config, shop};
use mesh::compile::compiler::compile;
use mesh::compile::snapshot::MeshSnapshot;
use mesh::compile::view::View;
use mesh::model::config_set::{Change, ConfigSet};
use mesh::model::diagnostic::{Diagnostic, Report};
use mesh::model::document::{Document, Node};
use mesh::model::yaml::{Budget, LoadOptions, load};
use mesh::proxy_core::decide::decide;
use mesh::proxy_core::decision::Decision;
use mesh::proxy_core::probe;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// Documents, findings of all stages, and the decisions of the shop's front end.
struct Outcome {
    documents: Vec<Arc<Document>>,
    set: ConfigSet,
    report: Report,
    decisions: Vec<Decision>,
}

/// The shop with another file beside it.
fn beside_the_shop(case: &Case, file: &[u8]) -> Outcome {
    let mut loaded = load("bad.yaml", file, &LoadOptions::default());
    let mut documents = case.documents();
    documents.append(&mut loaded.documents);
    let mut outcome = run(case, documents);
    loaded.report.merge(outcome.report);
    outcome.report = loaded.report;
    outcome
}

fn run(case: &Case, documents: Vec<Arc<Document>>) -> Outcome {
    let mut set = ConfigSet::new();
    let mut report = set.apply(documents.iter().cloned().map(Change::Upsert)).report;
    let (snapshot, problems) = MeshSnapshot::resolve(&set, mesh_config(None));
    report.merge(problems);
    let (config, problems) = compile(&View::new(&snapshot, &case.proxy));
    report.merge(problems);
    let decisions = case.probes.iter().map(|probe| decide(&config, &probe.query(NOW), &mut ())).collect();
    Outcome { documents, set, report, decisions }
}

fn of_bad_file(outcome: &Outcome) -> Vec<&Diagnostic> {
    outcome.report.iter().filter(|finding| finding.at.file == "bad.yaml").collect()
}

/// A good document of an unknown name, so that it is known to be read.
const GOOD: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: good}\n";

const VIRTUAL_SERVICE: &str =
    "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: x, namespace: shop}\nspec:\n";

/// A bad document, then the code, line and column (0: any) in the document, field, and a word of its help.
fn bad_documents() -> Vec<(String, &'static str, u32, u32, &'static str, &'static str)> {
    let service = |spec: &str| format!("{VIRTUAL_SERVICE}{spec}");
    let head = |from: &str, to: &str| VIRTUAL_SERVICE.replace(from, to);
    vec![
        ("a: [1\n".to_owned(), "syntax", 0, 0, "", ""),
        ("- a\n".to_owned(), "not-a-resource", 1, 1, "", ""),
        (head("apiVersion", "apiversion"), "not-a-resource", 1, 1, "apiVersion", "networking.istio.io/v1"),
        (head("VirtualService", "VirtualServce"), "unknown-kind", 2, 7, "kind", "`VirtualService`"),
        (head("io/v1", "io/v9"), "unsupported-version", 1, 1, "apiVersion", "served versions"),
        (head("name: x", "name: X_y"), "invalid-name", 3, 12, "metadata.name", ""),
        (service("  hosts: [a]\n  htpp: []\n"), "unknown-field", 6, 3, "spec.htpp", "`http`"),
        (service("  hosts: a\n"), "wrong-type", 5, 10, "spec.hosts", ""),
        (service("  http:\n  - timeout: [1]\n"), "wrong-type", 6, 14, "spec.http[0].timeout", ""),
        (service("  http:\n  - timeout: 1\n"), "wrong-type", 6, 14, "spec.http[0].timeout", ""),
        (
            service("  http: [{match: [{uri: {exact: a, prefix: b}}]}]\n"),
            "bad-value",
            5,
            25,
            "spec.http[0].match[0].uri",
            "",
        ),
        (service("  http: [{match: [{port: -1}]}]\n"), "bad-value", 5, 26, "spec.http[0].match[0].port", ""),
        (service("  hosts: &a [*a]\n"), "alias-problem", 5, 0, "", ""),
        (format!("a: {}\n", "[".repeat(10_000)), "budget-exceeded", 1, 0, "", ""),
        ("x: \u{1}\n".to_owned(), "encoding", 1, 4, "", ""),
        (
            format!("{VIRTUAL_SERVICE}---\n{VIRTUAL_SERVICE}"),
            "duplicate-resource",
            8,
            12,
            "metadata.name",
            "remove",
        ),
    ]
}

#[test]
fn each_problem_has_its_place_and_spoils_nothing_else() {
    let case = &shop()[0];
    let clean = run(case, case.documents());
    for (text, code, line, column, field, help) in bad_documents() {
        let file = format!("{GOOD}---\n{text}---\n{}", GOOD.replace("good", "better"));
        let outcome = beside_the_shop(case, file.as_bytes());
        let found = of_bad_file(&outcome);
        let first = found.iter().find(|finding| finding.code.as_str() == code);
        let Some(finding) = first else { panic!("no {code} for\n{text}\n{found:#?}") };
        // The good document and the line between come first.
        assert!(finding.at.line > 4 && finding.at.column > 0, "{finding:?}");
        assert!(line == 0 || finding.at.line == line + 4, "{text}\n{finding:?}");
        assert!(column == 0 || finding.at.column == column, "{text}\n{finding:?}");
        assert!(field.is_empty() || finding.at.field == field, "{text}\n{finding:?}");
        assert!(finding.help.as_deref().unwrap_or_default().contains(help), "{finding:?}");
        assert_eq!(outcome.decisions, clean.decisions, "{text}");
        let names: Vec<&str> = outcome.set.namespaces.iter().map(|object| &*object.meta.name).collect();
        assert!(names.contains(&"good") && names.contains(&"better"), "{text}: {names:?}");
    }
}

#[test]
fn files_that_are_no_configuration_get_one_finding() {
    let case = &shop()[0];
    let clean = run(case, case.documents());
    let elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0\xff\xfe\0";
    for (bytes, code) in [
        (&b""[..], "no-documents"),
        (b"\n# nothing\n---\n", "no-documents"),
        (elf, "encoding"),
        (b"\xff\xfea\0:\0 \0b\0", "encoding"),
        (b"PK\x03\x04\x14\0\0\0\x08\0", "encoding"),
    ] {
        let outcome = beside_the_shop(case, bytes);
        let found = of_bad_file(&outcome);
        let codes: Vec<&str> = found.iter().map(|finding| finding.code.as_str()).collect();
        assert_eq!(codes, [code], "{bytes:?}");
        assert_eq!((found[0].at.line, found[0].at.column), (1, 1));
        assert_eq!(outcome.decisions, clean.decisions);
    }
}

/// Values below a node, itself included.
fn nodes(node: Node<'_>) -> usize {
    let items: usize = node.items().map(nodes).sum();
    1 + items + node.entries().map(|entry| nodes(entry.value)).sum::<usize>()
}

#[test]
fn bombs_come_to_a_bounded_number_of_values_and_findings() {
    let mut anchors = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        anchors.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let mut merges = "b0: &b0 {k: v}\n".to_owned();
    for level in 1..2_000 {
        merges.push_str(&format!("b{level}: &b{level} {{<<: *b{}, k{level}: v}}\n", level - 1));
    }
    let rows = "- {uri: {exact: /a, prefix: /b}, port: -1, x: 1}\n".repeat(20_000);
    let typed = format!("{VIRTUAL_SERVICE}  http:\n  - match:\n{}", rows.replace("- {", "    - {"));
    let budget = Budget::default();
    let bombs = [
        anchors,
        merges,
        typed,
        format!("{VIRTUAL_SERVICE}  http: {}\n", "{a: ".repeat(10_000)),
        "? ".repeat(10_000),
        "a: 1\n".repeat(100_000),
        "&a [*a, ".repeat(5_000),
        format!("{VIRTUAL_SERVICE}  hosts: [{}]\n", "\"\\x".repeat(30_000)),
        "--- [\n".repeat(20_000),
    ];
    for bomb in bombs {
        let loaded = load("bad.yaml", &bomb, &LoadOptions::default());
        let size: usize = loaded.documents.iter().map(|document| nodes(document.root())).sum();
        // A line of text holds a handful of values; only aliases could make more, and they have a budget.
        assert!(size <= bomb.len() + budget.alias_nodes, "{size} values of {} bytes", bomb.len());
        let per_document = 101 * (1 + bomb.matches("---").count());
        assert!(loaded.report.len() <= per_document, "{} findings", loaded.report.len());
        let applied = ConfigSet::new().apply(loaded.documents.into_iter().map(Change::Upsert));
        assert!(applied.report.len() <= 205, "{} findings", applied.report.len());
    }
}

#[test]
fn y24_no_finding_repeats_a_secret() {
    let case = &shop()[0];
    let certificates = "-----BEGIN CERTIFICATE-----\\nHUSH\\n-----END CERTIFICATE-----\\n".repeat(10_000);
    for body in [
        "data: HUSH",
        "data: [HUSH]",
        "data: {tls.key: [HUSH], tls.crt: {HUSH: HUSH}}",
        "data: {tls.key: 'HUSH!!'}",
        "stringData: HUSH",
        "stringData: {tls.key: HUSH, tls.key: 'HUSH too'}",
        "data: {tls.key: !foo HUSH}",
        "data: {tls.key: !!int HUSH}",
        "data: {tls.key: !!binary 'HUSH?'}",
        "data: {tls.crt: '-----BEGIN PRIVATE KEY-----HUSH'}",
        &format!("stringData: {{ca.crt: \"{certificates}\"}}"),
    ] {
        let text = format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s, namespace: shop}}\n{body}\n");
        let outcome = beside_the_shop(case, text.as_bytes());
        for finding in &outcome.report {
            let words = serde_json::to_string(finding).unwrap();
            assert!(!words.replace("data.HUSH", "").contains("HUSH"), "{words}");
        }
        let objects =
            format!("{:?}", outcome.set.secrets.iter().map(|secret| &secret.spec).collect::<Vec<_>>());
        assert!(!objects.contains("HUSH!"), "{objects}");
    }
}

#[test]
fn a_bad_probe_names_its_line_and_the_others_are_answered() {
    let good = r#"{"id":"p","direction":"outbound","conn":{"dst_port":80}}"#;
    let bad = [
        "{",
        "[]",
        "nonsense",
        r#"{"id":"p"}"#,
        r#"{"id":"p","direction":"sideways","conn":{"dst_port":80}}"#,
        r#"{"id":"p","direction":"outbound","conn":{"dst_port":65536}}"#,
        r#"{"id":"p","direction":"outbound","conn":{"dst_port":80,"src_ip":"1.2.3"}}"#,
        r#"{"id":"p","direction":"outbound","conn":{"dst_port":80},"http":{"version":"3","authority":"a","path":"/"}}"#,
        &"[".repeat(100_000),
        "\u{0}",
    ];
    let text: String = bad.iter().map(|line| format!("{good}\n{line}\n")).collect();
    let answers: Vec<_> = probe::read(&text).collect();
    assert_eq!(answers.len(), 2 * bad.len());
    for (number, answer) in answers.iter().enumerate() {
        match answer {
            Ok(_) => assert_eq!(number % 2, 0),
            Err(problem) => assert_eq!((number % 2, problem.line), (1, number + 1), "{problem}"),
        }
    }
}

/// Replaces, doubles or drops some value of a tree.
fn damage(value: &mut Json, dice: &mut Dice) {
    let children = match &*value {
        Json::Array(items) => items.len(),
        Json::Object(fields) => fields.len(),
        _ => 0,
    };
    if children > 0 && dice.below(6) > 0 {
        let chosen = dice.below(children);
        return match value {
            Json::Array(items) => damage(&mut items[chosen], dice),
            Json::Object(fields) => damage(fields.values_mut().nth(chosen).unwrap(), dice),
            _ => unreachable!("it has children"),
        };
    }
    let odd = [
        json!(null),
        json!(true),
        json!(-1),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!("*"),
        json!("a.b/é*{"),
        json!("999999999h"),
        json!("::ffff:0/129"),
        json!([]),
        json!({}),
        json!([value.clone(), value.clone()]),
        json!({ "x": value.clone() }),
    ];
    match value {
        Json::Array(items) if !items.is_empty() && dice.below(2) == 0 => {
            let chosen = dice.below(items.len());
            items.push(items[chosen].clone());
        }
        Json::Object(fields) if !fields.is_empty() && dice.below(2) == 0 => {
            let key = fields.keys().nth(dice.below(fields.len())).unwrap().clone();
            fields.remove(&key);
        }
        _ => *value = odd[dice.below(odd.len())].clone(),
    }
}

/// Damages some documents; every stage survives, and what it finds has a place.
fn survives(case: &Case, documents: &[Arc<Document>], seed: u64) {
    let mut dice = Dice::new(seed);
    let mut documents = documents.to_vec();
    for _ in 0..=dice.below(12) {
        let chosen = dice.below(documents.len());
        let document = &documents[chosen];
        let mut json = document.root().to_json();
        damage(&mut json, &mut dice);
        let place = document.root().span();
        documents[chosen] =
            Arc::new(Document::from_json(document.source.clone(), document.index, &json, place));
    }
    let outcome = run(case, documents);
    assert_eq!(outcome.decisions.len(), case.probes.len());
    assert!(!outcome.documents.is_empty());
    for finding in &outcome.report {
        assert!(!finding.message.is_empty());
        // What is built in has no place in a text.
        assert!(finding.at.file.is_empty() || finding.at.line > 0, "{finding:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_shop_is_survived(seed in any::<u64>(), who in 0_usize..3) {
        let case = &shop()[who];
        survives(case, &case.documents(), seed);
    }
}

#[test]
fn damaged_documents_that_set_every_field_are_survived() {
    let Some(folder) = conformance("full") else { return };
    let case = &shop()[0];
    let mut documents = case.documents();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "yaml") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            documents.extend(load(&name, std::fs::read(&path).unwrap(), &LoadOptions::default()).documents);
        }
    }
    for seed in 0..300 {
        survives(case, &documents, seed);
    }
}
