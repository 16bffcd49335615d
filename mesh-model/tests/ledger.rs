//! The specs against the list of all API fields, where that list lies beside the workspace; elsewhere nothing is checked.
#![cfg(feature = "yaml")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use mesh_model::extensions::{traffic_extension::TrafficExtension, wasm_plugin::WasmPlugin};
use mesh_model::networking::destination_rule::spec::DestinationRule;
use mesh_model::networking::envoy_filter::spec::EnvoyFilter;
use mesh_model::networking::gateway::spec::Gateway;
use mesh_model::networking::proxy_config::spec::ProxyConfig;
use mesh_model::networking::service_entry::spec::ServiceEntry;
use mesh_model::networking::sidecar::spec::Sidecar;
use mesh_model::networking::virtual_service::spec::VirtualService;
use mesh_model::networking::workload_entry::spec::WorkloadEntry;
use mesh_model::networking::workload_group::spec::WorkloadGroup;
use mesh_model::object::Kind;
use mesh_model::telemetry::Telemetry;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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

/// Takes out the enums written at their zero, which protobuf does not tell apart from unwritten ones; says where.
fn take_zeros(
    value: &mut Value,
    at: &str,
    zeros: &BTreeMap<String, String>,
    maps: &BTreeSet<String>,
) -> BTreeSet<String> {
    let mut taken = BTreeSet::new();
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(|item| taken.extend(take_zeros(item, &format!("{at}[]"), zeros, maps)));
        }
        Value::Object(entries) => entries.retain(|key, value| {
            let below = if maps.contains(at) { format!("{at}{{}}") } else { format!("{at}.{key}") };
            let is_zero = zeros.get(&below).is_some_and(|zero| *value == json!(zero));
            taken.extend(is_zero.then(|| below.clone()));
            taken.extend(take_zeros(value, &below, zeros, maps));
            !is_zero
        }),
        _ => {}
    }
    taken
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

/// The rows of one kind in the field list.
struct Fields {
    rows: Vec<Field>,
}

/// One row of the field list.
struct Field {
    path: String,
    /// The type in the list's words.
    kind: String,
    variants: Vec<String>,
    in_oneof: bool,
    is_second_spelling: bool,
    /// The API refuses every value but the zero, so no document sets it.
    is_refused: bool,
}

/// The rule of the API that a reference names no namespace.
const NO_NAMESPACE: &str = "CEL-06";

impl Fields {
    fn of(kind: &str) -> Option<Self> {
        let text = shared("ledger/fields.tsv")?;
        let mut lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        let titles = lines.next().unwrap();
        let rows = lines
            .map(|cells| {
                titles
                    .iter()
                    .zip(cells)
                    .map(|(title, cell)| (*title, cell.to_owned()))
                    .collect::<BTreeMap<_, _>>()
            })
            .filter(|row| row["kind"] == kind)
            .map(|row| Field {
                path: row["path"].clone(),
                kind: row["type"].clone(),
                variants: row["enum"].split(',').map(str::to_owned).collect(),
                in_oneof: !row["oneof"].is_empty(),
                is_second_spelling: !row["alias_of"].is_empty(),
                is_refused: row["cel"] == NO_NAMESPACE,
            })
            .collect();
        Some(Self { rows })
    }

    fn maps(&self) -> BTreeSet<String> {
        self.rows.iter().filter(|row| row.kind == "map").map(|row| row.path.clone()).collect()
    }

    /// Enums without presence, and their zeros.
    fn enum_zeros(&self) -> BTreeMap<String, String> {
        let enums = self.rows.iter().filter(|row| row.kind == "enum" && !row.in_oneof);
        enums.map(|row| (row.path.clone(), row.variants.first().unwrap().clone())).collect()
    }
}

impl Field {
    /// The zero value in JSON, and whether protobuf tells it apart from an unwritten field.
    fn zero(&self) -> (Value, bool) {
        let element = self.path.ends_with("[]") || self.path.ends_with("{}");
        let scalar = self.kind.strip_prefix("wrapper:").unwrap_or(&self.kind);
        let value = match scalar {
            "string" | "bytes" => json!(""),
            "bool" => json!(false),
            "double" => json!(0.0),
            "duration" => json!("0s"),
            "enum" => json!(self.variants.first().unwrap()),
            "object" | "map" | "struct" => json!({}),
            "list" => json!([]),
            _ => json!(0),
        };
        let has_presence =
            self.kind.starts_with("wrapper:") || matches!(scalar, "object" | "duration" | "struct");
        (value, element || has_presence || self.in_oneof)
    }
}

