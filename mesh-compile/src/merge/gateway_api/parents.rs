//! What routes are attached to: listeners of Gateways, and Services or ServiceEntries for the mesh.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Missing, Place, Report};
use mesh_model::gateway_api::{GROUP, ParentReference};
use mesh_model::name::{MESH_GATEWAY, host_matches, host_subset_of, is_wildcard};
use mesh_model::object::ObjectMeta;
use mesh_model::origin::Provenance;

use super::{Scope, general_help};
use crate::registry::DOMAIN;

/// A listener that routes can be attached to.
#[derive(Debug, Clone)]
pub(super) struct Parent {
    /// The Gateway that was made of it, as `ns/name`.
    pub(super) internal: Arc<str>,
    /// Kinds of routes that it takes.
    pub(super) kinds: Vec<&'static str>,
    /// `ns/host`.
    pub(super) hosts: Vec<String>,
    /// `hostname` as written; empty: all.
    pub(super) hostname: String,
    pub(super) section: String,
    pub(super) port: u16,
    pub(super) protocol: String,
}

/// Listeners by namespace and name of their Gateway.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    by_gateway: BTreeMap<(Arc<str>, Arc<str>), Vec<Parent>>,
}

impl Listeners {
    pub(super) fn add(&mut self, gateway: &ObjectMeta, parent: Parent) {
        let key = (Arc::clone(&gateway.namespace), Arc::clone(&gateway.name));
        self.by_gateway.entry(key).or_default().push(parent);
    }

    fn of(&self, namespace: &str, name: &str) -> Option<&[Parent]> {
        self.by_gateway.get(&(Arc::from(namespace), Arc::from(name))).map(Vec::as_slice)
    }
}

/// A route of any kind, as far as attachment goes.
pub(super) struct RouteHead<'r> {
    pub(super) kind: &'static str,
    pub(super) meta: &'r ObjectMeta,
    pub(super) provenance: &'r Arc<Provenance>,
    pub(super) parent_refs: &'r [ParentReference],
    pub(super) hostnames: &'r [String],
}

/// A parent that takes the route.
#[derive(Debug, Clone)]
pub(super) struct Attachment {
    /// `mesh`, or the Gateway as `ns/name`.
    pub(super) gateway: Arc<str>,
    /// Hosts of the mesh service; `None`: a listener.
    pub(super) mesh_hosts: Option<Vec<String>>,
    /// Port in the reference.
    pub(super) port: Option<u16>,
    /// The listener's own host; empty: all.
    pub(super) hostname: String,
    /// Hosts of the Gateway's other listeners of this port and protocol.
    other_hostnames: BTreeSet<String>,
}

impl Attachment {
    pub(super) fn is_mesh(&self) -> bool {
        self.mesh_hosts.is_some()
    }

    /// Whether a host of the route is this listener's and no other's that is more exact.
    pub(super) fn takes_host(&self, host: &str) -> bool {
        let own = self.hostname.as_str();
        if !own.is_empty() && !is_wildcard(own) {
            return true;
        }
        if !own.is_empty() && !host_matches(host, own) {
            return false;
        }
        let is_other = |other: &String| own.len() <= other.len() && host_subset_of(host, other);
        !self.other_hostnames.iter().any(is_other)
    }
}

/// The parents that take a route, by name; those that do not become findings.
pub(super) fn attachments(scope: &Scope<'_>, head: &RouteHead<'_>, report: &mut Report) -> Vec<Attachment> {
    let mut found = Vec::new();
    let mut references: Vec<_> = head.parent_refs.iter().enumerate().collect();
    references.sort_by_key(|(_, reference)| sort_key(reference, &head.meta.namespace));
    for (index, reference) in references {
        let field = format!("spec.parentRefs[{index}]");
        let outcome = match target(reference) {
            Target::Gateway => to_gateway(scope, head, reference, &mut found),
            Target::Service => to_service(scope, head, reference, &mut found),
            Target::ServiceEntry => to_service_entry(scope, head, reference, &mut found),
            Target::Foreign => Ok(()),
        };
        if let Err(message) = outcome {
            let namespace = namespace_of(reference, &head.meta.namespace);
            let kind = reference.kind.as_deref().unwrap_or("Gateway");
            let finding =
                Diagnostic::new(Code::RouteNotAttached, Place::of(head.provenance, &field), message);
            let finding = finding.help(general_help(Code::RouteNotAttached));
            report.push(finding.missing(Missing::object(kind, namespace, &reference.name)));
        }
    }
    found.sort_by(|a, b| a.gateway.cmp(&b.gateway));
    found
}

enum Target {
    Gateway,
    Service,
    ServiceEntry,
    /// A kind that other controllers serve.
    Foreign,
}

fn target(reference: &ParentReference) -> Target {
    let group = reference.group.as_deref().unwrap_or(GROUP);
    match (group, reference.kind.as_deref().unwrap_or("Gateway")) {
        (GROUP, "Gateway") => Target::Gateway,
        ("", "Service") => Target::Service,
        ("networking.istio.io", "ServiceEntry") => Target::ServiceEntry,
        _ => Target::Foreign,
    }
}

