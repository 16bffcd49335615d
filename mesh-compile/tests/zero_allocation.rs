//! A look-up that nobody listens to allocates nothing.
//!
//! One test alone in its binary: the counter counts for the whole process.

#![expect(clippy::unwrap_used, reason = "a test's own patterns compile")]

use std::borrow::Cow;

use mesh_compile::route_table::action::{DirectResponse, HeaderOps, RouteAction};
use mesh_compile::route_table::matcher::{
    Case, HeaderMatch, PathMatch, QueryMatch, RouteMatch, TextMatch, ValueMatch,
};
use mesh_compile::route_table::pattern::Pattern;
use mesh_compile::route_table::{Route, RouteTable, VirtualHost};
use mesh_model::facts::{Headers, HttpVersion, RequestFacts};
use mesh_model::origin::Origin;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

fn route(matcher: RouteMatch) -> Route {
    Route {
        name: "r".into(),
        matcher,
        action: RouteAction::Respond(DirectResponse { status: 200, body: None }),
        request_headers: HeaderOps::default(),
        response_headers: HeaderOps::default(),
        origin: Origin::built_in("test"),
    }
}

fn path_match(n: usize) -> PathMatch {
    match n % 5 {
        0 => PathMatch::Exact(format!("/exact/{n}").into(), Case::Sensitive),
        1 => PathMatch::Prefix(format!("/prefix/{n}/").into(), Case::Sensitive),
        2 => PathMatch::SegmentPrefix(format!("/segment/{n}").into()),
        3 => PathMatch::Prefix(format!("/Any/{n}/").into(), Case::Insensitive),
        _ => PathMatch::Regex(Pattern::full_match(&format!("/[a-z]+/{n}/[0-9]+")).unwrap()),
    }
}

fn matcher(n: usize) -> RouteMatch {
    let text = |text: &str| ValueMatch::Text(TextMatch::Exact(text.into()));
    let header =
        |name: &str, value| HeaderMatch { name: name.into(), value, invert: false, missing_is_empty: false };
    RouteMatch {
        headers: vec![header("x-user", text("jason")), header(":method", text("GET"))].into(),
        query: vec![QueryMatch { name: "q".into(), value: text("1") }].into(),
        ..RouteMatch::path(path_match(n))
    }
}

fn request(path: &str) -> RequestFacts<'_> {
    let mut headers = Headers::default();
    headers.push("x-user", b"nobody".as_slice());
    headers.push("x-user", b"jason".as_slice());
    RequestFacts {
        version: HttpVersion::Http2,
        method: Cow::Borrowed("GET"),
        scheme: Cow::Borrowed("http"),
        authority: Cow::Borrowed("a.example.com:8080"),
        path: Cow::Borrowed(path),
        headers,
    }
}

#[test]
fn a_look_up_allocates_nothing() {
    let host = |domain: &str, count| {
        VirtualHost::new(
            domain,
            vec![domain.into()],
            false,
            (0..count).map(|n| route(matcher(n))).collect(),
            Origin::built_in("test"),
        )
    };
    let table = RouteTable::new("80", vec![host("b.example.com", 5), host("*.example.com", 1_000)]);
    let found =
        ["/exact/500?q=1", "/prefix/501/x?q=1", "/segment/502?q=1", "/any/503/x?q=1", "/regex/504/1?q=1"];
    let lost = ["/exact/500?q=2", "/prefix/501/x", "/nothing", "/regex/504/x?q=1"];
    let requests: Vec<_> = found.iter().chain(&lost).map(|path| request(path)).collect();
    let look_up = || {
        let answers = requests.iter().map(|request| {
            let host = table.virtual_host(&request.authority)?;
            host.find(request, None, &mut ())
        });
        answers.flatten().count()
    };
    // The regex engine fills its caches on first use.
    assert_eq!(look_up(), found.len());

    let _profiler = dhat::Profiler::builder().testing().build();
    let before = dhat::HeapStats::get().total_blocks;
    let count = look_up();
    let after = dhat::HeapStats::get().total_blocks;
    assert_eq!(count, found.len());
    dhat::assert_eq!(after - before, 0);
}
