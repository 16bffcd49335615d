#![allow(clippy::unwrap_used)]

use crate::config_set::{ApplyOptions, Change, ConfigSet};
use crate::kind_table::Strictness;
use crate::yaml::{LoadOptions, load};

/// `severity code field` of every finding, and what help says of the first.
fn found(text: &str, strictness: Strictness) -> (Vec<String>, String) {
    let documents = load("a.yaml", text, &LoadOptions::default()).documents;
    let options = ApplyOptions { strictness, ..ApplyOptions::default() };
    let report = ConfigSet::new().apply_with(documents.into_iter().map(Change::Upsert), options).report;
    let line = |found: &crate::diagnostic::Diagnostic| {
        format!("{:?} {} {}", found.severity, found.code.as_str(), found.at.field).to_lowercase()
    };
    let help = report.iter().next().and_then(|found| found.help.clone()).unwrap_or_default();
    (report.iter().map(line).collect(), help)
}

fn head(api_version: &str, kind: &str) -> String {
    format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a, namespace: b}}\n")
}

#[test]
fn y15_unknown_fields_of_metadata_are_found_and_keep_the_object_out_in_strict_mode() {
    let text =
        "apiVersion: v1\nkind: Service\nmetadata: {name: a, namspace: x}\nspec: {ports: [{port: 80}]}\n";
    let (strict, help) = found(text, Strictness::Strict);
    assert_eq!(
        (strict, help.as_str()),
        (vec!["error unknown-field metadata.namspace".to_owned()], "did you mean `namespace`?")
    );
    assert_eq!(found(text, Strictness::Lenient).0, ["warning unknown-field metadata.namspace"]);
    let mut set = ConfigSet::new();
    let documents =
        || load("a.yaml", text, &LoadOptions::default()).documents.into_iter().map(Change::Upsert);
    set.apply_with(documents(), Strictness::Strict);
    assert_eq!(set.len(), 0);
    set.apply_with(documents(), Strictness::Lenient);
    assert_eq!(set.len(), 1);
}

#[test]
fn y15_unknown_fields_of_gateway_api_kinds_are_errors() {
    let text = head("gateway.networking.k8s.io/v1", "HTTPRoute") + "spec: {rules: [{matchs: []}]}\n";
    let (strict, help) = found(&text, Strictness::Strict);
    assert_eq!(strict, ["error unknown-field spec.rules[0].matchs"]);
    assert_eq!(help, "did you mean `matches`?");
    assert_eq!(found(&text, Strictness::Lenient).0, ["warning unknown-field spec.rules[0].matchs"]);
}

#[test]
fn y15_unknown_fields_of_core_kinds_are_warnings() {
    let service = head("v1", "Service") + "spec: {prots: [], ports: [{port: 80, targetPrt: 1}]}\n";
    let expected = ["warning unknown-field spec.prots", "warning unknown-field spec.ports[0].targetprt"];
    assert_eq!(found(&service, Strictness::Strict).0, expected);
    let deployment = head("apps/v1", "Deployment")
        + "spec: {template: {spec: {containers: [{name: c, readinesProbe: {}}]}}}\n";
    let expected = ["warning unknown-field spec.template.spec.containers[0].readinesprobe"];
    assert_eq!(found(&deployment, Strictness::Strict).0, expected);
}

#[test]
fn fields_that_are_not_read_and_dumps_of_a_cluster_are_silent() {
    let text = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: a
  namespace: b
  managedFields: [{manager: kubectl, operation: Update, fieldsV1: {'f:spec': {'f:any': {}}}}]
  ownerReferences: [{apiVersion: v1, kind: X, name: y, uid: z}]
spec:
  replicas: 2
  strategy: {rollingUpdate: {maxSurge: 1}}
  template:
    metadata: {labels: {app: a}}
    spec:
      volumes: [{name: v, emptyDir: {sizeLimit: 1Gi}}]
      containers: [{name: c, image: i, resources: {limits: {cpu: 1}}, livenessProbe: {httpGet: {path: /, port: 80}}}]
status: {observedGeneration: 2, whateverItSays: 1}
";
    assert_eq!(found(text, Strictness::Strict).0, Vec::<String>::new());
}

