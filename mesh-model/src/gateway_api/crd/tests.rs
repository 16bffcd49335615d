use std::collections::BTreeSet;

use proptest::prelude::*;
use regex_automata::meta::Regex;

use super::{facts, pattern};
use crate::config_set::{Change, ConfigSet};
use crate::diagnostic::Severity;
use crate::yaml::{LoadOptions, load};

/// Fields with errors, of a document of the Gateway API.
fn refused(kind: &str, spec: &str) -> Vec<String> {
    refused_at("v1", kind, spec)
}

fn refused_at(version: &str, kind: &str, spec: &str) -> Vec<String> {
    let text = format!(
        "apiVersion: gateway.networking.k8s.io/{version}\nkind: {kind}\nmetadata: {{name: a, namespace: b}}\nspec: {spec}\n"
    );
    let loaded = load("t.yaml", &text, &LoadOptions::default());
    assert!(!loaded.report.has_errors(), "{:?}", loaded.report);
    let applied = ConfigSet::new().apply(loaded.documents.into_iter().map(Change::Upsert));
    let errors = applied.report.iter().filter(|found| found.severity == Severity::Error);
    let mut fields: Vec<_> = errors.map(|found| found.at.field.to_string()).collect();
    fields.sort();
    fields
}

/// Each: kind, a `spec`, the fields that are refused in it.
const CASES: &[(&str, &str, &[&str])] = &[
    ("GatewayClass", "{}", &["spec.controllerName"]),
    ("GatewayClass", "{controllerName: istio.io}", &["spec.controllerName"]),
    ("HTTPRoute", "{}", &[]),
    ("HTTPRoute", "{rules: []}", &["spec.rules"]),
    ("HTTPRoute", "{hostnames: [A.example.com, '*.b', 'a.*']}", &["spec.hostnames[0]", "spec.hostnames[2]"]),
    ("HTTPRoute", "{parentRefs: [{}]}", &["spec.parentRefs[0].name"]),
    (
        "HTTPRoute",
        "{parentRefs: [{name: a, namespace: B, group: x_y}]}",
        &["spec.parentRefs[0].group", "spec.parentRefs[0].namespace"],
    ),
    ("HTTPRoute", "{parentRefs: [{name: a}, {name: a}]}", &["spec.parentRefs[1]"]),
    ("HTTPRoute", "{parentRefs: [{name: a}, {name: a, port: 80}]}", &["spec.parentRefs[1]"]),
    (
        "HTTPRoute",
        "{parentRefs: [{name: a, sectionName: one}, {name: a, sectionName: two}, {name: a, kind: Service}]}",
        &[],
    ),
    ("HTTPRoute", "{rules: [{name: x}, {name: x}]}", &["spec.rules[1].name"]),
    ("HTTPRoute", "{rules: [{backendRefs: [{name: a}]}]}", &["spec.rules[0].backendRefs[0].port"]),
    ("HTTPRoute", "{rules: [{backendRefs: [{name: a, group: x.io, kind: Thing}]}]}", &[]),
    (
        "HTTPRoute",
        "{rules: [{backendRefs: [{name: a, port: 80, weight: 1000001}]}]}",
        &["spec.rules[0].backendRefs[0].weight"],
    ),
    ("HTTPRoute", "{rules: [{backendRefs: [{name: a, port: 80, weight: 1000000}]}]}", &[]),
    (
        "GRPCRoute",
        "{rules: [{backendRefs: [{name: a, port: 80, weight: 1000001}]}]}",
        &["spec.rules[0].backendRefs[0].weight"],
    ),
    (
        "TCPRoute",
        "{rules: [{backendRefs: [{name: a, port: 80, weight: 1000001}]}]}",
        &["spec.rules[0].backendRefs[0].weight"],
    ),
    (
        "TLSRoute",
        "{hostnames: [a.test], rules: [{backendRefs: [{name: a, port: 80, weight: 1000001}]}]}",
        &["spec.rules[0].backendRefs[0].weight"],
    ),
    (
        "HTTPRoute",
        "{rules: [{retry: {attempts: 0, codes: [500, 99, 500]}}]}",
        &["spec.rules[0].retry.attempts", "spec.rules[0].retry.codes[1]", "spec.rules[0].retry.codes[2]"],
    ),
    (
        "HTTPRoute",
        "{rules: [{timeouts: {request: 1s, backendRequest: 2s}}]}",
        &["spec.rules[0].timeouts.backendRequest"],
    ),
    ("HTTPRoute", "{rules: [{timeouts: {request: 0s, backendRequest: 2s}}]}", &[]),
    ("HTTPRoute", "{rules: [{timeouts: {request: 1.5s}}]}", &["spec.rules[0].timeouts.request"]),
    (
        "HTTPRoute",
        "{rules: [{matches: [{path: {value: a}}, {path: {value: /a//b}}, {path: {value: /a/.}}, {path: {value: '/%zz'}}]}]}",
        &[
            "spec.rules[0].matches[0].path.value",
            "spec.rules[0].matches[1].path.value",
            "spec.rules[0].matches[2].path.value",
            "spec.rules[0].matches[3].path.value",
        ],
    ),
    (
        "HTTPRoute",
        "{rules: [{matches: [{path: {type: RegularExpression, value: a//b}}, {method: get}, {path: {type: Prefix}}]}]}",
        &["spec.rules[0].matches[1].method", "spec.rules[0].matches[2].path.type"],
    ),
    (
        "HTTPRoute",
        "{rules: [{matches: [{headers: [{name: a, value: b}, {name: a, value: c}, {name: 'a:', value: d}, {name: e}]}]}]}",
        &[
            "spec.rules[0].matches[0].headers[1].name",
            "spec.rules[0].matches[0].headers[2].name",
            "spec.rules[0].matches[0].headers[3].value",
        ],
    ),
    ("HTTPRoute", "{rules: [{filters: [{type: CORS}]}]}", &["spec.rules[0].filters[0].cors"]),
    (
        "HTTPRoute",
        "{rules: [{filters: [{type: CORS, cors: {allowMethods: ['*', GET]}}]}]}",
        &["spec.rules[0].filters[0].cors.allowMethods"],
    ),
    (
        "HTTPRoute",
        "{rules: [{filters: [{type: CORS, cors: {allowOrigins: ['https://a.b:443', 'a.b']}}]}]}",
        &["spec.rules[0].filters[0].cors.allowOrigins[1]"],
    ),
    (
        "HTTPRoute",
        "{rules: [{filters: [{urlRewrite: {hostname: a}}]}]}",
        &["spec.rules[0].filters[0].type", "spec.rules[0].filters[0].urlRewrite"],
    ),
    (
        "HTTPRoute",
        "{rules: [{filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replacePrefixMatch: /}}}]}]}",
        &[
            "spec.rules[0].filters[0].urlRewrite.path.replaceFullPath",
            "spec.rules[0].filters[0].urlRewrite.path.replacePrefixMatch",
        ],
    ),
    (
        "HTTPRoute",
        "{rules: [{filters: [{type: RequestRedirect, requestRedirect: {statusCode: 308}}, {type: URLRewrite, urlRewrite: {hostname: a}}]}]}",
        &["spec.rules[0].filters[1].type"],
    ),
    (
        "HTTPRoute",
        "{rules: [{filters: [{type: RequestRedirect, requestRedirect: {statusCode: 304, scheme: ftp}}]}]}",
        &[
            "spec.rules[0].filters[0].requestRedirect.scheme",
            "spec.rules[0].filters[0].requestRedirect.statusCode",
        ],
    ),
    (
        "HTTPRoute",
        "{rules: [{backendRefs: [{name: a, port: 1}], filters: [{type: RequestRedirect, requestRedirect: {}}]}]}",
        &["spec.rules[0].backendRefs"],
    ),
    (
        "HTTPRoute",
        "{rules: [{matches: [{path: {type: Exact, value: /a}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]}]}",
        &["spec.rules[0].filters"],
    ),
    (
        "HTTPRoute",
        "{rules: [{filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]}]}",
        &[],
    ),
    (
        "HTTPRoute",
        "{rules: [{matches: [{}, {}], backendRefs: [{name: a, port: 1, filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]}]}]}",
        &["spec.rules[0].backendRefs"],
    ),
    (
        "HTTPRoute",
        "{rules: [{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: a, port: 1}, percent: 101, fraction: {numerator: 3, denominator: 2}}}]}]}",
        &[
            "spec.rules[0].filters[0].requestMirror.fraction",
            "spec.rules[0].filters[0].requestMirror.fraction.numerator",
            "spec.rules[0].filters[0].requestMirror.percent",
        ],
    ),
    (
        "HTTPRoute",
        "{rules: [{filters: [{type: ExternalAuth, externalAuth: {protocol: GRPC, http: {}, backendRef: {name: a, port: 1}}}]}]}",
        &["spec.rules[0].filters[0].externalAuth.grpc", "spec.rules[0].filters[0].externalAuth.http"],
    ),
    (
        "HTTPRoute",
        "{rules: [{sessionPersistence: {type: Header, cookieConfig: {lifetimeType: Permanent}}}]}",
        &[
            "spec.rules[0].sessionPersistence.absoluteTimeout",
            "spec.rules[0].sessionPersistence.cookieConfig",
        ],
    ),
    ("HTTPRoute", "{rules: [{sessionPersistence: 3}]}", &["spec.rules[0].sessionPersistence"]),
    (
        "GRPCRoute",
        "{rules: [{matches: [{method: {}}, {method: {service: 'a-b', method: 1x}}]}]}",
        &[
            "spec.rules[0].matches[0].method",
            "spec.rules[0].matches[1].method.method",
            "spec.rules[0].matches[1].method.service",
        ],
    ),
    (
        "GRPCRoute",
        "{rules: [{filters: [{type: URLRewrite}]}]}",
        &["spec.rules[0].filters[0].type", "spec.rules[0].filters[0].urlRewrite"],
    ),
    ("TCPRoute", "{}", &["spec.rules"]),
    ("TCPRoute", "{rules: [{}]}", &["spec.rules[0].backendRefs"]),
    (
        "TCPRoute",
        "{rules: [{backendRefs: [{name: a, port: 1}]}, {backendRefs: [{name: a, port: 1}]}]}",
        &["spec.rules"],
    ),
    (
        "TLSRoute",
        "{hostnames: [10.0.0.1], rules: [{backendRefs: [{name: a, port: 1}]}]}",
        &["spec.hostnames[0]"],
    ),
    ("Gateway", "{}", &["spec.gatewayClassName", "spec.listeners"]),
    (
        "Gateway",
        "{gatewayClassName: istio, listeners: [{}]}",
        &["spec.listeners[0].name", "spec.listeners[0].port", "spec.listeners[0].protocol"],
    ),
    (
        "Gateway",
        "{gatewayClassName: istio, listeners: [{name: a, port: 80, protocol: HTTP}, {name: a, port: 80, protocol: HTTP}]}",
        &["spec.listeners[1].name", "spec.listeners[1].port"],
    ),
    (
        "Gateway",
        "{gatewayClassName: istio, listeners: [{name: a, port: 80, protocol: HTTP, tls: {}}]}",
        &["spec.listeners[0].tls", "spec.listeners[0].tls.certificateRefs"],
    ),
    (
        "Gateway",
        "{gatewayClassName: istio, listeners: [{name: a, port: 80, protocol: TLS}]}",
        &["spec.listeners[0].tls"],
    ),
    (
        "Gateway",
        "{gatewayClassName: istio, listeners: [{name: a, port: 80, protocol: HTTPS, tls: {mode: Passthrough}}]}",
        &["spec.listeners[0].tls.mode"],
    ),
    (
        "Gateway",
        "{gatewayClassName: istio, listeners: [{name: a, port: 80, protocol: TCP, hostname: a.b}]}",
        &["spec.listeners[0].hostname"],
    ),
    (
        "Gateway",
        "{gatewayClassName: istio, addresses: [{value: 10.0.0.1}, {value: 10.0.0.1}, {type: Hostname, value: A}], listeners: [{name: a, port: 80, protocol: example.com/x}]}",
        &["spec.addresses[1].value", "spec.addresses[2].value"],
    ),
    (
        "Gateway",
        "{gatewayClassName: istio, infrastructure: {labels: {'a b': c, d: 'e f'}}, listeners: [{name: a, port: 80, protocol: HTTP}]}",
        &["spec.infrastructure.labels.d", "spec.infrastructure.labels[\"a b\"]"],
    ),
    (
        "Gateway",
        "{gatewayClassName: istio, listeners: [{name: a, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Some}, kinds: [{}]}}]}",
        &["spec.listeners[0].allowedRoutes.kinds[0].kind", "spec.listeners[0].allowedRoutes.namespaces.from"],
    ),
    ("ReferenceGrant", "{from: [], to: [{}]}", &["spec.from", "spec.to[0].group", "spec.to[0].kind"]),
    (
        "BackendTLSPolicy",
        "{targetRefs: [{group: '', kind: Service, name: a}], validation: {hostname: h}}",
        &["spec.validation"],
    ),
    (
        "BackendTLSPolicy",
        "{targetRefs: [{group: '', kind: Service, name: a}, {group: '', kind: Service, name: a, sectionName: x}], validation: {hostname: h, wellKnownCACertificates: System, subjectAltNames: [{type: URI, hostname: h}]}}",
        &[
            "spec.targetRefs[1]",
            "spec.validation.subjectAltNames[0].hostname",
            "spec.validation.subjectAltNames[0].uri",
        ],
    ),
];

