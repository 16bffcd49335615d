//! Gateways of one workload that serve the same certificate: clients reuse one connection for hosts of both.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::diagnostic::Code;
use mesh_model::name::StringMap;
use mesh_model::name::labels_subset_of;
use mesh_model::networking::gateway::spec::Gateway;
use mesh_model::object::Object;
use mesh_model::part::ServerTlsSettings;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, full_name, short};

/// Names that are looked at for a message.
const OTHERS_MAX: usize = 32;

type Labels = StringMap;

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let mut servers: BTreeMap<Certificate<'_>, BTreeMap<&Labels, Vec<&Object<Gateway>>>> = BTreeMap::new();
    for gateway in context.objects(&context.config.gateways) {
        for certificate in
            gateway.spec.servers.iter().filter_map(|server| Certificate::of(server.tls.as_deref()?))
        {
            let gateways = servers.entry(certificate).or_default().entry(&gateway.spec.selector).or_default();
            if !gateways.last().is_some_and(|last| std::ptr::eq(*last, gateway)) {
                gateways.push(gateway);
            }
        }
    }
    for gateway in context.objects(&context.config.gateways) {
        // One finding for each other Gateway, as in Istio.
        let mut told = BTreeSet::new();
        for (index, server) in gateway.spec.servers.iter().enumerate() {
            let Some(certificate) = server.tls.as_deref().and_then(Certificate::of) else { continue };
            let others = servers
                .get(&certificate)
                .into_iter()
                .flatten()
                .filter(|(selector, _)| labels_subset_of(&gateway.spec.selector, selector))
                .flat_map(|(_, gateways)| gateways)
                .filter(|other| !std::ptr::eq(**other, gateway))
                .take(OTHERS_MAX)
                .map(|other| full_name(other));
            for other in others {
                let message = format!("`{}` of the same workload serves this certificate too", short(&other));
                if !told.insert(other) {
                    continue;
                }
                let path = format!("spec.servers[{index}].tls");
                let help = "put the hosts into one Gateway, or give each a certificate: browsers reuse a connection \
                            for all hosts of a certificate and get 404 for those of the other Gateway";
                found.add(gateway, &path, Code::CertificateShared, message, help);
            }
        }
    }
}

/// What a server shows.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Certificate<'a> {
    Credential(&'a str),
    Files(&'a str, &'a str),
}

impl<'a> Certificate<'a> {
    fn of(tls: &'a ServerTlsSettings) -> Option<Self> {
        if !tls.credential_name.is_empty() {
            return Some(Self::Credential(&tls.credential_name));
        }
        let has_files = !tls.server_certificate.is_empty() && !tls.private_key.is_empty();
        has_files.then_some(Self::Files(&tls.server_certificate, &tls.private_key))
    }
}