#[test]
fn y10_ports_of_services_are_1_to_65535() {
    for port in ["0", "-1", "99999"] {
        let text = head("v1", "Service") + &format!("spec: {{ports: [{{port: {port}}}]}}\n");
        assert_eq!(found(&text, Strictness::Strict).0, ["error invalid-value spec.ports[0].port"], "{port}");
    }
    let text = head("v1", "Service") + "spec: {ports: [{port: 1}, {port: 65535, name: b}]}\n";
    assert_eq!(found(&text, Strictness::Strict).0, Vec::<String>::new());
}

#[test]
fn words_that_no_field_takes_are_errors_with_the_nearest_one() {
    let gateway = |listener: &str| {
        let spec = format!("spec: {{gatewayClassName: istio, listeners: [{listener}]}}\n");
        head("gateway.networking.k8s.io/v1", "Gateway") + &spec
    };
    let route = |rule: &str| {
        head("gateway.networking.k8s.io/v1", "HTTPRoute") + &format!("spec: {{rules: [{rule}]}}\n")
    };
    let ingress = head("networking.k8s.io/v1", "Ingress")
        + "spec: {rules: [{http: {paths: [{path: /, pathType: Prefx}]}}]}\n";
    for (text, field, word) in [
        (
            gateway("{name: a, port: 80, protocol: TLS, tls: {mode: Termnate}}"),
            "spec.listeners[0].tls.mode",
            "Terminate",
        ),
        (route("{matches: [{path: {type: Exct, value: /}}]}"), "spec.rules[0].matches[0].path.type", "Exact"),
        (route("{filters: [{type: RequestRedirct}]}"), "spec.rules[0].filters[0].type", "RequestRedirect"),
        (ingress, "spec.rules[0].http.paths[0].pathType", "Prefix"),
    ] {
        let (lines, help) = found(&text, Strictness::Strict);
        assert_eq!(lines, [format!("error invalid-value {}", field.to_lowercase())]);
        assert_eq!(help, format!("did you mean `{word}`?"));
    }
    let twice = gateway("{name: a, port: 80, protocol: HTTP}, {name: a, port: 81, protocol: HTTP}");
    assert_eq!(found(&twice, Strictness::Strict).0, ["error invalid-value spec.listeners[1].name"]);
}

/// `code field: message / help` of every finding of a text, its documents' own among them.
fn told(text: &str) -> Vec<String> {
    let mut loaded = load("a.yaml", text, &LoadOptions::default());
    let options = ApplyOptions { strictness: Strictness::Strict, ..ApplyOptions::default() };
    let changes = loaded.documents.into_iter().map(Change::Upsert);
    loaded.report.merge(ConfigSet::new().apply_with(changes, options).report);
    let line = |found: &crate::diagnostic::Diagnostic| {
        let help = found.help.as_deref().unwrap_or_default();
        format!("{} {}: {} / {help}", found.code.as_str(), found.at.field, found.message)
    };
    loaded.report.iter().map(line).collect()
}

/// A VirtualService with one HTTP route.
fn route(text: &str) -> String {
    head("networking.istio.io/v1", "VirtualService") + "spec:\n  hosts: [a]\n  http:\n" + text
}

#[test]
fn a_field_that_is_indented_too_much_is_sent_back_to_its_place() {
    let text = "  - match:\n    - uri: {prefix: /a}\n      route:\n      - destination: {host: a}\n";
    let found = told(&route(text));
    assert!(
        found.contains(
            &"unknown-field spec.http[0].match[0].route: unknown field `route` / it belongs beside `match`: indent it like that"
                .to_owned()
        ),
        "{found:?}"
    );
    let near = told(&route("  - match: [{uris: {prefix: /a}}]\n    route: [{destination: {host: a}}]\n"));
    assert_eq!(near.len(), 1, "{near:?}");
    assert!(near[0].ends_with("did you mean `uri`?"), "{near:?}");
}

