//! Random policies and requests over alphabets so small that things collide.

use proptest::prelude::*;

use super::*;

/// A field of a source or an operation: its name, the name of its negation, values.
type FieldTexts = (&'static str, &'static str, &'static [&'static str]);

const SOURCE: &[FieldTexts] = &[
    (
        "principals",
        "notPrincipals",
        &[
            "*",
            "td/ns/a/sa/x",
            "cluster.local/ns/a/sa/x",
            "old/ns/b/sa/y",
            "td/ns/*",
            "*/sa/x",
            "*/y",
            "t*",
            "*",
        ],
    ),
    ("namespaces", "notNamespaces", &["a", "b", "*", "a*", "*b", "a/b", "*-*", "ns"]),
    ("serviceAccounts", "notServiceAccounts", &["x", "a/x", "b/y", "a/x/y", "a/sa", "/x"]),
    ("trustDomains", "notTrustDomains", &["td", "old", "cluster.local", "*", "t*", "*d", "x"]),
    (
        "requestPrincipals",
        "notRequestPrincipals",
        &["*", "i/s", "i/*", "*/s", "i/p*", "*/p", "i*", "*s", "i"],
    ),
    (
        "ipBlocks",
        "notIpBlocks",
        &["10.0.0.0/8", "10.1.2.3", "10.1.0.0/16", "::1", "::/0", "0.0.0.0/0", "fd00::/8"],
    ),
    ("remoteIpBlocks", "notRemoteIpBlocks", &["10.0.0.0/8", "10.1.2.3", "::ffff:10.0.0.0/104", "fd00::/8"]),
];

const OPERATION: &[FieldTexts] = &[
    ("hosts", "notHosts", &["a.com", "A.COM", "a.com:80", "*.com", "*:80", "a.*", "*", "b"]),
    ("ports", "notPorts", &["80", "8080", "0", "65535"]),
    ("methods", "notMethods", &["GET", "POST", "P*", "*T", "*", "get"]),
    (
        "paths",
        "notPaths",
        &[
            "/",
            "/a",
            "/a/",
            "/a/b",
            "/a*",
            "/a/*",
            "/*",
            "*b",
            "*/b",
            "*",
            "**",
            "/{*}",
            "/{*}/b",
            "/a/{**}",
            "/{**}/b",
            "/a/{*}/b/{**}",
            "/{**}",
        ],
    ),
];

const CONDITIONS: &[(&str, &[&str])] = &[
    ("source.ip", &["10.0.0.0/8", "10.1.2.3", "::1"]),
    ("remote.ip", &["10.0.0.0/8", "fd00::/8"]),
    ("destination.ip", &["10.0.1.1", "10.0.0.0/8", "::/0"]),
    ("destination.port", &["80", "8080"]),
    ("connection.sni", &["a.com", "*.com", "a*", "*"]),
    ("source.namespace", &["a", "b", "*"]),
    ("source.principal", &["td/ns/a/sa/x", "*", "*/x"]),
    ("source.serviceAccount", &["x", "a/x"]),
    ("source.trustDomain", &["td", "*d"]),
    ("request.auth.principal", &["i/s", "*", "i/*"]),
    ("request.auth.audiences", &["x", "*", "y*"]),
    ("request.auth.presenter", &["x"]),
    ("request.auth.claims[g]", &["x", "*", "y*", "*y"]),
    ("request.auth.claims[n][g]", &["x", "*"]),
    ("request.auth.claims", &["x"]),
    ("request.headers[x]", &["x", "*", "y*", "*y", "x,y"]),
    ("request.headers[Accept]", &["x", "x,y", "*"]),
    ("request.headers[:method]", &["GET"]),
    ("request.headers[host]", &["a.com", "*.com"]),
    ("experimental.envoy.filters.f[k]", &["x", "*"]),
];

/// No, one or two values.
fn some(values: &'static [&'static str], most: usize) -> BoxedStrategy<Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(values), 1..=most).boxed()
}

/// Fields of one entry, each a positive one, a negation in a fifth of the cases, seldom both.
fn entry(fields: &'static [FieldTexts]) -> BoxedStrategy<Value> {
    let field = prop::sample::select(fields).prop_flat_map(|(name, not_name, values)| {
        (0u8..10, some(values, 3), some(values, 2)).prop_map(move |(which, any, none)| match which {
            0 => vec![(name, any), (not_name, none)],
            1 => vec![(not_name, none)],
            _ => vec![(name, any)],
        })
    });
    prop::collection::vec(field, 0..3)
        .prop_map(|fields| {
            Value::Object(fields.into_iter().flatten().map(|(k, v)| (k.to_owned(), json!(v))).collect())
        })
        .boxed()
}

fn condition() -> BoxedStrategy<Value> {
    prop::sample::select(CONDITIONS)
        .prop_flat_map(|(key, values)| {
            (0u8..10, some(values, 2), some(values, 2)).prop_map(move |(which, any, none)| match which {
                0 => json!({ "key": key, "values": any, "notValues": none }),
                1 => json!({ "key": key, "notValues": none }),
                _ => json!({ "key": key, "values": any }),
            })
        })
        .boxed()
}

