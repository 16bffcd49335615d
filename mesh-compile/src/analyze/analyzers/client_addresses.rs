//! Addresses of clients at a sidecar, which takes the last entry of `X-Forwarded-For` from whoever calls (S-221).

use mesh_model::diagnostic::Code;
use mesh_model::name::StringMap;
use mesh_model::object::Object;
use mesh_model::security::authorization_policy::AuthorizationPolicy;
use mesh_model::security::authorization_policy::spec::{Action, Rule, Source};

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, short};
use crate::analyze::workloads::{Workload, Workloads};

/// Labels of workloads that are gateways or waypoints, whatever stands beside their proxy.
const GATEWAY_LABELS: [&str; 2] = ["gateway.networking.k8s.io/gateway-name", "gateway.istio.io/managed"];

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let policies = context.objects(&context.config.authorization_policies);
    let policies: Vec<_> =
        policies.map(|policy| (policy, addresses(policy))).filter(|(_, places)| !places.is_empty()).collect();
    if policies.is_empty() {
        return;
    }
    let workloads = Workloads::of(context);
    let gateways: Vec<_> = context.objects(&context.config.gateways).map(|it| &it.spec.selector).collect();
    let root = context.mesh.root_namespace();
    let nothing = StringMap::default();
    for (policy, places) in policies {
        if policy.spec.target_ref.is_some() || !policy.spec.target_refs.is_empty() {
            continue;
        }
        let namespace = Some(&*policy.meta.namespace).filter(|name| *name != root);
        let selector = policy.spec.selector.as_ref().map_or(&nothing, |it| &it.match_labels);
        let mut selected = workloads.matching(namespace, selector);
        let Some(workload) = selected.find(|workload| is_sidecar(workload, &gateways)) else { continue };
        for place in places {
            let message = format!(
                "the sidecar of {} `{}` takes the client's address from the last entry of `x-forwarded-for`, \
                 which any caller in the mesh can make up",
                workload.kind,
                short(workload.name)
            );
            let help =
                "put the policy on the gateway, or allow the gateway's identity alone beside the addresses";
            found.add(policy, &place, Code::ClientAddress, message, help);
        }
    }
}

/// Whether a proxy beside an application is meant, and no gateway.
fn is_sidecar(workload: &Workload<'_>, gateways: &[&StringMap]) -> bool {
    workload.has_sidecar()
        && !GATEWAY_LABELS.iter().any(|label| workload.labels.contains_key(label))
        && !gateways.iter().any(|selector| {
            !selector.is_empty() && mesh_model::name::labels_subset_of(selector, workload.labels)
        })
}

/// Where a policy relies on the address of the client alone: an address that is made up opens what an ALLOW rule allows
/// to it, and gets past a DENY rule.
fn addresses(policy: &Object<AuthorizationPolicy>) -> Vec<String> {
    let action = policy.spec.action;
    if !matches!(action, Action::Allow | Action::Deny) {
        return Vec::new();
    }
    let mut places = Vec::new();
    for (at, rule) in policy.spec.rules.iter().enumerate() {
        // Callers that are known are not strangers; to be denied less is no matter of who calls.
        let is_known = |source: &Source| action == Action::Allow && names_callers(source);
        for (from, source) in rule.from.iter().enumerate() {
            let Some(source) = &source.source else { continue };
            if is_known(source) || conditions_name_callers(rule, action) {
                continue;
            }
            for (name, list) in [
                ("remoteIpBlocks", &source.remote_ip_blocks),
                ("notRemoteIpBlocks", &source.not_remote_ip_blocks),
            ] {
                if !list.is_empty() {
                    places.push(format!("spec.rules[{at}].from[{from}].source.{name}"));
                }
            }
        }
        let mut sources = rule.from.iter().map(|from| from.source.as_ref());
        let all_known = !rule.from.is_empty() && sources.all(|source| source.is_some_and(is_known));
        if all_known || conditions_name_callers(rule, action) {
            continue;
        }
        let conditions = rule.when.iter().enumerate().filter(|(_, condition)| condition.key == "remote.ip");
        places.extend(conditions.map(|(when, _)| format!("spec.rules[{at}].when[{when}]")));
    }
    places
}

/// Whether a source says which callers it is for, by their certificates or by the connection's own address.
fn names_callers(source: &Source) -> bool {
    let lists = [&source.principals, &source.namespaces, &source.service_accounts, &source.ip_blocks];
    lists.iter().any(|list| list.iter().any(|value| value != "*"))
}

