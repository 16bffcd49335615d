//! HTTPRoutes and GRPCRoutes bound to their parents, those of one listener or mesh service and host merged (E-100).

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Report};
use mesh_model::networking::virtual_service::spec::{HttpMatchRequest, VirtualService};
use mesh_model::object::ObjectMeta;
use mesh_model::origin::Provenance;

use super::backends::{Reach, Refusal, Translation};
use super::parents::{Attachment, RouteHead, attachments};
use super::precedence::{Entry, sort};
use super::{Scope, report_at};
use crate::export_to::virtual_service_export_to;
use crate::merge::virtual_service::{MergedVirtualService, RouteSemantics};

/// Rules of one route for one host of one parent.
struct Contribution {
    created: Option<i64>,
    namespace: Arc<str>,
    /// Name of the route, then how many it contributed before.
    name: String,
    host: String,
    gateway: Arc<str>,
    entries: Vec<Entry>,
    provenance: Arc<Provenance>,
}

/// Contributions by listener and host; on the mesh by namespace of the route, port and host.
type ByKey = BTreeMap<String, Vec<Contribution>>;

/// The VirtualServices of all HTTPRoutes and GRPCRoutes.
pub(super) fn http_and_grpc(scope: &Scope<'_>, report: &mut Report) -> Vec<Arc<MergedVirtualService>> {
    let mut by_key = ByKey::new();
    for route in scope.discovered(&scope.config.http_routes) {
        let spec = &route.spec.spec;
        let head = RouteHead {
            kind: "HTTPRoute",
            meta: &route.meta,
            provenance: &route.provenance,
            parent_refs: &spec.parent_refs,
            hostnames: &spec.hostnames,
        };
        let rules =
            |translation: &Translation<'_>, report: &mut Report| translation.http_rules(&spec.rules, report);
        bind(scope, &head, rules, &mut by_key, report);
    }
    for route in scope.discovered(&scope.config.grpc_routes) {
        let spec = &route.spec.spec;
        let head = RouteHead {
            kind: "GRPCRoute",
            meta: &route.meta,
            provenance: &route.provenance,
            parent_refs: &spec.parent_refs,
            hostnames: &spec.hostnames,
        };
        let rules =
            |translation: &Translation<'_>, report: &mut Report| translation.grpc_rules(&spec.rules, report);
        bind(scope, &head, rules, &mut by_key, report);
    }
    by_key.into_iter().filter_map(|(key, found)| merge(scope, &key, found)).map(Arc::new).collect()
}

/// Translates a route once for gateways and once for the mesh, and contributes it to every parent that takes it.
fn bind(
    scope: &Scope<'_>,
    head: &RouteHead<'_>,
    rules: impl Fn(&Translation<'_>, &mut Report) -> Result<Vec<Entry>, Refusal>,
    by_key: &mut ByKey,
    report: &mut Report,
) {
    let parents = attachments(scope, head, report);
    let mut translated = |reach: Reach| {
        let is_wanted = parents.iter().any(|parent| parent.is_mesh() == (reach == Reach::Mesh));
        if !is_wanted {
            return Vec::new();
        }
        translated_or_finding(&rules, &Translation { scope, head, reach }, report)
    };
    let at_gateways = translated(Reach::Gateway);
    let on_mesh = translated(Reach::Mesh);
    let any = ["*".to_owned()];
    let hostnames = if head.hostnames.is_empty() { &any[..] } else { head.hostnames };
    let mut count = 0;
    for parent in &parents {
        let (entries, hosts, key) = match &parent.mesh_hosts {
            None => (at_gateways.clone(), hostnames, parent.gateway.to_string()),
            Some(hosts) => {
                (with_port(on_mesh.clone(), parent.port), hosts.as_slice(), mesh_key(head.meta, parent))
            }
        };
        if entries.is_empty() {
            continue;
        }
        for host in hosts.iter().filter(|host| parent.takes_host(host)) {
            let mut entries = entries.clone();
            sort(&mut entries);
            by_key.entry(format!("{key}/{host}")).or_default().push(Contribution {
                created: head.meta.created,
                namespace: Arc::clone(&head.meta.namespace),
                name: format!("{}~{count}~{}", head.meta.name, super::MADE),
                host: host.clone(),
                gateway: Arc::clone(&parent.gateway),
                entries,
                provenance: Arc::clone(head.provenance),
            });
            count += 1;
        }
    }
}

pub(super) fn translated_or_finding<R>(
    rules: impl Fn(&Translation<'_>, &mut Report) -> Result<Vec<R>, Refusal>,
    translation: &Translation<'_>,
    report: &mut Report,
) -> Vec<R> {
    match rules(translation, report) {
        Ok(found) => found,
        Err(Refusal { field, message }) => {
            let message = format!("{message}: no rule of the route is in force");
            report_at(translation.head.provenance, &field, Code::RouteRefused, message, report);
            Vec::new()
        }
    }
}

fn mesh_key(meta: &ObjectMeta, parent: &Attachment) -> String {
    match parent.port {
        Some(port) => format!("{}/{port}", meta.namespace),
        None => meta.namespace.to_string(),
    }
}

/// Narrows entries to the port of the parent reference.
fn with_port(mut entries: Vec<Entry>, port: Option<u16>) -> Vec<Entry> {
    let Some(port) = port.map(u32::from) else { return entries };
    for (route, origin) in &mut entries {
        if route.r#match.is_empty() {
            route.r#match.push(HttpMatchRequest::default());
            origin.matches.push((Arc::clone(&origin.object), Arc::clone(&origin.path)));
        }
        for condition in &mut route.r#match {
            condition.port = port;
        }
    }
    entries
}

/// Rules of several routes in one list; the oldest route lends its namespace and age.
fn merge(scope: &Scope<'_>, key: &str, mut found: Vec<Contribution>) -> Option<MergedVirtualService> {
    found.sort_by(|a, b| a.order().cmp(&b.order()));
    let mut found = found.into_iter();
    let mut first = found.next()?;
    for next in found {
        first.entries.extend(next.entries);
    }
    sort(&mut first.entries);
    let (http, http_origins) = first.entries.into_iter().unzip();
    let spec = VirtualService {
        hosts: vec![first.host],
        gateways: vec![first.gateway.to_string()],
        http,
        ..VirtualService::default()
    };
    Some(MergedVirtualService {
        export_to: export_to(scope, &first.namespace),
        namespace: first.namespace,
        name: key.replace('/', "~").into(),
        created: first.created,
        spec,
        http_origins,
        semantics: RouteSemantics::GatewayApi,
        provenance: first.provenance,
    })
}

/// Who sees what a route comes to: the mesh's default, as for VirtualServices.
pub(super) fn export_to(scope: &Scope<'_>, namespace: &str) -> std::collections::BTreeSet<String> {
    virtual_service_export_to(&[], scope.mesh.default_virtual_service_export_to(), namespace)
}

impl Contribution {
    /// Older first, then by namespace and name.
    fn order(&self) -> (i64, &str, &str) {
        (self.created.unwrap_or(i64::MIN), &self.namespace, &self.name)
    }
}
