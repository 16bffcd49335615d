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
