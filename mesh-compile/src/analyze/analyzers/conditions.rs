//! Statuses that say that a resource is not in effect.

use std::collections::BTreeSet;

use mesh_model::diagnostic::Code;
use mesh_model::document::Node;
use mesh_model::object::Object;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, short};

const WAYPOINT: [&str; 1] = ["istio.io/WaypointBound"];
const POLICY: [&str; 2] = ["ZtunnelAccepted", "WaypointAccepted"];
const ROUTE: [&str; 3] = ["Accepted", "Programmed", "ResolvedRefs"];

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let config = context.config;
    context.objects(&config.services).for_each(|object| own(object, &WAYPOINT, found));
    context.objects(&config.service_entries).for_each(|object| own(object, &WAYPOINT, found));
    context.objects(&config.workload_entries).for_each(|object| own(object, &WAYPOINT, found));
    context.objects(&config.authorization_policies).for_each(|object| own(object, &POLICY, found));
    context.objects(&config.kubernetes_gateways).for_each(|object| own(object, &ROUTE, found));
    context.objects(&config.http_routes).for_each(|object| of_parents(object, found));
    context.objects(&config.grpc_routes).for_each(|object| of_parents(object, found));
}

fn own<S>(object: &Object<S>, negative: &[&str], found: &mut Findings) {
    if let Some(conditions) = object.document().status().and_then(|status| status.get("conditions")) {
        check(object, std::iter::once(("status.conditions".to_owned(), conditions)), negative, found);
    }
}

fn of_parents<S>(object: &Object<S>, found: &mut Findings) {
    let parents = object.document().status().and_then(|status| status.get("parents"));
    let lists = parents.into_iter().flat_map(Node::items).enumerate().filter_map(|(index, parent)| {
        Some((format!("status.parents[{index}].conditions"), parent.get("conditions")?))
    });
    check(object, lists, &ROUTE, found);
}

/// What says the same, of several parents, is told once, as in Istio.
fn check<'n, S>(
    object: &Object<S>,
    lists: impl Iterator<Item = (String, Node<'n>)>,
    negative: &[&str],
    found: &mut Findings,
) {
    let mut told = BTreeSet::new();
    for (path, index, condition) in lists.flat_map(|(path, list)| {
        list.items().enumerate().map(move |(index, condition)| (path.clone(), index, condition))
    }) {
        let text = |key: &str| condition.get(key).and_then(Node::as_str).unwrap_or_default();
        let (name, reason, words) = (text("type"), text("reason"), text("message"));
        let is_refused = negative.contains(&name) && text("status") == "False";
        let is_partly_refused = object.provenance.kind == "AuthorizationPolicy"
            && (name, reason) == ("WaypointAccepted", "PartiallyInvalid");
        if !is_refused && !is_partly_refused || !told.insert((name, reason, words)) {
            continue;
        }
        let message = format!("condition `{}`: {}", short(name), short(reason));
        let help = match words {
            "" => "look at the resource that its status names".to_owned(),
            told => format!("its status says: {}", short(told)),
        };
        found.add(object, &format!("{path}[{index}]"), Code::NegativeCondition, message, help);
    }
}
