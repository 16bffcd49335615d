//! The specs against the list of all API fields, where that list lies beside the workspace; elsewhere nothing is checked.
#![cfg(feature = "yaml")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use mesh_model::networking::destination_rule::spec::DestinationRule;
use mesh_model::networking::gateway::spec::Gateway;
use mesh_model::networking::service_entry::spec::ServiceEntry;
use mesh_model::networking::sidecar::spec::Sidecar;
use mesh_model::networking::virtual_service::spec::VirtualService;
use mesh_model::networking::workload_entry::spec::WorkloadEntry;
use mesh_model::object::Kind;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The text of a shared file; the folder can be named with `MESH_SHARED`.
fn shared(path: &str) -> Option<String> {
    let full = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(path);
    let full = if full.exists() { full } else { PathBuf::from(std::env::var_os("MESH_SHARED")?).join(path) };
    fs::read_to_string(&full).ok()
}

/// The documents of the file that sets every field of a kind.
fn documents(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap()).collect()
}

/// Every path of a value in the list's notation; map values are `{}` where the list says that a map is there.
fn paths(value: &Value, at: &str, maps: &BTreeSet<String>, found: &mut BTreeSet<String>) {
    found.insert(at.to_owned());
    match value {
        Value::Array(items) => items.iter().for_each(|item| paths(item, &format!("{at}[]"), maps, found)),
        Value::Object(entries) => {
            for (key, value) in entries {
                let below = if maps.contains(at) { format!("{at}{{}}") } else { format!("{at}.{key}") };
                paths(value, &below, maps, found);
            }
        }
        _ => {}
    }
}

/// Second spellings become the first, which is the decoder's task before a spec sees them.
fn canonical_spelling(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(canonical_spelling),
        Value::Object(entries) => {
            if let Some(share) = entries.remove("mirror_percent") {
                entries.entry("mirrorPercent").or_insert(share);
            }
            entries.values_mut().for_each(canonical_spelling);
        }
        _ => {}
    }
}

/// `1` and `1.0` are the same number to protobuf, but not to JSON's data model.
fn numbers_alike(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Number(number), Value::from),
        Value::Array(items) => items.into_iter().map(numbers_alike).collect(),
        Value::Object(entries) => {
            entries.into_iter().map(|(key, value)| (key, numbers_alike(value))).collect()
        }
        other => other,
    }
}

fn check<K: Kind + Serialize>() {
    let kind = K::KIND;
    let (Some(fields), Some(full)) =
        (shared("ledger/fields.tsv"), shared(&format!("conformance/full/{kind}.yaml")))
    else {
        println!("{kind}: no field list beside the workspace, nothing checked");
        return;
    };
    let rows: Vec<Vec<&str>> = fields.lines().map(|line| line.split('\t').collect()).collect();
    let column = |name: &str| rows.first().unwrap().iter().position(|title| *title == name).unwrap();
    let (kind_column, path, field_type, alias) =
        (column("kind"), column("path"), column("type"), column("alias_of"));
    let cell = |row: &[&str], at: usize| row.get(at).copied().unwrap_or_default().to_owned();
    let of_kind: Vec<&Vec<&str>> = rows.iter().filter(|row| cell(row, kind_column) == kind).collect();
    let maps: BTreeSet<String> =
        of_kind.iter().filter(|row| cell(row, field_type) == "map").map(|row| cell(row, path)).collect();
    let listed: BTreeSet<String> =
        of_kind.iter().filter(|row| cell(row, alias).is_empty()).map(|row| cell(row, path)).collect();

    let mut printed_paths = BTreeSet::new();
    for document in documents(&full) {
        let mut written = document.get("spec").cloned().unwrap();
        canonical_spelling(&mut written);
        let spec: K =
            serde_json::from_value(written.clone()).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let printed = numbers_alike(serde_json::to_value(&spec).unwrap());
        assert_eq!(printed, numbers_alike(written), "{kind}: something is lost");
        paths(&printed, "spec", &maps, &mut printed_paths);
    }
    let missing: Vec<_> = listed.difference(&printed_paths).collect();
    let unlisted: Vec<_> = printed_paths.difference(&listed).collect();
    assert!(missing.is_empty(), "{kind}: fields that never come out: {missing:?}");
    assert!(unlisted.is_empty(), "{kind}: fields that are not in the list: {unlisted:?}");
    println!("{kind}: {} paths", listed.len());
}

#[test]
fn virtual_service_has_every_field() {
    check::<VirtualService>();
}

#[test]
fn destination_rule_has_every_field() {
    check::<DestinationRule>();
}

#[test]
fn gateway_has_every_field() {
    check::<Gateway>();
}

#[test]
fn service_entry_has_every_field() {
    check::<ServiceEntry>();
}

#[test]
fn workload_entry_has_every_field() {
    check::<WorkloadEntry>();
}

#[test]
fn sidecar_has_every_field() {
    check::<Sidecar>();
}
