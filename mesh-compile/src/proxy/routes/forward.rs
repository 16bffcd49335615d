//! Forwarding actions: destinations, rewrites, mirrors, and what goes with them (T-150 to T-168, T-174 to T-185).

use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Report};
use mesh_model::networking::virtual_service::spec::{HttpRewrite, HttpRouteDestination};
use mesh_model::origin::Origin;

use super::headers::Levels;
use super::{Entry, Hashed, cors, destination, fault, hash, matches, respond, retries};
use crate::merge::virtual_service::RouteSemantics;
use crate::route_table::action::{
    AuthorityRewrite, Destination, Destinations, Forward, HashPolicy, HeaderOps, Mirror, PathRewrite,
    RouteAction,
};
use crate::route_table::matcher::{PathMatch, RouteMatch};
use crate::route_table::pattern::Pattern;

/// The action, and the route's header operations with those of a single destination behind them (T-177).
pub(super) fn action(
    entry: &Entry<'_, '_, '_, '_>,
    mut levels: Levels,
    matcher: &RouteMatch,
    report: &mut Report,
) -> Option<(RouteAction, Levels)> {
    let http = entry.http;
    let rewrite_authority = http
        .rewrite
        .as_ref()
        .map(|rewrite| rewrite.authority.as_str())
        .filter(|authority| !authority.is_empty());
    // `rewrite.authority`, then the route's own headers, then a destination's (T-179).
    let mut authority = rewrite_authority.map(Arc::from).or_else(|| levels.authority.take());
    let mut hash_policy = Vec::new();
    let mut hashed = Hashed::No;
    let destinations = match http.route.as_slice() {
        [only] => {
            let single = entry.destination(0, only, 100);
            (hashed, hash_policy) = entry.hash(only);
            let mut own = Levels::of(only.headers.as_deref());
            authority = authority.or_else(|| own.authority.take());
            levels.append(own);
            Destinations::Single(Box::new(single))
        }
        several => {
            let mut weighted = Vec::new();
            for (index, written) in several.iter().enumerate() {
                // A negative weight cannot be drawn either (T-155).
                let Some(weight) = u32::try_from(written.weight).ok().filter(|weight| *weight > 0) else {
                    continue;
                };
                let own = Levels::of(written.headers.as_deref());
                let mut destination = entry.destination(index, written, weight);
                destination.request_headers = own.request.into_ops();
                destination.response_headers = own.response.into_ops();
                destination.authority = own.authority;
                weighted.push(destination);
                hash_policy.extend(entry.hash(written).1);
            }
            if weighted.is_empty() {
                return without_destination(entry, report).map(|action| (action, levels));
            }
            Destinations::Weighted(weighted)
        }
    };
    let own_retries = http.retries.as_ref().map(|retries| (retries, entry.origin_of(".retries")));
    let forward = Forward {
        destinations,
        timeout_ms: http.timeout.map_or(0, |timeout| millis(timeout.as_millis())),
        timeout_origin: http.timeout.map(|_| entry.origin_of(".timeout")),
        retries: retries::resolve(own_retries, entry.context.view.mesh(), hashed),
        path_rewrite: match &http.rewrite {
            Some(rewrite) => path_rewrite(entry, rewrite, matcher, report)?,
            None => None,
        },
        authority_rewrite: authority.map(AuthorityRewrite::Literal),
        tells_authority: http.rewrite.is_some(),
        mirrors: mirrors(entry).into(),
        hash_policy: hash_policy.into(),
        fault: http.fault.as_deref().and_then(fault::convert).map(Box::new),
        cors: http
            .cors_policy
            .as_ref()
            .map(|policy| Box::new(cors::convert(policy, &entry.origin_of(".corsPolicy"), report))),
        rate_limit: None,
        no_cluster_status: if entry.semantics == RouteSemantics::GatewayApi { 500 } else { 503 },
    };
    Some((RouteAction::Forward(Box::new(forward)), levels))
}

/// Milliseconds that cannot be below zero.
pub(super) fn millis(millis: i64) -> u64 {
    u64::try_from(millis).unwrap_or(0)
}

