//! What is read, printed and read again is the same: every field of every kind, and random values. The documents that set
//! every field lie beside the workspace; elsewhere only the random values are checked.
#![cfg(feature = "yaml")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet, Strictness};
use mesh_model::decode::Unknown;
use mesh_model::diagnostic::{Report, Severity, Stage};
use mesh_model::document::Document;
use mesh_model::kubernetes::SidecarAnnotations;
use mesh_model::mesh_config::{MeshConfig, MeshNetworks, ProxyConfig, read_bare};
use mesh_model::name::StringMap;
use mesh_model::yaml::{LoadOptions, load, to_yaml};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// The folder of shared documents; it can be named with `MESH_SHARED`.
fn shared() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let root = std::env::var_os("MESH_SHARED").map_or(beside, PathBuf::from);
    if !root.is_dir() {
        println!("skipped: no {}", root.display());
        return None;
    }
    Some(root)
}

fn documents(text: &str) -> Vec<Arc<Document>> {
    let loaded = load("a.yaml", text, &LoadOptions::default());
    assert!(loaded.report.is_empty(), "{text}\n{:#?}", loaded.report);
    loaded.documents
}

fn read_errors(report: &Report) -> Vec<String> {
    let is_error = |code: Stage, severity| code == Stage::Read && severity == Severity::Error;
    let errors = report.iter().filter(|found| is_error(found.code.stage(), found.severity));
    errors.map(|found| format!("{} {}: {}", found.code.as_str(), found.at.field, found.message)).collect()
}

macro_rules! kinds {
    ($($store:ident)*) => {
        /// Every object of an Istio kind, printed.
        fn print_all(config: &ConfigSet) -> Vec<Value> {
            let mut printed = Vec::new();
            $( printed.extend(config.$store.iter().map(|object| object.to_json().unwrap())); )*
            printed
        }

        /// Whether two stores hold the same objects of Istio kinds, wherever they were written.
        fn are_alike(one: &ConfigSet, other: &ConfigSet) -> bool {
            $( one.$store.iter().map(|object| (&object.meta, &object.spec))
                .eq(other.$store.iter().map(|object| (&object.meta, &object.spec))) )&&*
        }
    };
}

kinds! {
    virtual_services destination_rules gateways service_entries workload_entries sidecars envoy_filters wasm_plugins
    traffic_extensions authorization_policies peer_authentications request_authentications workload_groups
    proxy_configs telemetries
}

/// Takes a document in as it is, and with what is said of reading it.
fn take_in(document: Arc<Document>, strictness: Strictness) -> (ConfigSet, Vec<String>) {
    let mut config = ConfigSet::new();
    let options = ApplyOptions { strictness, admission: Admission::Accept, ..ApplyOptions::default() };
    let applied = config.apply_with([Change::Upsert(document)], options);
    (config, read_errors(&applied.report))
}

/// Reads a document, prints it as YAML, reads that: the same object. Gives what was printed.
fn round_trip(document: &Arc<Document>, strictness: Strictness) -> Result<Value, Vec<String>> {
    let (config, errors) = take_in(Arc::clone(document), strictness);
    let [printed] = print_all(&config).try_into().map_err(|_| errors.clone())?;
    assert_eq!(errors, Vec::<String>::new());
    let text = to_yaml(&printed).unwrap();
    let [again] = documents(&text).try_into().unwrap();
    let (second, errors) = take_in(again, Strictness::Strict);
    assert_eq!(errors, Vec::<String>::new(), "{text}");
    assert!(are_alike(&config, &second), "{text}");
    assert_eq!(print_all(&second), std::slice::from_ref(&printed), "{text}");
    Ok(printed)
}

