//! Authorization work: `P` policies of `K` rules for one workload, and streams of requests about them.
//!
//! A pure function of integers, so that every engine gets the same rules and the same requests.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use mesh_authz::verdict::Facts;
use mesh_model::document::{Document, Source as File, Tree};
use mesh_model::facts::{Headers, HttpVersion, RequestFacts};
use mesh_model::object::{Object, ObjectMeta};
use mesh_model::origin::Provenance;
use mesh_model::security::authorization_policy::AuthorizationPolicy;
use mesh_model::security::authorization_policy::spec::{
    Action, Condition, From, Operation, Rule, Source, To,
};

use super::splitmix::Splitmix;

/// Rules of a policy.
pub const RULES_PER_POLICY: usize = 5;

/// What the rules of a set differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Sources and ports.
    L4,
    /// Sources, ports, methods, paths, and a header in every tenth rule.
    L7,
    /// [`L7`](Self::L7) with an excluding field in every fifth rule.
    L7Not,
    /// Nothing but `to.paths`.
    Paths,
    /// Any authenticated source, and `to.paths`.
    StarAndPaths,
    /// Nothing but one header of `when`.
    When,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::L4, Self::L7, Self::L7Not, Self::Paths, Self::StarAndPaths, Self::When];

    /// Its name in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::L4 => "L4",
            Self::L7 => "L7",
            Self::L7Not => "L7not",
            Self::Paths => "paths",
            Self::StarAndPaths => "star_paths",
            Self::When => "when",
        }
    }

    /// Whether it is about requests.
    pub fn is_http(self) -> bool {
        self != Self::L4
    }
}

/// What the requests of a stream have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// One ALLOW rule matches, any with the same chance.
    Allowed,
    /// No rule matches.
    DefaultDenied,
    /// One DENY rule matches.
    RuleDenied,
}

impl Stream {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Allowed, Self::DefaultDenied, Self::RuleDenied];

    /// Its name in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "Allowed",
            Self::DefaultDenied => "DefaultDenied",
            Self::RuleDenied => "RuleDenied",
        }
    }
}

/// One request or connection, owning what [`Facts`] borrow.
#[derive(Debug, Clone)]
pub struct Call {
    /// The verified peer.
    pub peer: String,
    /// Its address.
    pub ip: IpAddr,
    /// The workload's port.
    pub port: u16,
    /// `None`: a connection.
    pub request: Option<RequestFacts<'static>>,
}

impl Call {
    /// What the engine is asked about.
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            direct_ip: self.ip,
            remote_ip: self.ip,
            dst_ip: IpAddr::V4(Ipv4Addr::new(10, 0, 1, 1)),
            dst_port: self.port,
            sni: None,
            peer: Some(&self.peer),
            request: self.request.as_ref(),
            claims: None,
        }
    }
}

/// Whether policy `p` denies: every tenth.
pub fn is_deny(p: usize) -> bool {
    p % 10 == 9
}

/// `count` policies.
pub fn policies(profile: Profile, count: usize) -> Vec<Arc<Object<AuthorizationPolicy>>> {
    (0..count)
        .map(|p| {
            let rules = (0..RULES_PER_POLICY).map(|k| rule(profile, p * RULES_PER_POLICY + k)).collect();
            let action = if is_deny(p) { Action::Deny } else { Action::Allow };
            object(p, AuthorizationPolicy { rules, action, ..AuthorizationPolicy::default() })
        })
        .collect()
}

/// Policy `p` with this content.
pub fn object(p: usize, spec: AuthorizationPolicy) -> Arc<Object<AuthorizationPolicy>> {
    let (namespace, name): (Arc<str>, Arc<str>) = ("shop".into(), format!("policy-{p:06}").into());
    let document = Arc::new(Document::new(
        File { file: "bench.yaml".into(), cluster: "Kubernetes".into() },
        0,
        Tree::default(),
    ));
    Arc::new(Object {
        meta: ObjectMeta { name: name.clone(), namespace: namespace.clone(), ..ObjectMeta::default() },
        spec,
        provenance: Arc::new(Provenance {
            kind: "AuthorizationPolicy",
            namespace,
            name,
            document,
            refused_at: None,
        }),
    })
}

/// Rule `n` of all rules.
pub fn rule(profile: Profile, n: usize) -> Rule {
    let mut rule = Rule::default();
    match profile {
        Profile::L4 | Profile::L7 | Profile::L7Not => rule.from = vec![From { source: Some(source(n)) }],
        Profile::StarAndPaths => {
            let source = Source { principals: vec!["*".to_owned()], ..Source::default() };
            rule.from = vec![From { source: Some(source) }];
        }
        Profile::Paths | Profile::When => {}
    }
    let mut operation = Operation::default();
    if matches!(profile, Profile::L4 | Profile::L7 | Profile::L7Not) && n.is_multiple_of(3) {
        operation.ports = vec!["8080".to_owned(), "9090".to_owned()];
    }
    if matches!(profile, Profile::L7 | Profile::L7Not) {
        operation.methods = vec!["GET".to_owned(), "POST".to_owned()];
    }
    if profile.is_http() && profile != Profile::When {
        operation.paths = paths(n);
    }
    if profile == Profile::L7Not && n.is_multiple_of(5) {
        operation.not_paths = vec![format!("/api/v{}/orders-{n}/secret*", n % 7)];
    }
    if operation != Operation::default() {
        rule.to = vec![To { operation: Some(operation) }];
    }
    if profile == Profile::When || (matches!(profile, Profile::L7 | Profile::L7Not) && n.is_multiple_of(10)) {
        rule.when = vec![Condition {
            key: "request.headers[x-tenant]".to_owned(),
            values: vec![tenant(n)],
            ..Condition::default()
        }];
    }
    rule
}