#[test]
fn a_misspelt_field_is_not_missing_too() {
    let text = head("networking.istio.io/v1", "Gateway") + "spec: {selector: {a: b}, server: [{}]}\n";
    assert_eq!(told(&text), ["unknown-field spec.server: unknown field `server` / did you mean `servers`?"]);
    // What has nothing to do with it is told.
    let text = route(
        "  - rout: [{destination: {host: a}}]\n  - timeout: 0.5ms\n    route: [{destination: {host: a}}]\n",
    );
    let found = told(&text);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("unknown-field spec.http[0].rout:"), "{found:?}");
    assert!(found[1].starts_with("invalid-value spec.http[1].timeout:"), "{found:?}");
}

#[test]
fn a_map_in_the_place_of_a_list_has_no_unknown_fields() {
    let text = head("gateway.networking.k8s.io/v1", "HTTPRoute")
        + "spec: {rules: [{matches: [{headers: {x: a}}], backendRefs: [{name: a, port: 80}]}]}\n";
    let found = told(&text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("wrong-type spec.rules[0].matches[0].headers:"), "{found:?}");
}

#[test]
fn the_beginning_of_a_field_is_completed_where_only_one_has_it() {
    let found = told(&route(
        "  - fault: {abort: {percent: 50, httpStatus: 500}}\n    route: [{destination: {host: a}}]\n",
    ));
    assert!(found[0].ends_with("unknown field `percent` / did you mean `percentage`?"), "{found:?}");
}

#[test]
fn numbers_are_quoted_as_they_are_written() {
    let rule = |value: &str| {
        head("networking.istio.io/v1", "DestinationRule")
            + &format!("spec: {{host: a, subsets: [{{name: v, labels: {{version: {value}}}}}]}}\n")
    };
    for (value, help) in [
        ("1.0", "write it in quotes"),
        ("0x10", "write it in quotes"),
        ("12", "write it in quotes: `\"12\"`"),
    ] {
        let found = told(&rule(value));
        let wrong = found.iter().find(|line| line.starts_with("wrong-type")).unwrap();
        assert!(wrong.ends_with(&format!(" / {help}")), "{found:?}");
    }
}

#[test]
fn ports_without_number_or_name_are_said_to_lack_them() {
    let text = head("networking.istio.io/v1", "ServiceEntry")
        + "spec: {hosts: [a.b], resolution: DNS, ports: [{number: 80, protocol: HTTP}, {name: b, protocol: HTTP}]}\n";
    assert_eq!(
        told(&text),
        [
            "invalid-name spec.ports[0].name: the port needs a name / write one that begins with its protocol, such as `http` or `tcp-db`",
            "invalid-value spec.ports[1].number: a port number is needed, here is none or `0` / write a port from 1 to 65535",
        ]
    );
}

#[test]
fn urls_in_the_place_of_hosts_are_cut_to_their_host() {
    for (kind, spec, help) in [
        (
            "ServiceEntry",
            "hosts: ['https://api.example.com/v1'], resolution: NONE, ports: [{number: 1, name: tcp, protocol: TCP}]",
            "`api.example.com`",
        ),
        (
            "ServiceEntry",
            "hosts: ['*.example.com:443'], resolution: NONE, ports: [{number: 1, name: tcp, protocol: TCP}]",
            "`*.example.com`",
        ),
        (
            "Gateway",
            "selector: {a: b}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['https://x.example.com']}]",
            "`x.example.com`",
        ),
    ] {
        let found = told(&(head("networking.istio.io/v1", kind) + &format!("spec: {{{spec}}}\n")));
        let wrong: Vec<_> = found.iter().filter(|line| line.starts_with("invalid-host")).collect();
        assert_eq!(wrong.len(), 1, "{found:?}");
        assert!(wrong[0].contains("write the host without") && wrong[0].ends_with(help), "{found:?}");
    }
}

