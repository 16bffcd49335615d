//! Whole objects are judged as Istio judges them, where the rows lie beside the workspace; and what that means for
//! the store.
#![cfg(feature = "yaml")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;

use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh_model::decode::Unknown;
use mesh_model::diagnostic::{Code, Report, Severity, Stage};
use mesh_model::kind_table::KINDS;
use mesh_model::mesh_config::{MeshConfig, MeshNetworks, read_bare};
use mesh_model::value::Duration;
use mesh_model::yaml::{LoadOptions, load};
use serde_json::Value;

/// The folder of the rows; it can be named with `MESH_SHARED`.
fn folder() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let root = std::env::var_os("MESH_SHARED").map_or(beside, PathBuf::from);
    let folder = root.join("conformance/validation");
    if !folder.is_dir() {
        println!("skipped: no {}", folder.display());
        return None;
    }
    Some(folder)
}

fn verdict(report: &Report) -> &'static str {
    let here = |severity: Severity| {
        report.iter().any(|found| {
            found.severity == severity && matches!(found.code.stage(), Stage::Read | Stage::Validate)
        })
    };
    match (here(Severity::Error), here(Severity::Warning)) {
        (true, _) => "invalid",
        (_, true) => "warning",
        _ => "valid",
    }
}

/// Reads the first document, of any kind that is read; with its problems.
fn judge(text: &str, kind: &str) -> Report {
    let loaded = load("row.yaml", text, &LoadOptions::default());
    let mut report = loaded.report;
    if text.contains("apiVersion") {
        let changes = loaded.documents.into_iter().map(Change::Upsert);
        report.merge(ConfigSet::new().apply(changes).report);
    } else if let Some(document) = loaded.documents.first() {
        match kind {
            "MeshConfig" => drop(read_bare::<MeshConfig>(document, Unknown::Warning, &mut report)),
            "MeshNetworks" => drop(read_bare::<MeshNetworks>(document, Unknown::Warning, &mut report)),
            other => panic!("a bare message of kind {other}"),
        }
    }
    report
}

fn is_read(row: &Value) -> bool {
    let kind = row["kind"].as_str().unwrap_or_default();
    ["MeshConfig", "MeshNetworks"].contains(&kind) || KINDS.iter().any(|(name, ..)| *name == kind)
}

#[test]
fn messages_are_judged_as_by_istio() {
    let Some(folder) = folder() else { return };
    let rows: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(folder.join("messages.json")).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for row in rows.iter().filter(|row| is_read(row)) {
        let report = judge(&row["message"].to_string(), row["kind"].as_str().unwrap());
        if verdict(&report) != row["expect"] {
            wrong.push(format!("{}: {} is expected\n{report:#?}", row["id"], row["expect"]));
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn documents_are_judged_as_by_the_schema_of_the_api() {
    let Some(folder) = folder() else { return };
    let rows: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(folder.join("cases.json")).unwrap()).unwrap();
    for row in rows.iter().filter(|row| is_read(row)) {
        let text = fs::read_to_string(folder.join(row["file"].as_str().unwrap())).unwrap();
        let report = judge(&text, "");
        let is_refused = verdict(&report) == "invalid";
        assert_eq!(is_refused, row["expect"] == "invalid", "{}: {report:#?}", row["id"]);
    }
}

/// The paths of all scalars.
fn scalars(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| scalars(item, &format!("{at}/{index}"), found));
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                scalars(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        _ => found.push(at.to_owned()),
    }
}

#[test]
fn odd_values_in_any_field_are_judged() {
    let Some(folder) = folder() else { return };
    let rows: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(folder.join("messages.json")).unwrap()).unwrap();
    let mut judged = 0;
    for row in rows.iter().filter(|row| is_read(row) && row["expect"] == "valid") {
        let mut paths = Vec::new();
        scalars(&row["message"], "", &mut paths);
        for path in paths.iter().filter(|path| path.starts_with("/spec")) {
            for odd in ["", "*", "%(", "/", "unix://", "\u{e9}:\u{0}", "-1"] {
                let mut message = row["message"].clone();
                *message.pointer_mut(path).unwrap() = Value::from(odd);
                drop(judge(&message.to_string(), row["kind"].as_str().unwrap()));
                judged += 1;
            }
        }
    }
    assert!(judged > 1000, "{judged}");
}

const REVIEWS: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http:
  - timeout: 1us
    route:
    - destination: {host: reviews}
";

fn change(text: &str) -> impl Iterator<Item = Change> {
    load("reviews.yaml", text, &LoadOptions::default()).documents.into_iter().map(Change::Upsert)
}

#[test]
fn a_problem_stands_where_its_field_is_written() {
    let applied = ConfigSet::new().apply(change(REVIEWS));
    let [found] = applied.report.iter().collect::<Vec<_>>()[..] else { panic!("{:#?}", applied.report) };
    assert_eq!((found.code, found.at.field.as_str()), (Code::InvalidValue, "spec.http[0].timeout"));
    assert_eq!((found.at.file.as_str(), found.at.line, found.at.column), ("reviews.yaml", 8, 5));
    assert_eq!(found.message, "`0.000001s` is shorter than 1ms");
}

#[test]
fn an_invalid_version_does_not_replace_a_good_one() {
    let mut config = ConfigSet::new();
    assert!(config.apply(change(&REVIEWS.replace("1us", "1s"))).report.is_empty());
    let applied = config.apply(change(REVIEWS));
    assert!(applied.report.iter().any(|found| found.code == Code::KeptLastGood));
    let [object] = config.virtual_services.iter().collect::<Vec<_>>()[..] else { panic!("one is in force") };
    assert_eq!(object.spec.http[0].timeout.map(Duration::as_millis), Some(1000));
}

#[test]
fn an_invalid_version_is_in_force_where_it_came_past_the_webhook() {
    let mut config = ConfigSet::new();
    let options = ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() };
    let applied = config.apply_with(change(REVIEWS), options);
    assert!(applied.report.has_errors());
    assert_eq!((applied.accepted, config.virtual_services.len()), (1, 1));
    // What cannot be read stays out all the same.
    let applied = config.apply_with(change(&REVIEWS.replace("1us", "soon")), options);
    assert!(applied.report.iter().any(|found| found.code == Code::KeptLastGood));
}