fn sort_key(reference: &ParentReference, namespace: &str) -> String {
    format!(
        "{}/{}/{}/{}/{}.{}",
        reference.group.as_deref().unwrap_or(GROUP),
        reference.kind.as_deref().unwrap_or("Gateway"),
        reference.name,
        reference.section_name.as_deref().unwrap_or_default(),
        reference.port.unwrap_or_default(),
        namespace_of(reference, namespace),
    )
}

fn namespace_of<'r>(reference: &'r ParentReference, own: &'r str) -> &'r str {
    reference.namespace.as_deref().unwrap_or(own)
}

fn to_gateway(
    scope: &Scope<'_>,
    head: &RouteHead<'_>,
    reference: &ParentReference,
    found: &mut Vec<Attachment>,
) -> Result<(), String> {
    let namespace = namespace_of(reference, &head.meta.namespace);
    let Some(listeners) = scope.listeners.of(namespace, &reference.name) else {
        // A gateway of another controller is none of ours; one that does not exist is a slip.
        let exists =
            scope.config.kubernetes_gateways.iter().any(|gateway| {
                *gateway.meta.namespace == *namespace && *gateway.meta.name == *reference.name
            });
        let message = || format!("no gateway `{namespace}/{}` is known", reference.name);
        return if exists { Ok(()) } else { Err(message()) };
    };
    let mut is_taken = false;
    let mut reason = "it has no listener".to_owned();
    for listener in listeners {
        match admits(listener, head, reference) {
            // Another reference led here already: its rules would only be there twice.
            Ok(()) if found.iter().any(|earlier| earlier.gateway == listener.internal) => is_taken = true,
            Ok(()) => {
                let is_beside =
                    |other: &&Parent| other.port == listener.port && other.protocol == listener.protocol;
                is_taken = true;
                let others = listeners.iter().filter(is_beside).map(|other| other.hostname.clone());
                found.push(Attachment {
                    gateway: Arc::clone(&listener.internal),
                    mesh_hosts: None,
                    port: reference.port,
                    hostname: listener.hostname.clone(),
                    other_hostnames: others.filter(|other| *other != listener.hostname).collect(),
                });
            }
            Err(refusal) => reason = refusal,
        }
    }
    if is_taken {
        return Ok(());
    }
    Err(format!("no listener of gateway `{namespace}/{}` takes the route: {reason}", reference.name))
}

/// Whether a listener takes a route: port and section first, then hosts and namespace, then the kind.
fn admits(listener: &Parent, head: &RouteHead<'_>, reference: &ParentReference) -> Result<(), String> {
    if let Some(port) = reference.port.filter(|port| *port != 0 && *port != listener.port) {
        return Err(format!("none has port {port}"));
    }
    if let Some(section) = reference.section_name.as_ref().filter(|name| !name.is_empty())
        && *section != listener.section
    {
        return Err(format!("none is named `{section}`"));
    }
    let any = ["*".to_owned()];
    let hostnames = if head.hostnames.is_empty() { &any[..] } else { head.hostnames };
    let mut meets_host = false;
    let mut is_admitted = false;
    for written in &listener.hosts {
        let (namespace, host) = written.split_once('/').unwrap_or(("*", written));
        let meets = hostnames.iter().any(|hostname| host_matches(host, hostname));
        meets_host |= meets;
        is_admitted |= meets && (namespace == "*" || *namespace == *head.meta.namespace);
    }
    if !is_admitted {
        let from_elsewhere = format!("namespace `{}` may not attach routes", head.meta.namespace);
        let no_host = format!("no hostname is one of `{}`", listener.hostname);
        return Err(if meets_host { from_elsewhere } else { no_host });
    }
    if !listener.kinds.contains(&head.kind) {
        return Err(format!("`{}` is not allowed", head.kind));
    }
    Ok(())
}

fn to_service(
    scope: &Scope<'_>,
    head: &RouteHead<'_>,
    reference: &ParentReference,
    found: &mut Vec<Attachment>,
) -> Result<(), String> {
    let namespace = namespace_of(reference, &head.meta.namespace);
    if !scope.has_service(namespace, &reference.name) {
        return Err(format!("no service `{namespace}/{}` is known", reference.name));
    }
    found.push(mesh(reference, vec![format!("{}.{namespace}.svc.{DOMAIN}", reference.name)]));
    Ok(())
}

fn to_service_entry(
    scope: &Scope<'_>,
    head: &RouteHead<'_>,
    reference: &ParentReference,
    found: &mut Vec<Attachment>,
) -> Result<(), String> {
    let namespace = namespace_of(reference, &head.meta.namespace);
    let is_it = |meta: &ObjectMeta| *meta.namespace == *namespace && *meta.name == *reference.name;
    let Some(entry) = scope.config.service_entries.iter().find(|entry| is_it(&entry.meta)) else {
        return Err(format!("no service entry `{namespace}/{}` is known", reference.name));
    };
    found.push(mesh(reference, entry.spec.hosts.clone()));
    Ok(())
}

fn mesh(reference: &ParentReference, hosts: Vec<String>) -> Attachment {
    Attachment {
        gateway: MESH_GATEWAY.into(),
        mesh_hosts: Some(hosts),
        port: reference.port,
        hostname: String::new(),
        other_hostnames: BTreeSet::new(),
    }
}
