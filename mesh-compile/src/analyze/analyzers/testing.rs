//! What tests of single analyzers share.

use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh_model::diagnostic::Report;
use mesh_model::mesh_config::MeshConfig;
use mesh_model::yaml::{LoadOptions, load};

use crate::analyze::{ANALYZERS, Input, Options, analyze};

/// What one analyzer finds in a text: code, namespace and name of the object, field.
pub(super) fn found(analyzer: &str, text: &str) -> Vec<String> {
    let line = |it: &mesh_model::diagnostic::Diagnostic| {
        assert!(it.help.is_some(), "{it:?}");
        format!("{} {}/{} {}", it.code.as_str(), it.at.resource.namespace, it.at.resource.name, it.at.field)
    };
    report(analyzer, text).iter().map(line).collect()
}

/// What one analyzer finds in a text.
pub(super) fn report(analyzer: &str, text: &str) -> Report {
    assert!(ANALYZERS.iter().any(|it| it.name == analyzer), "{analyzer}");
    let loaded = load("test.yaml", text, &LoadOptions::default());
    assert!(!loaded.report.has_errors(), "{:?}", loaded.report);
    let mut config = ConfigSet::new();
    let options = ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() };
    config.apply_with(loaded.documents.into_iter().map(Change::Upsert), options);
    let mesh = MeshConfig::with_defaults();
    let only = Some([analyzer.to_owned()].into());
    analyze(&Input::new(&config, &mesh), &Options { only, ..Options::default() }).report
}
