//! `backendRefs` as destinations (E-102, E-103).

use mesh_model::diagnostic::{Code, Diagnostic, Missing, Place, Report, nearest_reference};
use mesh_model::gateway_api::BackendReference;
use mesh_model::networking::virtual_service::spec::{HttpRouteDestination, RouteDestination};
use mesh_model::part::{Destination, PortSelector};

use super::grants::Target;
use super::parents::RouteHead;
use super::{Scope, filters};
use crate::registry::DOMAIN;

/// Where the routes that are made run: grants are asked for at gateways alone (E-102).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Gateway,
    Mesh,
}

/// Why no rule of a route can be used (E-100).
#[derive(Debug)]
pub(super) struct Refusal {
    /// The field that is wrong.
    pub(super) field: String,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// A route that is translated for one reach.
pub(super) struct Translation<'t> {
    pub(super) scope: &'t Scope<'t>,
    pub(super) head: &'t RouteHead<'t>,
    pub(super) reach: Reach,
}

/// Where a connection or request is sent that nothing takes: no proxy has this cluster (E-103).
pub(super) fn nowhere() -> RouteDestination {
    let destination = Destination {
        host: "internal.cluster.local".to_owned(),
        subset: "zero-weight".to_owned(),
        port: Some(PortSelector { number: 65535 }),
    };
    RouteDestination { destination: Some(destination), weight: 0 }
}

/// Whether any backend has a weight.
pub(super) fn has_weight(references: &[BackendReference]) -> bool {
    references.iter().any(|reference| weight(reference) > 0)
}

/// Positions of the backends that have a weight.
pub(super) fn weighted(references: &[BackendReference]) -> Vec<usize> {
    let has_weight = |(_, reference): &(usize, &BackendReference)| weight(reference) > 0;
    references.iter().enumerate().filter(has_weight).map(|(index, _)| index).collect()
}

fn weight(reference: &BackendReference) -> i32 {
    reference.weight.map_or(1, |weight| i32::try_from(weight).unwrap_or(i32::MAX))
}

impl Translation<'_> {
    /// Destinations of requests; those without a weight are left out.
    pub(super) fn http_destinations(
        &self,
        references: &[BackendReference],
        field: &str,
        report: &mut Report,
    ) -> Result<Vec<HttpRouteDestination>, Refusal> {
        let mut found = Vec::new();
        for (index, reference) in references.iter().enumerate().filter(|(_, found)| weight(found) > 0) {
            let field = format!("{field}.backendRefs[{index}]");
            found.push(HttpRouteDestination {
                destination: Some(self.destination(reference, &field, report)?),
                weight: weight(reference),
                headers: filters::headers(&reference.filters, &format!("{field}.filters"))?,
            });
        }
        Ok(found)
    }

    /// Destinations of connections; those without a weight are left out.
    pub(super) fn l4_destinations(
        &self,
        references: &[BackendReference],
        field: &str,
        report: &mut Report,
    ) -> Result<Vec<RouteDestination>, Refusal> {
        let mut found = Vec::new();
        for (index, reference) in references.iter().enumerate().filter(|(_, found)| weight(found) > 0) {
            let field = format!("{field}.backendRefs[{index}]");
            let destination = Some(self.destination(reference, &field, report)?);
            found.push(RouteDestination { destination, weight: weight(reference) });
        }
        Ok(found)
    }

    /// The destination of a backend. One that may not be used stands for a cluster that nobody has.
    pub(super) fn destination(
        &self,
        reference: &BackendReference,
        field: &str,
        report: &mut Report,
    ) -> Result<Destination, Refusal> {
        match self.resolve(reference, field)? {
            Resolved::Known(destination) => Ok(destination),
            Resolved::Unknown(destination, problem) => {
                report.push(*problem);
                Ok(destination)
            }
        }
    }

    /// The destination of a mirror; `None`, with a finding, where the backend may not be used.
    pub(super) fn usable(
        &self,
        reference: &BackendReference,
        field: &str,
        report: &mut Report,
    ) -> Result<Option<Destination>, Refusal> {
        match self.resolve(reference, field)? {
            Resolved::Known(destination) => Ok(Some(destination)),
            Resolved::Unknown(_, problem) => {
                report.push(*problem);
                Ok(None)
            }
        }
    }

    /// The service that is likely meant.
    fn nearest_service(&self, host: &str) -> String {
        let hosts = self.scope.registry.services.iter().map(|service| &*service.hostname);
        match nearest_reference(host, hosts) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "correct the name, or add the Service or ServiceEntry".to_owned(),
        }
    }

    fn resolve(&self, reference: &BackendReference, field: &str) -> Result<Resolved, Refusal> {
        let BackendReference { group, kind, namespace, name, port, weight: _, filters: _ } = reference;
        let own = &*self.head.meta.namespace;
        let group = group.as_deref().unwrap_or_default();
        let kind = kind.as_deref().unwrap_or("Service");
        let target_namespace = namespace.as_deref().unwrap_or(own);
        let problem = |code: Code, message: String, help: String| {
            Diagnostic::new(code, Place::of(self.head.provenance, field), message).help(help)
        };
        if self.reach == Reach::Gateway && target_namespace != own {
            let target = Target { kind, namespace: target_namespace, name };
            if !group.is_empty() || !self.scope.grants.allow(self.head.kind, own, target) {
                let message = format!(
                    "`{target_namespace}/{name}` is not granted to `{}` of namespace `{own}`",
                    self.head.kind
                );
                let help = format!(
                    "add a ReferenceGrant to namespace `{target_namespace}`: from `{}` of `{own}` to `{kind}`",
                    self.head.kind
                );
                let problem = problem(Code::ReferenceNotPermitted, message, help);
                return Ok(Resolved::Unknown(Destination::default(), Box::new(problem)));
            }
        }
        let (host, is_known) = match (group, kind) {
            ("", "Service") if name.contains('.') => {
                return Err(Refusal::new(
                    format!("{field}.name"),
                    format!("`{name}` is a hostname, not the name of a service"),
                ));
            }
            ("", "Service") | ("multicluster.x-k8s.io", "ServiceImport") => (
                format!("{name}.{target_namespace}.svc.{DOMAIN}"),
                self.scope.has_service(target_namespace, name),
            ),
            ("networking.istio.io", "Hostname") => {
                if namespace.is_some() {
                    let message = "a backend of kind `Hostname` has no namespace";
                    return Err(Refusal::new(format!("{field}.namespace"), message));
                }
                (name.clone(), !self.scope.registry.by_host(name).is_empty())
            }
            _ => {
                let message = format!("backends of kind `{kind}` are not supported");
                let help = "a backend is a `Service`, or a `Hostname` of group `networking.istio.io`";
                let problem = problem(Code::HostUnknown, message, help.to_owned());
                return Ok(Resolved::Unknown(Destination::default(), Box::new(problem)));
            }
        };
        let Some(port) = port else {
            return Err(Refusal::new(field, "a backend needs a port"));
        };
        let message = format!("no service `{host}` is known");
        let destination = Destination {
            host,
            port: Some(PortSelector { number: u32::from(*port) }),
            ..Destination::default()
        };
        Ok(if is_known {
            Resolved::Known(destination)
        } else {
            let help = self.nearest_service(&destination.host);
            let missing = Missing::Host(destination.host.clone());
            Resolved::Unknown(
                destination,
                Box::new(problem(Code::HostUnknown, message, help).missing(missing)),
            )
        })
    }
}

enum Resolved {
    Known(Destination),
    /// Missing, not granted or of the wrong kind, with the finding that says so.
    Unknown(Destination, Box<Diagnostic>),
}
