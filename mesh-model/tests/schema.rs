//! Schemas against documents: what is read without a finding fits its schema, and what the API's own schema refuses for
//! its structure does not.
#![cfg(all(feature = "yaml", feature = "schema"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mesh_model::config_set::{Change, ConfigSet, Strictness};
use mesh_model::document::Document;
use mesh_model::schema;
use mesh_model::yaml::{LoadOptions, load};
use regex_automata::meta::Regex;
use serde_json::{Value, json};

/// Why `value` does not fit `schema`: the words that our schemas use, and a panic for any other.
fn problem(schema: &Value, value: &Value) -> Option<String> {
    let schema = match schema {
        Value::Bool(true) => return None,
        Value::Bool(false) => return Some("nothing may be here".to_owned()),
        schema => schema.as_object().unwrap(),
    };
    schema.iter().find_map(|(word, rule)| match word.as_str() {
        "$schema" | "title" | "description" | "default" | "deprecated" | "format" => None,
        "type" => {
            let types = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
            (!types.iter().any(|one| is_of(one.as_str().unwrap(), value))).then(|| format!("not a {rule}"))
        }
        "const" => (value != rule).then(|| format!("not {rule}")),
        "enum" => (!rule.as_array().unwrap().contains(value)).then(|| format!("not one of {rule}")),
        "anyOf" => {
            let fits = rule.as_array().unwrap().iter().any(|one| problem(one, value).is_none());
            (!fits).then(|| format!("none of {rule}"))
        }
        "oneOf" => {
            let fitting = rule.as_array().unwrap().iter().filter(|one| problem(one, value).is_none()).count();
            (fitting != 1).then(|| format!("{fitting} of {rule}"))
        }
        "allOf" => rule.as_array().unwrap().iter().find_map(|one| problem(one, value)),
        "not" => problem(rule, value).is_none().then(|| format!("{rule}")),
        "minimum" | "maximum" => value.as_f64().and_then(|number| {
            let bound = rule.as_f64().unwrap();
            let is_out = if word == "minimum" { number < bound } else { number > bound };
            is_out.then(|| format!("{word} {bound}"))
        }),
        "minLength" | "maxLength" => {
            value.as_str().and_then(|text| outside(word, rule, text.chars().count()))
        }
        "minItems" | "maxItems" => value.as_array().and_then(|items| outside(word, rule, items.len())),
        "minProperties" | "maxProperties" => {
            value.as_object().and_then(|entries| outside(word, rule, entries.len()))
        }
        "pattern" => {
            let pattern = Regex::new(rule.as_str().unwrap()).unwrap();
            value.as_str().filter(|text| !pattern.is_match(text)).map(|_| format!("{word} {rule}"))
        }
        "uniqueItems" => {
            let items = value.as_array().map_or(&[][..], Vec::as_slice);
            let doubled = items.iter().enumerate().any(|(at, item)| items[..at].contains(item));
            (rule == &json!(true) && doubled).then(|| "an item stands twice".to_owned())
        }
        "items" => {
            let items = value.as_array().into_iter().flatten();
            items.enumerate().find_map(|(at, item)| Some(format!("[{at}] {}", problem(rule, item)?)))
        }
        "required" => {
            let mut names = rule.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
            let missing = names.find(|name| value.is_object() && value.get(name).is_none());
            missing.map(|name| format!("`{name}` is missing"))
        }
        "properties" => rule
            .as_object()
            .unwrap()
            .iter()
            .find_map(|(name, rule)| Some(format!(".{name} {}", problem(rule, value.get(name)?)?))),
        "patternProperties" | "additionalProperties" => entries_problem(schema, word, rule, value),
        other => panic!("no schema of ours says `{other}`"),
    })
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no such type: {other}"),
    }
}

fn outside(word: &str, rule: &Value, length: usize) -> Option<String> {
    let bound = usize::try_from(rule.as_u64().unwrap()).unwrap();
    let is_out = if word.starts_with("min") { length < bound } else { length > bound };
    is_out.then(|| format!("{word} {bound}"))
}

