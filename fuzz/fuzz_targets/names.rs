//! Names that a person types: namespaces, hostnames, trust domains, SPIFFE ids, ports, percents, protocols.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesh_model::name::{
    ExportTo, Hostname, Namespace, PortNumber, Protocol, SpiffeId, TrustDomain, resolve_gateway_name,
};

fuzz_target!(|text: &str| {
    drop(text.parse::<Namespace>());
    drop(text.parse::<Hostname>());
    drop(text.parse::<TrustDomain>());
    let _ = text.parse::<PortNumber>();
    drop(ExportTo::parse(text));
    let _ = Protocol::parse(text);
    drop(resolve_gateway_name(text, "default"));
    if let Ok(id) = text.parse::<SpiffeId>() {
        assert_eq!(id.to_string().parse::<SpiffeId>().ok(), Some(id), "{text}");
    }
});