fn conditions_name_callers(rule: &Rule, action: Action) -> bool {
    const KEYS: [&str; 4] = ["source.principal", "source.namespace", "source.serviceAccount", "source.ip"];
    action == Action::Allow
        && rule.when.iter().any(|condition| {
            KEYS.contains(&condition.key.as_str()) && condition.values.iter().any(|value| value != "*")
        })
}

#[cfg(test)]
mod tests {
    use crate::analyze::analyzers::testing::found;

    fn told(text: &str) -> Vec<String> {
        found("auth.ClientAddressAnalyzer", text)
    }

    const POD: &str = "---
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop, labels: {app: web, sidecar.istio.io/inject: 'true'}}
spec: {containers: [{name: web}, {name: istio-proxy, image: proxyv2}]}
";

    fn policy(action: &str, rule: &str) -> String {
        format!(
            "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: p, namespace: shop}}\n\
             spec: {{action: {action}, rules: [{rule}]}}\n"
        )
    }

    #[test]
    fn g_48_addresses_that_callers_make_up_are_told_at_a_sidecar() {
        let with = |action: &str, rule: &str| told(&(POD.to_owned() + &policy(action, rule)));
        let place = "client-address shop/p spec.rules[0].";
        let blocks = "{from: [{source: {remoteIpBlocks: [192.0.2.0/24]}}]}";
        for action in ["ALLOW", "DENY"] {
            assert_eq!(with(action, blocks), [format!("{place}from[0].source.remoteIpBlocks")], "{action}");
        }
        let not = blocks.replace("remoteIp", "notRemoteIp");
        assert_eq!(with("DENY", &not), [format!("{place}from[0].source.notRemoteIpBlocks")]);
        let when = "{when: [{key: remote.ip, values: [192.0.2.1]}]}";
        assert_eq!(with("ALLOW", when), [format!("{place}when[0]")]);
        // Of two sources one relies on the address alone.
        let two = "{from: [{source: {principals: [a/ns/b/sa/c], remoteIpBlocks: [192.0.2.1]}}, \
                    {source: {remoteIpBlocks: [192.0.2.1]}}], when: [{key: remote.ip, values: [192.0.2.1]}]}";
        assert_eq!(
            with("ALLOW", two),
            [format!("{place}from[1].source.remoteIpBlocks"), format!("{place}when[0]")]
        );
        // To name callers makes a denial no wider.
        let named = "{from: [{source: {principals: [a/ns/b/sa/c], remoteIpBlocks: [192.0.2.1]}}]}";
        assert_eq!(with("DENY", named).len(), 1);
        // A namespace whose Pods get a sidecar.
        let made = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {istio-injection: enabled}}\n---\n\
                    apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n\
                    spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web}]}}}\n";
        assert_eq!(told(&(made.to_owned() + &policy("ALLOW", blocks))).len(), 1);
    }

    #[test]
    fn gateways_known_callers_and_unknown_workloads_are_left_alone() {
        let blocks = "{from: [{source: {remoteIpBlocks: [192.0.2.0/24]}}]}";
        let gateway = "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g, namespace: shop}\n\
                       spec: {selector: {app: web}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}\n";
        let allow = policy("ALLOW", blocks);
        for text in [
            allow.clone(),
            POD.replace("{name: web}, ", "") + &allow,
            POD.replace("app: web", "gateway.networking.k8s.io/gateway-name: g") + &allow,
            POD.to_owned() + gateway + &allow,
            POD.replace(", sidecar.istio.io/inject: 'true'", "")
                .replace("{name: istio-proxy, image: proxyv2}", "{name: two}")
                + &allow,
            POD.replace("namespace: shop", "namespace: other") + &allow,
            POD.to_owned() + &policy("AUDIT", blocks),
            POD.to_owned() + &policy("ALLOW", "{from: [{source: {ipBlocks: [192.0.2.0/24]}}]}"),
            POD.to_owned()
                + &policy(
                    "ALLOW",
                    "{from: [{source: {serviceAccounts: [edge/door], remoteIpBlocks: [192.0.2.0/24]}}]}",
                ),
            POD.to_owned()
                + &policy(
                    "ALLOW",
                    "{from: [{source: {remoteIpBlocks: [192.0.2.0/24]}}], when: [{key: source.namespace, values: [edge]}]}",
                ),
        ] {
            assert!(told(&text).is_empty(), "{text}");
        }
        let anyone = "{from: [{source: {principals: ['*'], remoteIpBlocks: [192.0.2.0/24]}}]}";
        assert_eq!(told(&(POD.to_owned() + &policy("ALLOW", anyone))).len(), 1, "any caller is nobody");
    }
}