fn entries_problem(
    schema: &serde_json::Map<String, Value>,
    word: &str,
    rule: &Value,
    value: &Value,
) -> Option<String> {
    let patterns: Vec<(Regex, &Value)> = schema
        .get("patternProperties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(pattern, rule)| (Regex::new(pattern).unwrap(), rule))
        .collect();
    let named = schema.get("properties").and_then(Value::as_object);
    value.as_object()?.iter().find_map(|(key, value)| {
        let by_pattern = patterns.iter().find(|(pattern, _)| pattern.is_match(key));
        let rule = match (word, by_pattern) {
            ("patternProperties", Some((_, rule))) => rule,
            ("additionalProperties", None) if named.is_none_or(|named| !named.contains_key(key)) => rule,
            _ => return None,
        };
        Some(format!(".{key} {}", problem(rule, value)?))
    })
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    found.sort();
    found
}

fn shared() -> PathBuf {
    std::env::var_os("MESH_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from)
}

#[derive(Default)]
struct Schemas(BTreeMap<String, Option<Value>>);

impl Schemas {
    /// The schema of a document; `None` for kinds that are not read.
    fn of(&mut self, document: &Value) -> Option<&Value> {
        let (version, kind) = (document.get("apiVersion")?.as_str()?, document.get("kind")?.as_str()?);
        let group = version.rsplit_once('/').map_or("core", |(group, _)| group);
        let name = format!("{group}/{kind}");
        self.0.entry(name.clone()).or_insert_with(|| schema::for_kind(&name)).as_ref()
    }
}

/// Whether a document is read and checked without a finding, unknown fields included.
fn is_clean(document: &std::sync::Arc<Document>) -> bool {
    let changes = [Change::Upsert(std::sync::Arc::clone(document))];
    ConfigSet::new().apply_with(changes, Strictness::Strict).report.is_empty()
}

#[test]
fn what_is_read_without_a_finding_fits_its_schema() {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let conformance = shared().join("conformance");
    let folders = ["examples", "testdata"].map(|name| workspace.join(name));
    let folders = folders.into_iter().chain(["full", "samples", "seeds"].map(|name| conformance.join(name)));
    let mut schemas = Schemas::default();
    let (mut seen, mut wrong) = (0, Vec::new());
    for path in folders.flat_map(|folder| files(&folder)) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let loaded = load("a.yaml", &text, &LoadOptions::default());
        for document in loaded.documents.iter().filter(|document| is_clean(document)) {
            let json = document.root().to_json();
            let Some(schema) = schemas.of(&json) else { continue };
            seen += 1;
            wrong.extend(problem(schema, &json).map(|problem| format!("{}: {problem}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{} of {seen}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(seen > 20, "{seen} documents");
    println!("{seen} documents");
}

#[test]
fn what_the_api_refuses_for_its_structure_is_refused() {
    let folder = shared().join("conformance/validation");
    let Ok(rows) = fs::read_to_string(folder.join("cases.json")) else {
        println!("skipped: no {}", folder.display());
        return;
    };
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
    let mut schemas = Schemas::default();
    // Keys of lists have no word in JSON Schema.
    let is_structural = |row: &&Value| {
        let why = row["rejected_by"].as_str().unwrap_or_default();
        why.starts_with("structure:") && why != "structure:duplicate"
    };
    let mut seen = 0;
    for row in rows.iter().filter(is_structural) {
        let text = fs::read_to_string(folder.join(row["file"].as_str().unwrap())).unwrap();
        let loaded = load("a.yaml", &text, &LoadOptions::default());
        let json = loaded.documents[0].root().to_json();
        let schema = schemas.of(&json).unwrap();
        assert!(problem(schema, &json).is_some(), "{}", row["id"]);
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn slips_are_refused() {
    let schema = schema::for_kind("VirtualService").unwrap();
    let written = |spec: Value| {
        let document = json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": "a", "labels": {"a": "b"}}, "spec": spec});
        problem(&schema, &document)
    };
    assert_eq!(
        written(json!({"hosts": ["a"], "http": [{"timeout": "1m30s", "redirect": {"redirectCode": 302}}]})),
        None
    );
    for (slip, at) in [
        (json!({"host": ["a"]}), ".host "),
        (json!({"hosts": "a"}), ".hosts "),
        (json!({"http": [{"timeout": "90"}]}), "timeout"),
        (json!({"http": [{"timeout": null}]}), "timeout"),
        (json!({"http": [{"retries": {"attempts": "3"}}]}), "attempts"),
        (json!({"http": [{"match": [{"uri": {"exact": "/", "prefix": "/"}}]}]}), "uri"),
        (json!({"http": [{"route": [{}]}]}), "destination"),
        (json!({"http": [{"corsPolicy": {"unmatchedPreflights": "PERHAPS"}}]}), "unmatchedPreflights"),
    ] {
        let found = written(slip.clone()).unwrap_or_else(|| panic!("{slip} is taken"));
        assert!(found.contains(at), "{slip}: {found}");
    }
}
