//! How often one thing is told. Istio drops messages that read the same (istio/istio `pkg/config/analysis/diag`,
//! `SortedDedupedCopy`); which do depends on what an analyzer names, and on whether it looks for a line of its own.

use super::testing::found;

const POD: &str = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: gate, namespace: shop, labels: {istio: gate}}\n\
                   spec: {containers: [{name: a, image: a}]}\n";

fn istio(kind: &str, name: &str, spec: &str) -> String {
    let version = if kind == "EnvoyFilter" { "v1alpha3" } else { "v1" };
    format!(
        "---\napiVersion: networking.istio.io/{version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: shop}}\n\
         spec: {{{spec}}}\n"
    )
}

fn server(port: u32, host: &str, more: &str) -> String {
    format!("{{port: {{number: {port}, name: {host}, protocol: HTTPS}}, hosts: [{host}.example.com]{more}}}")
}

#[test]
fn a_port_without_a_service_is_told_once_for_a_gateway() {
    let servers = [server(443, "a", ""), server(443, "b", ""), server(8443, "c", "")].join(", ");
    let service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: gate, namespace: shop}\n\
                   spec: {selector: {istio: gate}, ports: [{port: 80, name: http}]}\n";
    let text = istio("Gateway", "g", &format!("selector: {{istio: gate}}, servers: [{servers}]"));
    assert_eq!(
        found("gateway.IngressGatewayPortAnalyzer", &[POD, service, &text].concat()),
        [
            "gateway-port-unknown shop/g spec.servers[0].port.number",
            "gateway-port-unknown shop/g spec.servers[2].port.number"
        ]
    );
}

#[test]
fn a_shared_certificate_is_told_for_each_other_gateway() {
    let tls = ", tls: {mode: SIMPLE, credentialName: c}";
    let gateway = |name: &str, hosts: [&str; 2]| {
        let servers = hosts.map(|host| server(443, host, tls)).join(", ");
        istio("Gateway", name, &format!("selector: {{istio: gate}}, servers: [{servers}]"))
    };
    let text = [gateway("g", ["a", "b"]), gateway("h", ["c", "d"]), gateway("i", ["e", "f"])].concat();
    let told = found("gateway.CertificateAnalyzer", &text);
    let of = |name: &str| told.iter().filter(|line| line.contains(&format!("shop/{name} "))).count();
    assert_eq!([of("g"), of("h"), of("i")], [2, 2, 2], "{told:?}");
}

#[test]
fn a_problem_of_patches_is_told_once_for_an_envoy_filter() {
    let patch = |apply_to: &str, operation: &str, version: &str| {
        format!("{{applyTo: {apply_to}, {version}patch: {{operation: {operation}, value: {{name: a}}}}}}")
    };
    let version = "match: {proxy: {proxyVersion: ^1}}, ";
    let patches = [
        patch("HTTP_FILTER", "INSERT_BEFORE", ""),
        patch("NETWORK_FILTER", "INSERT_AFTER", version),
        patch("HTTP_FILTER", "INSERT_BEFORE", ""),
        patch("HTTP_FILTER", "INSERT_AFTER", ""),
        patch("HTTP_ROUTE", "ADD", ""),
    ];
    let text = istio("EnvoyFilter", "e", &format!("configPatches: [{}]", patches.join(", ")));
    assert_eq!(
        found("envoyfilter.EnvoyPatchAnalyzer", &text),
        [
            "patch-relative shop/e spec.configPatches[0].patch.operation",
            "patch-relative-version shop/e spec.configPatches[2].patch.operation",
            "patch-add shop/e spec.configPatches[4].patch.operation"
        ]
    );
}

#[test]
fn a_server_that_is_not_verified_is_told_once_for_a_port() {
    let level = |port: u32, mode: &str| {
        format!("{{port: {{number: {port}}}, tls: {{mode: {mode}, clientCertificate: /a, privateKey: /b}}}}")
    };
    let levels =
        [level(80, "MUTUAL"), level(80, "MUTUAL"), level(80, "SIMPLE"), level(81, "MUTUAL")].join(", ");
    let text = istio(
        "DestinationRule",
        "d",
        &format!("host: a.b, trafficPolicy: {{portLevelSettings: [{levels}]}}"),
    );
    let at = |index: usize| {
        format!("port-server-not-verified shop/d spec.trafficPolicy.portLevelSettings[{index}].tls")
    };
    assert_eq!(found("destinationrule.CaCertificateAnalyzer", &text), [at(0), at(2), at(3)]);
}

