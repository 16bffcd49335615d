//! TCPRoutes and TLSRoutes: one VirtualService per parent and host.

use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::gateway_api::L4RouteRule;
use mesh_model::name::{host_intersection, host_matches};
use mesh_model::networking::virtual_service::spec::{
    L4MatchAttributes, TcpRoute, TlsMatchAttributes, TlsRoute, VirtualService,
};

use super::backends::{Reach, Refusal, Translation, has_weight, nowhere};
use super::parents::{Attachment, RouteHead, attachments};
use super::routes::{export_to, translated_or_finding};
use super::{MADE, Scope};
use crate::merge::virtual_service::{MergedVirtualService, RouteSemantics};

/// The VirtualServices of all TCPRoutes.
pub(super) fn tcp(scope: &Scope<'_>, report: &mut Report) -> Vec<Arc<MergedVirtualService>> {
    let mut made = Vec::new();
    for route in scope.discovered(&scope.config.tcp_routes) {
        let spec = &route.spec.spec;
        let head = RouteHead {
            kind: "TCPRoute",
            meta: &route.meta,
            provenance: &route.provenance,
            parent_refs: &spec.parent_refs,
            hostnames: &[],
        };
        let rules = |translation: &Translation<'_>, report: &mut Report| {
            let mut routes = Vec::new();
            for (index, rule) in spec.rules.iter().enumerate() {
                routes.push(translation.tcp_rule(rule, index, report)?);
            }
            Ok(routes)
        };
        let (parents, at_gateways, on_mesh) = translate(scope, &head, rules, report);
        let any = ["*".to_owned()];
        let mut count = 0;
        for parent in &parents {
            let (routes, hosts) = match &parent.mesh_hosts {
                None => (at_gateways.clone(), &any[..]),
                Some(hosts) => (tcp_with_port(on_mesh.clone(), parent.port), hosts.as_slice()),
            };
            for host in hosts {
                let spec = VirtualService { tcp: routes.clone(), ..bound(host, parent) };
                let name = format!("{}~tcp~{count}~{MADE}", head.meta.name);
                made.push(Arc::new(virtual_service(scope, &head, name, spec)));
                count += 1;
            }
        }
    }
    made
}

/// The VirtualServices of all TLSRoutes.
pub(super) fn tls(scope: &Scope<'_>, report: &mut Report) -> Vec<Arc<MergedVirtualService>> {
    let mut made = Vec::new();
    for route in scope.discovered(&scope.config.tls_routes) {
        let spec = &route.spec.spec;
        let head = RouteHead {
            kind: "TLSRoute",
            meta: &route.meta,
            provenance: &route.provenance,
            parent_refs: &spec.parent_refs,
            hostnames: &spec.hostnames,
        };
        let rules = |translation: &Translation<'_>, report: &mut Report| {
            let mut routes = Vec::new();
            for (index, rule) in spec.rules.iter().enumerate() {
                routes.push(translation.tls_rule(rule, index, report)?);
            }
            Ok(routes)
        };
        let (parents, at_gateways, on_mesh) = translate(scope, &head, rules, report);
        let mut count = 0;
        for parent in &parents {
            let bindings = match &parent.mesh_hosts {
                None => at_listener(parent, head.hostnames, &at_gateways),
                Some(hosts) => on_services(parent, hosts, &on_mesh),
            };
            for (host, routes) in bindings {
                let spec = VirtualService { tls: routes, ..bound(&host, parent) };
                let name = format!("{}~tls~{count}~{MADE}", head.meta.name);
                made.push(Arc::new(virtual_service(scope, &head, name, spec)));
                count += 1;
            }
        }
    }
    made
}

