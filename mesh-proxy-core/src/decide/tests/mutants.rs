//! Proxies with one known bug each, and the connection or request that tells them from ours.

use std::sync::Arc;

use mesh_authz::policy_set::{PolicyOptions, PolicySet, Protocol, applicable};
use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::listener::{
    ChainMatch, ClientCertificate, Direction, DownstreamTls, HttpManager, Listener, Network,
    PathNormalization,
};
use mesh_compile::route_table::action::RouteAction;
use mesh_model::config_set::{Change, ConfigSet};
use mesh_model::name::StringMap;
use mesh_model::yaml::{LoadOptions, load};

use super::builder::*;
use crate::query::Query;

/// Row of the list of attacks, the bug, what the one with the bug is set to and sees; then the question and what is
/// right.
struct Mutant(
    &'static str,
    &'static str,
    fn(&mut Listener, &mut Query<'static>),
    Listener,
    Query<'static>,
    &'static str,
);

fn dial() -> Query<'static> {
    to_address(Direction::Outbound, "10.0.0.1", 443)
}

fn over(peer: Option<&'static str>) -> Query<'static> {
    over_tls(dial(), "a.com", &["h2", "http/1.1"], peer)
}

/// Wants certificates of the trust domain `td`.
fn strict() -> Listener {
    let mut chain = chain("tls", ChainMatch::default(), tcp("app"));
    let settings = DownstreamTls { trust_domains: vec!["td".into()], ..tls(ClientCertificate::Required) };
    chain.tls = Some(Arc::new(settings));
    listener(Direction::Outbound, "0.0.0.0", 443, vec![chain])
}

fn on_tls(listener: &mut Listener, change: fn(&mut DownstreamTls)) {
    for chain in &mut listener.filter_chains {
        if let Some(tls) = &mut chain.tls {
            change(Arc::make_mut(tls));
        }
    }
}

/// Plaintext of HTTP, other plaintext, and TLS by server name and protocol.
fn permissive() -> Listener {
    let protocols = |names: &[&str]| names.iter().map(|name| (*name).into()).collect();
    let any = ChainMatch::default;
    let http = ChainMatch { application_protocols: protocols(&["http/1.1", "h2c"]), ..any() };
    let named = ChainMatch { server_names: vec!["a.com".into()], ..any() };
    let chains = vec![
        chain("tcp", any(), tcp("tcp")),
        chain("http", http, tcp("http")),
        chain("name", named, tcp("name")),
    ];
    Listener { http_inspector: true, ..listener(Direction::Outbound, "0.0.0.0", 443, chains) }
}

/// Everything is allowed but `/admin`; requests go by their path.
fn guarded() -> Listener {
    let text = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-admin, namespace: shop}
spec: {action: DENY, rules: [{to: [{operation: {paths: [/admin, /admin/*]}}]}]}
";
    let mut config = ConfigSet::new();
    config.apply(load("shop.yaml", text, &LoadOptions::default()).documents.into_iter().map(Change::Upsert));
    let labels = StringMap::new();
    let policies = applicable(config.authorization_policies.iter(), "istio-system", "shop", &labels);
    let (set, _) = PolicySet::compile(&policies, Protocol::Http, &PolicyOptions::default());
    let manager = HttpManager { authz: set.map(Arc::new), ..manager("80") };
    let chains = vec![chain("http", ChainMatch::default(), Network::Http(Box::new(manager)))];
    listener(Direction::Gateway, "0.0.0.0", 80, chains)
}

fn path_as_it_came(listener: &mut Listener, _: &mut Query<'static>) {
    for chain in &mut listener.filter_chains {
        if let Network::Http(manager) = &mut chain.network {
            manager.normalization = PathNormalization::None;
        }
    }
}

#[rustfmt::skip]
fn mutants() -> Vec<Mutant> {
    vec![
        Mutant("T01", "a certificate is asked for and not wanted", |listener, _| {
            on_tls(listener, |tls| tls.client_certificate = ClientCertificate::Optional);
        }, strict(), over(None), "client_certificate_required"),
        Mutant("T01", "any trust domain will do", |listener, _| {
            on_tls(listener, |tls| tls.trust_domains.clear());
        }, strict(), over(Some("spiffe://evil/ns/a/sa/b")), "client_certificate_untrusted"),
        Mutant("T01", "a trust domain is known by how it begins", |_, query| {
            query.connection.tls.as_mut().unwrap().peer = Some("spiffe://td/ns/a/sa/b".into());
        }, strict(), over(Some("spiffe://td.evil/ns/a/sa/b")), "client_certificate_untrusted"),
        Mutant("T01", "plaintext is let in where TLS is wanted", |listener, _| {
            listener.filter_chains.iter_mut().for_each(|chain| chain.tls = None);
        }, strict(), dial(), "tls_required"),
        Mutant("T04", "plaintext is not looked into", |listener, _| listener.http_inspector = false,
            permissive(), asking(dial(), "a", "/"), "http"),
        Mutant("T04", "server names have letter case", |_, query| {
            query.connection.tls.as_mut().unwrap().sni = Some("elsewhere".into());
        }, permissive(), over_tls(dial(), "A.COM", &[], None), "name"),
        Mutant("T04", "a dot at the end of a server name is none", |_, query| {
            query.connection.tls.as_mut().unwrap().sni = Some("a.com".into());
        }, permissive(), over_tls(dial(), "a.com.", &[], None), "tcp"),
        Mutant("15", "policies see the path as it came", path_as_it_came, guarded(), get("a.com", "/public/..;/admin"), "rbac"),
        Mutant("13", "parameters hide dots", path_as_it_came, guarded(), get("a.com", "/public/..;x=1/admin/users"), "rbac"),
        Mutant("12", "dots hide what is behind them", path_as_it_came, guarded(), get("a.com", "/public/%2e%2e/admin"), "rbac"),
    ]
}

#[test]
fn every_planted_bug_is_told_from_ours() {
    let names = ["app", "tcp", "http", "name", "public"];
    let hosts = || {
        let routes = vec![route("/", RouteAction::Forward(Box::new(to("public"))))];
        vec![host("a.com", false, routes)]
    };
    let ask = |listener: Listener, query: &Query<'_>| -> String {
        let config: ProxyConfig = config(vec![listener], hosts(), &names);
        reason(&config, query)
    };
    for Mutant(row, bug, planted, mut listener, mut query, right) in mutants() {
        assert_eq!(ask(listener.clone(), &query), right, "row {row}: ours has the bug: {bug}");
        planted(&mut listener, &mut query);
        assert_ne!(ask(listener, &query), right, "row {row}: nobody would see: {bug}");
    }
}
