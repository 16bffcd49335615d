//! An HTTP route: its one action, and what goes with it.

use super::{Checker, Path, Problem, Scope, destination, header, http_action, http_match, value, weights};
use crate::check::retry::retry;
use crate::diagnostic::Code;
use crate::networking::virtual_service::spec::{HttpMirrorPolicy, HttpRoute};

/// Checks a route at `at`.
pub(super) fn http_route(found: &mut Checker<'_>, at: &Path<'_>, route: &HttpRoute, scope: Scope<'_>) {
    one_action(found, at, route, scope.is_delegate);
    for (index, one) in route.r#match.iter().enumerate() {
        http_match::http_match(found, &at.field("match").index(index), one, scope);
    }
    if let Some(headers) = &route.headers {
        header::headers(found, &at.field("headers"), headers);
    }
    if let Some(policy) = &route.cors_policy {
        http_action::cors(found, &at.field("corsPolicy"), policy);
    }
    if let Some(fault) = &route.fault {
        http_action::fault(found, &at.field("fault"), fault);
    }
    mirrors(found, at, route);
    if let Some(redirect) = &route.redirect {
        http_action::redirect(found, &at.field("redirect"), redirect, &route.r#match);
    }
    if let Some(response) = &route.direct_response {
        http_action::direct_response(found, &at.field("directResponse"), response);
    }
    if let Some(policy) = &route.retries {
        retry(found, &at.field("retries"), policy);
    }
    let mut authority = "";
    if let Some(rewrite) = &route.rewrite {
        http_action::rewrite(found, &at.field("rewrite"), rewrite);
        authority = &rewrite.authority;
    }
    header::one_authority(found, at, authority, route.headers.as_deref());
    destinations(found, &at.field("route"), route);
    if let Some(timeout) = route.timeout {
        found.check(&at.field("timeout"), value::duration(timeout));
    }
}

/// Exactly one of `route`, `redirect`, `directResponse`; a delegating route has none of the first two (T-128, T-157).
fn one_action(found: &mut Checker<'_>, at: &Path<'_>, route: &HttpRoute, is_delegate: bool) {
    if route.delegate.is_some() && !is_delegate {
        for (name, is_written) in [("route", !route.route.is_empty()), ("redirect", route.redirect.is_some())]
        {
            found.require(!is_written, &at.field(name), || {
                Problem::conflict(format!("a route with `delegate` cannot have `{name}`"))
                    .help(format!("move `{name}` into the delegate"))
            });
        }
        return;
    }
    found.require(route.delegate.is_none(), &at.field("delegate"), || {
        Problem::conflict("a delegate cannot delegate in turn")
            .help("delegate from the virtual service that has hosts")
    });
    let fixed = [("redirect", route.redirect.is_some()), ("directResponse", route.direct_response.is_some())];
    let others = [
        ("route", !route.route.is_empty()),
        ("fault", route.fault.is_some()),
        ("rewrite", route.rewrite.is_some()),
    ];
    found.at_most_one(at, &fixed);
    for (name, _) in fixed.iter().filter(|(_, is_written)| *is_written) {
        for (other, _) in others.iter().filter(|(_, is_written)| *is_written) {
            let problem = Problem::conflict(format!("`{other}` cannot go with `{name}`"));
            found.find(&at.field(other), problem.help(format!("remove `{name}` or `{other}`")));
        }
    }
    let has_action = !route.route.is_empty() || fixed.iter().any(|(_, is_written)| *is_written);
    found.require(has_action, at, || {
        Problem::missing("one of `route`, `redirect`, `directResponse` is required")
            .help("say what becomes of the requests: add one of the three")
    });
}

fn mirrors(found: &mut Checker<'_>, at: &Path<'_>, route: &HttpRoute) {
    found.at_most_one(at, &[("mirror", route.mirror.is_some()), ("mirrors", !route.mirrors.is_empty())]);
    if let Some(percent) = route.mirror_percent {
        let at = at.field("mirrorPercent");
        let problem = Problem::new(Code::Deprecated, "`mirrorPercent` is deprecated");
        found.find(&at, problem.help("use `mirrorPercentage`"));
        found.check(&at, value::share(f64::from(percent)));
    }
    if let Some(percent) = route.mirror_percentage {
        found.check(&at.field("mirrorPercentage").field("value"), value::share(percent.value));
    }
    if let Some(mirror) = &route.mirror {
        destination(found, &at.field("mirror"), mirror);
    }
    for (index, mirror) in route.mirrors.iter().enumerate() {
        let HttpMirrorPolicy { destination: to, percentage } = mirror;
        let mirrors = at.field("mirrors");
        let at = mirrors.index(index);
        match to {
            Some(to) => destination(found, &at.field("destination"), to),
            None => found.find(
                &at,
                Problem::missing("`destination` is required").help("add `destination: {host: ..}`"),
            ),
        }
        if let Some(percent) = percentage {
            found.check(&at.field("percentage").field("value"), value::share(percent.value));
        }
    }
}

fn destinations(found: &mut Checker<'_>, at: &Path<'_>, route: &HttpRoute) {
    for (index, one) in route.route.iter().enumerate() {
        let at = at.index(index);
        match &one.destination {
            Some(to) => destination(found, &at.field("destination"), to),
            None => found.find(
                &at,
                Problem::missing("`destination` is required").help("add `destination: {host: ..}`"),
            ),
        }
        if let Some(headers) = &one.headers {
            header::headers(found, &at.field("headers"), headers);
        }
    }
    let shares: Vec<i32> = route.route.iter().map(|one| one.weight).collect();
    weights(found, at, &shares);
}
