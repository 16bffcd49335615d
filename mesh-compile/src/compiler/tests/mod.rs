//! Whatever happened before, every proxy runs what compiling from scratch gives it.

mod closed;
mod coming;
mod documents;
mod registry;
mod sharing;
mod text;

use std::sync::Arc;

use documents::{HOSTS, NAMESPACES, Step, document};
use mesh_model::config_set::{Admission, ApplyOptions, Change};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::object::ResourceKey;
use mesh_model::yaml::{LoadOptions, load};
use proptest::prelude::*;
use text::text;

use super::{Compiler, Update, compile};
use crate::proxy_identity::Proxy;
use crate::registry::service::Service;
use crate::snapshot::MeshSnapshot;
use crate::view::{Scope, View};

fn mesh(written: &str) -> Arc<MeshConfig> {
    Arc::new(MeshConfig::with_defaults().overlay(serde_json::from_str(written).unwrap()))
}

fn proxy(kind: &str, namespace: &str, app: &str, ip: &str) -> Proxy {
    serde_json::from_value(serde_json::json!({
        "type": kind, "namespace": namespace, "name": format!("{app}-{ip}"), "labels": {"app": app}, "ip": ip,
    }))
    .unwrap()
}

/// Two of one class, one beside an endpoint of its own, one elsewhere, a gateway.
fn proxies() -> Vec<Proxy> {
    vec![
        proxy("sidecar", "a", "web", "10.1.0.1"),
        proxy("sidecar", "a", "web", "10.1.0.2"),
        proxy("sidecar", "b", "api", "10.1.0.3"),
        proxy("gateway", "istio-system", "gw", "10.1.0.9"),
    ]
}

/// Proxies that are asked for now and then: of other namespaces and labels than those, one of a namespace that has nothing.
fn others() -> Vec<Proxy> {
    vec![
        proxy("sidecar", "b", "web", "10.1.0.4"),
        proxy("sidecar", "istio-system", "web", "10.1.0.5"),
        proxy("sidecar", "a", "api", "10.1.0.6"),
        proxy("sidecar", "c", "web", "10.1.0.7"),
        proxy("gateway", "a", "gw", "10.1.0.8"),
    ]
}

fn check(compiler: &mut Compiler, mesh: &Arc<MeshConfig>, what: &str) {
    check_all(compiler, mesh, what, &proxies());
}

fn check_all(compiler: &mut Compiler, mesh: &Arc<MeshConfig>, what: &str, proxies: &[Proxy]) {
    let (snapshot, _) = MeshSnapshot::resolve(compiler.config(), Arc::clone(mesh));
    registry::check(compiler.snapshot(), &snapshot, what);
    for proxy in proxies {
        let expected = text(&compile(&View::new(&snapshot, proxy)).0);
        let found = text(&compiler.config_for(proxy));
        if expected != found {
            let differs = expected.lines().zip(found.lines()).find(|(a, b)| a != b);
            panic!("{} after {what}: {differs:#?}", proxy.name);
        }
        let scope = scope_text(compiler.scope_of(proxy).unwrap());
        assert_eq!(scope_text(&Scope::of(&snapshot, proxy)), scope, "{} after {what}", proxy.name);
    }
}

/// What a scope holds, in order, and whose each service is.
fn scope_text(scope: &Scope) -> Vec<String> {
    let service = |it: &Arc<Service>| format!("{} of {} at {:?}", it.hostname, it.namespace, it.ports);
    let mut text: Vec<_> = scope.services.iter().map(service).collect();
    for egress in &scope.egress {
        for it in &egress.services {
            let owner = egress.most_specific_virtual_service(&it.hostname);
            text.push(format!("{}: {:?}", service(it), owner.map(|owner| (&owner.namespace, &owner.name))));
        }
        text.extend(
            egress.virtual_services.iter().map(|it| format!("{}/{} {:?}", it.namespace, it.name, it.spec)),
        );
    }
    text
}

fn upsert(yaml: &str) -> Vec<Change> {
    let loaded = load("step.yaml", yaml, &LoadOptions::default());
    assert!(!loaded.report.has_errors(), "{:?}\n{yaml}", loaded.report);
    loaded.documents.into_iter().map(Change::Upsert).collect()
}

