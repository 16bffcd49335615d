//! Worst texts of resources: what costs much only once it is decoded and validated.

use super::{Sort, numbered, repeat, sort};

fn istio(group: &str, kind: &str, spec: &str) -> String {
    format!("apiVersion: {group}.istio.io/v1\nkind: {kind}\nmetadata: {{name: a}}\nspec:\n{spec}")
}

fn networking(kind: &str, spec: &str) -> String {
    istio("networking", kind, spec)
}

const SERVICE: &str = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec:\n  hosts: [a]\n  http:\n";
const LABELS: &str = "kind: Service\napiVersion: v1\nmetadata:\n  name: a\n";

fn core(kind: &str, rest: &str) -> String {
    format!("apiVersion: v1\nkind: {kind}\nmetadata: {{name: a}}\n{rest}")
}

/// Many resources, most of them with something wrong.
pub fn resources() -> Vec<Sort> {
    vec![
        sort("unknown kinds", || repeat("kind: X\napiVersion: v1\n---\n")),
        sort("documents without kind", || repeat("a: 1\n---\n")),
        sort("resources without name", || repeat("kind: Service\napiVersion: v1\n---\n")),
        sort("resources with bad names", || {
            repeat("{kind: Service, apiVersion: v1, metadata: {name: A_}}\n---\n")
        }),
        sort("the same resource", || repeat("{kind: Service, apiVersion: v1, metadata: {name: a}}\n---\n")),
        sort("small resources", || {
            numbered(|number| format!("kind: Service\napiVersion: v1\nmetadata:\n  name: a{number}\n---\n"))
        }),
        sort("small refused resources", || {
            numbered(|number| {
                format!(
                    "{{kind: Gateway, apiVersion: networking.istio.io/v1, metadata: {{name: a{number}}}}}\n---\n"
                )
            })
        }),
        sort("resources with unknown fields", || {
            numbered(|number| {
                format!(
                    "kind: Sidecar\napiVersion: networking.istio.io/v1\nmetadata: {{name: a{number}}}\nspec: {{a: 1, b: 1, c: 1, d: 1, e: 1}}\n---\n"
                )
            })
        }),
        sort("resources with wrong values", || {
            numbered(|number| {
                format!(
                    "kind: DestinationRule\napiVersion: networking.istio.io/v1\nmetadata: {{name: a{number}}}\nspec: {{host: [], subsets: x, exportTo: 1}}\n---\n"
                )
            })
        }),
        sort("broken resources", || {
            numbered(|number| {
                format!("kind: Service\napiVersion: v1\nmetadata: {{name: a{number}\nspec:\n  a: [\n---\n")
            })
        }),
        sort("resources with doubled keys", || {
            numbered(|number| {
                format!(
                    "kind: Service\napiVersion: v1\nmetadata: {{name: a{number}, name: b}}\na: 1\na: 1\n---\n"
                )
            })
        }),
        sort("a list of nothing", || format!("kind: List\napiVersion: v1\nitems: [{}]", repeat("{},"))),
        sort("a list in blocks", || format!("kind: List\napiVersion: v1\nitems:\n{}", repeat("- {}\n"))),
        sort("a list of scalars", || format!("kind: List\napiVersion: v1\nitems:\n{}", repeat("- 1\n"))),
        sort("a typed list", || format!("kind: ServiceList\napiVersion: v1\nitems:\n{}", repeat("- {}\n"))),
        sort("a typed list in JSON", || {
            format!("{{\"kind\":\"ServiceList\",\"apiVersion\":\"v1\",\"items\":[{}{{}}]}}", repeat("{},"))
        }),
        sort("a JSON list of nothing", || {
            format!("{{\"kind\":\"List\",\"apiVersion\":\"v1\",\"items\":[{}{{}}]}}", repeat("{},"))
        }),
        sort("a list of small resources", || {
            format!(
                "kind: List\napiVersion: v1\nitems:\n{}",
                numbered(|number| format!(
                    "- {{kind: Service, apiVersion: v1, metadata: {{name: a{number}}}}}\n"
                ))
            )
        }),
        sort("a list of lists", || {
            format!(
                "kind: List\napiVersion: v1\nitems:\n{}",
                repeat("- {kind: List, apiVersion: v1, items: [{kind: X, apiVersion: v1}]}\n")
            )
        }),
    ]
}

