//! Istio's analyzer tests, where the corpus is there (`MESH_SHARED`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh_model::decode::Unknown;
use mesh_model::diagnostic::{Diagnostic, Report, Severity};
use mesh_model::document::Document;
use mesh_model::mesh_config::{MeshConfig, MeshNetworks, read_bare};
use mesh_model::yaml::{LoadOptions, load};
use serde_json::Value;

use crate::analyze::{ANALYZERS, Analysis, Completeness, Input, Options, analyze};

pub(super) fn corpus() -> Option<PathBuf> {
    let near = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let folder = std::env::var_os("MESH_SHARED").map_or(near, PathBuf::from).join("conformance");
    folder.is_dir().then_some(folder)
}

fn documents(path: &Path, cluster: &str) -> Vec<Arc<Document>> {
    let text = std::fs::read_to_string(path).unwrap();
    let options = LoadOptions::default().with_cluster(cluster);
    load(&path.file_name().unwrap().to_string_lossy(), text, &options).documents
}

fn config(documents: Vec<Arc<Document>>) -> ConfigSet {
    let mut config = ConfigSet::new();
    let options = ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() };
    config.apply_with(documents.into_iter().map(Change::Upsert), options);
    config
}

fn run(folder: &Path, case: &Value) -> Analysis {
    let file = |name: &Value| folder.join(name.as_str().unwrap());
    let mut read = documents(&folder.join("inputs/common/default-resources.yaml"), "Kubernetes");
    match case["clusters"].as_object() {
        Some(clusters) => {
            for (cluster, files) in clusters {
                read.extend(
                    files.as_array().unwrap().iter().flat_map(|name| documents(&file(name), cluster)),
                );
            }
        }
        None => {
            let files = case["input_files"].as_array().unwrap();
            read.extend(files.iter().flat_map(|name| documents(&file(name), "Kubernetes")));
        }
    }
    let config = config(read);
    let bare = |key: &str| {
        case.get(key).filter(|name| name.is_string()).map(|name| documents(&file(name), "Kubernetes"))
    };
    let written = bare("mesh_config")
        .and_then(|read| read_bare::<MeshConfig>(&read[0], Unknown::Warning, &mut Report::new()));
    let mesh = MeshConfig::with_defaults().overlay(written.unwrap_or_default());
    let networks = bare("mesh_networks");
    let said = networks
        .as_ref()
        .and_then(|read| read_bare::<MeshNetworks>(&read[0], Unknown::Warning, &mut Report::new()));
    let mut input = Input::new(&config, &mesh);
    if let (Some(read), Some(said)) = (&networks, &said) {
        input = input.networks(&read[0], said);
    }
    let name = case["analyzer_name"].as_str().unwrap();
    assert!(ANALYZERS.iter().any(|analyzer| analyzer.name == name), "no analyzer `{name}`");
    let options = Options {
        only: Some([name.to_owned()].into()),
        completeness: Completeness::Complete,
        ..Options::default()
    };
    analyze(&input, &options)
}

type Found = BTreeMap<(String, String, String), usize>;

fn found(report: &Report) -> Found {
    let mut found = Found::new();
    for finding in report {
        let level = match finding.severity {
            Severity::Error => "Error",
            Severity::Warning => "Warning",
            Severity::Info => "Info",
        };
        let resource = &finding.at.resource;
        let name = format!("{} {}/{}", resource.kind, resource.namespace, resource.name);
        *found
            .entry((finding.code.istio_code().unwrap_or_default().to_owned(), level.to_owned(), name))
            .or_default() += 1;
    }
    found
}

fn expected(case: &Value) -> Found {
    let mut expected = Found::new();
    let is_in_namespace = |kind: &str| {
        !["Namespace", "MutatingWebhookConfiguration", "CustomResourceDefinition"].contains(&kind)
    };
    for one in case["expected"].as_array().unwrap() {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let kind = text("resource_kind");
        let namespace = match text("resource_namespace") {
            namespace if !namespace.is_empty() => namespace,
            _ if is_in_namespace(&kind) => "default".to_owned(),
            none => none,
        };
        let name = format!("{kind} {namespace}/{}", text("resource_name"));
        *expected.entry((text("code"), text("level"), name)).or_default() += 1;
    }
    expected
}

fn is_complete(finding: &Diagnostic) -> bool {
    finding.at.line > 0 && finding.at.column > 0 && !finding.at.field.is_empty() && finding.help.is_some()
}

#[test]
fn every_case_of_istio_finds_what_istio_finds() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("analysis");
    let cases: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("cases.json")).unwrap()).unwrap();
    let cases = cases.as_array().or_else(|| cases["cases"].as_array()).unwrap();
    let mut failures = Vec::new();
    for case in cases {
        let id = case["id"].as_str().unwrap();
        if !ANALYZERS.iter().any(|analyzer| Some(analyzer.name) == case["analyzer_name"].as_str()) {
            failures.push(format!("{id}: no analyzer {}", case["analyzer_name"]));
            continue;
        }
        let report = run(&folder, case).report;
        let (got, wanted) = (found(&report), expected(case));
        if got != wanted {
            failures.push(format!("{id}\n  wanted {wanted:#?}\n  got {got:#?}"));
        }
        failures.extend(
            report.iter().filter(|one| !is_complete(one)).map(|one| format!("{id}: no place or help: {one}")),
        );
    }
    assert!(cases.len() >= 68, "only {} cases", cases.len());
    assert!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), cases.len(), failures.join("\n"));
}
