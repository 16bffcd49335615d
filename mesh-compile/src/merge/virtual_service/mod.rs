//! A VirtualService with its short names resolved and its delegates put in place (T-020 to T-024, T-125 to T-131).

mod delegate;
pub(super) mod short_names;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::mesh_config::MeshConfig;
use mesh_model::name::MESH_GATEWAY;
use mesh_model::networking::virtual_service::spec::{Delegate, HttpRoute, VirtualService};
use mesh_model::object::Object;
use mesh_model::origin::{Origin, Provenance};

use crate::export_to::virtual_service_export_to;
use crate::registry::HostKey;

/// A VirtualService, ready to be compiled (T-020..T-024, T-125..T-131).
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
    /// Namespaces that see it, `.` replaced by its own (T-027).
    pub export_to: BTreeSet<String>,
    /// The root object.
    pub provenance: Arc<Provenance>,
}

impl MergedVirtualService {
    /// Older first; ties by name, then namespace (T-004).
    pub fn precedence(&self) -> (i64, &str, &str) {
        (self.created.unwrap_or(i64::MIN), &self.name, &self.namespace)
    }

    /// Where `spec.hosts[index]` was written.
    pub fn host_origin(&self, index: usize) -> Origin {
        match self.semantics {
            RouteSemantics::GatewayApi if self.spec.gateways.iter().any(|name| name == MESH_GATEWAY) => {
                self.origin("spec.parentRefs")
            }
            RouteSemantics::GatewayApi => self.origin("spec.hostnames"),
            RouteSemantics::Istio | RouteSemantics::Ingress => self.origin(format!("spec.hosts[{index}]")),
        }
    }

    /// Where `spec.tcp[index]` was written; routes of the Gateway API have one for every rule.
    pub fn tcp_origin(&self, index: usize) -> Origin {
        self.rule_origin("tcp", index)
    }

    /// Where `spec.tls[index]` was written.
    pub fn tls_origin(&self, index: usize) -> Origin {
        self.rule_origin("tls", index)
    }

    /// Where `spec.tls[index].match[position]` was written.
    pub fn tls_match_origin(&self, index: usize, position: usize) -> Origin {
        match self.semantics {
            RouteSemantics::GatewayApi => self.origin("spec.hostnames"),
            _ => self.origin(format!("spec.tls[{index}].match[{position}]")),
        }
    }

    /// Where `spec.tcp[index].match[position]` was written.
    pub fn tcp_match_origin(&self, index: usize, position: usize) -> Origin {
        match self.semantics {
            RouteSemantics::GatewayApi => self.tcp_origin(index),
            _ => self.origin(format!("spec.tcp[{index}].match[{position}]")),
        }
    }

    fn rule_origin(&self, list: &str, index: usize) -> Origin {
        let list = if self.semantics == RouteSemantics::GatewayApi { "rules" } else { list };
        self.origin(format!("spec.{list}[{index}]"))
    }

    fn origin(&self, path: impl Into<Arc<str>>) -> Origin {
        Origin::written(&self.provenance, path)
    }
}

/// Where an `http` entry and its matches were written.
/// Ours: an answer leads to the entry that was written, in the delegate where there is one.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpOrigin {
    /// The object that holds the entry (a delegate's entry lives in the delegate).
    pub object: Arc<Provenance>,
    /// `spec.http[2]`.
    pub path: Arc<str>,
    /// Object and path of each match (`spec.http[2].match[0]`); same length as `match`.
    pub matches: Vec<(Arc<Provenance>, Arc<str>)>,
    /// Position of each `route[i]` among the backends that were written; empty: all are there in order.
    pub backends: Vec<usize>,
    /// What a delegate's entry took from the entry that names it; `None`: nothing.
    pub inherited: Option<Inherited>,
}

/// Fields of an entry that were written in another one (T-129).
#[derive(Debug, Clone, PartialEq)]
pub struct Inherited {
    /// The object that holds the delegating entry.
    pub object: Arc<Provenance>,
    /// `spec.http[0]`.
    pub path: Arc<str>,
    /// `timeout`, `corsPolicy`, ...
    pub fields: Vec<&'static str>,
}

/// Where destination `index` of a `tcp` or `tls` rule was written.
pub fn l4_destination_origin(rule: &Origin, index: usize) -> Origin {
    if rule.field().starts_with("spec.rules[") {
        // Backends without a weight are left out, so positions do not tell.
        return rule.child(".backendRefs");
    }
    rule.child(&format!(".route[{index}]"))
}

/// How prefixes and unknown backends are treated (T-121).
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

