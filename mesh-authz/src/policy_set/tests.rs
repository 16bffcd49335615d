//! Policies in YAML's JSON form, requests and connections, and the verdict.
#![allow(clippy::needless_pass_by_value, reason = "values read best where they are written")]

mod actions;
mod attacks;
mod change;
mod flat;
mod forms;
mod hardened;
mod keys;
mod many;
mod mutants;
mod nearest;
mod property;
mod scope;
mod strings;
mod vocabulary;

use std::net::IpAddr;
use std::sync::Arc;

use mesh_model::document::{Document, Source, Tree};
use mesh_model::facts::{Headers, HttpVersion, RequestFacts};
use mesh_model::mesh_config::ExtensionProvider;
use mesh_model::object::ObjectMeta;
use mesh_model::origin::Provenance;
use mesh_model::trace::Trace;
use serde_json::{Map, Value, json};

use super::*;
use crate::verdict::{Claims, ExternalAuthz, RuleAt};

fn named(namespace: &str, name: &str, spec: Value) -> Arc<Object<AuthorizationPolicy>> {
    let document = Arc::new(Document::new(
        Source { file: "ap.yaml".into(), cluster: "Kubernetes".into() },
        0,
        Tree::default(),
    ));
    Arc::new(Object {
        meta: ObjectMeta { name: name.into(), namespace: namespace.into(), ..ObjectMeta::default() },
        spec: serde_json::from_value(spec).unwrap(),
        provenance: Arc::new(Provenance {
            kind: "AuthorizationPolicy",
            namespace: namespace.into(),
            name: name.into(),
            document,
            refused_at: None,
        }),
    })
}

fn dry_run(spec: Value, written: &str) -> Arc<Object<AuthorizationPolicy>> {
    let mut object = Arc::unwrap_or_clone(named("shop", "dry", spec));
    object.meta.annotations.insert("istio.io/dry-run", written);
    Arc::new(object)
}

fn options() -> PolicyOptions<'static> {
    let providers: Vec<ExtensionProvider> = serde_json::from_value(json!([
        { "name": "web", "envoyExtAuthzHttp": { "service": "authz", "port": 8000, "pathPrefix": "/check" } },
        { "name": "rpc", "envoyExtAuthzGrpc": { "service": "authz", "port": 9000, "failOpen": true } },
        { "name": "bad", "envoyExtAuthzHttp": { "service": "authz", "port": 0 } },
    ]))
    .unwrap();
    PolicyOptions {
        trust_domain: "cluster.local",
        authorizers: ExternalAuthorizer::all(&providers),
        ..PolicyOptions::default()
    }
}

fn compile(policies: &[Arc<Object<AuthorizationPolicy>>], protocol: Protocol) -> PolicySet {
    let policies: Vec<_> = policies.iter().collect();
    PolicySet::compile(&policies, protocol, &options()).0.unwrap()
}

/// What is asked about; the parts that a test does not name are the same everywhere.
#[derive(Debug, Clone)]
struct Call {
    peer: Option<&'static str>,
    direct_ip: IpAddr,
    remote_ip: IpAddr,
    port: u16,
    sni: Option<&'static str>,
    claims: Option<Value>,
    request: Option<RequestFacts<'static>>,
}

/// A verdict that is kept longer than the policies.
#[derive(Debug, PartialEq)]
struct Heard {
    allowed: bool,
    decided_by: Option<RuleRef>,
    external: Vec<ExternalAuthz>,
    dry_run: Vec<RuleRef>,
    audited: Vec<RuleRef>,
}

impl From<Verdict<'_>> for Heard {
    fn from(verdict: Verdict<'_>) -> Self {
        let all = |rules: Vec<RuleAt<'_>>| rules.iter().map(RuleAt::to_owned).collect();
        Self {
            allowed: verdict.allowed,
            decided_by: verdict.decided_by.map(|rule| rule.to_owned()),
            external: verdict.external,
            dry_run: all(verdict.dry_run),
            audited: all(verdict.audited),
        }
    }
}

fn get(path: &'static str) -> Call {
    let request = RequestFacts {
        version: HttpVersion::Http11,
        method: "GET".into(),
        scheme: "http".into(),
        authority: "orders".into(),
        path: path.into(),
        headers: Headers::default(),
    };
    Call { request: Some(request), ..tcp() }
}

fn tcp() -> Call {
    Call {
        peer: Some("spiffe://cluster.local/ns/web/sa/front"),
        direct_ip: "10.1.2.3".parse().unwrap(),
        remote_ip: "203.0.113.7".parse().unwrap(),
        port: 8080,
        sni: None,
        claims: None,
        request: None,
    }
}

impl Call {
    fn plaintext(self) -> Self {
        Self { peer: None, ..self }
    }

    fn from(self, peer: &'static str) -> Self {
        Self { peer: Some(peer), ..self }
    }

    fn host(mut self, authority: &'static str) -> Self {
        self.request.as_mut().unwrap().authority = authority.into();
        self
    }

    fn method(mut self, method: &'static str) -> Self {
        self.request.as_mut().unwrap().method = method.into();
        self
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.request.as_mut().unwrap().headers.push(name, value.as_bytes());
        self
    }

    fn token(self, payload: Value) -> Self {
        Self { claims: Some(payload), ..self }
    }

    /// Asks with and without a trace, and without the index; all must agree.
    fn ask(&self, set: &PolicySet) -> Heard {
        self.with_facts(|facts| {
            let mut trace = Trace::default();
            let explained = set.decide(facts, &mut trace);
            assert_eq!(explained, set.decide(facts, &mut ()), "the trace changes the verdict");
            let walked = set.clone().without_index();
            assert_eq!(explained, walked.decide(facts, &mut ()), "the index changes the verdict");
            Heard::from(explained)
        })
    }

    fn with_facts<T>(&self, ask: impl FnOnce(&Facts<'_>) -> T) -> T {
        let claims = self.claims.clone().map(|payload| {
            let payload: Map<String, Value> = payload.as_object().unwrap().clone();
            Claims::new(payload)
        });
        let facts = Facts {
            direct_ip: self.direct_ip,
            remote_ip: self.remote_ip,
            dst_ip: "10.0.1.1".parse().unwrap(),
            dst_port: self.port,
            sni: self.sni,
            peer: self.peer,
            request: self.request.as_ref(),
            claims: claims.as_ref(),
        };
        ask(&facts)
    }

    /// Whether policies of these specs, all of namespace `shop`, let it pass.
    fn passes(&self, specs: &[Value]) -> bool {
        let protocol = if self.request.is_some() { Protocol::Http } else { Protocol::Tcp };
        let policies: Vec<_> = specs
            .iter()
            .enumerate()
            .map(|(at, spec)| named("shop", &format!("p{at}"), spec.clone()))
            .collect();
        self.ask(&compile(&policies, protocol)).allowed
    }
}

/// An ALLOW policy with one rule.
fn allow(rule: Value) -> Value {
    json!({ "rules": [rule] })
}

/// A DENY policy with one rule.
fn deny(rule: Value) -> Value {
    json!({ "action": "DENY", "rules": [rule] })
}

fn source(source: Value) -> Value {
    json!({ "from": [{ "source": source }] })
}

fn operation(operation: Value) -> Value {
    json!({ "to": [{ "operation": operation }] })
}

fn when(key: &str, values: &[&str], not_values: &[&str]) -> Value {
    json!({ "when": [{ "key": key, "values": values, "notValues": not_values }] })
}
