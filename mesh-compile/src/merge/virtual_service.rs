//! A VirtualService with its short names resolved and its delegates put in place (T-020 to T-024, T-125 to T-131).

use std::sync::Arc;

use mesh_model::networking::virtual_service::spec::VirtualService;
use mesh_model::origin::Provenance;

/// A VirtualService, ready to be compiled.
#[derive(Debug, Clone, PartialEq)]
pub struct MergedVirtualService {
    /// Namespace of the root object.
    pub namespace: Arc<str>,
    /// Name of the root object.
    pub name: Arc<str>,
    /// Age, seconds since 1970.
    pub created: Option<i64>,
    /// Hosts and destinations as FQDNs, gateways as `ns/name` or `mesh`, delegates merged in.
    pub spec: VirtualService,
    /// Where each `spec.http[i]` was written; same length as `spec.http`.
    pub http_origins: Vec<HttpOrigin>,
    /// Synthesised from Ingress or Gateway API (T-121).
    pub semantics: RouteSemantics,
    /// The root object.
    pub provenance: Arc<Provenance>,
}

/// Where an `http` entry and its matches were written.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpOrigin {
    /// The object that holds the entry (a delegate's entry lives in the delegate).
    pub object: Arc<Provenance>,
    /// `spec.http[2]`.
    pub path: Arc<str>,
    /// Object and path of each match (`spec.http[2].match[0]`); same length as `match`.
    pub matches: Vec<(Arc<Provenance>, Arc<str>)>,
}

/// How prefixes and unknown backends are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum RouteSemantics {
    /// A VirtualService that someone wrote.
    #[default]
    Istio,
    /// Made from an Ingress.
    Ingress,
    /// Made from a Gateway API route.
    GatewayApi,
}
