//! A security resource that cannot be understood, and has no good version, refuses: from text to verdict.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use mesh_authz::peer::{Mode, PeerModes};
use mesh_authz::policy_set::{PolicyOptions, PolicySet, Protocol, applicable, rbac};
use mesh_authz::request_authn::{self, Authenticated, AuthnOptions, RequestAuthn};
use mesh_authz::verdict::Facts;
use mesh_model::config_set::{Change, ConfigSet};
use mesh_model::diagnostic::Code;
use mesh_model::facts::{Headers, HttpVersion, RequestFacts};
use mesh_model::name::StringMap;
use mesh_model::trace::Trace;
use mesh_model::yaml::{LoadOptions, load};

fn written(kind: &str, name: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: security.istio.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: shop}}\n{rest}\n"
    )
}

fn config(text: &str) -> ConfigSet {
    let mut config = ConfigSet::new();
    let loaded = load("shop.yaml", text, &LoadOptions::default());
    let report = config.apply(loaded.documents.into_iter().map(Change::Upsert)).report;
    let told = report.iter().filter(|found| found.code == Code::FailsClosed).count();
    let stand_ins = config.authorization_policies.stand_ins().count()
        + config.request_authentications.stand_ins().count()
        + config.peer_authentications.stand_ins().count();
    assert_eq!(told, stand_ins, "{report:?}");
    config
}

fn labels(app: &str) -> StringMap {
    [("app", app)].into_iter().collect()
}

fn facts<'a>(request: Option<&'a RequestFacts<'a>>) -> Facts<'a> {
    let ip = "10.9.9.9".parse().unwrap();
    Facts {
        direct_ip: ip,
        remote_ip: ip,
        dst_ip: ip,
        dst_port: 80,
        sni: None,
        peer: None,
        request,
        claims: None,
    }
}

fn request(method: &str, headers: &[(&str, &str)]) -> RequestFacts<'static> {
    let mut facts = RequestFacts {
        version: HttpVersion::Http11,
        method: method.to_owned().into(),
        scheme: "http".into(),
        authority: "orders".into(),
        path: "/".into(),
        headers: Headers::default(),
    };
    headers
        .iter()
        .for_each(|(name, value)| facts.headers.push((*name).to_owned(), value.as_bytes().to_vec()));
    facts
}

#[test]
fn a_policy_that_was_refused_denies_on_every_chain_and_says_where_it_is_wrong() {
    // The good ALLOW policy has no say beside it.
    let text = written("AuthorizationPolicy", "all", "spec: {rules: [{}]}")
        + &written("AuthorizationPolicy", "orders", "spec:\n  rules:\n  - to: {operation: {methods: [GET]}}");
    let config = config(&text);
    let policies = &config.authorization_policies;
    let all = || policies.in_effect();
    let found = applicable(all(), "istio-system", "shop", &labels("orders"));
    let get = request("GET", &[]);
    for (protocol, request) in [(Protocol::Http, Some(&get)), (Protocol::Tcp, None)] {
        let (set, report) = PolicySet::compile(&found, protocol, &PolicyOptions::default());
        assert!(report.is_empty(), "its errors were told before: {report:?}");
        let set = set.unwrap();
        let mut trace = Trace::default();
        let verdict = set.decide(&facts(request), &mut trace);
        let decided = verdict.decided_by.unwrap();
        assert!(!verdict.allowed && decided.is_refused());
        assert_eq!((decided.policy(), decided.rule()), ("shop/orders", None));
        assert_eq!(decided.origin().place(), Some(("shop.yaml", 12, 5)));
        let labels: Vec<String> = trace.steps.iter().map(|step| step.rule.to_string()).collect();
        assert!(labels.contains(&"DENY shop/orders (refused, no good version)".to_owned()), "{labels:?}");
        // The same in the filters that Envoy would get.
        let filters = rbac::filters(&found, protocol, &rbac::RbacOptions::default());
        assert!(format!("{filters:?}").contains("ns[shop]-policy[orders]-rule[0]"), "{filters:?}");
    }
}

