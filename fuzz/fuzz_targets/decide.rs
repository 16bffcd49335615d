//! The whole road: a configuration, then one probe after a line of `===`.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use mesh_compile::compiler::compile;
use mesh_compile::snapshot::MeshSnapshot;
use mesh_compile::view::View;
use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::yaml::{LoadOptions, load};
use mesh_proxy_core::decide::decide;
use mesh_proxy_core::probe;

static PROXY: LazyLock<mesh_compile::proxy_identity::Proxy> = LazyLock::new(|| {
    serde_json::from_str(r#"{"type":"sidecar","namespace":"a","name":"w","labels":{"app":"w"},"ip":"10.0.0.1","service_account":"w"}"#)
        .expect("a proxy")
});

fuzz_target!(|text: &str| {
    let (config, probes) = text.split_once("\n===\n").unwrap_or((text, ""));
    let loaded = load("f", config, &LoadOptions::default());
    let mut set = ConfigSet::new();
    let options = ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() };
    set.apply_with(loaded.documents.into_iter().map(Change::Upsert), options);
    let (snapshot, _) = MeshSnapshot::resolve(&set, Arc::new(MeshConfig::with_defaults()));
    let (config, _) = compile(&View::new(&snapshot, &PROXY));
    for probe in probe::read(probes).flatten() {
        drop(decide(&config, &probe.query(1_000), &mut ()));
    }
});
