//! Security resources that cannot be understood: who is closed by them, since when, until when.

use mesh_authz::peer::Mode;
use mesh_authz::verdict::Facts;
use mesh_model::config_set::ApplyOptions;

use super::*;
use crate::proxy::ProxyConfig;
use crate::proxy::listener::{Direction, Network};

const GOOD: &str = "{rules: [{}]}";

fn refusing() -> Compiler {
    Compiler::with_options(mesh("{}"), ApplyOptions::default())
}

fn write(compiler: &mut Compiler, kind: &str, namespace: &str, spec: &str) -> Update {
    let text = format!(
        "apiVersion: security.istio.io/v1\nkind: {kind}\nmetadata: {{name: x, namespace: {namespace}}}\nspec: {spec}\n"
    );
    let update = compiler
        .apply(load("step.yaml", &text, &LoadOptions::default()).documents.into_iter().map(Change::Upsert));
    check(compiler, &mesh("{}"), &text);
    update
}

fn remove(compiler: &mut Compiler, kind: &'static str, namespace: &str) {
    let key = ResourceKey {
        group: "security.istio.io",
        kind,
        cluster: "Kubernetes".into(),
        namespace: namespace.into(),
        name: "x".into(),
    };
    compiler.apply([Change::Remove(key)]);
    check(compiler, &mesh("{}"), "removal");
}

/// Whether every chain towards the workload lets a stranger pass.
fn passes(config: &ProxyConfig) -> bool {
    let ip = "10.9.9.9".parse().unwrap();
    let facts = Facts {
        direct_ip: ip,
        remote_ip: ip,
        dst_ip: ip,
        dst_port: 80,
        sni: None,
        peer: None,
        request: None,
        claims: None,
    };
    let inbound = config.listeners.iter().filter(|it| it.direction != Direction::Outbound);
    let mut chains = inbound.flat_map(|it| it.filter_chains.iter().chain(&it.default_chain));
    // One chain is there for what nobody asks for, and has no policies.
    chains.all(|chain| {
        let authz = match &chain.network {
            Network::Http(manager) => manager.authz.as_ref(),
            Network::Tcp(proxy) => proxy.authz.as_ref(),
        };
        authz.is_none_or(|authz| authz.decide(&facts, &mut ()).allowed)
    })
}

/// Whether the sidecars of `web` in `a` and of `api` in `b` let a stranger pass.
fn open(compiler: &mut Compiler) -> [bool; 2] {
    let of = |number: usize| proxies().into_iter().nth(number).unwrap();
    [0, 2].map(|number| passes(&compiler.config_for(&of(number))))
}

#[test]
fn a_policy_that_cannot_be_read_denies_whom_it_selects_and_nobody_else() {
    for (namespace, spec, expected) in [
        ("a", "{selector: {matchLabels: {app: web}}, rules: [{to: 5}]}", [false, true]),
        ("a", "{selector: {matchLabels: {app: other}}, rules: [{to: 5}]}", [true, true]),
        ("a", "{selector: {matchLabels: [other]}, rules: [{}]}", [false, true]),
        ("a", "{selector: 5}", [false, true]),
        ("a", "[]", [false, true]),
        ("istio-system", "{rules: [{to: 5}]}", [false, false]),
        ("istio-system", "{selector: {matchLabels: {app: api}}, rules: [{to: 5}]}", [true, false]),
        ("a", "{action: AUDIT, rules: [{to: 5}]}", [true, true]),
        ("a", "{action: CUSTOM, provider: {name: x}, rules: [{to: 5}]}", [false, true]),
        ("a", "{action: WHATEVER, rules: [{}]}", [false, true]),
        // Read, but refused: it would deny nothing.
        ("a", "{action: DENY}", [false, true]),
        // Only for a gateway of the Gateway API, which neither is.
        (
            "a",
            "{targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: g}], rules: [{to: 5}]}",
            [true, true],
        ),
    ] {
        let mut compiler = refusing();
        assert_eq!(open(&mut compiler), [true, true]);
        let update = write(&mut compiler, "AuthorizationPolicy", namespace, spec);
        assert!(update.report.has_errors(), "{spec}");
        assert_eq!(open(&mut compiler), expected, "{namespace} {spec}");
        let told: Vec<_> = update.proxies.iter().map(|it| it.proxy.namespace.to_string()).collect();
        let is_closed = update.report.iter().any(|it| it.code == mesh_model::diagnostic::Code::FailsClosed);
        assert_eq!(is_closed, !told.is_empty(), "{spec}: {told:?}");
        remove(&mut compiler, "AuthorizationPolicy", namespace);
        assert_eq!(open(&mut compiler), [true, true], "{spec}");
    }
}