/// 40 % three principals, 10 % a principal prefix, 20 % two namespaces, 30 % three blocks.
fn source(n: usize) -> Source {
    match n % 10 {
        0..=3 => Source { principals: (0..3).map(|j| principal(n, j)).collect(), ..Source::default() },
        4 => Source { principals: vec![format!("cluster.local/ns/team-{n}/*")], ..Source::default() },
        5 | 6 => {
            Source { namespaces: vec![format!("space-{n}-a"), format!("space-{n}-b")], ..Source::default() }
        }
        _ => Source { ip_blocks: (0..3).map(|j| block(n, j)).collect(), ..Source::default() },
    }
}

fn principal(n: usize, j: usize) -> String {
    format!("cluster.local/ns/ns-{}/sa/client-{n}-{j}", n % 97)
}

/// Distinct blocks of 26, 29 and 32 bits in 10.0.0.0/8.
fn block(n: usize, j: usize) -> String {
    let bits = 26 + 3 * (j % 3);
    format!("{}/{bits}", block_address(n, j))
}

fn block_address(n: usize, j: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits((10 << 24) + u32::try_from((n * 3 + j) * 64).unwrap_or(0))
}

/// Two paths: exact, prefix or suffix.
fn paths(n: usize) -> Vec<String> {
    let base = format!("/api/v{}/orders-{n}", n % 7);
    match n % 3 {
        0 => vec![format!("{base}/items"), format!("{base}/totals")],
        1 => vec![format!("{base}/*"), format!("/batch/orders-{n}/*")],
        _ => vec![format!("*/orders-{n}.json"), format!("*/orders-{n}.xml")],
    }
}

fn tenant(n: usize) -> String {
    format!("tenant-{n}")
}

/// A path that rule `n` takes.
fn path(n: usize) -> String {
    let base = format!("/api/v{}/orders-{n}", n % 7);
    match n % 3 {
        0 => format!("{base}/items"),
        1 => format!("{base}/lines/17"),
        _ => format!("{base}/export/orders-{n}.json"),
    }
}

/// `length` requests about `count` policies.
pub fn stream(profile: Profile, count: usize, stream: Stream, length: usize) -> Vec<Call> {
    let mut dice = Splitmix::new(count as u64 ^ 0x5eed);
    let all = count * RULES_PER_POLICY;
    let denies = |n: usize| is_deny(n / RULES_PER_POLICY);
    (0..length)
        .map(|at| {
            let mut n = dice.below(all);
            let wanted = stream == Stream::RuleDenied && count >= 10;
            while denies(n) != wanted {
                n = dice.below(all);
            }
            call(profile, n, (stream == Stream::DefaultDenied).then_some(at))
        })
        .collect()
}

/// What rule `n` matches; `stranger`: as near as a request comes to it without.
fn call(profile: Profile, n: usize, stranger: Option<usize>) -> Call {
    let known = profile.is_http() || stranger.is_none();
    let (mut peer, mut ip) = (format!("cluster.local/ns/other/sa/stranger-{n}"), Ipv4Addr::new(192, 0, 2, 7));
    match n % 10 {
        _ if !known => {}
        0..=3 => peer = principal(n, n % 3),
        4 => peer = format!("cluster.local/ns/team-{n}/sa/any"),
        5 | 6 => peer = format!("cluster.local/ns/space-{n}-b/sa/any"),
        _ => ip = block_address(n, n % 3),
    }
    let request = profile.is_http().then(|| {
        let path = match stranger {
            Some(at) => format!("/elsewhere/{at}/orders-{n}/nothing"),
            None => path(n),
        };
        let mut headers = Headers::default();
        headers.push("user-agent", b"bench/1.0".as_slice());
        headers.push("accept", b"*/*".as_slice());
        headers.push("x-request-id", b"0f4a2d0e-0a6e-4a52-9a63-6bd8ae1a6fd4".as_slice());
        let tenant = if stranger.is_some() { "nobody".to_owned() } else { tenant(n) };
        headers.push("x-tenant", tenant.into_bytes());
        RequestFacts {
            version: HttpVersion::Http2,
            method: "GET".into(),
            scheme: "http".into(),
            authority: "orders.shop.svc.cluster.local:8080".into(),
            path: path.into(),
            headers,
        }
    });
    Call { peer: format!("spiffe://{peer}"), ip: ip.into(), port: 8080, request }
}
