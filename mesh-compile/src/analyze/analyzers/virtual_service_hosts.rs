//! VirtualServices of the mesh that claim the same host for the same clients.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::diagnostic::Code;
use mesh_model::networking::virtual_service::spec::VirtualService;
use mesh_model::object::Object;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, full_name, listed, short};
use crate::analyze::hosts::{fqdn, scopes};
use crate::analyze::overlaps::Overlaps;

/// Others that a message looks at.
const OTHERS_MAX: usize = 9;

/// One host of a VirtualService for one scope (`*`: everybody).
struct Claim<'a> {
    scope: &'a str,
    host: String,
    owner: usize,
    index: usize,
}

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let services: Vec<_> = context
        .objects(&context.config.virtual_services)
        .filter(|service| is_of_mesh(&service.spec))
        .collect();
    let claims = claims(&services);
    let mut same: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    let mut twice = BTreeSet::new();
    for claim in &claims {
        let owners = same.entry((claim.scope, &claim.host)).or_default();
        if owners.last() == Some(&claim.owner) {
            twice.insert((claim.scope, &*claim.host, claim.owner));
        } else {
            owners.push(claim.owner);
        }
    }
    let overlaps = |is_public: bool| {
        let wanted = claims.iter().filter(move |claim| (claim.scope == "*") == is_public);
        Overlaps::new(wanted.map(|claim| (claim.host.as_str(), claim.owner)))
    };
    let (public, scoped) = (overlaps(true), overlaps(false));
    let mut last_reported = None;
    for claim in &claims {
        if last_reported == Some(claim.owner) {
            continue;
        }
        let equal = same.get(&(claim.scope, claim.host.as_str())).into_iter().flatten().copied();
        let mut others: Vec<usize> = equal.filter(|owner| *owner != claim.owner).take(OTHERS_MAX).collect();
        // What only some see meets what everybody sees, wildcards included.
        let elsewhere = if claim.scope == "*" { &scoped } else { &public };
        for other in elsewhere.owners(&claim.host, claim.owner, OTHERS_MAX) {
            if !others.contains(&other) {
                others.push(other);
            }
        }
        let is_twice = twice.contains(&(claim.scope, &*claim.host, claim.owner));
        let Some(service) = services.get(claim.owner).filter(|_| is_twice || !others.is_empty()) else {
            continue;
        };
        last_reported = Some(claim.owner);
        if others.is_empty() {
            // A short name and the name that it stands for.
            let message = format!("`{}` is claimed twice", short(&claim.host));
            let path = format!("spec.hosts[{}]", claim.index);
            found.add(service, &path, Code::VirtualServiceHostConflict, message, "keep one of its names");
            continue;
        }
        let names = others.iter().filter_map(|other| services.get(*other)).map(|other| full_name(other));
        let claim_too = if others.len() == 1 { "claims" } else { "claim" };
        let message =
            format!("{} {claim_too} `{}` for the same clients too", listed(names), short(&claim.host));
        let help = "merge them, or restrict `exportTo`: only the oldest one counts in a sidecar";
        found.add(
            service,
            &format!("spec.hosts[{}]", claim.index),
            Code::VirtualServiceHostConflict,
            message,
            help,
        );
    }
}

fn is_of_mesh(spec: &VirtualService) -> bool {
    spec.gateways.is_empty() || spec.gateways.iter().any(|gateway| gateway == "mesh")
}

fn claims<'a>(services: &[&'a Object<VirtualService>]) -> Vec<Claim<'a>> {
    let mut claims = Vec::new();
    for (owner, service) in services.iter().enumerate() {
        let scopes = scopes(service.spec.export_to.iter().map(String::as_str), &service.meta.namespace);
        for (index, host) in service.spec.hosts.iter().enumerate() {
            let host = fqdn(host, &service.meta.namespace);
            claims.extend(scopes.iter().map(|scope| Claim { scope, host: host.clone(), owner, index }));
        }
    }
    claims
}
