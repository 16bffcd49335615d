//! A field that cannot be read, or a head with errors, hides nothing else of its object, and brings about no finding that
//! only comes of the gap.
#![cfg(feature = "yaml")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mesh_model::config_set::{Change, ConfigSet};
use mesh_model::decode::Unknown;
use mesh_model::diagnostic::{Report, Stage};
use mesh_model::document::{Document, Source, Span};
use mesh_model::mesh_config::{MeshConfig, read_bare};
use mesh_model::yaml::{LoadOptions, load};
use serde_json::{Value, json};

/// Code, field and message.
type Finding = (String, String, String);

/// What is found when a document is read, in order.
fn found_in(document: Arc<Document>) -> Vec<(Stage, Finding)> {
    let mut report = Report::new();
    if document.root().get("apiVersion").is_some() {
        report = ConfigSet::new().apply([Change::Upsert(document)]).report;
    } else {
        let _: Option<MeshConfig> = read_bare(&document, Unknown::Error, &mut report);
    }
    let of_one = report.iter().filter(|found| found.code.stage() != Stage::Analyze);
    of_one
        .map(|found| {
            let finding = (found.code.as_str().to_owned(), found.at.field.clone(), found.message.clone());
            (found.code.stage(), finding)
        })
        .collect()
}

fn found(json: &Value) -> Vec<(Stage, Finding)> {
    let source = Source { file: "t.yaml".into(), cluster: "Kubernetes".into() };
    found_in(Arc::new(Document::from_json(source, 0, json, Span::default())))
}

/// `code field` of what is found in YAML.
fn lines(text: &str) -> Vec<String> {
    let loaded = load("a.yaml", text, &LoadOptions::default());
    assert!(loaded.report.is_empty(), "{:#?}", loaded.report);
    let all = loaded.documents.into_iter().flat_map(found_in);
    all.map(|(_, (code, field, _))| format!("{code} {field}")).collect()
}

#[test]
fn a_bad_head_does_not_hide_what_is_wrong_with_the_spec() {
    let spec = "spec:\n  hosts: [reviews, 'a b']\n  http:\n  - timeout: 5\n    route:\n    - destination: {host: r}\n      weight: -1\n";
    let expected = [
        "wrong-type spec.http[0].timeout",
        "invalid-value spec.http[0].route[0].weight",
        "invalid-host spec.hosts[1]",
    ];
    for (head, of_head) in [
        ("{name: Bad_Name}", "invalid-name metadata.name"),
        ("{name: a, namespace: a.b}", "invalid-name metadata.namespace"),
        ("{name: a, labels: {'a b': c}}", "invalid-name metadata.labels[\"a b\"]"),
        ("{name: a, labels: {a: 5}}", "wrong-type metadata.labels.a"),
        ("{name: a, annotations: {a: true}}", "wrong-type metadata.annotations.a"),
        ("{name: 5}", "wrong-type metadata.name"),
        ("{generateName: a-}", "not-a-resource metadata.generateName"),
        ("{}", "not-a-resource metadata.name"),
        ("5", "wrong-type metadata"),
    ] {
        let text =
            format!("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {head}\n{spec}");
        let found = lines(&text);
        assert_eq!(found.first().map(String::as_str), Some(of_head), "{found:?}");
        let rest: BTreeSet<&str> = found.iter().skip(1).map(String::as_str).collect();
        assert_eq!(rest, BTreeSet::from(expected), "{head}");
    }
}

#[test]
fn an_object_with_a_bad_head_stays_out_of_the_store() {
    let text = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: Bad_Name}\n\
                spec: {hosts: [a], http: [{route: [{destination: {host: a}}]}]}";
    let mut config = ConfigSet::new();
    let loaded = load("a.yaml", text, &LoadOptions::default());
    let applied = config.apply(loaded.documents.into_iter().map(Change::Upsert));
    assert_eq!((applied.report.len(), applied.accepted, config.len()), (1, 0, 0));
}

#[test]
fn a_field_that_cannot_be_read_does_not_hide_what_is_wrong_with_others() {
    let found = lines(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec:\n  hosts: [reviews]\n\
         \x20 http:\n  - timeout: 5\n    match: [{uri: {regex: '('}}]\n    route: [{destination: {host: 'a b'}}]\n  - {}\n\
         \x20 exportTo: [A_B]\n",
    );
    let expected = [
        "wrong-type spec.http[0].timeout",
        "invalid-regex spec.http[0].match[0].uri.regex",
        "invalid-host spec.http[0].route[0].destination.host",
        "missing-field spec.http[1]",
        "invalid-name spec.exportTo[0]",
    ];
    assert_eq!(found.iter().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(expected));
}

fn shared() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let root = std::env::var_os("MESH_SHARED").map_or(beside, PathBuf::from);
    root.is_dir().then_some(root)
}

fn files(under: &Path, all: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(under) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files(&path, all);
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            all.push(path);
        }
    }
}

