//! Real configuration must be read: samples, product examples, and documents that set every field.
//!
//! Skipped, with a line that says so, where the conformance folder is not beside the repository.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mesh::model::config_set::{Change, ConfigSet};
use mesh::model::decode::Unknown;
use mesh::model::diagnostic::{Code, Diagnostic, Report, Severity};
use mesh::model::kind_table::{KINDS, Strictness};
use mesh::model::mesh_config::{MeshConfig, MeshNetworks, ProxyConfig, read_bare};
use mesh::model::yaml::{LoadOptions, load};
use serde_json::Value;

fn folder(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("MESH_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from)
        .join("conformance")
        .join(name);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: no {}", path.display());
    None
}

/// The index of a folder, and the findings of every file it names, in strict mode.
fn check(folder: &Path) -> (Vec<Value>, BTreeMap<String, Vec<Diagnostic>>) {
    let index: Vec<Value> =
        serde_json::from_str(&std::fs::read_to_string(folder.join("index.json")).unwrap()).unwrap();
    let mut findings = BTreeMap::new();
    for entry in &index {
        let file = entry["file"].as_str().unwrap();
        findings.entry(file.to_owned()).or_insert_with(|| {
            let bytes = std::fs::read(folder.join(file)).unwrap();
            let loaded = load(file, &bytes, &LoadOptions::default());
            let changes = loaded.documents.into_iter().map(Change::Upsert);
            let applied = ConfigSet::new().apply_with(changes, Strictness::Strict);
            loaded.report.into_iter().chain(applied.report).collect()
        });
    }
    (index, findings)
}

fn is_read(entry: &Value) -> bool {
    let version = entry["apiVersion"].as_str().unwrap_or_default();
    let group = version.split_once('/').map_or("", |(group, _)| group);
    KINDS.iter().any(|(kind, of, ..)| *of == group && Some(*kind) == entry["kind"].as_str())
}

fn structural(finding: &Diagnostic) -> bool {
    matches!(finding.code, Code::UnknownField | Code::WrongType | Code::BadValue | Code::Syntax)
}

/// Documents that are accepted upstream have no finding of structure; kinds that are not read get one remark.
fn accepts_what_the_index_accepts(name: &str) {
    let Some(folder) = folder(name) else { return };
    let (index, findings) = check(&folder);
    let mut problems = Vec::new();
    for entry in index.iter().filter(|entry| entry["expect"] != "crd-error" && is_read(entry)) {
        let of_document = |finding: &&Diagnostic| {
            structural(finding)
                && Some(finding.at.resource.kind.as_str()) == entry["kind"].as_str()
                && entry["name"].as_str().is_none_or(|name| finding.at.resource.name == name)
        };
        problems.extend(findings[entry["file"].as_str().unwrap()].iter().filter(of_document));
    }
    assert!(
        problems.is_empty(),
        "{}",
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    );
    let remarks = || findings.values().flatten().filter(|finding| finding.code == Code::UnknownKind);
    assert!(
        remarks().all(|remark| remark.severity == Severity::Info),
        "{:#?}",
        remarks().collect::<Vec<_>>()
    );
    println!("{name}: {} documents, {} remarks on kinds that are not read", index.len(), remarks().count());
}

#[test]
fn samples_are_accepted() {
    accepts_what_the_index_accepts("samples");
}

#[test]
fn seeds_are_accepted() {
    accepts_what_the_index_accepts("seeds");
}

#[test]
fn documents_that_set_every_field_are_accepted() {
    accepts_what_the_index_accepts("full");
}

#[test]
fn decision_cases_are_read_without_errors() {
    let Some(folder) = folder("decide") else { return };
    let mut cases = 0;
    for area in
        std::fs::read_dir(folder).unwrap().map(|area| area.unwrap().path()).filter(|area| area.is_dir())
    {
        for case in std::fs::read_dir(area).unwrap() {
            let path = case.unwrap().path().join("config.yaml");
            let loaded = load("config.yaml", std::fs::read(&path).unwrap(), &LoadOptions::default());
            assert!(!loaded.report.has_errors(), "{}: {:?}", path.display(), loaded.report);
            let applied = ConfigSet::new().apply(loaded.documents.into_iter().map(Change::Upsert));
            let is_error = |finding: &&Diagnostic| structural(finding) && finding.severity == Severity::Error;
            let problems: Vec<_> = applied.report.iter().filter(is_error).collect();
            assert!(problems.is_empty(), "{}: {problems:#?}", path.display());
            cases += 1;
        }
    }
    assert!(cases > 1000, "only {cases} cases were found");
}

/// What `mesh check` says of the documents of a folder when each is looked at alone, strictly: its findings by index
/// entry.
fn read_findings(folder: &Path) -> Vec<(Value, Vec<Diagnostic>)> {
    let (index, findings) = check(folder);
    let of = |entry: &Value| {
        let found = findings[entry["file"].as_str().unwrap()].iter().filter(|finding| structural(finding));
        // Documents of a file by their order: names repeat, and some have none.
        let alone = |finding: &&Diagnostic| {
            let resource = &finding.at.resource;
            entry["kind"].as_str().is_none_or(|kind| resource.kind == kind)
                && entry["name"].as_str().is_none_or(|name| resource.name == name)
        };
        found.filter(alone).cloned().collect()
    };
    index
        .into_iter()
        .map(|entry| {
            let found = of(&entry);
            (entry, found)
        })
        .collect()
}

#[test]
fn of_the_samples_exactly_the_three_that_an_api_server_refuses_have_errors_of_reading() {
    let Some(folder) = folder("samples") else { return };
    let mut refused = 0;
    for (entry, findings) in read_findings(&folder) {
        let errors: Vec<_> = findings.iter().filter(|found| found.severity == Severity::Error).collect();
        match entry["expect"].as_str().unwrap() {
            "ok" => assert!(errors.is_empty(), "{entry}: {errors:#?}"),
            "crd-error" => {
                assert!(!errors.is_empty(), "{entry} has no error");
                refused += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(refused, 3);
}

#[test]
fn documents_that_set_every_field_have_no_unknown_field_in_either_mode() {
    let Some(folder) = folder("full") else { return };
    let mut read = 0;
    for (entry, findings) in read_findings(&folder) {
        assert!(findings.is_empty(), "{entry}: {findings:#?}");
        read += 1;
    }
    assert!(read >= 36, "{read}");
    // Messages without a header are read as what their file is called.
    for (file, unknown) in ["MeshConfig", "MeshNetworks", "mesh.ProxyConfig"]
        .into_iter()
        .flat_map(|file| [(file, Unknown::Error), (file, Unknown::Warning)])
    {
        let name = format!("{file}.yaml");
        let loaded = load(&name, std::fs::read(folder.join(&name)).unwrap(), &LoadOptions::default());
        assert!(!loaded.documents.is_empty() && loaded.report.is_empty(), "{name}");
        for document in &loaded.documents {
            let mut report = Report::new();
            let is_read = match file {
                "MeshConfig" => read_bare::<MeshConfig>(document, unknown, &mut report).is_some(),
                "MeshNetworks" => read_bare::<MeshNetworks>(document, unknown, &mut report).is_some(),
                _ => read_bare::<ProxyConfig>(document, unknown, &mut report).is_some(),
            };
            let problems: Vec<_> = report.iter().filter(|found| structural(found)).collect();
            assert!(is_read && problems.is_empty(), "{name}: {problems:#?}");
        }
    }
}
