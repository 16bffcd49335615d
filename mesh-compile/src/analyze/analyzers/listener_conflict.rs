//! Services whose TCP ports have one address and port between them: connections tell nothing but these, so all but one of
//! the services get none (T-200).

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::diagnostic::{Code, Diagnostic, Place};
use mesh_model::name::Protocol;
use mesh_model::origin::Provenance;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, listed, short};
use crate::analyze::hosts::scopes;

/// A port of a service at an address.
struct Claim<'a> {
    by: &'a Provenance,
    namespace: &'a str,
    name: &'a str,
    hosts: BTreeSet<&'a str>,
    scopes: Vec<&'a str>,
    path: String,
    /// Services of Kubernetes and older objects are in front, as the registry has them.
    rank: (bool, i64, &'a str, &'a str),
}

type Claims<'a> = BTreeMap<(&'a str, u32), Vec<Claim<'a>>>;

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let mut claims = Claims::new();
    of_services(context, &mut claims);
    of_entries(context, &mut claims);
    for ((address, port), mut of_one) in claims {
        if of_one.len() < 2 {
            continue;
        }
        of_one.sort_by(|left, right| left.rank.cmp(&right.rank));
        // Those that were told about one another are one group: the first of it is named.
        let mut first: Vec<&Claim<'_>> = Vec::new();
        for claim in &of_one {
            let Some(other) = first.iter().find(|other| other.meets(claim)) else {
                first.push(claim);
                continue;
            };
            let message = format!(
                "{} takes TCP at `{}:{port}`, as {} `{}/{}` does: one of them gets all of it",
                listed(&claim.hosts),
                short(address),
                other.by.kind,
                short(other.namespace),
                short(other.name),
            );
            let help = "give each an address or a port of its own, or keep them apart with `exportTo`";
            found.push(
                Diagnostic::new(Code::ListenerConflict, Place::of(claim.by, &claim.path), message).help(help),
            );
        }
    }
}

impl Claim<'_> {
    /// Whether some client sees both, and they are not the same.
    fn meets(&self, other: &Self) -> bool {
        let sees_all = |scopes: &[&str]| scopes.contains(&"*");
        let share = sees_all(&self.scopes)
            || sees_all(&other.scopes)
            || self.scopes.iter().any(|scope| other.scopes.contains(scope));
        share && !std::ptr::eq(self.by, other.by) && self.hosts.is_disjoint(&other.hosts)
    }
}

/// HTTP is told apart by hosts, TLS by server names; undeclared bytes may be either.
fn is_plain_tcp(protocol: Protocol) -> bool {
    protocol.is_tcp() && !protocol.is_tls()
}

fn of_services<'a>(context: &Context<'a>, claims: &mut Claims<'a>) {
    for service in context.objects(&context.config.services) {
        let spec = &service.spec.spec;
        let (namespace, name) = (&*service.meta.namespace, &*service.meta.name);
        let export_to = service.meta.annotations.get("networking.istio.io/exportTo").unwrap_or_default();
        let export_to = export_to.split(',').map(str::trim).filter(|one| !one.is_empty());
        let scopes = scopes(export_to, namespace);
        let mut addresses: BTreeSet<&str> = spec.cluster_ips.iter().map(String::as_str).collect();
        addresses.insert(&spec.cluster_ip);
        addresses.retain(|address| address.parse::<std::net::IpAddr>().is_ok());
        for (index, port) in spec.ports.iter().enumerate() {
            let Ok(number) = u32::try_from(port.port) else { continue };
            if !is_plain_tcp(protocol_of(port)) {
                continue;
            }
            for address in &addresses {
                claims.entry((address, number)).or_default().push(Claim {
                    by: &service.provenance,
                    namespace,
                    name,
                    hosts: [name].into(),
                    scopes: scopes.clone(),
                    path: format!("spec.ports[{index}]"),
                    rank: (false, service.precedence().0, namespace, name),
                });
            }
        }
    }
}

fn protocol_of(port: &mesh_model::kubernetes::service::ServicePort) -> Protocol {
    let written = port.app_protocol.as_deref().filter(|protocol| !protocol.is_empty());
    let written = written.unwrap_or_else(|| port.name.split('-').next().unwrap_or_default());
    Protocol::parse(written)
}

fn of_entries<'a>(context: &Context<'a>, claims: &mut Claims<'a>) {
    for entry in context.objects(&context.config.service_entries) {
        let (namespace, name) = (&*entry.meta.namespace, &*entry.meta.name);
        let scopes = scopes(entry.spec.export_to.iter().map(String::as_str), namespace);
        for (index, port) in entry.spec.ports.iter().enumerate() {
            if !is_plain_tcp(Protocol::parse(&port.protocol)) {
                continue;
            }
            for address in &entry.spec.addresses {
                claims.entry((address, port.number)).or_default().push(Claim {
                    by: &entry.provenance,
                    namespace,
                    name,
                    hosts: entry.spec.hosts.iter().map(String::as_str).collect(),
                    scopes: scopes.clone(),
                    path: format!("spec.ports[{index}]"),
                    rank: (true, entry.precedence().0, namespace, name),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::analyze::analyzers::testing::found;

    fn entry(name: &str, more: &str, protocol: &str) -> String {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}, namespace: shop}}\n\
             spec: {{hosts: [{name}.com], {more}, ports: [{{number: 443, name: p, protocol: {protocol}}}], resolution: STATIC}}\n"
        )
    }

    const SERVICE: &str = "---\napiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: data}\n\
        spec: {clusterIP: 10.50.0.1, ports: [{name: tcp-db, port: 443}]}\n";

    fn told(texts: &[String]) -> Vec<String> {
        found("networking.ListenerConflictAnalyzer", &texts.concat())
    }

    #[test]
    fn the_second_of_one_address_and_port_is_told_and_services_are_the_first() {
        let entries =
            [entry("a", "addresses: [10.50.0.1]", "TCP"), entry("b", "addresses: [10.50.0.1]", "TCP")];
        assert_eq!(told(&entries), ["listener-conflict shop/b spec.ports[0]"]);
        let with_service = [entries[0].clone(), SERVICE.to_owned()];
        assert_eq!(told(&with_service), ["listener-conflict shop/a spec.ports[0]"]);
    }

    #[test]
    fn what_can_be_told_apart_is_not_told() {
        let first = entry("a", "addresses: [10.50.0.1]", "TCP");
        let none: [&str; 0] = [];
        assert_eq!(told(&[first.clone(), entry("b", "addresses: [10.50.0.2]", "TCP")]), none);
        assert_eq!(
            told(&[first.clone(), entry("b", "addresses: [10.50.0.1], exportTo: [other]", "TCP")]).len(),
            1
        );
        let apart = |own: &str| entry(own, &format!("addresses: [10.50.0.1], exportTo: [{own}]"), "TCP");
        assert_eq!(told(&[apart("a"), apart("b")]), none);
        for protocol in ["HTTP", "TLS", "HTTPS", "GRPC"] {
            let of = |name: &str| entry(name, "addresses: [10.50.0.1]", protocol);
            assert_eq!(told(&[of("a"), of("b")]), none, "{protocol}");
        }
    }
}