prop_compose! {
    pub(super) fn rule()(
        from in prop::collection::vec(entry(SOURCE), 0..3),
        to in prop::collection::vec(entry(OPERATION), 0..3),
        when in prop::collection::vec(condition(), 0..2),
        parts in 0u8..8,
    ) -> Value {
        let mut rule = Map::new();
        if parts & 1 != 0 {
            rule.insert("from".into(), from.into_iter().map(|source| json!({ "source": source })).collect());
        }
        if parts & 2 != 0 {
            rule.insert("to".into(), to.into_iter().map(|operation| json!({ "operation": operation })).collect());
        }
        if parts & 4 != 0 {
            rule.insert("when".into(), when.into());
        }
        Value::Object(rule)
    }
}

prop_compose! {
    pub(super) fn policy()(
        action in prop::sample::select(vec!["ALLOW", "DENY", "AUDIT", "CUSTOM"]),
        provider in prop::sample::select(vec!["web", "rpc", "bad"]),
        dry_run in prop::bool::weighted(0.2),
        rules in prop::collection::vec(rule(), 0..4),
    ) -> (Value, bool) {
        let mut spec = json!({ "action": action, "rules": rules });
        if action == "CUSTOM" {
            spec["provider"] = json!({ "name": provider });
        }
        (spec, dry_run)
    }
}

const PEERS: &[&str] = &[
    "spiffe://td/ns/a/sa/x",
    "spiffe://cluster.local/ns/a/sa/x",
    "spiffe://old/ns/b/sa/y",
    "spiffe://td/ns/b/sa/y",
    "spiffe://td/ns/a/k/sa/x",
    "spiffe://td/ns/a/sa/x/y",
    "spiffe://td/ns/ns/a/sa/x",
    "spiffe://td/ns//sa/x",
    "spiffe://td/ns/a/b/sa/x",
    "spiffe://td/ns/a-b/sa/x\n",
    "spiffe://td/workload",
    "",
    "td/ns/a/sa/x",
];
const ADDRESSES: &[&str] = &["10.1.2.3", "10.9.9.9", "192.0.2.1", "::1", "fd00::7", "::ffff:10.1.2.3"];

prop_compose! {
    pub(super) fn call()(
        peer in prop::option::of(prop::sample::select(PEERS)),
        (direct_ip, remote_ip) in (prop::sample::select(ADDRESSES), prop::sample::select(ADDRESSES)),
        port in prop::sample::select(vec![80u16, 8080, 0]),
        sni in prop::option::of(prop::sample::select(vec!["a.com", "b.com", ""])),
        path in prop::sample::select(vec!["/", "/a", "/a/", "/a/b", "/b", "/a?b", "/a/x/b/", "/x/b", "", "/a#b", "*"]),
        method in prop::sample::select(vec!["GET", "POST", "get"]),
        host in prop::sample::select(vec!["a.com", "A.com:80", "b", ""]),
        headers in prop::collection::vec((
            prop::sample::select(vec!["x", "X", "accept", "host"]),
            prop::sample::select(vec!["x", "y", "yy", "", "x,y"]),
        ), 0..4),
        claims in prop::option::of(prop::sample::select(vec![
            json!({ "iss": "i", "sub": "s", "g": ["x", 1, "y"], "aud": "x" }),
            json!({ "iss": "i", "sub": "p", "g": "y", "n": { "g": "x" }, "aud": ["x", "yy"], "azp": "x" }),
            json!({ "sub": 1, "g": { "g": "x" }, "n": "x", "": "x" }),
            json!({ "iss": "", "sub": "s", "g": "" }),
        ])),
        http in prop::bool::weighted(0.8),
    ) -> Call {
        let mut call = if http { get(path).method(method).host(host) } else { tcp() };
        if http {
            for (name, value) in headers {
                call = call.header(name, value);
            }
        }
        Call {
            peer,
            claims: claims.filter(|_| http),
            port,
            sni,
            direct_ip: direct_ip.parse().unwrap(),
            remote_ip: remote_ip.parse().unwrap(),
            ..call
        }
    }
}

/// The policies, named in order.
pub(super) fn policies(specs: &[(Value, bool)]) -> Vec<Arc<Object<AuthorizationPolicy>>> {
    let policy = |(at, (spec, dry_run)): (usize, &(Value, bool))| {
        let mut object = Arc::unwrap_or_clone(named("a", &format!("p{at}"), spec.clone()));
        if *dry_run {
            object.meta.annotations.insert("istio.io/dry-run", "true");
        }
        Arc::new(object)
    };
    specs.iter().enumerate().map(policy).collect()
}

/// Compiled for what the call is, with every list of rules indexed.
pub(super) fn indexed(policies: &[Arc<Object<AuthorizationPolicy>>], call: &Call) -> PolicySet {
    indexed_for(policies, if call.request.is_some() { Protocol::Http } else { Protocol::Tcp })
}

/// Compiled with every list of rules indexed.
pub(super) fn indexed_for(policies: &[Arc<Object<AuthorizationPolicy>>], protocol: Protocol) -> PolicySet {
    let aliases = ["old".to_owned()];
    let options = PolicyOptions {
        trust_domain: "td",
        trust_domain_aliases: &aliases,
        multiple_custom_providers: true,
        ..options()
    };
    let policies: Vec<_> = policies.iter().collect();
    let mut set = PolicySet::compile(&policies, protocol, &options).0.unwrap_or_default();
    set.force_index();
    set
}
