//! Small languages: annotations of Pods, suppressions, port maps, credential and port names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesh_compile::analyze::Suppression;
use mesh_model::kubernetes::SidecarAnnotations;
use mesh_model::name::{CredentialSource, OffloadedPort, StringMap, revision_version};
use mesh_proxy_core::runtime::options::PortMap;

const NAMES: [&str; 8] = [
    "sidecar.istio.io/inject",
    "proxy.istio.io/config",
    "traffic.sidecar.istio.io/includeOutboundIPRanges",
    "traffic.sidecar.istio.io/excludeOutboundIPRanges",
    "sidecar.istio.io/proxyCPU",
    "sidecar.istio.io/proxyMemoryLimit",
    "sidecar.istio.io/userVolume",
    "sidecar.istio.io/userVolumeMount",
];

fuzz_target!(|text: &str| {
    let written: StringMap =
        NAMES.iter().zip(text.lines()).map(|(name, value)| ((*name).to_owned(), value.to_owned())).collect();
    drop(SidecarAnnotations::read(&written, &written));
    drop(Suppression::parse(text));
    drop(PortMap::parse(text));
    let _ = (CredentialSource::parse(text), OffloadedPort::parse(text), revision_version(text));
});