#[test]
fn what_the_schemas_refuse_is_refused_where_it_stands() {
    let wrong: Vec<_> = CASES
        .iter()
        .map(|(kind, spec, fields)| (kind, spec, fields, refused(kind, spec)))
        .filter(|(_, _, fields, found)| found != *fields)
        .collect();
    assert!(wrong.is_empty(), "kind, spec, wanted, found: {wrong:#?}");
}

#[test]
fn older_versions_of_routes_may_have_more_rules() {
    let two = "{rules: [{backendRefs: [{name: a, port: 1}]}, {backendRefs: [{name: a, port: 1}]}]}";
    assert_eq!(refused_at("v1", "TCPRoute", two), ["spec.rules"]);
    assert_eq!(refused_at("v1alpha2", "TCPRoute", two), [""; 0]);
    assert_eq!(refused_at("v1alpha3", "TLSRoute", two), ["spec.hostnames", "spec.rules"]);
    assert_eq!(refused_at("v1alpha2", "TLSRoute", two), [""; 0]);
}

/// A hundred thousand parents cost one finding, not a hundred thousand, nor pairs of them.
#[test]
fn long_lists_are_one_finding() {
    let parents = vec!["{name: a}"; 100_000].join(", ");
    let found = refused("HTTPRoute", &format!("{{parentRefs: [{parents}]}}"));
    assert!(found.len() < 64, "{}", found.len());
    assert!(found.contains(&"spec.parentRefs".to_owned()), "{found:?}");
}