/// A document with `value` at `path` (without its leading `spec`) and nothing else.
fn document_with(path: &str, value: Value) -> Value {
    if let Some(outer) = path.strip_suffix("[]") {
        return document_with(outer, json!([value]));
    }
    if let Some(outer) = path.strip_suffix("{}") {
        return document_with(outer, json!({ "key": value }));
    }
    match path.rsplit_once('.') {
        Some((outer, field)) => document_with(outer, json!({ field: value })),
        None => value,
    }
}

fn check<K: Kind + Serialize>() {
    let kind = K::KIND;
    let (Some(fields), Some(full)) = (Fields::of(kind), shared(&format!("conformance/full/{kind}.yaml")))
    else {
        println!("{kind}: no field list beside the workspace, nothing checked");
        return;
    };
    every_field_survives::<K>(&fields, &full);
    zeros_are_kept_where_they_are_told_apart::<K>(&fields);
    enums_have_the_listed_variants::<K>(&fields);
    println!("{kind}: {} paths", fields.rows.len());
}

fn every_field_survives<K: Kind + Serialize>(fields: &Fields, full: &str) {
    let kind = K::KIND;
    let maps = fields.maps();
    let listed: BTreeSet<String> =
        fields.rows.iter().filter(|row| !row.is_second_spelling).map(|row| row.path.clone()).collect();
    let mut printed_paths = BTreeSet::new();
    for document in documents(full) {
        let mut written = document.get("spec").cloned().unwrap();
        canonical_spelling(&mut written);
        printed_paths.extend(take_zeros(&mut written, "spec", &fields.enum_zeros(), &maps));
        let spec: K =
            serde_json::from_value(written.clone()).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let printed = numbers_alike(serde_json::to_value(&spec).unwrap());
        assert_eq!(printed, numbers_alike(written), "{kind}: something is lost");
        paths(&printed, "spec", &maps, &mut printed_paths);
    }
    let refused: BTreeSet<&String> =
        fields.rows.iter().filter(|row| row.is_refused).map(|row| &row.path).collect();
    let missing: Vec<_> = listed.difference(&printed_paths).filter(|path| !refused.contains(path)).collect();
    // What a free JSON object holds is not listed.
    let free: Vec<_> =
        fields.rows.iter().filter(|row| row.kind == "struct").map(|row| format!("{}.", row.path)).collect();
    let is_free = |path: &&String| free.iter().any(|start| path.starts_with(start));
    let unlisted: Vec<_> = printed_paths.difference(&listed).filter(|path| !is_free(path)).collect();
    assert!(missing.is_empty(), "{kind}: fields that never come out: {missing:?}");
    assert!(unlisted.is_empty(), "{kind}: fields that are not in the list: {unlisted:?}");
}

fn zeros_are_kept_where_they_are_told_apart<K: Kind + Serialize>(fields: &Fields) {
    for field in fields.rows.iter().filter(|field| !field.is_second_spelling && field.path != "spec") {
        let (zero, kept) = field.zero();
        let written = document_with(&field.path, zero);
        let spec: K = serde_json::from_value(written.clone())
            .unwrap_or_else(|error| panic!("{} {}: {error}", K::KIND, field.path));
        let printed = serde_json::to_value(&spec).unwrap();
        assert_eq!(printed == written, kept, "{} {}: {printed}", K::KIND, field.path);
    }
}

fn enums_have_the_listed_variants<K: Kind + Serialize>(fields: &Fields) {
    for field in fields.rows.iter().filter(|field| field.kind == "enum") {
        let read = |value: Value| {
            let written = document_with(&field.path, value);
            serde_json::from_value::<K>(written)
                .and_then(|spec| serde_json::to_value(&spec))
                .map_err(|error| error.to_string())
        };
        for (number, name) in field.variants.iter().enumerate() {
            let by_name = read(json!(name)).unwrap();
            assert_eq!(by_name, read(json!(number)).unwrap(), "{} {name} is {number}", field.path);
        }
        // `expected one of `A`, `B`, ..`; serde words one or two names in ways of its own.
        let refused = read(json!("NO_SUCH")).unwrap_err();
        let known: Vec<&str> = refused.split('`').skip(1).step_by(2).skip(1).collect();
        assert_eq!(known, field.variants, "{}: {refused}", field.path);
    }
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

#[test]
fn envoy_filter_has_every_field() {
    check::<EnvoyFilter>();
}

#[test]
fn wasm_plugin_has_every_field() {
    check::<WasmPlugin>();
}

#[test]
fn traffic_extension_has_every_field() {
    check::<TrafficExtension>();
}

#[test]
fn workload_group_has_every_field() {
    check::<WorkloadGroup>();
}

#[test]
fn proxy_config_has_every_field() {
    check::<ProxyConfig>();
}

#[test]
fn telemetry_has_every_field() {
    check::<Telemetry>();
}