/// Takes a step: most write a document, some remove one, a few break one.
fn step(compiler: &mut Compiler, step: Step, action: u8) -> (Update, String) {
    let (text, kind, group, namespace, name) = document(step);
    match action % 8 {
        0 | 1 => {
            let group =
                mesh_model::kind_table::KINDS.iter().find(|known| known.0 == kind && known.1 == group);
            let (kind, group, ..) = *group.unwrap();
            let key = ResourceKey {
                group,
                kind,
                cluster: "Kubernetes".into(),
                namespace: namespace.into(),
                name: name.into(),
            };
            (compiler.apply([Change::Remove(key)]), format!("removal of {kind} {namespace}/{name}"))
        }
        2 => {
            let mut bad = text.replace("spec: {", "spec: {hosts: 5, host: [], mtls: 7, ");
            if group == "security.istio.io" {
                // Whom it is for can be read, every second time.
                let selector = if action % 16 == 2 { "app: web" } else { "app: [web]" };
                bad = text.replace("app: web", selector);
                for (good, wrong) in
                    [("mode: ", "mode: NO"), ("action: ", "action: NO"), ("jwtRules: [", "jwtRules: [5, ")]
                {
                    bad = bad.replace(good, wrong);
                }
            }
            let loaded = load("step.yaml", &bad, &LoadOptions::default());
            (compiler.apply(loaded.documents.into_iter().map(Change::Upsert)), format!("a bad {bad}"))
        }
        _ => (compiler.apply(upsert(&text)), text),
    }
}

fn compiler(mesh: &Arc<MeshConfig>) -> Compiler {
    let options = ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() };
    Compiler::with_options(Arc::clone(mesh), options)
}

fn run(history: &[(Step, u8)], mesh_config: &str) {
    let mesh_config = mesh(mesh_config);
    let mut compiler = compiler(&mesh_config);
    check(&mut compiler, &mesh_config, "nothing");
    for (number, (taken, action)) in history.iter().enumerate() {
        let before: Vec<_> = proxies().iter().map(|proxy| compiler.config_for(proxy)).collect();
        let (update, what) = step(&mut compiler, *taken, *action);
        for (proxy, before) in proxies().iter().zip(before) {
            let is_concerned = update.proxies.iter().any(|it| it.proxy == *proxy);
            let after = compiler.config_for(proxy);
            assert!(is_concerned || Arc::ptr_eq(&before, &after), "{} was not told of {what}", proxy.name);
        }
        // Several changes may come before anyone asks.
        if number % 3 != 1 {
            // Some come late, to a mesh that has changed, and go again; whoever is asked first is another each time.
            let mut all = proxies();
            all.extend(
                others().into_iter().enumerate().filter(|(at, _)| (at + number) % 2 == 0).map(|(_, it)| it),
            );
            let first = number % all.len();
            all.rotate_left(first);
            check_all(&mut compiler, &mesh_config, &what, &all);
            for gone in all.iter().filter(|it| others().contains(it)).skip(number % 3) {
                compiler.forget(gone);
            }
            if action % 5 == 0 {
                compiler.forget(&proxies()[number % 4]);
            }
        }
    }
    let all = [others(), proxies()].concat();
    check_all(&mut compiler, &mesh_config, "everything", &all);
    all.iter().for_each(|proxy| compiler.forget(proxy));
    assert_eq!(compiler.classes(), 0);
}

fn histories() -> impl Strategy<Value = Vec<(Step, u8)>> {
    let number = || 0_u8..60;
    proptest::collection::vec(((any::<u8>(), number(), number(), number(), number()), any::<u8>()), 1..40)
}

proptest! {
    #![proptest_config(match std::env::var("PROPTEST_CASES") {
        Ok(_) => ProptestConfig::default(),
        Err(_) => ProptestConfig::with_cases(48),
    })]

    #[test]
    fn any_history_ends_where_compiling_from_scratch_begins(history in histories()) {
        let spans = r#"{"extensionProviders": [{"name": "spans", "zipkin": {"service": "web.a.svc.cluster.local", "port": 80}}]}"#;
        run(&history, spans);
    }

    #[test]
    fn also_where_only_some_namespaces_are_seen(history in histories()) {
        run(&history, r#"{"discoverySelectors": [{"matchLabels": {"team": "t1"}}], "defaultServiceExportTo": ["."]}"#);
    }
}