#[test]
fn a_server_without_certificate_is_one_finding() {
    let server = |tls: &str| {
        let spec = format!(
            "spec: {{selector: {{a: b}}, servers: [{{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: [a.b], tls: {tls}}}]}}\n"
        );
        told(&(head("networking.istio.io/v1", "Gateway") + &spec))
    };
    assert_eq!(
        server("{mode: SIMPLE}"),
        [
            "missing-field spec.servers[0].tls: mode `SIMPLE` needs `credentialName`, or `serverCertificate` and `privateKey` / \
          name a Secret in `credentialName`, or files in `serverCertificate` and `privateKey`"
        ]
    );
    assert_eq!(server("{mode: SIMPLE, credentialName: a}"), [""; 0]);
}

#[test]
fn methods_in_small_letters_and_paths_without_slash_are_doubted() {
    let doubts = |text: &str| {
        told(&route(&format!("  - match: [{text}]\n    route: [{{destination: {{host: a}}}}]\n")))
    };
    for (text, field, help) in [
        ("{method: {exact: get}}", "method.exact", "write `GET`"),
        ("{uri: {prefix: api/}}", "uri.prefix", "write `/api/`"),
        ("{uri: {exact: api}}", "uri.exact", "write `/api`"),
    ] {
        let found = doubts(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("doubtful spec.http[0].match[0].{field}:")), "{found:?}");
        assert!(found[0].ends_with(help), "{found:?}");
    }
    for fine in [
        "{method: {exact: GET}, uri: {exact: /a}}",
        "{uri: {prefix: ''}}",
        "{uri: {exact: '*'}}",
        "{method: {regex: 'get'}}",
    ] {
        assert_eq!(doubts(fine), [""; 0], "{fine}");
    }
}

#[test]
fn words_that_switch_nothing_on_in_a_namespace_are_doubted() {
    let namespace = |label: &str| {
        told(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: a, labels: {{{label}}}}}\n"))
    };
    let found = namespace("istio-injection: enable");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("doubtful metadata.labels.istio-injection:"), "{found:?}");
    assert!(found[0].ends_with("did you mean `enabled`?"), "{found:?}");
    assert_eq!(namespace("istio-injection: disabled, istio.io/dataplane-mode: none"), [""; 0]);
    assert_eq!(namespace("istio.io/dataplane-mode: Ambient").len(), 1);
}

#[test]
fn stars_without_quotes_and_forgotten_brackets_are_told_where_they_stand() {
    let star = told(&(head("networking.istio.io/v1", "VirtualService") + "spec: {hosts: [*.example.com]}\n"));
    assert!(
        star.iter().any(|line| line.ends_with("text that starts with `*` needs quotes: `\"*.example.com\"`")),
        "{star:?}"
    );
    let alias = told(&(head("networking.istio.io/v1", "VirtualService") + "spec: {hosts: [*name]}\n"));
    assert!(alias.iter().any(|line| line.contains("define the anchor")), "{alias:?}");
    let text =
        head("networking.istio.io/v1", "VirtualService") + "spec:\n  hosts: [a\n  http:\n  - route: []\n";
    let loaded = load("a.yaml", &text, &LoadOptions::default());
    let found: Vec<_> =
        loaded.report.iter().map(|found| (found.message.as_str(), found.at.line, found.at.column)).collect();
    assert_eq!(found, [("`[` is never closed", 5, 10)]);
    let colons = load("a.yaml", "a: [{b: c,\n  d: e: f}]\n", &LoadOptions::default()).report;
    assert!(colons.iter().all(|found| !found.message.contains("never closed")), "{colons:?}");
}
