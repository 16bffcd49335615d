//! Istio objects that several clusters have in different forms. Each control plane reads the objects of its own cluster
//! only; here those of all clusters count.

use std::collections::BTreeMap;

use mesh_model::config_set::Store;
use mesh_model::diagnostic::Code;
use mesh_model::object::{Kind, Object};

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, full_name, listed, short};

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    if context.clusters.len() < 2 {
        return;
    }
    let config = context.config;
    of_kind(&config.virtual_services, found);
    of_kind(&config.destination_rules, found);
    of_kind(&config.gateways, found);
    of_kind(&config.service_entries, found);
    of_kind(&config.sidecars, found);
    of_kind(&config.envoy_filters, found);
    of_kind(&config.authorization_policies, found);
    of_kind(&config.peer_authentications, found);
    of_kind(&config.request_authentications, found);
}

fn of_kind<S: Kind + PartialEq>(store: &Store<S>, found: &mut Findings) {
    let mut by_name: BTreeMap<(&str, &str), Vec<&Object<S>>> = BTreeMap::new();
    for object in store.iter() {
        by_name.entry((&object.meta.namespace, &object.meta.name)).or_default().push(object);
    }
    for mut of_one in by_name.into_values() {
        of_one.sort_by(|a, b| {
            a.precedence().cmp(&b.precedence()).then_with(|| a.meta.cluster.cmp(&b.meta.cluster))
        });
        let Some((first, others)) = of_one.split_first() else { continue };
        let differing: Vec<_> = others.iter().filter(|other| other.spec != first.spec).collect();
        let Some(other) = differing.first() else { continue };
        let clusters =
            std::iter::once(&first.meta.cluster).chain(differing.iter().map(|it| &it.meta.cluster));
        let message = format!(
            "clusters {} have the {} `{}` in different forms: all of them count, that of `{}` first",
            listed(clusters),
            S::KIND,
            short(&full_name(*other)),
            short(&first.meta.cluster)
        );
        let help = "a control plane reads its own cluster's alone, and which cluster has one is not known here: make them the same, or \
                    read the Istio objects of the control plane's cluster only";
        found.add(*other, "spec", Code::ClustersDiffer, message, help);
    }
}
