//! Filters in Envoy's own form: those whose effect on a decision is known here.

use mesh_model::origin::Origin;
use serde_json::{Map, Value};

use super::route::Headers;
use super::route_value::LeftOut;
use super::value::{count, duration_ms, field, fields};
use crate::proxy::http_filters::FilterEffect;
use crate::route_table::action::{HeaderOps, LocalRateLimit};

const RATE_LIMIT: &str = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit";
const HEADERS: &str = "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation";
const BUFFER: &str = "envoy.extensions.filters.http.buffer.v3.Buffer";

/// Type and fields of a configuration, written plainly or as a `TypedStruct`.
pub(super) fn typed(config: &Map<String, Value>) -> Option<(&str, &Map<String, Value>)> {
    fn name(url: &str) -> &str {
        url.rsplit('/').next().unwrap_or(url)
    }
    let outer = name(config.get("@type")?.as_str()?);
    if !matches!(outer, "udpa.type.v1.TypedStruct" | "xds.type.v3.TypedStruct") {
        return Some((outer, config));
    }
    Some((name(field(config, "type_url")?.as_str()?), field(config, "value")?.as_object()?))
}

/// What an HTTP filter does; fields that are not known are left out, below `typed_config`.
pub(super) fn http_filter(
    value: &Map<String, Value>,
    origin: &Origin,
    left_out: &mut LeftOut,
) -> FilterEffect {
    let config = field(value, "typed_config").and_then(Value::as_object);
    let Some((kind, written)) = config.and_then(typed) else { return FilterEffect::Unknown };
    let origin = origin.child(".typed_config");
    match kind {
        RATE_LIMIT => {
            let limit = config.and_then(|it| local_rate_limit(it, &origin, "typed_config", left_out));
            FilterEffect::RateLimit(limit.filter(LocalRateLimit::is_enforced).map(Into::into))
        }
        HEADERS => headers(written, left_out),
        BUFFER => match field(written, "max_request_bytes").and_then(count) {
            Some(max_request_bytes) => FilterEffect::Buffer { max_request_bytes },
            None => FilterEffect::Unknown,
        },
        _ => FilterEffect::Unknown,
    }
}

/// A local rate limit; `None`: it is something else, or has no bucket. `at` is its path in the value.
pub(super) fn local_rate_limit(
    config: &Map<String, Value>,
    origin: &Origin,
    at: &str,
    left_out: &mut LeftOut,
) -> Option<LocalRateLimit> {
    let (_, written) = typed(config).filter(|(kind, _)| *kind == RATE_LIMIT)?;
    let mut limit = LocalRateLimit {
        max_tokens: 0,
        tokens_per_fill: 1,
        fill_interval_ms: 0,
        // Envoy asks no bucket of requests unless it is told to.
        enabled_percent: 0.0,
        enforced_percent: 0.0,
        status: 429,
        response_headers: HeaderOps::default(),
        origin: origin.clone(),
    };
    for (name, value) in fields(written) {
        let done = match name.as_str() {
            "@type" | "stat_prefix" => Some(()),
            "token_bucket" => value.as_object().and_then(|bucket| {
                limit.max_tokens = count(field(bucket, "max_tokens")?)?;
                limit.tokens_per_fill = field(bucket, "tokens_per_fill").map_or(Some(1), count)?;
                limit.fill_interval_ms = duration_ms(field(bucket, "fill_interval")?)?;
                Some(())
            }),
            "filter_enabled" => share(value).map(|percent| limit.enabled_percent = percent),
            "filter_enforced" => share(value).map(|percent| limit.enforced_percent = percent),
            "status" => value
                .as_object()
                .and_then(|it| count(field(it, "code")?))
                .and_then(|it| u16::try_from(it).ok())
                .map(|status| limit.status = status),
            "response_headers_to_add" => Headers::of(&name, value).map(|operations| {
                operations.put(&mut HeaderOps::default(), &mut limit.response_headers);
            }),
            _ => None,
        };
        if done.is_none() {
            left_out.push((format!("{at}.{name}"), "local rate limits here have no such field"));
        }
    }
    Some(limit)
}

/// `{default_value: {numerator, denominator}}` as a percentage.
fn share(value: &Value) -> Option<f64> {
    let fraction = field(value.as_object()?, "default_value")?.as_object()?;
    let numerator = field(fraction, "numerator").map_or(Some(0), count)?;
    let denominator = match field(fraction, "denominator").map_or(Some("HUNDRED"), Value::as_str)? {
        "HUNDRED" => 100.0,
        "TEN_THOUSAND" => 10_000.0,
        "MILLION" => 1_000_000.0,
        _ => return None,
    };
    Some((f64::from(numerator) / denominator * 100.0).min(100.0))
}

/// `mutations.{request,response}_mutations`: `append` and `remove`.
fn headers(written: &Map<String, Value>, left_out: &mut LeftOut) -> FilterEffect {
    let (mut request, mut response) = (HeaderOps::default(), HeaderOps::default());
    let mutations = field(written, "mutations").and_then(Value::as_object);
    for (side, list) in mutations.into_iter().flat_map(fields) {
        let ops = match side.as_str() {
            "request_mutations" => Some(&mut request),
            "response_mutations" => Some(&mut response),
            _ => None,
        };
        let Some((ops, list)) = ops.zip(list.as_array()) else {
            left_out.push((format!("typed_config.mutations.{side}"), "no mutation of headers that is known"));
            continue;
        };
        for (index, mutation) in list.iter().enumerate() {
            match Headers::mutation(mutation) {
                Some(op) => ops.ops.as_vec_mut().push(op),
                None => left_out.push((
                    format!("typed_config.mutations.{side}[{index}]"),
                    "no mutation of headers that is known",
                )),
            }
        }
    }
    FilterEffect::Headers { request, response }
}