#[test]
fn the_last_good_version_stays_and_a_good_one_opens_again() {
    let mut compiler = refusing();
    let bad = "{rules: [{to: 5}]}";
    write(&mut compiler, "AuthorizationPolicy", "a", bad);
    assert_eq!(open(&mut compiler), [false, true]);
    write(&mut compiler, "AuthorizationPolicy", "a", GOOD);
    assert_eq!(open(&mut compiler), [true, true], "a good version arrives");
    let update = write(&mut compiler, "AuthorizationPolicy", "a", bad);
    assert!(update.proxies.is_empty());
    assert_eq!(open(&mut compiler), [true, true], "the last good version stays");
    remove(&mut compiler, "AuthorizationPolicy", "a");
    write(&mut compiler, "AuthorizationPolicy", "a", bad);
    assert_eq!(open(&mut compiler), [false, true], "there is no last good version any more");
}

#[test]
fn token_rules_and_peer_authentication_that_cannot_be_read_are_closed_too() {
    let mut compiler = refusing();
    write(&mut compiler, "RequestAuthentication", "a", "{jwtRules: 5}");
    let of = |compiler: &mut Compiler, number: usize| {
        let proxy = proxies().into_iter().nth(number).unwrap();
        compiler.config_for(&proxy)
    };
    let refuses = |config: &ProxyConfig| text(config).contains("refused");
    assert!(refuses(&of(&mut compiler, 0)) && !refuses(&of(&mut compiler, 2)));
    remove(&mut compiler, "RequestAuthentication", "a");
    assert!(!refuses(&of(&mut compiler, 0)));

    let mode = |config: &ProxyConfig| *config.peer_modes.for_port(80).value();
    write(&mut compiler, "PeerAuthentication", "a", "{mtls: {mode: STRIKT}}");
    assert_eq!([0, 2].map(|number| mode(&of(&mut compiler, number))), [Mode::Strict, Mode::Permissive]);
    write(&mut compiler, "PeerAuthentication", "a", "{mtls: {mode: DISABLE}}");
    assert_eq!(mode(&of(&mut compiler, 0)), Mode::Disable);
}

/// Of each kind a version that says much, one that cannot be understood, and what the proxies run with either.
#[test]
fn every_security_resource_keeps_what_it_said_when_it_turns_bad() {
    for (kind, good, bad) in [
        (
            "AuthorizationPolicy",
            "{action: DENY, rules: [{to: [{operation: {paths: [/x]}}]}]}",
            "{action: DENNY}",
        ),
        ("AuthorizationPolicy", "{action: AUDIT, rules: [{}]}", "{action: AUDIT, rules: [{to: 5}]}"),
        ("RequestAuthentication", "{jwtRules: [{issuer: i, jwks: '{\"keys\":[]}'}]}", "{jwtRules: 5}"),
        ("RequestAuthentication", "{jwtRules: []}", "{jwtRules: [{jwksUri: 5}]}"),
        ("PeerAuthentication", "{mtls: {mode: DISABLE}}", "{mtls: {mode: NO}}"),
        (
            "PeerAuthentication",
            "{selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}}",
            "{mtls: [STRICT]}",
        ),
    ] {
        for namespace in ["a", "istio-system"] {
            let mut compiler = refusing();
            let run = |compiler: &mut Compiler| {
                proxies().iter().map(|it| text(&compiler.config_for(it))).collect::<Vec<_>>()
            };
            let before = run(&mut compiler);
            write(&mut compiler, kind, namespace, good);
            let with_good = run(&mut compiler);
            let update = write(&mut compiler, kind, namespace, bad);
            assert!(
                update.report.iter().any(|it| it.code == mesh_model::diagnostic::Code::KeptLastGood),
                "{kind} {bad}"
            );
            assert_eq!(run(&mut compiler), with_good, "{kind} in {namespace}: {bad} after {good}");
            remove(&mut compiler, kind, namespace);
            assert_eq!(run(&mut compiler), before, "{kind} in {namespace}: it is gone");
            write(&mut compiler, kind, namespace, bad);
            let alone = run(&mut compiler);
            // Nobody is closed by a policy that only writes down.
            assert_eq!(alone == before, bad.contains("AUDIT"), "{kind} in {namespace}: {bad}");
            remove(&mut compiler, kind, namespace);
            assert_eq!(run(&mut compiler), before, "{kind} in {namespace}: what only refused is gone");
        }
    }
}