/// One large resource each.
pub fn resource() -> Vec<Sort> {
    vec![
        sort("unknown fields", || {
            networking("VirtualService", &numbered(|number| format!("  f{number}: 1\n")))
        }),
        sort("routes", || format!("{SERVICE}{}", repeat("  - {}\n"))),
        sort("labels", || format!("{LABELS}  labels:\n{}", numbered(|number| format!("    k{number}: v\n")))),
        sort("bad labels", || {
            format!("{LABELS}  labels:\n{}", numbered(|number| format!("    -{number}_: _\n")))
        }),
        sort("annotations", || {
            format!(
                "{LABELS}  annotations:\n{}",
                numbered(|number| format!("    sidecar.istio.io/a{number}: v\n"))
            )
        }),
        sort("unknown fields of metadata", || {
            format!("{LABELS}{}", numbered(|number| format!("  f{number}: 1\n")))
        }),
        sort("hosts", || {
            networking(
                "VirtualService",
                &format!("  hosts:\n{}", numbered(|number| format!("  - h{number}.a\n"))),
            )
        }),
        sort("the same host", || networking("VirtualService", &format!("  hosts:\n{}", repeat("  - a\n")))),
        sort("bad hosts", || {
            networking(
                "VirtualService",
                &format!("  hosts:\n{}", numbered(|number| format!("  - _{number}\n"))),
            )
        }),
        sort("empty hosts", || networking("VirtualService", &format!("  hosts: [{}]\n", repeat("'',")))),
        sort("gateways of a service", || {
            networking("VirtualService", &format!("  hosts: [a]\n  gateways: [{}]\n", repeat("a,")))
        }),
        sort("good routes", || {
            format!(
                "{SERVICE}{}",
                numbered(|number| format!(
                    "  - match: [{{uri: {{prefix: /a{number}}}}}]\n    route: [{{destination: {{host: a}}}}]\n"
                ))
            )
        }),
        sort("shadowed routes", || {
            format!(
                "{SERVICE}{}",
                repeat("  - {match: [{uri: {prefix: /}}], route: [{destination: {host: a}}]}\n")
            )
        }),
        sort("matches of a route", || {
            format!(
                "{SERVICE}  - route: [{{destination: {{host: a}}}}]\n    match:\n{}",
                repeat("    - {uri: {exact: /}}\n")
            )
        }),
        sort("conditions of a route", || {
            format!(
                "{SERVICE}  - route: [{{destination: {{host: a}}}}]\n    match:\n    - headers:\n{}",
                numbered(|number| format!("        h{number}: {{exact: a}}\n"))
            )
        }),
        sort("regexes", || {
            format!(
                "{SERVICE}{}",
                numbered(|number| format!(
                    "  - {{match: [{{uri: {{regex: '/[a-z]+/{number}.*(a|b)?'}}}}], route: [{{destination: {{host: a}}}}]}}\n"
                ))
            )
        }),
        sort("classes in regexes", || {
            format!(
                "{SERVICE}{}",
                repeat(
                    "  - {match: [{uri: {regex: '\\pL\\w\\W(?i)\\pL{9}'}}], route: [{destination: {host: a}}]}\n"
                )
            )
        }),
        sort("bad regexes", || {
            format!(
                "{SERVICE}{}",
                repeat("  - {match: [{uri: {regex: '('}}], route: [{destination: {host: a}}]}\n")
            )
        }),
        sort("a long regex", || {
            format!("{SERVICE}  - match: [{{uri: {{regex: '{}'}}}}]\n", repeat("(a|b)*\\w"))
        }),
        sort("destinations of a route", || {
            format!("{SERVICE}  - route:\n{}", repeat("    - {weight: 1, destination: {host: a}}\n"))
        }),
        sort("header operations", || {
            format!(
                "{SERVICE}  - headers:\n      request:\n        set:\n{}",
                numbered(|number| format!("          h{number}: v\n"))
            )
        }),
        sort("TCP routes", || {
            networking(
                "VirtualService",
                &format!(
                    "  hosts: [a]\n  tcp:\n{}",
                    repeat("  - {match: [{port: 1}], route: [{destination: {host: a}}]}\n")
                ),
            )
        }),
        sort("TLS routes", || {
            networking(
                "VirtualService",
                &format!(
                    "  hosts: [a]\n  tls:\n{}",
                    repeat("  - {match: [{sniHosts: [a], port: 1}], route: [{destination: {host: a}}]}\n")
                ),
            )
        }),
        sort("subsets", || {
            networking(
                "DestinationRule",
                &format!("  host: a\n  subsets:\n{}", numbered(|number| format!("  - name: s{number}\n"))),
            )
        }),
        sort("the same subset", || {
            networking("DestinationRule", &format!("  host: a\n  subsets:\n{}", repeat("  - name: a\n")))
        }),
        sort("port settings", || {
            networking(
                "DestinationRule",
                &format!(
                    "  host: a\n  trafficPolicy:\n    portLevelSettings:\n{}",
                    numbered(|number| format!("    - port: {{number: {number}}}\n"))
                ),
            )
        }),
        sort("servers", || {
            networking(
                "Gateway",
                &format!(
                    "  servers:\n{}",
                    repeat("  - {port: {number: 80, name: a, protocol: HTTP}, hosts: [a]}\n")
                ),
            )
        }),
        sort("distinct servers", || {
            networking(
                "Gateway",
                &format!(
                    "  servers:\n{}",
                    numbered(|number| format!(
                        "  - {{port: {{number: {}, name: a{number}, protocol: HTTP}}, hosts: [a{number}]}}\n",
                        number % 65_000
                    ))
                ),
            )
        }),
        sort("endpoints", || {
            networking(
                "ServiceEntry",
                &format!(
                    "  hosts: [a.b]\n  resolution: STATIC\n  ports: [{{number: 80, name: a}}]\n  endpoints:\n{}",
                    repeat("  - address: 1.1.1.1\n")
                ),
            )
        }),
        sort("addresses", || {
            networking(
                "ServiceEntry",
                &format!(
                    "  hosts: [a.b]\n  ports: [{{number: 80, name: a}}]\n  addresses: [{}]",
                    repeat("10.1.1.1/8,")
                ),
            )
        }),
        sort("ports of an entry", || {
            networking(
                "ServiceEntry",
                &format!(
                    "  hosts: [a.b]\n  ports:\n{}",
                    numbered(|number| format!("  - {{number: {number}, name: a{number}}}\n"))
                ),
            )
        }),
        sort("hosts of a sidecar", || {
            networking(
                "Sidecar",
                &format!("  egress:\n  - hosts:\n{}", numbered(|number| format!("    - ./h{number}.a\n"))),
            )
        }),
        sort("listeners of a sidecar", || {
            networking("Sidecar", &format!("  egress:\n{}", repeat("  - hosts: [./a]\n")))
        }),
        sort("patches", || {
            networking(
                "EnvoyFilter",
                &format!(
                    "  configPatches:\n{}",
                    repeat("  - {applyTo: CLUSTER, patch: {operation: MERGE, value: {a: 1}}}\n")
                ),
            )
        }),
        sort("a struct", || {
            networking(
                "EnvoyFilter",
                &format!(
                    "  configPatches:\n  - applyTo: CLUSTER\n    patch:\n      operation: MERGE\n      value:\n        a: [{}]\n",
                    repeat("{},")
                ),
            )
        }),
        sort("rules", || {
            istio("security", "AuthorizationPolicy", &format!("  rules:\n{}", repeat("  - {}\n")))
        }),
        sort("rules with sources", || {
            istio(
                "security",
                "AuthorizationPolicy",
                &format!(
                    "  rules:\n{}",
                    repeat(
                        "  - {from: [{source: {ipBlocks: [1.1.1.1]}}], to: [{operation: {paths: [/a*]}}]}\n"
                    )
                ),
            )
        }),
        sort("address blocks", || {
            istio(
                "security",
                "AuthorizationPolicy",
                &format!("  rules:\n  - from:\n    - source:\n        ipBlocks: [{}]\n", repeat("1.1.1.1,")),
            )
        }),
        sort("bad address blocks", || {
            istio(
                "security",
                "AuthorizationPolicy",
                &format!("  rules:\n  - from:\n    - source:\n        ipBlocks: [{}]\n", repeat("x,")),
            )
        }),
        sort("paths of a policy", || {
            istio(
                "security",
                "AuthorizationPolicy",
                &format!("  rules:\n  - to:\n    - operation:\n        paths: [{}]\n", repeat("/{*}/{**},")),
            )
        }),
        sort("conditions of a policy", || {
            istio(
                "security",
                "AuthorizationPolicy",
                &format!(
                    "  rules:\n  - when:\n{}",
                    repeat("    - {key: 'request.headers[a]', values: [a]}\n")
                ),
            )
        }),
        sort("ports of a peer policy", || {
            istio(
                "security",
                "PeerAuthentication",
                &format!(
                    "  portLevelMtls:\n{}",
                    numbered(|number| format!("    {number}: {{mode: STRICT}}\n"))
                ),
            )
        }),
        sort("issuers", || {
            istio(
                "security",
                "RequestAuthentication",
                &format!(
                    "  jwtRules:\n{}",
                    numbered(|number| format!("  - {{issuer: a{number}, jwksUri: 'https://a/'}}\n"))
                ),
            )
        }),
        sort("ports of a service", || {
            core(
                "Service",
                &format!(
                    "spec:\n  ports:\n{}",
                    numbered(|number| format!("  - {{port: {number}, name: a{number}}}\n"))
                ),
            )
        }),
        sort("a secret", || core("Secret", &format!("data:\n  a: {}\n", repeat("QUJD")))),
        sort("secrets", || {
            core("Secret", &format!("data:\n{}", numbered(|number| format!("  a{number}: QQ==\n"))))
        }),
        sort("a config map", || {
            core(
                "ConfigMap",
                &format!("data:\n  mesh: |\n{}", numbered(|number| format!("    a{number}: {{b: 1}}\n"))),
            )
        }),
        sort("a mesh config", || {
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: istio, namespace: istio-system}}\ndata:\n  mesh: |\n{}",
                numbered(|number| format!("    a{number}: {{b: 1}}\n"))
            )
        }),
        sort("endpoints of a slice", || {
            format!(
                "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: a}}\naddressType: IPv4\nendpoints:\n{}",
                repeat("- addresses: [1.1.1.1]\n")
            )
        }),
        sort("HTTP routes", || {
            format!(
                "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: a}}\nspec:\n  rules:\n{}",
                repeat("  - {matches: [{path: {value: /a}}], backendRefs: [{name: a, port: 1}]}\n")
            )
        }),
        sort("containers", || {
            format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n  containers:\n{}",
                repeat("  - {name: a, ports: [{containerPort: 1}]}\n")
            )
        }),
        sort("wrong values", || format!("{SERVICE}{}", repeat("  - {timeout: x, retries: 1}\n"))),
        sort("wrong numbers of a map", || {
            istio(
                "security",
                "PeerAuthentication",
                &format!("  portLevelMtls:\n{}", numbered(|number| format!("    {number}: x\n"))),
            )
        }),
        sort("both spellings", || {
            networking(
                "DestinationRule",
                &format!(
                    "  host: a\n  subsets:\n{}",
                    repeat("  - {name: a, traffic_policy: {}, trafficPolicy: {}}\n")
                ),
            )
        }),
    ]
}