/// The same for a message without `apiVersion`.
fn round_trip_bare<K>(document: &Arc<Document>) -> Value
where
    K: mesh_model::object::Kind + serde::Serialize + PartialEq,
{
    let read = |document: &Arc<Document>| {
        let mut report = Report::new();
        let message = read_bare::<K>(document, Unknown::Error, &mut report);
        assert_eq!(read_errors(&report), Vec::<String>::new());
        message.unwrap()
    };
    let message = read(document);
    let text = to_yaml(&message).unwrap();
    let [again] = documents(&text).try_into().unwrap();
    assert!(read(&again) == message, "{text}");
    serde_json::to_value(&message).unwrap()
}

/// Rows of the field list by kind and path.
struct Fields(BTreeMap<(String, String), Field>);

struct Field {
    kind: String,
    first_variant: String,
}

impl Fields {
    fn read(root: &std::path::Path) -> Self {
        let text = fs::read_to_string(root.join("ledger/fields.tsv")).unwrap();
        let mut lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        let titles = lines.next().unwrap();
        let column = |title: &str| titles.iter().position(|known| *known == title).unwrap();
        let (kind, path, sort, variants) = (column("kind"), column("path"), column("type"), column("enum"));
        let rows = lines.map(|cells| {
            let first_variant = cells[variants].split(',').next().unwrap_or_default().to_owned();
            let field = Field { kind: cells[sort].to_owned(), first_variant };
            ((cells[kind].to_owned(), cells[path].to_owned()), field)
        });
        Self(rows.collect())
    }

    fn get(&self, kind: &str, path: &str) -> Option<&Field> {
        self.0.get(&(kind.to_owned(), path.to_owned()))
    }
}

/// Walks what was written beside what was printed.
struct Comparison<'f> {
    kind: &'f str,
    fields: &'f Fields,
    kept: BTreeSet<String>,
    lost: Vec<String>,
}

impl Comparison<'_> {
    fn walk(&mut self, at: &str, written: &Value, printed: &Value) {
        let field = self.fields.get(self.kind, at);
        let is_zero = field.is_some_and(|field| field.kind == "enum" && *written == *field.first_variant);
        match (written, printed) {
            // A zero value of an enumeration prints as nothing.
            (Value::String(_), Value::Null) if is_zero => {}
            (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
                for (item, other) in items.iter().zip(others) {
                    self.walk(&format!("{at}[]"), item, other);
                }
            }
            (Value::Object(entries), Value::Object(others)) => {
                let is_map = field.is_some_and(|field| field.kind == "map");
                let is_message = field.is_some_and(|field| field.kind == "object") || at.is_empty();
                for (key, value) in entries {
                    let below = match (at, is_map) {
                        (_, true) => format!("{at}{{}}"),
                        ("", _) => key.clone(),
                        _ => format!("{at}.{key}"),
                    };
                    let name =
                        if is_message && !others.contains_key(key) { camel_case(key) } else { key.clone() };
                    self.walk(&below, value, others.get(&name).unwrap_or(&Value::Null));
                }
            }
            (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() => {}
            _ if written == printed => {}
            _ => return self.lost.push(format!("{} {at}: {written} became {printed}", self.kind)),
        }
        self.kept.insert(at.to_owned());
    }
}

/// `mirror_percent` is printed as `mirrorPercent`.
fn camel_case(key: &str) -> String {
    let mut words = key.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
}

