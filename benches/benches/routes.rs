//! Look-ups: the compiled table beside the linear scan of the host's routes and beside `matchit` (a router for each host,
//! hosts hashed with `foldhash`), over the same requests. `compiled`, `linear` and `matchit` find the host and then the
//! route; `compiled_path` and `matchit_path` are told the host and find the route only. What tables cost to build and to
//! keep is printed first.
#![allow(missing_docs, reason = "the macros of criterion")]
#![expect(clippy::unwrap_used, reason = "a bench's own patterns compile")]

use std::borrow::Cow;
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use foldhash::fast::RandomState;
use mesh_benches::workloads::routes::{Kind, Profile, Requests, Stream, Variant, domain, regex, text};
use mesh_compile::route_table::action::{DirectResponse, HeaderOps, RouteAction};
use mesh_compile::route_table::matcher::{
    Case, HeaderMatch, PathMatch, QueryMatch, RouteMatch, TextMatch, ValueMatch,
};
use mesh_compile::route_table::pattern::Pattern;
use mesh_compile::route_table::{Route, RouteTable, VirtualHost, linear};
use mesh_model::facts::{Headers, HttpVersion, RequestFacts};
use mesh_model::origin::Origin;
use peak_alloc::PeakAlloc;

/// Counts bytes asked for; the look-ups themselves ask for none.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

fn matcher(v: usize, r: usize, kind: Kind) -> RouteMatch {
    let text = text(v, r, kind);
    let path = match kind {
        Kind::Exact | Kind::ExactAndMethod => PathMatch::Exact(text.into(), Case::Sensitive),
        Kind::Regex => PathMatch::Regex(Pattern::full_match(&regex(&text)).unwrap()),
        _ => PathMatch::Prefix(text.into(), Case::Sensitive),
    };
    let mut matcher = RouteMatch::path(path);
    let exact = |text: &str| ValueMatch::Text(TextMatch::Exact(text.into()));
    let header = |name: &str, value: &str| HeaderMatch {
        name: name.into(),
        value: exact(value),
        invert: false,
        missing_is_empty: false,
    };
    match kind {
        Kind::PrefixAndHeader => matcher.headers.push(header("x-canary", "true")),
        Kind::ExactAndMethod => matcher.headers.push(header(":method", "POST")),
        Kind::PrefixAndQuery => {
            matcher.query.push(QueryMatch { name: "version".into(), value: exact("2") });
        }
        _ => {}
    }
    matcher
}

fn route(v: usize, r: usize, profile: Profile) -> Route {
    Route {
        name: Arc::default(),
        matcher: matcher(v, r, profile.kind(r)),
        action: RouteAction::Respond(DirectResponse { status: 200, body: None }),
        request_headers: HeaderOps::default(),
        response_headers: HeaderOps::default(),
        origin: Origin::built_in("bench"),
    }
}

fn host_of(v: usize, routes: Vec<Route>) -> VirtualHost {
    VirtualHost::new(format!("h{v}"), vec![domain(v).into()], false, routes, Origin::built_in("bench"))
}

fn virtual_host(v: usize, routes: usize, profile: Profile) -> VirtualHost {
    host_of(v, (0..routes).map(|r| route(v, r, profile)).collect())
}

fn table(hosts: usize, routes: usize, profile: Profile) -> RouteTable {
    RouteTable::new("80", (0..hosts).map(|v| virtual_host(v, routes, profile)).collect())
}

/// A router for each host; wildcard hosts by what stands behind their star.
struct Matchit {
    by_host: HashMap<String, matchit::Router<u32>, RandomState>,
}

impl Matchit {
    fn new(hosts: usize, routes: usize) -> Self {
        let router = |v| {
            let mut router = matchit::Router::new();
            for r in 0..routes {
                let kind = Profile::Path.kind(r);
                let mut path = text(v, r, kind);
                if kind == Kind::Prefix {
                    path.push_str("{*rest}");
                }
                router.insert(path, u32::try_from(r).unwrap()).unwrap();
            }
            router
        };
        let by_host = (0..hosts).map(|v| (domain(v).trim_start_matches("*.").to_owned(), router(v)));
        Self { by_host: by_host.collect() }
    }

