//! What a matched route does to a request: fault, CORS, then redirect, answer or forward.

use std::sync::Arc;

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::http_filters::{FilterEffect, HttpFilters};
use mesh_compile::route_table::Route;
use mesh_compile::route_table::action::{
    AuthorityRewrite, Destination, Destinations, DirectResponse, Fault, FaultAbort, Forward, HeaderOp,
    HeaderOps, Redirect, RouteAction,
};
use mesh_model::trace::{Because, Observer, Outcome, Stage, Step};

use crate::canonical::Canonical;
use crate::decision::{
    Action, ClusterChoice, Decision, HttpForward, LocalReply, ReplyReason, UpstreamAuthority,
};
use crate::{cluster_step, cors, decision, redirect, rewrite};

/// Acts on a route that matched.
pub(crate) fn act<O: Observer>(
    config: &ProxyConfig,
    canonical: &Canonical<'_>,
    route: &Route,
    filters: Option<&HttpFilters>,
    observer: &mut O,
) -> Decision {
    match &route.action {
        RouteAction::Redirect(redirect) => redirect_reply(canonical, route, redirect).into(),
        RouteAction::Respond(response) => direct_response(route, response).into(),
        RouteAction::Forward(forward) => match early_reply(config, canonical, forward, filters, observer) {
            Some(reply) => reply.into(),
            None => upstream(canonical, route, forward, filters, observer),
        },
    }
}

fn redirect_reply(canonical: &Canonical<'_>, route: &Route, redirect: &Redirect) -> LocalReply {
    let location =
        redirect::location(redirect, &route.matcher.path, &canonical.request, &canonical.forwarded_proto());
    LocalReply {
        response_headers: route.response_headers.ops.to_vec(),
        ..LocalReply::new(ReplyReason::Redirect, redirect.status).with_location(location)
    }
}

fn direct_response(route: &Route, response: &DirectResponse) -> LocalReply {
    LocalReply {
        response_headers: route.response_headers.ops.to_vec(),
        body: Some(response.body.clone().unwrap_or_default()),
        ..LocalReply::new(ReplyReason::DirectResponse, response.status)
    }
}

/// What answers a forwarding route's request before an upstream is asked: fault (T-182), CORS (T-184), a cluster that
/// does not exist (T-153).
fn early_reply<O: Observer>(
    config: &ProxyConfig,
    canonical: &Canonical<'_>,
    forward: &Forward,
    filters: Option<&HttpFilters>,
    observer: &mut O,
) -> Option<LocalReply> {
    let fault = fault(forward, filters);
    let answers_preflights = filters.is_none_or(|filters| filters.has(HttpFilters::CORS));
    let reply = abort(fault.as_ref())
        .or_else(|| answers_preflights.then(|| preflight(canonical, forward, observer)).flatten())
        .or_else(|| no_cluster(config, forward, observer))?;
    Some(LocalReply { fault, ..reply })
}

/// An abort of 100 % answers every request.
fn abort(fault: Option<&Fault>) -> Option<LocalReply> {
    let (abort, percent) = fault?.abort?;
    if percent < 100.0 {
        return None;
    }
    Some(match abort {
        FaultAbort::Http(status) => {
            LocalReply::new(ReplyReason::Fault, status).with_body("fault filter abort")
        }
        FaultAbort::Grpc(_) => LocalReply::new(ReplyReason::Fault, 200),
    })
}

fn preflight<O: Observer>(
    canonical: &Canonical<'_>,
    forward: &Forward,
    observer: &mut O,
) -> Option<LocalReply> {
    let answer = cors::answer_preflight(forward.cors.as_deref()?, &canonical.request)?;
    observer.note(|| {
        let allowed = if answer.allow_origin.is_empty() {
            "an origin that is not allowed"
        } else {
            "an allowed origin"
        };
        Step::new(Stage::Route, Outcome::Won, "CORS preflight").because(Because::new(
            "origin",
            "one of the policy",
            allowed,
        ))
    });
    Some(LocalReply { cors: Some(answer), ..LocalReply::new(ReplyReason::CorsPreflight, 200) })
}

/// One missing destination of several is found out only when it is picked; all missing is certain.
fn no_cluster<O: Observer>(config: &ProxyConfig, forward: &Forward, observer: &mut O) -> Option<LocalReply> {
    for destination in &forward.destinations {
        cluster_step::note(config, destination, &destination.cluster, observer);
    }
    let any =
        forward.destinations.iter().any(|destination| config.clusters.contains_key(&destination.cluster));
    (!any).then(|| LocalReply::new(ReplyReason::NoCluster, forward.no_cluster_status))
}