/// Resolves short names and puts delegates in place; the result is in the order of `objects`, without the delegates.
///
/// What Istio logs and leaves out (a delegate that is missing, hidden or in conflict) becomes a finding.
pub fn merge_all(
    objects: &[Arc<Object<VirtualService>>],
    mesh: &MeshConfig,
    report: &mut Report,
) -> Vec<Arc<MergedVirtualService>> {
    let default = mesh.default_virtual_service_export_to();
    let resolved: Vec<_> = objects.iter().map(|object| resolve(object, default)).collect();
    let (delegates, roots): (Vec<_>, Vec<_>) =
        resolved.into_iter().partition(|virtual_service| virtual_service.spec.hosts.is_empty());
    let delegates: Delegates = delegates
        .into_iter()
        .map(|found| ((Arc::clone(&found.namespace), Arc::clone(&found.name)), found))
        .collect();
    roots.into_iter().map(|root| Arc::new(delegate::merge(root, &delegates, report))).collect()
}

/// One VirtualService with its delegates, as [`merge_all`] merges it; `None`: it is a delegate itself.
pub fn merge_one(
    object: &Object<VirtualService>,
    find: &dyn Fn(&HostKey) -> Option<Arc<Object<VirtualService>>>,
    mesh: &MeshConfig,
    report: &mut Report,
) -> Option<MergedVirtualService> {
    let default = mesh.default_virtual_service_export_to();
    let root = resolve(object, default);
    if root.spec.hosts.is_empty() {
        return None;
    }
    let delegates = references(&root.spec, &root.namespace).into_iter().filter_map(|name| {
        let found = find(&name).filter(|found| found.spec.hosts.is_empty())?;
        Some((name, resolve(&found, default)))
    });
    Some(delegate::merge(root, &delegates.collect(), report))
}

/// The delegates that a VirtualService of `namespace` names, by namespace and name.
pub fn references(spec: &VirtualService, namespace: &Arc<str>) -> Vec<HostKey> {
    let named = spec.http.iter().filter_map(|route| route.delegate.as_deref());
    let key = |delegate: &Delegate| {
        let own = delegate.namespace.is_empty();
        let namespace = if own { Arc::clone(namespace) } else { delegate.namespace.as_str().into() };
        (namespace, delegate.name.as_str().into())
    };
    named.map(key).collect()
}

/// VirtualServices without hosts, by namespace and name.
type Delegates = BTreeMap<(Arc<str>, Arc<str>), MergedVirtualService>;

/// One VirtualService with its names resolved, its delegates still to come.
fn resolve(object: &Object<VirtualService>, default_export_to: &[String]) -> MergedVirtualService {
    let namespace = Arc::clone(&object.meta.namespace);
    let mut spec = object.spec.clone();
    short_names::resolve(&mut spec, &namespace);
    let http_origins = spec
        .http
        .iter()
        .enumerate()
        .map(|(index, route)| HttpOrigin::of(&object.provenance, index, route))
        .collect();
    MergedVirtualService {
        export_to: virtual_service_export_to(&spec.export_to, default_export_to, &namespace),
        namespace,
        name: Arc::clone(&object.meta.name),
        created: object.meta.created,
        spec,
        http_origins,
        semantics: RouteSemantics::Istio,
        provenance: Arc::clone(&object.provenance),
    }
}

impl HttpOrigin {
    /// The origin of `spec.http[index]` of an object.
    fn of(object: &Arc<Provenance>, index: usize, route: &HttpRoute) -> Self {
        let path: Arc<str> = format!("spec.http[{index}]").into();
        let of_match = |position: usize| (Arc::clone(object), format!("{path}.match[{position}]").into());
        let matches = (0..route.r#match.len()).map(of_match).collect();
        Self { object: Arc::clone(object), path, matches, backends: Vec::new(), inherited: None }
    }

    /// Where a field of the entry (`.timeout`, `.mirrors[0]`) was written; empty: the entry itself.
    pub fn field(&self, suffix: &str) -> Origin {
        let name = suffix.trim_start_matches('.').split(['.', '[']).next().unwrap_or_default();
        match &self.inherited {
            Some(from) if from.fields.contains(&name) => {
                Origin::written(&from.object, [&from.path, suffix].concat())
            }
            _ if suffix.is_empty() => Origin::written(&self.object, Arc::clone(&self.path)),
            _ if self.object.kind == "VirtualService" => {
                Origin::written(&self.object, [&self.path, suffix].concat())
            }
            _ => self.field_of_other_kind(name),
        }
    }

    /// The field of a route of the Gateway API that came to `name`; the entry where it is not written.
    fn field_of_other_kind(&self, name: &str) -> Origin {
        let written = match name {
            "timeout" => "timeouts",
            "retries" => "retry",
            "route" => "backendRefs",
            _ => "filters",
        };
        let path: Arc<str> = format!("{}.{written}", self.path).into();
        let root = self.object.document.root();
        // A path that is not written is located at its parent.
        let is_written = root.locate(&path) != root.locate(&self.path);
        Origin::written(&self.object, if is_written { path } else { Arc::clone(&self.path) })
    }
}
