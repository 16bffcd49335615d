//! Gateways of one workload that claim the same host on the same port.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use mesh_model::diagnostic::Code;
use mesh_model::name::StringMap;
use mesh_model::name::labels_subset_of;
use mesh_model::networking::gateway::spec::{Gateway, Server};
use mesh_model::object::Object;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, full_name, listed, selector_text, short};

/// Names that are looked at for a message.
const OTHERS_MAX: usize = 32;

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
            let mut others = BTreeSet::new();
            for host in &server.hosts {
                for selector in &near {
                    let claimed = claims.get(&(*selector, port(server), server.bind.as_str(), host.as_str()));
                    let claimed =
                        claimed.into_iter().flatten().filter(|other| !std::ptr::eq(**other, *gateway));
                    others.extend(claimed.take(OTHERS_MAX).map(|other| full_name(other)));
                }
            }
            if others.is_empty() {
                continue;
            }
            let hosts: Vec<_> = server.hosts.iter().take(4).map(|host| short(host)).collect();
            let message =
                format!("{} claim `{}` on port {} too", listed(&others), hosts.join("`, `"), port(server));
            let help = "leave the host to one of them: the older one wins, the other's servers are not used";
            found.add(gateway, &format!("spec.servers[{index}].hosts"), Code::GatewayConflict, message, help);
        }
    }
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