/// Parents of a route, its rules at gateways, its rules on the mesh.
fn translate<R>(
    scope: &Scope<'_>,
    head: &RouteHead<'_>,
    rules: impl Fn(&Translation<'_>, &mut Report) -> Result<Vec<R>, Refusal>,
    report: &mut Report,
) -> (Vec<Attachment>, Vec<R>, Vec<R>) {
    let parents = attachments(scope, head, report);
    let mut translated = |reach: Reach| {
        if !parents.iter().any(|parent| parent.is_mesh() == (reach == Reach::Mesh)) {
            return Vec::new();
        }
        translated_or_finding(&rules, &Translation { scope, head, reach }, report)
    };
    let at_gateways = translated(Reach::Gateway);
    let on_mesh = translated(Reach::Mesh);
    (parents, at_gateways, on_mesh)
}

impl Translation<'_> {
    fn tcp_rule(&self, rule: &L4RouteRule, index: usize, report: &mut Report) -> Result<TcpRoute, Refusal> {
        if !has_weight(&rule.backend_refs) {
            return Ok(TcpRoute { route: vec![nowhere()], ..TcpRoute::default() });
        }
        let route = self.l4_destinations(&rule.backend_refs, &format!("spec.rules[{index}]"), report)?;
        Ok(TcpRoute { route, ..TcpRoute::default() })
    }

    /// Without any weight there is no match, so no chain (E-103).
    fn tls_rule(&self, rule: &L4RouteRule, index: usize, report: &mut Report) -> Result<TlsRoute, Refusal> {
        if !has_weight(&rule.backend_refs) {
            return Ok(TlsRoute { route: vec![nowhere()], ..TlsRoute::default() });
        }
        let sni_hosts =
            if self.head.hostnames.is_empty() { vec!["*".to_owned()] } else { self.head.hostnames.to_vec() };
        Ok(TlsRoute {
            r#match: vec![TlsMatchAttributes { sni_hosts, ..TlsMatchAttributes::default() }],
            route: self.l4_destinations(&rule.backend_refs, &format!("spec.rules[{index}]"), report)?,
        })
    }
}

fn tcp_with_port(mut routes: Vec<TcpRoute>, port: Option<u16>) -> Vec<TcpRoute> {
    let Some(port) = port.map(u32::from) else { return routes };
    for route in &mut routes {
        if route.r#match.is_empty() {
            route.r#match.push(L4MatchAttributes::default());
        }
        for condition in &mut route.r#match {
            condition.port = port;
        }
    }
    routes
}

/// Hosts and server names narrowed to those of the listener.
fn at_listener(
    parent: &Attachment,
    hostnames: &[String],
    routes: &[TlsRoute],
) -> Vec<(String, Vec<TlsRoute>)> {
    let any = ["*".to_owned()];
    let hostnames = if hostnames.is_empty() { &any[..] } else { hostnames };
    if parent.hostname.is_empty() {
        return hostnames.iter().map(|host| (host.clone(), routes.to_vec())).collect();
    }
    let narrowed = |hosts: &[String]| -> Vec<String> {
        let common = hosts.iter().filter_map(|host| host_intersection(host, &parent.hostname));
        common.map(str::to_owned).collect()
    };
    let mut kept = Vec::new();
    for route in routes {
        let mut route = route.clone();
        for condition in &mut route.r#match {
            condition.sni_hosts = narrowed(&condition.sni_hosts);
        }
        if route.r#match.is_empty() || route.r#match.iter().any(|found| !found.sni_hosts.is_empty()) {
            kept.push(route);
        }
    }
    narrowed(hostnames).into_iter().map(|host| (host, kept.clone())).collect()
}

/// Server names of a mesh service: its own hosts where the route names none.
fn on_services(parent: &Attachment, hosts: &[String], routes: &[TlsRoute]) -> Vec<(String, Vec<TlsRoute>)> {
    let mut routes = routes.to_vec();
    for route in &mut routes {
        if let [only] = route.r#match.as_mut_slice()
            && matches!(only.sni_hosts.as_slice(), [any] if any == "*")
        {
            only.sni_hosts = hosts.to_vec();
        }
        for condition in &mut route.r#match {
            condition.port = parent.port.map_or(condition.port, u32::from);
        }
    }
    let of_host = |host: &String| {
        let mut routes = routes.clone();
        for route in &mut routes {
            if let [only] = route.r#match.as_mut_slice()
                && only.sni_hosts.len() > 1
            {
                only.sni_hosts.retain(|name| host_matches(host, name));
            }
        }
        (host.clone(), routes)
    };
    hosts.iter().map(of_host).collect()
}

fn bound(host: &str, parent: &Attachment) -> VirtualService {
    VirtualService {
        hosts: vec![host.to_owned()],
        gateways: vec![parent.gateway.to_string()],
        ..VirtualService::default()
    }
}

fn virtual_service(
    scope: &Scope<'_>,
    head: &RouteHead<'_>,
    name: String,
    spec: VirtualService,
) -> MergedVirtualService {
    let namespace = Arc::clone(&head.meta.namespace);
    MergedVirtualService {
        export_to: export_to(scope, &namespace),
        namespace,
        name: name.into(),
        created: head.meta.created,
        spec,
        http_origins: Vec::new(),
        semantics: RouteSemantics::GatewayApi,
        provenance: Arc::clone(head.provenance),
    }
}