/// The fault as configured; one that does nothing, or that no filter injects, is none.
fn fault(forward: &Forward, filters: Option<&HttpFilters>) -> Option<Fault> {
    let is_injected = filters.is_none_or(|filters| filters.has(HttpFilters::FAULT));
    let fault = forward.fault.as_deref().filter(|_| is_injected)?;
    (fault.delay.is_some() || fault.abort.is_some()).then(|| fault.clone())
}

fn upstream<O: Observer>(
    canonical: &Canonical<'_>,
    route: &Route,
    forward: &Forward,
    filters: Option<&HttpFilters>,
    observer: &mut O,
) -> Decision {
    note_settings(forward, observer);
    let request = &canonical.request;
    let path = match &forward.path_rewrite {
        Some(rewrite) => rewrite::rewrite_path(rewrite, &route.matcher.path, &request.path),
        None => request.path.to_string(),
    };
    let http = HttpForward {
        path,
        authority: authority(forward)
            .unwrap_or_else(|| UpstreamAuthority::Text((&*request.authority).into())),
        timeout_ms: forward.timeout_ms,
        retries: forward.retries.clone(),
        // A share of 0 % is no mirror; one whose cluster does not exist is kept, as it is configured (T-153, T-183).
        mirrors: forward.mirrors.iter().filter(|mirror| mirror.percent > 0.0).cloned().collect(),
        fault: fault(forward, filters),
        rate_limits: filters
            .map(|filters| filters.rate_limits(forward.rate_limit.as_ref()).cloned().collect())
            .unwrap_or_default(),
        max_request_bytes: filters.and_then(HttpFilters::max_request_bytes),
    };
    Action::Forward(Box::new(decision::Forward {
        clusters: forward
            .destinations
            .iter()
            .map(|destination| choice(route, forward, filters, destination))
            .collect(),
        hash_policy: forward.hash_policy.to_vec(),
        tunnel: None,
        http: Some(http),
    }))
    .into()
}

/// Where timeout and retries came from.
fn note_settings<O: Observer>(forward: &Forward, observer: &mut O) {
    if let Some(origin) = &forward.timeout_origin {
        observer.note(|| {
            Step::new(Stage::Route, Outcome::Won, format!("timeout {} ms", forward.timeout_ms)).origin(origin)
        });
    }
    if let Some(retries) = &forward.retries {
        observer.note(|| {
            Step::new(Stage::Route, Outcome::Won, format!("{} retries on {}", retries.attempts, retries.on))
                .origin(&retries.origin)
        });
    }
}

/// Whether the upstream receives an authority of the route's own, whatever the client has sent.
#[cfg(feature = "runtime")]
pub(crate) fn rewrites_authority(forward: &Forward) -> bool {
    authority(forward).is_some()
}

/// The route's authority, else that of its only destination; E-093: several destinations keep their own.
fn authority(forward: &Forward) -> Option<UpstreamAuthority> {
    match (&forward.authority_rewrite, &forward.destinations) {
        (Some(AuthorityRewrite::Literal(text)), _) => Some(UpstreamAuthority::Text(Arc::clone(text))),
        (Some(AuthorityRewrite::UpstreamHost), _) => Some(UpstreamAuthority::UpstreamHost),
        (None, Destinations::Single(only)) => only.authority.clone().map(UpstreamAuthority::Text),
        (None, Destinations::Weighted(_)) => None,
    }
}

fn choice(
    route: &Route,
    forward: &Forward,
    filters: Option<&HttpFilters>,
    destination: &Destination,
) -> ClusterChoice {
    let (mut request_headers, mut response_headers) = (Vec::new(), Vec::new());
    for filter in filters.map_or(&[][..], |filters| &filters.order) {
        if let FilterEffect::Headers { request, response } = &filter.does {
            request_headers.extend(request.ops.iter().cloned());
            response_headers.extend(response.ops.iter().cloned());
        }
    }
    request_headers.extend(in_order(&destination.request_headers, &route.request_headers));
    // Answers pass the router first, and the other filters on their way out.
    response_headers.splice(0..0, in_order(&destination.response_headers, &route.response_headers));
    let is_weighted = matches!(forward.destinations, Destinations::Weighted(_));
    ClusterChoice {
        cluster: Arc::clone(&destination.cluster),
        weight: destination.weight,
        request_headers,
        response_headers,
        authority: destination
            .authority
            .clone()
            .filter(|_| is_weighted && forward.authority_rewrite.is_none()),
    }
}

/// Destination before route (T-178).
fn in_order(destination: &HeaderOps, route: &HeaderOps) -> Vec<HeaderOp> {
    destination.ops.iter().chain(&route.ops).cloned().collect()
}