#[test]
fn the_proxys_user_is_told_once_for_a_pod() {
    let pod = |spec: &str| {
        format!("---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: shop}}\nspec: {{{spec}}}\n")
    };
    let user = "securityContext: {runAsUser: 1337}";
    let containers = format!("containers: [{{name: a, {user}}}, {{name: b, {user}}}]");
    assert_eq!(
        found("applicationUID.Analyzer", &pod(&containers)),
        ["proxy-user-id shop/p spec.containers[0].securityContext.runAsUser"]
    );
    assert_eq!(
        found("applicationUID.Analyzer", &pod(&format!("{user}, {containers}"))),
        ["proxy-user-id shop/p spec.securityContext.runAsUser"]
    );
}

#[test]
fn a_condition_of_several_parents_is_told_once() {
    let condition =
        |reason: &str| format!("{{conditions: [{{type: Accepted, status: 'False', reason: {reason}}}]}}");
    let parents = [condition("A"), condition("A"), condition("B")].join(", ");
    let text = format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: r, namespace: shop}}\n\
         spec: {{}}\nstatus: {{parents: [{parents}]}}\n"
    );
    assert_eq!(
        found("conditions.ConditionAnalyzer", &text),
        [
            "negative-condition shop/r status.parents[0].conditions[0]",
            "negative-condition shop/r status.parents[2].conditions[0]"
        ]
    );
}

#[test]
fn a_host_by_its_short_and_its_full_name_is_claimed_twice() {
    let with = |hosts: &str| {
        let route = "http: [{route: [{destination: {host: a}}]}]";
        let text = istio("VirtualService", "v", &format!("hosts: [{hosts}], {route}"));
        found("virtualservice.ConflictingMeshGatewayHostsAnalyzer", &text)
    };
    assert_eq!(with("a, a.shop.svc.cluster.local"), ["virtual-service-host-conflict shop/v spec.hosts[0]"]);
    assert!(with("a, a.other.svc.cluster.local").is_empty());
}

#[test]
fn a_claim_that_no_pod_checks_is_told_for_each_pod() {
    let gateway =
        istio("Gateway", "g", &format!("selector: {{istio: gate}}, servers: [{}]", server(443, "a", "")));
    let claim = "match: [{headers: {'@request.auth.claims.x': {exact: z}}}]";
    let service = istio(
        "VirtualService",
        "v",
        &format!(
            "hosts: [a.example.com], gateways: [g], http: [{{{claim}, route: [{{destination: {{host: a}}}}]}}]"
        ),
    );
    let other = POD.replace("name: gate", "name: other");
    let told = found("virtualservice.JWTClaimRouteAnalyzer", &[POD, &other, &gateway, &service].concat());
    assert_eq!(told, ["claim-without-token shop/v spec.http[0].match[0].headers"; 2]);
}

#[test]
fn webhooks_are_told_for_each_company_that_they_are_in() {
    let webhook = |name: &str, selector: &str| {
        format!(
            "{{name: {name}.istio.io, clientConfig: {{service: {{name: d, namespace: base}}}}{selector}}}"
        )
    };
    let configuration = |name: &str, webhooks: &[String]| {
        format!(
            "---\napiVersion: admissionregistration.k8s.io/v1\nkind: MutatingWebhookConfiguration\n\
             metadata: {{name: {name}}}\nwebhooks: [{}]\n",
            webhooks.join(", ")
        )
    };
    let enabled = ", namespaceSelector: {matchLabels: {istio-injection: enabled}}";
    let service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: e, namespace: base}\nspec: {}\n";
    let text = [
        configuration("x", &[webhook("one", "")]),
        configuration("w", &[webhook("two", ""), webhook("three", enabled)]),
        service.to_owned(),
    ];
    let told = found("webhook.Analyzer", &text.concat());
    let at =
        |one: &str| told.iter().filter(|line| line.as_str() == format!("webhook-problem /{one}")).count();
    // `one` meets `two` anywhere, and `three` too where injection is on; `two` and `three` alike.
    assert_eq!(at("x webhooks[0]"), 2, "{told:?}");
    assert_eq!((at("w webhooks[0]"), at("w webhooks[1]")), (2, 1), "{told:?}");
    // The service that is not there is asked for by both of `w`.
    assert_eq!(at("x webhooks[0].clientConfig.service"), 1, "{told:?}");
    assert_eq!(at("w webhooks[0].clientConfig.service"), 1, "{told:?}");
    assert_eq!(told.len(), 7, "{told:?}");
}
