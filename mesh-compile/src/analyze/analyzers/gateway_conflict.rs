//! Gateways of one workload that claim the same host on the same port.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use mesh_model::diagnostic::Code;
use mesh_model::name::StringMap;
use mesh_model::name::labels_subset_of;
use mesh_model::networking::gateway::spec::{Gateway, Server};
use mesh_model::object::Object;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, full_name, listed, selector_text};

/// Names that are looked at for a message.
const OTHERS_MAX: usize = 32;

/// Sets of hosts that a message names.
const GROUPS_MAX: usize = 4;

type Labels = StringMap;

/// A selector's number, port, bind address, host.
type Claim<'a> = (usize, u32, &'a str, &'a str);

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let gateways: Vec<_> = context.objects(&context.config.gateways).collect();
    let selectors: BTreeSet<&Labels> = gateways.iter().map(|gateway| &gateway.spec.selector).collect();
    let selectors: Vec<_> = selectors.into_iter().collect();
    let number: BTreeMap<&Labels, usize> =
        selectors.iter().enumerate().map(|(number, selector)| (*selector, number)).collect();
    let related = related(context, &selectors);
    let mut claims: HashMap<Claim<'_>, Vec<&Object<Gateway>>> = HashMap::new();
    let mut with_servers = BTreeSet::new();
    for gateway in &gateways {
        let Some(selector) = number.get(&gateway.spec.selector) else { continue };
        for server in &gateway.spec.servers {
            with_servers.insert(*selector);
            for host in &server.hosts {
                claims.entry((*selector, port(server), &server.bind, host)).or_default().push(gateway);
            }
        }
    }
    for gateway in &gateways {
        let own = number.get(&gateway.spec.selector).copied().unwrap_or_default();
        let near = related.get(own).map(BTreeSet::iter).into_iter().flatten().copied();
        let near: Vec<usize> = std::iter::once(own).chain(near).collect();
        if !gateway.spec.selector.is_empty() && !near.iter().any(|selector| with_servers.contains(selector)) {
            let message = format!(
                "no Gateway with servers has the selector `{}`",
                selector_text(&gateway.spec.selector)
            );
            found.add(gateway, "spec.selector", Code::SelectorUnmatched, message, "give the Gateway servers");
            continue;
        }
        for (index, server) in gateway.spec.servers.iter().enumerate() {
            let mut others: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
            for host in &server.hosts {
                for selector in &near {
                    let claimed = claims.get(&(*selector, port(server), server.bind.as_str(), host.as_str()));
                    let claimed =
                        claimed.into_iter().flatten().filter(|other| !std::ptr::eq(**other, *gateway));
                    for other in claimed.take(OTHERS_MAX) {
                        others.entry(full_name(other)).or_default().insert(host);
                    }
                }
            }
            if others.is_empty() {
                continue;
            }
            let message = format!("{} on port {} too", who_claims_what(&others), port(server));
            let help = "leave the host to one of them: the older one wins, the other's servers are not used";
            found.add(gateway, &format!("spec.servers[{index}].hosts"), Code::GatewayConflict, message, help);
        }
    }
}

/// Gateways with the hosts that each of them claims; those that claim the same are named together.
fn who_claims_what(others: &BTreeMap<String, BTreeSet<&str>>) -> String {
    let mut alike: BTreeMap<&BTreeSet<&str>, Vec<&String>> = BTreeMap::new();
    for (name, hosts) in others {
        alike.entry(hosts).or_default().push(name);
    }
    let told = alike.iter().take(GROUPS_MAX).map(|(hosts, names)| {
        let verb = if names.len() == 1 { "claims" } else { "claim" };
        format!("{} {verb} {}", listed(names), listed(*hosts))
    });
    let mut told: Vec<String> = told.collect();
    let rest: usize = alike.values().skip(GROUPS_MAX).map(Vec::len).sum();
    told.extend((rest > 0).then(|| format!("{rest} more claim others")));
    told.join("; ")
}

fn port(server: &Server) -> u32 {
    server.port.as_ref().map_or(0, |port| port.number)
}

/// For each selector the others that say more or less of the same and share a Pod with it.
fn related(context: &Context<'_>, selectors: &[&Labels]) -> Vec<BTreeSet<usize>> {
    let mut related = vec![BTreeSet::new(); selectors.len()];
    // One Pod of each set of labels will do.
    let kinds_of_pods: BTreeSet<&Labels> = context.pods.iter().map(|pod| &pod.meta.labels).collect();
    for labels in kinds_of_pods {
        let selecting: Vec<(usize, &&Labels)> =
            selectors.iter().enumerate().filter(|(_, selector)| labels_subset_of(selector, labels)).collect();
        for (number, selector) in &selecting {
            for (other, wider) in &selecting {
                let is_near = labels_subset_of(wider, selector) || labels_subset_of(selector, wider);
                if let Some(near) = related.get_mut(*number).filter(|_| number != other && is_near) {
                    near.insert(*other);
                }
            }
        }
    }
    related
}

#[cfg(test)]
mod tests {
    use crate::analyze::analyzers::testing::report;

    fn gateway(name: &str, hosts: &str) -> String {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: {name}, namespace: shop}}\n\
             spec: {{selector: {{istio: x}}, servers: [{{port: {{number: 80, name: http, protocol: HTTP}}, hosts: [{hosts}]}}]}}\n"
        )
    }

    #[test]
    fn each_gateway_is_told_with_the_hosts_that_it_claims() {
        let text = [
            gateway("g1", "a.example.com, z.example.com"),
            gateway("g2", "c.example.com"),
            gateway("g3", "a.example.com, b.example.com, c.example.com"),
            gateway("g4", "c.example.com"),
        ];
        let report = report("gateway.ConflictingGatewayAnalyzer", &text.concat());
        let of = |name: &str| {
            let mut found = report.iter().filter(|found| found.at.resource.name == name);
            found.next().map(|found| found.message.clone()).unwrap_or_default()
        };
        assert_eq!(
            of("g3"),
            "`shop/g1` claims `a.example.com`; `shop/g2`, `shop/g4` claim `c.example.com` on port 80 too"
        );
        assert_eq!(of("g1"), "`shop/g3` claims `a.example.com` on port 80 too");
        assert_eq!(of("g2"), "`shop/g3`, `shop/g4` claim `c.example.com` on port 80 too");
    }
}
