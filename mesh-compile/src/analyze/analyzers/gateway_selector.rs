//! Policies that select Pods of a Kubernetes Gateway by label, where only a reference takes effect.

use std::collections::BTreeSet;

use mesh_model::diagnostic::Code;
use mesh_model::object::Object;
use mesh_model::part::{PolicyTargetReference, WorkloadSelector};

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, short};

/// The label of a Gateway's Pods.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let config = context.config;
    for policy in context.objects(&config.authorization_policies) {
        check(context, policy, policy.spec.selector.as_ref(), policy.spec.target_ref.as_ref(), found);
    }
    for policy in context.objects(&config.request_authentications) {
        check(context, policy, policy.spec.selector.as_ref(), policy.spec.target_ref.as_ref(), found);
    }
    for policy in context.objects(&config.wasm_plugins) {
        check(context, policy, policy.spec.selector.as_ref(), policy.spec.target_ref.as_ref(), found);
    }
    for policy in context.objects(&config.telemetries) {
        check(context, policy, policy.spec.selector.as_ref(), policy.spec.target_ref.as_ref(), found);
    }
}

fn check<S>(
    context: &Context<'_>,
    policy: &Object<S>,
    selector: Option<&WorkloadSelector>,
    target: Option<&PolicyTargetReference>,
    found: &mut Findings,
) {
    let Some(selector) = selector.filter(|_| target.is_none()) else { return };
    let pods = context.pods.matching_in(&policy.meta.namespace, &selector.match_labels);
    let gateways: BTreeSet<_> = pods.filter_map(|pod| pod.meta.labels.get(GATEWAY_NAME)).collect();
    for gateway in gateways {
        let message = format!(
            "the selector takes Pods of the Kubernetes Gateway `{}`, where it has no effect",
            short(gateway)
        );
        let help =
            "write `targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: ...}]` instead";
        found.add(policy, "spec.selector", Code::SelectorIneffective, message, help);
    }
}
