//! Statuses that say that a resource is not in effect.

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
        check(object, "status.conditions", conditions, negative, found);
    }
}

fn of_parents<S>(object: &Object<S>, found: &mut Findings) {
    let parents = object.document().status().and_then(|status| status.get("parents"));
    for (index, parent) in parents.into_iter().flat_map(Node::items).enumerate() {
        if let Some(conditions) = parent.get("conditions") {
            check(object, &format!("status.parents[{index}].conditions"), conditions, &ROUTE, found);
        }
    }
}

fn check<S>(object: &Object<S>, path: &str, conditions: Node<'_>, negative: &[&str], found: &mut Findings) {
    for (index, condition) in conditions.items().enumerate() {
        let text = |key: &str| condition.get(key).and_then(Node::as_str).unwrap_or_default();
        let (name, reason) = (text("type"), text("reason"));
        let is_refused = negative.contains(&name) && text("status") == "False";
        let is_partly_refused = object.provenance.kind == "AuthorizationPolicy"
            && (name, reason) == ("WaypointAccepted", "PartiallyInvalid");
        if !is_refused && !is_partly_refused {
            continue;
        }
        let message = format!("condition `{}`: {}", short(name), short(reason));
        let help = match text("message") {
            "" => "look at the resource that its status names".to_owned(),
            told => format!("its status says: {}", short(told)),
        };
        found.add(object, &format!("{path}[{index}]"), Code::NegativeCondition, message, help);
    }
}