/// What becomes of an entry without a destination that can be picked: 500 for Gateway API routes (E-103).
fn without_destination(entry: &Entry<'_, '_, '_, '_>, report: &mut Report) -> Option<RouteAction> {
    if entry.semantics == RouteSemantics::GatewayApi {
        return Some(RouteAction::Respond(respond::empty(500)));
    }
    report.push(
        Diagnostic::new(
            Code::InvalidValue,
            &entry.origin_of(".route"),
            "no destination has a weight above 0, the route is left out",
        )
        .help("give at least one destination a weight"),
    );
    None
}

impl<'e> Entry<'e, '_, '_, '_> {
    fn destination(&self, index: usize, written: &'e HttpRouteDestination, weight: u32) -> Destination {
        let cluster = match &written.destination {
            Some(target) => self.memo.cluster(target, || destination::cluster(target, self.context)),
            None => destination::cluster(&mesh_model::part::Destination::default(), self.context),
        };
        Destination {
            cluster,
            weight,
            request_headers: HeaderOps::default(),
            response_headers: HeaderOps::default(),
            authority: None,
            origin: self.destination_origin(index),
        }
    }

    /// Whether the destination is hashed, and by what.
    fn hash(&self, written: &'e HttpRouteDestination) -> (Hashed, Vec<HashPolicy>) {
        let Some(target) = &written.destination else { return (Hashed::No, Vec::new()) };
        let rule = self.memo.rule(&target.host, || hash::hash_rule_for(self.context.view, &target.host));
        match rule.as_ref().and_then(|rule| hash::of_destination(rule, target)) {
            Some(hash) => (Hashed::Yes, hash::policy(hash).into_iter().collect()),
            None => (Hashed::No, Vec::new()),
        }
    }
}

/// `Some(None)`: the path stays; `None`: the rewrite is not RE2, which is reported.
fn path_rewrite(
    entry: &Entry<'_, '_, '_, '_>,
    rewrite: &HttpRewrite,
    matcher: &RouteMatch,
    report: &mut Report,
) -> Option<Option<PathRewrite>> {
    let HttpRewrite { uri, authority: _, uri_regex_rewrite } = rewrite;
    let origin = entry.origin_of(".rewrite");
    if let Some(regex) = uri_regex_rewrite {
        return substitution(&regex.r#match, &regex.rewrite, &origin.child(".uriRegexRewrite"), report)
            .map(Some);
    }
    if entry.semantics == RouteSemantics::GatewayApi && uri == "/" {
        let prefix = match &matcher.path {
            PathMatch::SegmentPrefix(prefix) => &**prefix,
            _ => "",
        };
        // The prefix goes, one slash stays (T-121).
        let pattern = format!("^{}(/?)(.*)", quoted(prefix));
        return substitution(&pattern, r"/\2", &origin, report).map(Some);
    }
    Some((!uri.is_empty()).then(|| PathRewrite::Matched(uri.as_str().into())))
}

fn substitution(
    pattern: &str,
    substitution: &str,
    origin: &Origin,
    report: &mut Report,
) -> Option<PathRewrite> {
    match Pattern::search(pattern) {
        Ok(pattern) => Some(PathRewrite::Regex { pattern, substitution: substitution.into() }),
        Err(problem) => {
            matches::report_pattern(origin, pattern, &problem.to_string(), report);
            None
        }
    }
}

/// A text as a pattern that matches it alone.
fn quoted(text: &str) -> String {
    regex_syntax::escape(text)
}

/// T-183: unset is all, a written zero is none.
fn mirrors(entry: &Entry<'_, '_, '_, '_>) -> Vec<Mirror> {
    let http = entry.http;
    let share = match (http.mirror_percentage, http.mirror_percent) {
        (Some(percentage), _) => percentage.value,
        (None, Some(percent)) => f64::from(percent),
        (None, None) => 100.0,
    };
    let single = http.mirror.as_deref().map(|target| (target, share, ".mirror".to_owned()));
    let several = http.mirrors.iter().enumerate().filter_map(|(index, policy)| {
        let share = policy.percentage.map_or(100.0, |percentage| percentage.value);
        Some((policy.destination.as_ref()?, share, format!(".mirrors[{index}]")))
    });
    single
        .into_iter()
        .chain(several)
        .filter(|(_, share, _)| *share > 0.0)
        .map(|(target, percent, field)| Mirror {
            cluster: destination::cluster(target, entry.context),
            percent,
            origin: entry.origin_of(&field),
        })
        .collect()
}
