//! ServiceEntries that give one port of one host different protocols.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::diagnostic::Code;
use mesh_model::networking::service_entry::spec::ServiceEntry;
use mesh_model::object::Object;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, full_name, listed, short};
use crate::analyze::hosts::scopes;

/// Who sees it: everybody under `*`, or one namespace.
type Scoped<'a> = BTreeMap<&'a str, Claims<'a>>;

/// What entries of one scope say of one port of one host.
#[derive(Default)]
struct Claims<'a> {
    protocols: BTreeSet<String>,
    /// Index of the entry and of its port.
    entries: Vec<(usize, usize, &'a Object<ServiceEntry>)>,
}

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let entries: Vec<_> = context.objects(&context.config.service_entries).collect();
    let mut ports: BTreeMap<(&str, u32), Scoped<'_>> = BTreeMap::new();
    for (number, entry) in entries.iter().enumerate() {
        let scopes = scopes(entry.spec.export_to.iter().map(String::as_str), &entry.meta.namespace);
        for host in &entry.spec.hosts {
            for (index, port) in entry.spec.ports.iter().enumerate() {
                for scope in &scopes {
                    let scoped = ports.entry((host, port.number)).or_default();
                    let claims = scoped.entry(scope).or_default();
                    claims.protocols.insert(port.protocol.to_uppercase());
                    claims.entries.push((number, index, entry));
                }
            }
        }
    }
    let mut reported = vec![false; entries.len()];
    for ((host, port), scoped) in &ports {
        let everybody = scoped.get("*");
        let mut is_told = false;
        for (scope, claims) in scoped {
            let others = everybody.filter(|_| *scope != "*");
            let mut protocols = claims.protocols.clone();
            protocols.extend(others.iter().flat_map(|others| others.protocols.iter().cloned()));
            if protocols.len() < 2 {
                continue;
            }
            // What everybody sees is told of once, however many namespaces see something else beside it.
            let others = others.filter(|_| !is_told);
            is_told |= others.is_some();
            let all = claims.entries.iter().chain(others.into_iter().flat_map(|others| &others.entries));
            let names: BTreeSet<_> = all.clone().take(64).map(|(_, _, entry)| full_name(entry)).collect();
            for (number, index, entry) in all {
                if reported.get(*number).copied().unwrap_or(true) {
                    continue;
                }
                if let Some(flag) = reported.get_mut(*number) {
                    *flag = true;
                }
                let protocols: Vec<_> = protocols.iter().map(|protocol| short(protocol)).collect();
                let message = format!(
                    "port {port} of `{}` is {} in {}",
                    short(host),
                    protocols.join(" and "),
                    listed(&names)
                );
                let help = "give the port one protocol: which entry counts is not defined";
                found.add(
                    entry,
                    &format!("spec.ports[{index}].protocol"),
                    Code::ServiceEntryConflict,
                    message,
                    help,
                );
            }
        }
    }
}