#[test]
fn token_rules_that_were_refused_refuse_every_request_but_a_preflight() {
    let good = r#"spec: {jwtRules: [{issuer: me, jwks: '{"keys":[]}'}]}"#;
    let text = written("RequestAuthentication", "good", good)
        + &written("RequestAuthentication", "jwt", "spec: {jwtRules: {issuer: me}}");
    let config = config(&text);
    let resources = &config.request_authentications;
    let all = || resources.in_effect();
    let found = request_authn::applicable(all(), "istio-system", "shop", &labels("orders"));
    let authn = RequestAuthn::compile(&found, &AuthnOptions::default()).0.unwrap();
    assert_eq!(authn.refused().next().unwrap().place(), Some(("shop.yaml", 10, 8)));
    let preflight = [("origin", "http://a"), ("access-control-request-method", "GET")];
    for (method, headers, passes) in [
        ("GET", &[][..], false),
        ("GET", &[("authorization", "Bearer a.b.c")][..], false),
        ("GET", &[("x-jwt-payload", "forged")][..], false),
        ("OPTIONS", &preflight[..], true),
    ] {
        let mut trace = Trace::default();
        let answer = authn.authenticate(&request(method, headers), 0, &mut trace);
        assert_eq!(matches!(answer, Authenticated::Passed { .. }), passes, "{method} {headers:?}");
        if !passes {
            assert!(matches!(answer, Authenticated::Rejected { status: 401, .. }));
            let labels: Vec<String> = trace.steps.iter().map(|step| step.rule.to_string()).collect();
            assert!(labels.first().unwrap().contains("shop/jwt (refused"), "{labels:?}");
        }
    }
    // New keys do not open it.
    let (again, _) = authn.with_keys(&request_authn::NoKeys);
    assert!(matches!(again.authenticate(&request("GET", &[]), 0, &mut ()), Authenticated::Rejected { .. }));
}

#[test]
fn peer_authentication_that_was_refused_is_strict_for_whom_it_may_have_meant() {
    let mode = |text: &str, app: &str| {
        let config = config(text);
        let policies = &config.peer_authentications;
        let all = policies.in_effect().map(|policy| &**policy);
        let modes = PeerModes::resolve(all, "istio-system", "shop", &labels(app));
        (*modes.for_port(80).value(), modes.for_port(80).origin().place().map(|(_, line, _)| line))
    };
    let of = |name: &str, spec: &str| written("PeerAuthentication", name, &format!("spec: {spec}"));
    let open = of("b-open", "{mtls: {mode: PERMISSIVE}}");
    let legacy = of("a-legacy", "{selector: {matchLabels: {app: legacy}}, mtls: {mode: DISABLE}}");
    let mistyped = of("mistyped", "{selector: {matchLabels: {app: web}}, mtls: {mode: STRIKT}}");
    assert_eq!(mode(&(open.clone() + &mistyped), "web"), (Mode::Strict, Some(10)));
    assert_eq!(mode(&(open.clone() + &mistyped), "api"), (Mode::Permissive, Some(5)));
    // For the namespace: the older of two counts, and what a workload has for itself.
    assert_eq!(mode(&(open.clone() + &of("a", "{mtls: {mode: 9}}")), "web").0, Mode::Strict);
    assert_eq!(mode(&(open.clone() + &of("c", "{mtls: {mode: 9}}")), "web").0, Mode::Permissive);
    assert_eq!(mode(&(legacy.clone() + &of("a", "{mtls: {mode: 9}}")), "legacy").0, Mode::Disable);
    // Nobody knows whom it selects: everybody, who has no older policy of their own.
    let nobody = of("nobody", "{selector: {matchLabels: [web]}, mtls: {mode: STRICT}}");
    assert_eq!(mode(&(open + &nobody), "web").0, Mode::Strict);
    assert_eq!(mode(&(legacy + &nobody), "legacy").0, Mode::Disable);
}

#[test]
fn what_was_never_meant_to_refuse_is_only_left_out() {
    let audit = written("AuthorizationPolicy", "a", "spec: {action: AUDIT, rules: 5}");
    let dry_run = written("AuthorizationPolicy", "b", "spec: {action: DENY, rules: 5}")
        .replace("namespace: shop}", "namespace: shop, annotations: {istio.io/dry-run: true}}");
    let config = config(&(audit + &dry_run));
    assert_eq!(config.authorization_policies.stand_ins().count(), 0);
}