    fn router(&self, host: &str) -> Option<&matchit::Router<u32>> {
        self.by_host.get(host).or_else(|| self.by_host.get(host.split_once('.')?.1))
    }

    fn find(&self, host: &str, path: &str) -> Option<u32> {
        self.router(host)?.at(path).ok().map(|found| *found.value)
    }
}

/// Requests without host and path: twelve headers.
fn templates() -> [RequestFacts<'static>; 3] {
    let of = |variant: Variant| {
        let mut headers = Headers::default();
        for n in 0..11 {
            headers.push(format!("x-header-{n}"), b"some value".as_slice());
        }
        let name = if variant == Variant::Canary { "x-canary" } else { "x-other" };
        headers.push(name, b"true".as_slice());
        RequestFacts {
            version: HttpVersion::Http2,
            method: Cow::Borrowed(if variant == Variant::Post { "POST" } else { "GET" }),
            scheme: Cow::Borrowed("http"),
            authority: Cow::Borrowed(""),
            path: Cow::Borrowed(""),
            headers,
        }
    };
    [of(Variant::Plain), of(Variant::Canary), of(Variant::Post)]
}

fn with_template<'r, T>(
    templates: &mut [RequestFacts<'r>; 3],
    (host, path, variant): (&'r str, &'r str, Variant),
    act: impl FnOnce(&RequestFacts<'_>) -> T,
) -> T {
    // Without a branch: the variant cannot be foreseen, and is no part of what is timed.
    let facts = templates.get_mut(variant as usize).unwrap();
    facts.authority = Cow::Borrowed(host);
    facts.path = Cow::Borrowed(path);
    act(facts)
}

/// Which ways are timed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Twins {
    None,
    Linear,
    LinearAndMatchit,
    Matchit,
}

fn streams(
    criterion: &mut Criterion,
    (hosts, routes, profile): (usize, usize, Profile),
    streams: &[Stream],
    twins: Twins,
) {
    let table = table(hosts, routes, profile);
    let has_matchit = matches!(twins, Twins::Matchit | Twins::LinearAndMatchit);
    let matchit = has_matchit.then(|| Matchit::new(hosts, routes));
    for stream in streams {
        let requests = Requests::new(hosts, routes, profile, *stream);
        let requests = requests.all();
        let request_at = |n: usize| requests.get(n % requests.len()).copied().unwrap_or_default();
        let mut templates = templates();
        let mut group = criterion.benchmark_group(format!("routes/{profile:?}/{hosts}x{routes}/{stream:?}"));
        // Every way gives the same answer.
        for n in 0..512 {
            let request = request_at(n * 7);
            let found = with_template(&mut templates, request, |facts| {
                let host = table.virtual_host(request.0)?;
                let found = host.find(facts, None, &mut ());
                let scanned = linear::find(host, facts, None);
                assert_eq!(found.map(std::ptr::from_ref), scanned.map(std::ptr::from_ref));
                let found = found?;
                host.routes.iter().position(|route| std::ptr::eq(route, found))
            });
            assert_eq!(found.is_some(), *stream != Stream::Miss);
            if let Some(matchit) = &matchit {
                assert_eq!(matchit.find(request.0, request.1), found.map(|at| u32::try_from(at).unwrap()));
            }
        }
        let mut cycle = requests.iter().copied().cycle();
        let mut next = || cycle.next().unwrap_or_default();
        group.bench_function("compiled", |bench| {
            bench.iter(|| {
                let request = next();
                with_template(&mut templates, request, |facts| {
                    black_box(table.virtual_host(request.0).and_then(|host| host.find(facts, None, &mut ())));
                });
            });
        });
        if matches!(twins, Twins::Linear | Twins::LinearAndMatchit) {
            group.bench_function("linear", |bench| {
                bench.iter(|| {
                    let request = next();
                    with_template(&mut templates, request, |facts| {
                        black_box(
                            table.virtual_host(request.0).and_then(|host| linear::find(host, facts, None)),
                        );
                    });
                });
            });
        }
        if let Some(matchit) = &matchit {
            group.bench_function("matchit", |bench| {
                bench.iter(|| {
                    let request = next();
                    with_template(&mut templates, request, |facts| {
                        black_box(matchit.find(&facts.authority, &facts.path));
                    });
                });
            });
            path_only(&mut group, &table, matchit, &requests);
        }
        group.finish();
    }
}

