//! Any configuration as the input of analysis and of the picture: findings stay inside of the text, and the HTML has one script.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use mesh_compile::analyze::{Completeness, Input, Options, analyze};
use mesh_compile::graph::{MeshGraph, dot, html, mermaid};
use mesh_compile::snapshot::MeshSnapshot;
use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::yaml::{LoadOptions, load};

fuzz_target!(|text: &str| {
    let loaded = load("f", text, &LoadOptions::default());
    let mut set = ConfigSet::new();
    let options = ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() };
    set.apply_with(loaded.documents.into_iter().map(Change::Upsert), options);
    let mesh = Arc::new(MeshConfig::with_defaults());
    let options = Options { completeness: Completeness::Complete, ..Options::default() };
    let analysis = analyze(&Input::new(&set, &mesh), &options);
    // A carriage return alone ends a line too (YAML 1.2, 5.4).
    let lines = text.split(['\n', '\r']).count();
    let lines = u32::try_from(lines).unwrap_or(u32::MAX).saturating_add(2);
    for finding in &analysis.report {
        assert!(finding.at.line <= lines, "{finding:?}");
    }
    let (snapshot, _) = MeshSnapshot::resolve(&set, mesh);
    let graph = MeshGraph::of(&snapshot);
    drop((dot(&graph), mermaid(&graph)));
    let empty = html(&MeshGraph::default(), "t");
    let scripts = |page: &str| page.matches("</script").count();
    assert_eq!(scripts(&html(&graph, "t")), scripts(&empty), "text of objects ends a script");
});
