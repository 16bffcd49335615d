//! Any file with ConfigMaps in it: the texts that they hold read as they do by themselves, and what is found in them stands
//! inside of the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesh_model::config_set::{Change, ConfigSet};
use mesh_model::decode::Unknown;
use mesh_model::diagnostic::Report;
use mesh_model::mesh_config::{MeshConfig, MeshNetworks, read_in_config_map};
use mesh_model::yaml::{LoadOptions, load, load_within};

fuzz_target!(|text: &str| {
    let options = LoadOptions::default();
    let loaded = load("f", text, &options);
    let lines = u32::try_from(text.len()).unwrap_or(u32::MAX).saturating_add(2);
    for document in &loaded.documents {
        let entries = document.root().get("data").into_iter().flat_map(|data| data.entries());
        for value in entries.map(|entry| entry.value) {
            let inner = load_within(document, value, &options);
            let alone = load("f", value.as_str().unwrap_or_default(), &options);
            let json = |loaded: &[_]| {
                loaded
                    .iter()
                    .map(|it: &std::sync::Arc<mesh_model::document::Document>| it.root().to_json())
                    .collect::<Vec<_>>()
            };
            assert_eq!(json(&inner.documents), json(&alone.documents));
            assert_eq!(inner.report.len(), alone.report.len());
            for finding in &inner.report {
                assert!(
                    finding.at.line >= 1 && finding.at.line <= lines && finding.at.end as usize <= text.len(),
                    "{finding:?}"
                );
            }
        }
    }
    let mut set = ConfigSet::new();
    set.apply(loaded.documents.into_iter().map(Change::Upsert));
    for config_map in set.config_maps.iter() {
        let mut report = Report::new();
        let how = (&options, Unknown::Warning);
        drop(read_in_config_map::<MeshConfig, _>(config_map, "mesh", how, &mut report));
        drop(read_in_config_map::<MeshNetworks, _>(config_map, "meshNetworks", how, &mut report));
        for finding in &report {
            assert!(finding.at.line <= lines && finding.at.field.starts_with("data."), "{finding:?}");
        }
    }
});