#[test]
fn every_row_of_the_table_can_be_read() {
    let text = include_str!("facts.tsv");
    let names: BTreeSet<_> = facts::types().map(|(name, _)| name).collect();
    for row in text.lines().filter(|row| !row.starts_with('#')) {
        let cells: Vec<_> = row.split('\t').collect();
        let [of, name, facts] = cells.as_slice() else { panic!("{row}") };
        assert!(names.contains(of), "{row}");
        let plain = name.trim_end_matches("[]").trim_end_matches("{}");
        let field =
            facts::fields_of(of).iter().find(|field| field.name == plain).unwrap_or_else(|| panic!("{row}"));
        let field = if plain == *name { field } else { field.each.as_deref().unwrap() };
        for fact in facts.split(' ') {
            let (word, value) = fact.split_once('=').unwrap_or((fact, ""));
            match word {
                "text" | "integer" | "boolean" | "map" | "list" | "required" | "set" => {}
                "words" => assert!(!field.words.is_empty(), "{row}"),
                "keys" => assert!(!field.keys.is_empty(), "{row}"),
                "default" => assert!(field.default.is_some(), "{row}"),
                "pattern" => assert_eq!(field.pattern.map(|pattern| pattern.name), Some(value), "{row}"),
                "of" => assert!(names.contains(value), "{row}"),
                "length" | "range" | "items" | "entries" => {
                    assert!(value.split("..").any(|bound| bound.parse::<i128>().is_ok()), "{row}");
                }
                _ => panic!("{row}"),
            }
        }
    }
}

proptest! {
    /// Texts of the letters that the patterns tell apart.
    #[test]
    fn patterns_fit_what_the_expressions_of_the_crds_fit(
        text in "(\\*|\\*\\.|https?://|Hostname|IPAddress|System|[aZ0]{0,3})(\\*|[aB0_ ~:/?#.%*\t-]|a0|0s|5ms|9m|00001h|/a|%4F|\u{e9}){0,7}"
    ) {
        for pattern in pattern::all() {
            let regex = Regex::new(pattern.regex).unwrap();
            prop_assert_eq!((pattern.fits)(&text), regex.is_match(&text), "{} of {:?}", pattern.name, text);
        }
    }
}
