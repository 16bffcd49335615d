//! Authorization as policies grow: the index beside the walk over all rules, for a request that the last rule allows.
#![allow(missing_docs, reason = "the macros of criterion")]
#![expect(clippy::unwrap_used, reason = "a bench's own addresses parse")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use mesh_authz::policy_set::{PolicyOptions, PolicySet, Protocol};
use mesh_authz::verdict::{Facts, Verdict};
use mesh_model::document::{Document, Source as File, Tree};
use mesh_model::facts::{Headers, HttpVersion, RequestFacts};
use mesh_model::object::{Object, ObjectMeta};
use mesh_model::origin::Provenance;
use mesh_model::security::authorization_policy::AuthorizationPolicy;
use mesh_model::security::authorization_policy::spec::{Condition, From, Operation, Rule, Source, To};
use mesh_model::trace::{Observer, Step};

const SIZES: [usize; 3] = [10, 1_000, 10_000];

/// Rule `n` of many.
type Shape = fn(usize) -> Rule;

/// Asks for every rule, as a trace does, and keeps nothing: the walk alone.
struct Walk;

impl Observer for Walk {
    const EXHAUSTIVE: bool = true;
    fn note<'e>(&mut self, _: impl FnOnce() -> Step<'e>) {}
}

fn policy(n: usize, rule: Rule) -> Arc<Object<AuthorizationPolicy>> {
    let (namespace, name): (Arc<str>, Arc<str>) = ("shop".into(), format!("policy-{n:06}").into());
    let document = Arc::new(Document::new(
        File { file: "bench.yaml".into(), cluster: "Kubernetes".into() },
        0,
        Tree::default(),
    ));
    Arc::new(Object {
        meta: ObjectMeta { name: name.clone(), namespace: namespace.clone(), ..ObjectMeta::default() },
        spec: AuthorizationPolicy { rules: vec![rule], ..AuthorizationPolicy::default() },
        provenance: Arc::new(Provenance { kind: "AuthorizationPolicy", namespace, name, document }),
    })
}

fn from(source: Source) -> Rule {
    Rule { from: vec![From { source: Some(source) }], ..Rule::default() }
}

fn to(operation: Operation) -> Rule {
    Rule { to: vec![To { operation: Some(operation) }], ..Rule::default() }
}

fn principal(n: usize) -> String {
    format!("cluster.local/ns/team-{}/sa/client-{n}", n % 89)
}

fn path(n: usize) -> String {
    format!("/api/v1/service-{}/resource-{n}/", n % 97)
}

fn principals(n: usize) -> Rule {
    from(Source { principals: vec![principal(n)], ..Source::default() })
}

fn paths(n: usize) -> Rule {
    let value = match n % 3 {
        0 => path(n),
        1 => format!("{}*", path(n)),
        _ => format!("/api/{{*}}/service-{}/resource-{n}/{{**}}", n % 97),
    };
    to(Operation { paths: vec![value], ..Operation::default() })
}

fn hosts(n: usize) -> Rule {
    let value =
        if n.is_multiple_of(2) { format!("host-{n}.example.com") } else { format!("*-{n}.example.com") };
    to(Operation { hosts: vec![value], ..Operation::default() })
}

fn when(n: usize) -> Rule {
    let key = "request.headers[x-tenant]".to_owned();
    let tenant = Condition { key, values: vec![format!("tenant-{n}")], ..Condition::default() };
    Rule { when: vec![tenant], ..Rule::default() }
}

/// All of these in turn, every fifth with something excluded.
fn mixed(n: usize) -> Rule {
    let mut rule = match n % 4 {
        0 => principals(n),
        1 => paths(n),
        2 => hosts(n),
        _ => when(n),
    };
    if n.is_multiple_of(5) {
        let operation = rule.to.pop().and_then(|to| to.operation).unwrap_or_default();
        let not_methods = vec!["DELETE".to_owned()];
        rule.to.push(To { operation: Some(Operation { not_methods, ..operation }) });
    }
    rule
}

fn request(n: usize) -> RequestFacts<'static> {
    let mut headers = Headers::default();
    for (name, value) in [("user-agent", "bench"), ("accept", "*/*"), ("x-request-id", "0f4a")] {
        headers.push(name, value.as_bytes());
    }
    headers.push("x-tenant", format!("tenant-{n}").into_bytes());
    RequestFacts {
        version: HttpVersion::Http2,
        method: "GET".into(),
        scheme: "http".into(),
        authority: format!("host-{n}.example.com").into(),
        path: path(n).into(),
        headers,
    }
}

fn authz(criterion: &mut Criterion) {
    let shapes: [(&str, Shape); 5] =
        [("principals", principals), ("paths", paths), ("hosts", hosts), ("when", when), ("mixed", mixed)];
    for (shape, rule) in shapes {
        for size in SIZES {
            let policies: Vec<_> = (0..size).map(|n| policy(n, rule(n))).collect();
            let policies: Vec<_> = policies.iter().collect();
            let options = PolicyOptions { trust_domain: "cluster.local", ..PolicyOptions::default() };
            let set = PolicySet::compile(&policies, Protocol::Http, &options).0.unwrap();
            let request = request(size - 1);
            let peer = format!("spiffe://{}", principal(size - 1));
            let facts = Facts {
                direct_ip: "10.1.2.3".parse().unwrap(),
                remote_ip: "203.0.113.7".parse().unwrap(),
                dst_ip: "10.0.1.1".parse().unwrap(),
                dst_port: 8080,
                sni: None,
                peer: Some(&peer),
                request: Some(&request),
                claims: None,
            };
            let indexed = |facts: &Facts<'_>| -> Verdict { set.enforce(facts, &mut ()) };
            let linear = |facts: &Facts<'_>| -> Verdict { set.enforce(facts, &mut Walk) };
            assert!(indexed(&facts).allowed && indexed(&facts) == linear(&facts), "{shape}");
            let mut group = criterion.benchmark_group(format!("authz_decide/{size}_rules_{shape}"));
            group.bench_function("indexed", |bench| bench.iter(|| indexed(black_box(&facts))));
            group.bench_function("linear", |bench| bench.iter(|| linear(black_box(&facts))));
            group.finish();
        }
    }
}

criterion_group!(benches, authz);
criterion_main!(benches);