#[test]
fn every_field_of_every_kind_survives() {
    let Some(root) = shared() else { return };
    let fields = Fields::read(&root);
    let index = fs::read_to_string(root.join("conformance/full/index.json")).unwrap();
    let index: Vec<Value> = serde_json::from_str(&index).unwrap();
    let mut kept: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in &index {
        let kind = entry["kind"].as_str().unwrap();
        let file = root.join("conformance/full").join(entry["file"].as_str().unwrap());
        let all = documents(&fs::read_to_string(file).unwrap());
        let document = &all[usize::try_from(entry["doc_index"].as_u64().unwrap()).unwrap()];
        let written = document.root().to_json();
        let (written, printed) = match kind {
            "MeshConfig" => (json!(written), round_trip_bare::<MeshConfig>(document)),
            "MeshNetworks" => (json!(written), round_trip_bare::<MeshNetworks>(document)),
            "mesh.ProxyConfig" => (json!(written), round_trip_bare::<ProxyConfig>(document)),
            _ => {
                let printed = round_trip(document, Strictness::Strict)
                    .unwrap_or_else(|errors| panic!("{kind}: {errors:#?}"));
                for field in ["kind", "metadata"] {
                    assert_eq!(printed[field], written[field], "{kind} {field}");
                }
                (json!({"spec": written["spec"]}), json!({"spec": printed["spec"]}))
            }
        };
        let mut comparison = Comparison { kind, fields: &fields, kept: BTreeSet::new(), lost: Vec::new() };
        comparison.walk("", &written, &printed);
        assert_eq!(comparison.lost, Vec::<String>::new());
        kept.entry(kind.to_owned()).or_default().append(&mut comparison.kept);
    }
    let coverage = fs::read_to_string(root.join("conformance/full/coverage.tsv")).unwrap();
    let rows = coverage.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    let covered: Vec<_> = rows.filter(|row| !row[2].is_empty()).collect();
    let missing: Vec<_> = covered.iter().filter(|row| !kept[row[0]].contains(row[1])).collect();
    assert!(missing.is_empty(), "{} of {} paths: {missing:#?}", missing.len(), covered.len());
    assert!(covered.len() > 1800, "{}", covered.len());
    println!("{} paths of {} documents survive", covered.len(), index.len());
}