/// Good documents and bad ones: those of this repository, and where they lie beside it, those of Istio's tests.
fn corpus() -> Vec<Value> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut paths = Vec::new();
    let beside = shared();
    let folders = ["examples/shop", "testdata"].map(|folder| root.join(folder));
    folders.iter().for_each(|folder| files(folder, &mut paths));
    if let Some(shared) = &beside {
        for folder in ["full", "validation/crds", "seeds"] {
            files(&shared.join("conformance").join(folder), &mut paths);
        }
    }
    paths.sort();
    let texts: Vec<String> = paths.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
    let loaded = texts.iter().flat_map(|text| load("a.yaml", text, &LoadOptions::default()).documents);
    let mut documents: Vec<Value> = loaded.map(|document| document.root().to_json()).collect();
    if let Some(shared) = beside {
        let rows = fs::read_to_string(shared.join("conformance/validation/messages.json")).unwrap();
        let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
        let is_read = |row: &Value| row["message"]["apiVersion"].is_string() || row["kind"] == "MeshConfig";
        documents.extend(rows.into_iter().filter(is_read).map(|mut row| row["message"].take()));
    }
    documents.retain(Value::is_object);
    documents
}

/// Pointers to every value under the body of a document.
fn pointers(json: &Value, at: &str, all: &mut Vec<String>) {
    let mut inner = |key: &str, value: &Value| {
        let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        all.push(at.clone());
        pointers(value, &at, all);
    };
    match json {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| inner(&index.to_string(), item));
        }
        Value::Object(entries) => entries.iter().for_each(|(key, value)| inner(key, value)),
        _ => {}
    }
}

#[test]
fn a_gap_brings_about_no_findings_of_its_own() {
    let mut tried = 0;
    let mut kept = 0;
    let mut wrong = BTreeSet::new();
    for (number, document) in corpus().into_iter().enumerate() {
        let before: BTreeSet<Finding> = found(&document).into_iter().map(|(_, finding)| finding).collect();
        let mut all = Vec::new();
        pointers(&document, "", &mut all);
        let of_body = |at: &&String| {
            !["/apiVersion", "/kind", "/metadata", "/status"].iter().any(|head| at.starts_with(head))
        };
        // Of large documents a part, another one for each.
        let all: Vec<&String> = all.iter().filter(of_body).collect();
        let step = (all.len() / 100).max(1);
        for at in all.into_iter().skip(number % step).step_by(step) {
            // No field of any kind takes both of them.
            for value in [json!([[{"": [true]}]]), json!(true)] {
                let mut changed = document.clone();
                *changed.pointer_mut(at).unwrap() = value;
                let after = found(&changed);
                if !after.iter().any(|(_, (code, ..))| code == "wrong-type" || code == "bad-value") {
                    continue;
                }
                tried += 1;
                for (stage, finding) in after {
                    if stage == Stage::Validate && before.contains(&finding) {
                        kept += 1;
                    } else if stage == Stage::Validate {
                        wrong.insert(format!("{} {at}: {finding:?}", document["kind"]));
                    }
                }
            }
        }
    }
    let shown: Vec<_> = wrong.iter().take(60).collect();
    assert!(wrong.is_empty(), "{} of {tried}: {shown:#?}", wrong.len());
    assert!(tried > 100, "{tried}");
    println!("{tried} gaps, {kept} findings that others did not hide");
}

#[test]
fn y09_letters_that_only_look_like_ascii_are_named_wherever_they_stand() {
    let text = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: reviаws, labels: {арр: a}}\n\
                spec:\n  hоsts: [a]\n  hosts: [revіews]\n  http: [{route: [{destination: {host: a, subset: ѵ1}}]}]\n";
    let loaded = load("a.yaml", text, &LoadOptions::default());
    let mut config = ConfigSet::new();
    let report = config.apply(loaded.documents.into_iter().map(Change::Upsert)).report;
    for (field, letter) in [
        ("metadata.name", "`а` (U+0430) looks like the ASCII letter `a`"),
        ("metadata.labels.арр", "`а` (U+0430) looks like the ASCII letter `a`"),
        ("spec.hоsts", "`о` (U+043E) looks like the ASCII letter `o`"),
        ("spec.hosts[0]", "`і` (U+0456) looks like the ASCII letter `i`"),
        ("spec.http[0].route[0].destination.subset", "`ѵ` (U+0475) looks like the ASCII letter `v`"),
    ] {
        let found = report.iter().find(|found| found.at.field == field);
        let found = found.unwrap_or_else(|| panic!("nothing at {field}: {report:#?}"));
        assert!(found.message.contains(letter), "{found:?}");
    }
    let help = report.iter().find(|found| found.at.field == "metadata.name").unwrap().help.clone();
    assert_eq!(help.as_deref(), Some("write `reviaws`, all of it in ASCII"));
}
