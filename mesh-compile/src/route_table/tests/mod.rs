//! Rules of route matching, and the indexes against their oracle.

mod apart;
mod equivalence;
mod exchange;
mod hosts;
mod predicates;
mod rewrite;

use std::borrow::Cow;
use std::sync::Arc;

use mesh_model::facts::{Headers, HttpVersion, RequestFacts};
use mesh_model::origin::Origin;
use mesh_model::trace::{Outcome, Trace};

use super::action::{DirectResponse, HeaderOps, RouteAction};
use super::matcher::{
    Case, ClaimMatch, HeaderMatch, PathMatch, QueryMatch, RouteMatch, TextMatch, ValueMatch,
};
use super::pattern::Pattern;
use super::{Route, RouteTable, VirtualHost, linear};

fn route(name: impl Into<Arc<str>>, matcher: RouteMatch) -> Route {
    Route {
        name: name.into(),
        matcher,
        action: RouteAction::Respond(DirectResponse { status: 200, body: None }),
        request_headers: HeaderOps::default(),
        response_headers: HeaderOps::default(),
        origin: Origin::built_in("test"),
    }
}

fn host(name: &str, domains: &[&str], routes: Vec<Route>) -> VirtualHost {
    let domains = domains.iter().map(|domain| Arc::from(*domain)).collect();
    VirtualHost::new(name, domains, false, routes, Origin::built_in("test"))
}

fn request(path: &str) -> RequestFacts<'_> {
    RequestFacts {
        version: HttpVersion::Http11,
        method: Cow::Borrowed("GET"),
        scheme: Cow::Borrowed("http"),
        authority: Cow::Borrowed("reviews:9080"),
        path: Cow::Borrowed(path),
        headers: Headers::default(),
    }
}

fn exact(path: &str) -> RouteMatch {
    RouteMatch::path(PathMatch::Exact(path.into(), Case::Sensitive))
}

fn prefix(path: &str) -> RouteMatch {
    RouteMatch::path(PathMatch::Prefix(path.into(), Case::Sensitive))
}

fn regex(text: &str) -> RouteMatch {
    RouteMatch::path(PathMatch::Regex(Pattern::full_match(text).unwrap()))
}

/// Whether a single matcher fits a request.
fn fits(matcher: RouteMatch, request: &RequestFacts<'_>) -> bool {
    host("h", &["*"], vec![route("r", matcher)]).find(request, None, &mut ()).is_some()
}
