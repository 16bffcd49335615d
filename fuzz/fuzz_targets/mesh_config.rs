//! Any bytes as MeshConfig, MeshNetworks or mesh.ProxyConfig, which stand in files without a header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesh_model::decode::Unknown;
use mesh_model::diagnostic::Report;
use mesh_model::mesh_config::{MeshConfig, MeshNetworks, ProxyConfig, read_bare};
use mesh_model::yaml::{LoadOptions, load};

fuzz_target!(|bytes: &[u8]| {
    for document in load("f", bytes, &LoadOptions::default()).documents {
        let mut report = Report::new();
        if let Some(written) = read_bare::<MeshConfig>(&document, Unknown::Warning, &mut report) {
            let mesh = MeshConfig::with_defaults().overlay(written.clone());
            assert_eq!(mesh.clone().overlay(written).root_namespace(), mesh.root_namespace());
            let _ = (mesh.connect_timeout(), mesh.ingress_selector().len(), mesh.access_log_format().len());
        }
        drop(read_bare::<MeshNetworks>(&document, Unknown::Error, &mut report));
        drop(read_bare::<ProxyConfig>(&document, Unknown::Error, &mut report));
    }
});