/// The route alone where there is one host, which both ways are told.
fn path_only(
    group: &mut BenchmarkGroup<'_, WallTime>,
    table: &RouteTable,
    matchit: &Matchit,
    requests: &[(&str, &str, Variant)],
) {
    let ([host], Some(router)) = (table.virtual_hosts.as_slice(), matchit.router(&domain(0))) else { return };
    let mut templates = templates();
    let mut cycle = requests.iter().copied().cycle();
    let mut next = || cycle.next().unwrap_or_default();
    group.bench_function("compiled_path", |bench| {
        bench.iter(|| {
            with_template(&mut templates, next(), |facts| {
                black_box(host.find(facts, None, &mut ()));
            });
        });
    });
    group.bench_function("matchit_path", |bench| {
        bench.iter(|| {
            with_template(&mut templates, next(), |facts| {
                black_box(router.at(&facts.path).ok());
            });
        });
    });
}

/// What a table of a thousand hosts of a hundred routes takes.
fn sizes() {
    const HOSTS: usize = 1_000;
    const ROUTES: usize = 100;
    println!("bytes of a Route itself: {}", size_of::<Route>());
    for profile in [Profile::Path, Profile::Mixed] {
        let before = ALLOCATOR.current_usage();
        let matchers: Vec<Vec<RouteMatch>> =
            (0..HOSTS).map(|v| (0..ROUTES).map(|r| matcher(v, r, profile.kind(r))).collect()).collect();
        let written = ALLOCATOR.current_usage() - before;
        drop(matchers);
        let before = ALLOCATOR.current_usage();
        let at = Instant::now();
        let table = table(HOSTS, ROUTES, profile);
        let took = at.elapsed();
        let kept = ALLOCATOR.current_usage() - before;
        let count = HOSTS * ROUTES;
        println!(
            "{profile:?} {HOSTS}x{ROUTES}: {} B a route, of these {} B its conditions; {} ns a route to build",
            kept / count,
            written / count,
            took.as_nanos() / count as u128,
        );
        drop(table);
    }
    let routes_of = |v| (0..100).map(|r| route(v, r, Profile::Path)).collect::<Vec<_>>();
    let routes: Vec<_> = (0..10_000).map(routes_of).collect();
    let at = Instant::now();
    let hosts = routes.into_iter().enumerate().map(|(v, routes)| host_of(v, routes));
    let million = RouteTable::new("80", hosts.collect());
    println!("10,000 hosts of 100 written routes to their table: {:?}", at.elapsed());
    drop(million);
    let table = table(10_000, 5, Profile::Mixed);
    let mut times: Vec<_> = (0..200)
        .map(|n| {
            let at = Instant::now();
            let host = Arc::new(virtual_host(n * 37, 5, Profile::Mixed));
            let changed = table.with_replaced([(n * 37, host)]).unwrap();
            let took = at.elapsed();
            black_box(changed);
            took
        })
        .collect();
    times.sort();
    println!("one host of 10,000 replaced: {:?} (median)", times.get(100));
}

fn benches(criterion: &mut Criterion) {
    use Stream::{Hot, Last, Miss, Uniform};
    sizes();
    streams(criterion, (1, 10, Profile::Path), &[Uniform], Twins::LinearAndMatchit);
    streams(criterion, (1, 1_000, Profile::Path), &[Uniform, Miss], Twins::LinearAndMatchit);
    for routes in [1, 10, 100, 1_000] {
        streams(criterion, (1, routes, Profile::Mixed), &[Uniform, Last], Twins::Linear);
    }
    if std::env::var_os("ROUTES_SMALL").is_none() {
        streams(criterion, (10_000, 100, Profile::Path), &[Uniform, Hot], Twins::Matchit);
        streams(criterion, (10_000, 100, Profile::Mixed), &[Uniform, Hot], Twins::None);
    }
}

criterion_group!(all, benches);
criterion_main!(all);