#[test]
fn samples_are_read_as_the_index_says() {
    let Some(root) = shared() else { return };
    let folder = root.join("conformance/samples");
    let index: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(folder.join("index.json")).unwrap()).unwrap();
    let mut by_file: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for entry in &index {
        by_file.entry(entry["file"].as_str().unwrap()).or_default().push(entry);
    }
    let (mut wrong, mut refused) = (Vec::new(), 0);
    for (file, entries) in by_file {
        let loaded = load(file, fs::read(folder.join(file)).unwrap(), &LoadOptions::default());
        wrong.extend(read_errors(&loaded.report).into_iter().map(|error| format!("{file}: {error}")));
        // Empty documents count in the index, but not among what was loaded: documents are told by their names.
        for entry in entries {
            let text = |node: Option<mesh_model::document::Node<'_>>| {
                node.and_then(mesh_model::document::Node::as_str).map_or(Value::Null, Value::from)
            };
            let is_meant = |document: &&Arc<Document>| {
                let name = document.root().get("metadata").and_then(|meta| meta.get("name"));
                text(document.root().get("kind")) == entry["kind"] && text(name) == entry["name"]
            };
            let found: Vec<_> = loaded.documents.iter().filter(is_meant).collect();
            if found.is_empty() {
                wrong.push(format!("{file}: no {} {}", entry["kind"], entry["name"]));
            }
            let errors: Vec<_> = found
                .into_iter()
                .flat_map(|document| take_in(Arc::clone(document), Strictness::Strict).1)
                .collect();
            let is_error = entry["expect"] == "crd-error";
            refused += usize::from(is_error);
            if errors.is_empty() == is_error {
                wrong.push(format!("{file} {}: {errors:?}", entry["name"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(refused, 3);
}

/// Objects of several kinds, to be changed at random.
const SEEDS: &str = include_str!("round_trip.yaml");

/// Texts that readers of YAML and of the API take for something else.
const TEXTS: &[&str] = &[
    "",
    "a",
    "*",
    "~",
    "null",
    "true",
    "no",
    "12",
    "1.0",
    "0x1f",
    " a ",
    "a: b",
    "- a",
    "#",
    "y",
    "on",
    "1_000",
    "012",
    "+1",
    ".5",
    "1e3",
    "<<",
    "=",
    ".inf",
    "12:30",
    "0o17",
    "|",
    ">",
    "%a",
    "&a",
    "!a",
    "---",
    "\u{e4}\n\t'\"",
    "1s",
    "1h2m",
    "0.5ms",
    "STRICT",
    "ALLOW",
    "HTTP",
    "@",
    "2001-01-01",
    "\u{feff}",
    "a\r\nb",
    "\u{7f}",
];

/// Numbers without a pattern that shows: a linear congruence, its upper bits.
fn choices(start: u32) -> impl Iterator<Item = u32> {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(start), next).map(|state| state >> 16)
}

/// Changes a tree here and there, as the choices say.
fn change(value: &mut Value, choices: &mut impl Iterator<Item = u32>) {
    let choice = choices.next().unwrap_or(99) as usize;
    match value {
        _ if choice % 50 == 49 => *value = Value::Null,
        Value::Object(entries) => {
            let taken: Map<String, Value> = std::mem::take(entries);
            for (index, (key, mut value)) in taken.into_iter().enumerate() {
                if (choice + index) % 12 == 11 {
                    continue;
                }
                change(&mut value, choices);
                entries.insert(key, value);
            }
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| change(item, choices));
            match (choice % 8, items.first().cloned()) {
                (5, _) => items.clear(),
                (6, Some(first)) => items.push(first),
                _ => {}
            }
        }
        Value::String(text) if choice.is_multiple_of(3) => *text = TEXTS[choice / 3 % TEXTS.len()].to_owned(),
        Value::Number(_) if choice.is_multiple_of(3) => {
            let numbers = [json!(0), json!(1), json!(-1), json!(0.5), json!(65535), json!(4_294_967_295_u32)];
            *value = numbers[choice / 3 % numbers.len()].clone();
        }
        Value::Bool(flag) => *flag = choice.is_multiple_of(2),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn random_values_survive(start in any::<u32>()) {
        let mut survived = 0;
        for seed in documents(SEEDS) {
            let mut json = seed.root().to_json();
            change(&mut json["spec"], &mut choices(start));
            let text = to_yaml(&json).unwrap();
            let [document] = documents(&text).try_into().unwrap();
            // What was read from YAML is what was written.
            prop_assert_eq!(document.root().to_json(), json);
            survived += usize::from(round_trip(&document, Strictness::Lenient).is_ok());
        }
        // `null` in the place of a required thing, or a text in that of a number, is refused; most is not.
        prop_assert!(survived <= documents(SEEDS).len());
    }
}

#[test]
fn unchanged_seeds_survive() {
    for seed in documents(SEEDS) {
        let printed = round_trip(&seed, Strictness::Strict).unwrap();
        assert_eq!(printed["spec"], seed.root().to_json()["spec"], "nothing is lost");
    }
}

#[test]
fn product_examples_are_read_without_unknown_fields() {
    let Some(root) = shared() else { return };
    let folder = root.join("conformance/seeds");
    let index: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(folder.join("index.json")).unwrap()).unwrap();
    let mut read = 0;
    for entry in &index {
        let file = entry["file"].as_str().unwrap();
        let text = fs::read_to_string(folder.join(file)).unwrap();
        let loaded = load(file, &text, &LoadOptions::default());
        assert_eq!(read_errors(&loaded.report), Vec::<String>::new(), "{file}");
        let at = usize::try_from(entry["doc_index"].as_u64().unwrap()).unwrap();
        let Some(document) = loaded.documents.iter().find(|document| document.index == at) else {
            panic!("{file} has no document {at}");
        };
        if entry["fragment"].is_null() {
            let (_, errors) = take_in(Arc::clone(document), Strictness::Strict);
            assert_eq!(errors, Vec::<String>::new(), "{file}");
            if entry["istio_kind"] == true {
                round_trip(document, Strictness::Strict)
                    .unwrap_or_else(|errors| panic!("{file}: {errors:?}"));
            }
        } else {
            let annotations: StringMap = serde_json::from_value(document.root().to_json()).unwrap();
            let (asked, problems) = SidecarAnnotations::read(&StringMap::new(), &annotations);
            assert!(problems.is_empty() && asked != SidecarAnnotations::default(), "{file}: {problems:?}");
        }
        read += 1;
    }
    assert!(read > 50, "{read}");
}
