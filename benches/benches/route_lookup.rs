//! Route look-up as routes grow: the index beside the linear scan, for the last route of a host.
#![allow(missing_docs, reason = "the macros of criterion")]
#![expect(clippy::unwrap_used, reason = "a bench's own patterns compile")]

use std::borrow::Cow;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use mesh_compile::route_table::action::{DirectResponse, HeaderOps, RouteAction};
use mesh_compile::route_table::matcher::{Case, HeaderMatch, PathMatch, RouteMatch, TextMatch, ValueMatch};
use mesh_compile::route_table::pattern::Pattern;
use mesh_compile::route_table::{Route, RouteTable, VirtualHost, linear};
use mesh_model::facts::{Headers, HttpVersion, RequestFacts};
use mesh_model::origin::Origin;

const SIZES: [usize; 3] = [10, 1_000, 10_000];

fn route(matcher: RouteMatch) -> Route {
    Route {
        name: "r".into(),
        matcher,
        action: RouteAction::Respond(DirectResponse { status: 200, body: None }),
        request_headers: HeaderOps::default(),
        response_headers: HeaderOps::default(),
        origin: Origin::built_in("bench"),
    }
}

fn host(matchers: impl Iterator<Item = RouteMatch>) -> VirtualHost {
    VirtualHost::new("h", vec!["*".into()], false, matchers.map(route).collect(), Origin::built_in("bench"))
}

fn request(path: String) -> RequestFacts<'static> {
    let mut headers = Headers::default();
    headers.push("user-agent", b"bench".as_slice());
    headers.push("accept", b"*/*".as_slice());
    headers.push("x-request-id", b"0f4a".as_slice());
    RequestFacts {
        version: HttpVersion::Http2,
        method: Cow::Borrowed("GET"),
        scheme: Cow::Borrowed("http"),
        authority: Cow::Borrowed("reviews.default.svc.cluster.local:9080"),
        path: Cow::Owned(path),
        headers,
    }
}

/// The n-th path; no two are prefixes of each other.
fn path(n: usize) -> String {
    format!("/api/v1/service-{}/resource-{n}/", n % 97)
}

type Matcher = fn(usize) -> RouteMatch;
type PathOf = fn(usize) -> String;

/// Paths that all have one hash where the hash's first secret is known to be `/api/v1/`: it cancels out, and with it the
/// eight bytes behind. They must cost what others cost.
fn crafted_path(n: usize) -> String {
    format!("/api/v1/{n:08}/orders/resource/")
}

fn crafted(n: usize) -> RouteMatch {
    RouteMatch::path(PathMatch::Exact(crafted_path(n).into(), Case::Sensitive))
}

fn exact(n: usize) -> RouteMatch {
    RouteMatch::path(PathMatch::Exact(path(n).into(), Case::Sensitive))
}

fn prefix(n: usize) -> RouteMatch {
    RouteMatch::path(PathMatch::Prefix(path(n).into(), Case::Sensitive))
}

fn regex(n: usize) -> RouteMatch {
    RouteMatch::path(PathMatch::Regex(Pattern::full_match(&format!("{}[a-z]*", path(n))).unwrap()))
}

/// Regexes without a literal start of their own: one automaton answers for all.
fn regex_shared(n: usize) -> RouteMatch {
    RouteMatch::path(PathMatch::Regex(
        Pattern::full_match(&format!("/[^/]+/v1/[^/]+/resource-{n}/[a-z]*")).unwrap(),
    ))
}

/// Regexes that start alike and hold a text of their own.
fn regex_alike(n: usize) -> RouteMatch {
    RouteMatch::path(PathMatch::Regex(
        Pattern::full_match(&format!("/api/v1/[^/]+/resource-{n}/[a-z]*")).unwrap(),
    ))
}

/// Regexes that start alike and hold no text long enough to tell them apart: one automaton.
fn regex_alike_short(n: usize) -> RouteMatch {
    RouteMatch::path(PathMatch::Regex(
        Pattern::full_match(&format!("/api/v1/[^/]+/[a-z]+-{n}/[a-z]*")).unwrap(),
    ))
}

/// One path, told apart by a header.
fn header(n: usize) -> RouteMatch {
    let value = ValueMatch::Text(TextMatch::Exact(format!("tenant-{n}").into()));
    let tenant = HeaderMatch { name: "x-tenant".into(), value, invert: false, missing_is_empty: false };
    RouteMatch {
        headers: vec![tenant].into(),
        ..RouteMatch::path(PathMatch::Prefix("/".into(), Case::Sensitive))
    }
}

fn routes(criterion: &mut Criterion) {
    let kinds: [(&str, Matcher, PathOf, usize); 8] = [
        ("exact", exact, path, 10_000),
        ("exact_crafted", crafted, crafted_path, 10_000),
        ("prefix", prefix, path, 10_000),
        ("regex", regex, path, 10_000),
        ("regex_shared", regex_shared, path, 1_000),
        ("regex_alike", regex_alike, path, 1_000),
        ("regex_alike_short", regex_alike_short, path, 1_000),
        ("header", header, path, 10_000),
    ];
    for (kind, matcher, path, largest) in kinds {
        for size in SIZES.into_iter().filter(|size| *size <= largest) {
            let host = host((0..size).map(matcher));
            let mut request = request(path(size - 1));
            request.headers.push("x-tenant", format!("tenant-{}", size - 1).into_bytes());
            let mut group = criterion.benchmark_group(format!("route_lookup/{size}_routes_{kind}"));
            assert!(host.find(&request, None, &mut ()).is_some());
            group.bench_function("compiled", |bench| {
                bench.iter(|| black_box(&host).find(black_box(&request), None, &mut ()));
            });
            group.bench_function("linear", |bench| {
                bench.iter(|| linear::find(black_box(&host), black_box(&request), None));
            });
            group.finish();
        }
    }
}

fn hosts(criterion: &mut Criterion) {
    for size in SIZES {
        let hosts = (0..size).map(|n| {
            let domains = vec![
                format!("service-{n}.default.svc.cluster.local").into(),
                format!("*.w{n}.example.com").into(),
            ];
            VirtualHost::new(format!("h{n}"), domains, false, Vec::new(), Origin::built_in("bench"))
        });
        let table = RouteTable::new("80", hosts.collect());
        let mut group = criterion.benchmark_group(format!("host_lookup/{size}_hosts"));
        for (kind, authority) in [
            ("exact", format!("service-{}.default.svc.cluster.local:80", size - 1)),
            ("wildcard", format!("a.w{}.example.com", size - 1)),
        ] {
            group.bench_with_input(BenchmarkId::new("compiled", kind), &authority, |bench, authority| {
                bench.iter(|| black_box(&table).virtual_host(black_box(authority)).is_some());
            });
            group.bench_with_input(BenchmarkId::new("linear", kind), &authority, |bench, authority| {
                bench.iter(|| linear::virtual_host(black_box(&table), black_box(authority)).is_some());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, routes, hosts);
criterion_main!(benches);