/// S-106: whether an authorizer can be asked is a question about its service, which may go and come.
#[test]
fn a_custom_policy_denies_as_long_as_its_authorizers_service_is_gone() {
    let mesh_config = mesh(
        r#"{"extensionProviders": [{"name": "ask", "envoyExtAuthzGrpc": {"service": "ask.ext", "port": 80}}]}"#,
    );
    let mut compiler = Compiler::new(Arc::clone(&mesh_config));
    let entry = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: ask, namespace: b}\n\
                 spec: {hosts: [ask.ext], ports: [{number: 80, name: grpc, protocol: GRPC}], resolution: DNS}\n";
    let policy = "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: x, namespace: a}\n\
                  spec: {action: CUSTOM, provider: {name: ask}, rules: [{}]}\n";
    compiler.apply(upsert(&[entry, policy].concat()));
    check(&mut compiler, &mesh_config, "both");
    assert_eq!(open(&mut compiler), [true, true]);
    let key = ResourceKey {
        group: "networking.istio.io",
        kind: "ServiceEntry",
        cluster: "Kubernetes".into(),
        namespace: "b".into(),
        name: "ask".into(),
    };
    let update = compiler.apply([Change::Remove(key)]);
    assert!(update.proxies.iter().any(|it| *it.proxy.namespace == *"a"));
    assert_eq!(open(&mut compiler), [false, true]);
    compiler.apply(upsert(entry));
    assert_eq!(open(&mut compiler), [true, true]);
}

/// Token rules that did not change keep their place in memory, and what they remember, when a policy does.
#[test]
fn a_change_of_policies_leaves_token_rules_alone() {
    let mut compiler = refusing();
    write(&mut compiler, "RequestAuthentication", "a", "{jwtRules: [{issuer: i, jwks: '{\"keys\":[]}'}]}");
    let authn = |compiler: &mut Compiler| {
        let config = compiler.config_for(&proxies().into_iter().next().unwrap());
        let chains: Vec<_> = config.listeners.iter().flat_map(|it| it.filter_chains.clone()).collect();
        let managers = chains.into_iter().filter_map(|chain| match chain.network {
            Network::Http(manager) => manager.authn.clone(),
            Network::Tcp(_) => None,
        });
        managers.into_iter().next().unwrap()
    };
    let before = authn(&mut compiler);
    write(&mut compiler, "AuthorizationPolicy", "a", GOOD);
    assert!(Arc::ptr_eq(&before, &authn(&mut compiler)));
    write(&mut compiler, "RequestAuthentication", "a", "{jwtRules: [{issuer: j, jwks: '{\"keys\":[]}'}]}");
    assert!(!Arc::ptr_eq(&before, &authn(&mut compiler)));
}

/// Security resources alone, half of them broken somewhere.
fn histories_of_security() -> impl Strategy<Value = Vec<(Step, u8)>> {
    let number = || 0_u8..60;
    let step = (11_u8..14, 0_u8..3, 0_u8..2, number(), number());
    let action = prop_oneof![Just(0_u8), Just(2), Just(10), Just(3)];
    proptest::collection::vec((step, action), 1..24)
}

proptest! {
    #![proptest_config(match std::env::var("PROPTEST_CASES") {
        Ok(_) => ProptestConfig::default(),
        Err(_) => ProptestConfig::with_cases(48),
    })]

    #[test]
    fn any_history_of_security_resources_ends_where_compiling_from_scratch_begins(history in histories_of_security()) {
        run(&history, "{}");
    }
}
