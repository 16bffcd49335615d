//! Rules of HTTPRoutes.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::gateway_api::{
    BackendReference, HttpRouteMatch, HttpRouteRetry, HttpRouteRule, HttpRouteTimeouts, NamedValueMatch,
};
use mesh_model::networking::virtual_service::spec::{HttpDirectResponse, HttpMatchRequest, HttpRoute};
use mesh_model::part::{HttpRetry, StringMatch};
use mesh_model::value::Duration;

use super::backends::{Refusal, Translation, has_weight, weighted};
use super::filters::Protocol;
use super::precedence::Entry;
use crate::merge::virtual_service::HttpOrigin;

/// What is retried beside the codes that are written.
const RETRY_ON: &str = "connect-failure,refused-stream,unavailable,cancelled";

impl Translation<'_> {
    /// The rules of a route: one entry for every match.
    pub(super) fn http_rules(
        &self,
        rules: &[HttpRouteRule],
        report: &mut Report,
    ) -> Result<Vec<Entry>, Refusal> {
        let mut entries = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            let field = format!("spec.rules[{index}]");
            let mut conditions = Vec::new();
            for (position, condition) in rule.matches.iter().enumerate() {
                conditions.push(http_match(condition, &format!("{field}.matches[{position}]"))?);
            }
            let name = rule.name.as_deref();
            let route = self.http_rule(rule, name, index, &field, report)?;
            entries.extend(self.spread(&route, conditions, &field, &rule.backend_refs));
        }
        Ok(entries)
    }

    fn http_rule(
        &self,
        rule: &HttpRouteRule,
        name: Option<&str>,
        index: usize,
        field: &str,
        report: &mut Report,
    ) -> Result<HttpRoute, Refusal> {
        let mut route = HttpRoute { name: self.rule_name(name, index), ..HttpRoute::default() };
        self.filters(&rule.filters, &format!("{field}.filters"), Protocol::Http, &mut route, report)?;
        route.retries = rule.retry.as_ref().map(retries);
        if let Some(timeouts) = &rule.timeouts {
            apply_timeouts(timeouts, &mut route);
        }
        self.send(&rule.backend_refs, field, &mut route, report)?;
        Ok(route)
    }

    /// `NAMESPACE.NAME.INDEX` where the rule has no name.
    pub(super) fn rule_name(&self, name: Option<&str>, index: usize) -> String {
        let meta = self.head.meta;
        name.map_or_else(|| format!("{}.{}.{index}", meta.namespace, meta.name), str::to_owned)
    }

    /// Destinations, or a 500 where none has a weight and nothing else answers (E-103).
    pub(super) fn send(
        &self,
        references: &[BackendReference],
        field: &str,
        route: &mut HttpRoute,
        report: &mut Report,
    ) -> Result<(), Refusal> {
        if !has_weight(references) && route.redirect.is_none() {
            route.direct_response =
                Some(Box::new(HttpDirectResponse { status: 500, ..HttpDirectResponse::default() }));
            return Ok(());
        }
        route.route = self.http_destinations(references, field, report)?;
        Ok(())
    }

    /// An entry for every match; one alone where there is none.
    pub(super) fn spread(
        &self,
        route: &HttpRoute,
        conditions: Vec<HttpMatchRequest>,
        field: &str,
        references: &[BackendReference],
    ) -> Vec<Entry> {
        let object = self.head.provenance;
        let path: Arc<str> = field.into();
        let origin = HttpOrigin {
            object: Arc::clone(object),
            path,
            matches: Vec::new(),
            backends: weighted(references),
            inherited: None,
        };
        if conditions.is_empty() {
            return vec![(route.clone(), origin)];
        }
        let of_match = |(position, condition): (usize, HttpMatchRequest)| {
            let place: Arc<str> = format!("{field}.matches[{position}]").into();
            let origin = HttpOrigin { matches: vec![(Arc::clone(object), place)], ..origin.clone() };
            (HttpRoute { r#match: vec![condition], ..route.clone() }, origin)
        };
        conditions.into_iter().enumerate().map(of_match).collect()
    }
}

fn http_match(written: &HttpRouteMatch, field: &str) -> Result<HttpMatchRequest, Refusal> {
    let HttpRouteMatch { path, headers, query_params, method } = written;
    let (kind, value) = match path {
        Some(path) => (path.r#type.as_deref(), path.value.as_deref()),
        None => (None, None),
    };
    let value = value.unwrap_or("/");
    let uri = match kind.unwrap_or("PathPrefix") {
        "PathPrefix" if value == "/" => StringMatch::Prefix(value.to_owned()),
        "PathPrefix" => StringMatch::Prefix(value.strip_suffix('/').unwrap_or(value).to_owned()),
        "Exact" => StringMatch::Exact(value.to_owned()),
        "RegularExpression" => StringMatch::Regex(value.to_owned()),
        other => return Err(unknown_type(other, &format!("{field}.path"))),
    };
    Ok(HttpMatchRequest {
        uri: Some(uri),
        headers: named_values(headers, &format!("{field}.headers"))?,
        query_params: named_values(query_params, &format!("{field}.queryParams"))?,
        method: method.clone().map(StringMatch::Exact),
        ..HttpMatchRequest::default()
    })
}

/// Conditions by name; of one name the last counts.
pub(super) fn named_values(
    written: &[NamedValueMatch],
    field: &str,
) -> Result<BTreeMap<String, StringMatch>, Refusal> {
    let mut found = BTreeMap::new();
    for (index, condition) in written.iter().enumerate() {
        let text = match condition.r#type.as_deref().unwrap_or("Exact") {
            "Exact" => StringMatch::Exact(condition.value.clone()),
            "RegularExpression" => StringMatch::Regex(condition.value.clone()),
            other => return Err(unknown_type(other, &format!("{field}[{index}]"))),
        };
        found.insert(condition.name.clone(), text);
    }
    Ok(found)
}

pub(super) fn unknown_type(kind: &str, field: &str) -> Refusal {
    Refusal::new(format!("{field}.type"), format!("`{kind}` is no way of matching here"))
}

fn retries(written: &HttpRouteRetry) -> HttpRetry {
    let HttpRouteRetry { codes, attempts, backoff } = written;
    let attempts = attempts.unwrap_or(2);
    let mut retry_on = RETRY_ON.to_owned();
    for code in codes {
        retry_on.push(',');
        retry_on.push_str(&code.to_string());
    }
    HttpRetry {
        attempts,
        retry_on: if attempts == 0 { String::new() } else { retry_on },
        backoff: backoff.as_deref().map(duration),
        ..HttpRetry::default()
    }
}

/// `backendRequest` is the limit of one try beside `retry`, otherwise it overrides `request` (E-104).
fn apply_timeouts(written: &HttpRouteTimeouts, route: &mut HttpRoute) {
    let limit = |text: &Option<String>| text.as_deref().map(duration).filter(|limit| !limit.is_zero());
    route.timeout = limit(&written.request);
    let Some(backend) = limit(&written.backend_request) else { return };
    match &mut route.retries {
        Some(retries) => retries.per_try_timeout = Some(backend),
        None => route.timeout = Some(backend),
    }
}

/// A duration; zero where it cannot be read, as in Istio.
fn duration(text: &str) -> Duration {
    text.parse().unwrap_or(Duration::ZERO)
}
