//! The JSON of a decision, exactly as `conformance/FORMAT.md` has it.

use mesh_compile::route_table::action::{
    Fault, FaultAbort, HashPolicy, HeaderOp, LocalRateLimit, Mirror, RetryPolicy,
};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::decision::{Action, ClusterChoice, Decision, Forward, HttpForward, LocalReply, UpstreamAuthority};

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.action {
            Action::Forward(forward) => forward_entries(&mut map, forward)?,
            Action::LocalReply(reply) => reply_entries(&mut map, reply)?,
            Action::Refuse(reason) => {
                map.serialize_entry("result", "refuse")?;
                map.serialize_entry("reason", reason.as_str())?;
            }
        }
        if !self.external_authz.is_empty() {
            let asked: Vec<Value> = self
                .external_authz
                .iter()
                .map(|authz| json!({"provider": *authz.provider, "policy": *authz.policy, "dry_run": authz.dry_run}))
                .collect();
            map.serialize_entry("external_authz", &asked)?;
        }
        if let Some(policy) = &self.policy {
            map.serialize_entry(
                "policy",
                &json!({"policy": *policy.policy, "rule": policy.rule, "origin": policy.origin}),
            )?;
        }
        if !self.why.is_empty() {
            map.serialize_entry("why", &self.why)?;
        }
        map.end()
    }
}

fn forward_entries<M: SerializeMap>(map: &mut M, forward: &Forward) -> Result<(), M::Error> {
    map.serialize_entry("result", "forward")?;
    let carries_http = forward.http.is_some();
    let clusters: Vec<Value> = forward.clusters.iter().map(|choice| cluster(choice, carries_http)).collect();
    map.serialize_entry("clusters", &clusters)?;
    if let Some(http) = &forward.http {
        http_entries(map, http)?;
    }
    if let Some(tunnel) = &forward.tunnel {
        map.serialize_entry("tunnel", &json!({"method": tunnel.method.as_str(), "target": *tunnel.target}))?;
    }
    if !forward.hash_policy.is_empty() {
        let policies: Vec<Value> = forward.hash_policy.iter().map(hash_policy).collect();
        map.serialize_entry("hash_policy", &policies)?;
    }
    Ok(())
}

fn http_entries<M: SerializeMap>(map: &mut M, http: &HttpForward) -> Result<(), M::Error> {
    map.serialize_entry("path", &http.path)?;
    let authority = match &http.authority {
        UpstreamAuthority::Text(text) => text,
        UpstreamAuthority::UpstreamHost => "<upstream host>",
    };
    map.serialize_entry("authority", authority)?;
    map.serialize_entry("timeout_ms", &http.timeout_ms)?;
    if let Some(policy) = &http.retries {
        map.serialize_entry("retries", &retries(policy))?;
    }
    if !http.mirrors.is_empty() {
        let mirrors: Vec<Value> = http.mirrors.iter().map(mirror).collect();
        map.serialize_entry("mirrors", &mirrors)?;
    }
    if !http.rate_limits.is_empty() {
        let limits: Vec<Value> = http.rate_limits.iter().map(|limit| rate_limit(limit)).collect();
        map.serialize_entry("local_rate_limits", &limits)?;
    }
    if let Some(bytes) = http.max_request_bytes {
        map.serialize_entry("max_request_bytes", &bytes)?;
    }
    fault_entry(map, http.fault.as_ref())
}

/// A local rate limit as data; percentages as configured.
pub(crate) fn rate_limit(limit: &LocalRateLimit) -> Value {
    json!({
        "max_tokens": limit.max_tokens,
        "tokens_per_fill": limit.tokens_per_fill,
        "fill_interval_ms": limit.fill_interval_ms,
        "enabled_percent": number(limit.enabled_percent),
        "enforced_percent": number(limit.enforced_percent),
        "status": limit.status,
        "response_headers": header_ops(&limit.response_headers.ops),
    })
}

fn reply_entries<M: SerializeMap>(map: &mut M, reply: &LocalReply) -> Result<(), M::Error> {
    map.serialize_entry("result", "local_reply")?;
    map.serialize_entry("status", &reply.status)?;
    map.serialize_entry("reason", reply.reason.as_str())?;
    if let Some(location) = &reply.location {
        map.serialize_entry("location", location)?;
    }
    if let Some(body) = &reply.body {
        map.serialize_entry("body", &**body)?;
    }
    if let Some(cors) = &reply.cors {
        map.serialize_entry("allow_origin", &*cors.allow_origin)?;
        map.serialize_entry("allow_methods", &*cors.allow_methods)?;
        map.serialize_entry("allow_headers", &*cors.allow_headers)?;
        map.serialize_entry("max_age", &*cors.max_age)?;
    }
    if !reply.response_headers.is_empty() {
        map.serialize_entry("response_headers", &header_ops(&reply.response_headers))?;
    }
    fault_entry(map, reply.fault.as_ref())
}

fn fault_entry<M: SerializeMap>(map: &mut M, configured: Option<&Fault>) -> Result<(), M::Error> {
    match configured {
        Some(configured) => map.serialize_entry("fault", &fault(configured)),
        None => Ok(()),
    }
}

fn cluster(choice: &ClusterChoice, carries_http: bool) -> Value {
    let mut entry = Map::new();
    entry.insert("cluster".into(), Value::from(&*choice.cluster));
    entry.insert("weight".into(), Value::from(choice.weight));
    if carries_http {
        entry.insert("request_headers".into(), header_ops(&choice.request_headers));
        entry.insert("response_headers".into(), header_ops(&choice.response_headers));
    }
    if let Some(authority) = &choice.authority {
        entry.insert("authority".into(), Value::from(&**authority));
    }
    Value::Object(entry)
}

pub(crate) fn header_ops(ops: &[HeaderOp]) -> Value {
    ops.iter()
        .map(|op| match op {
            HeaderOp::Set(name, value) => json!(["set", **name, **value]),
            HeaderOp::Add(name, value) => json!(["add", **name, **value]),
            HeaderOp::Remove(name) => json!(["remove", **name]),
        })
        .collect()
}

fn retries(policy: &RetryPolicy) -> Value {
    json!({
        "attempts": policy.attempts,
        "on": *policy.on,
        "codes": policy.codes,
        "per_try_timeout_ms": policy.per_try_timeout_ms,
    })
}

/// A copy of requests and how many of them, in percent.
pub(crate) fn mirror(mirror: &Mirror) -> Value {
    json!({"cluster": *mirror.cluster, "percent": number(mirror.percent)})
}

/// What a fault delays and breaks off, and how often, in percent.
pub(crate) fn fault(fault: &Fault) -> Value {
    let mut entry = Map::new();
    if let Some((delay_ms, percent)) = fault.delay {
        entry.insert("delay_ms".into(), Value::from(delay_ms));
        entry.insert("delay_percent".into(), number(percent));
    }
    if let Some((abort, percent)) = fault.abort {
        let (key, code) = match abort {
            FaultAbort::Http(status) => ("abort_status", u32::from(status)),
            FaultAbort::Grpc(code) => ("abort_grpc", code),
        };
        entry.insert(key.into(), Value::from(code));
        entry.insert("abort_percent".into(), number(percent));
    }
    Value::Object(entry)
}

/// What a request is hashed by.
pub(crate) fn hash_policy(policy: &HashPolicy) -> Value {
    match policy {
        HashPolicy::Header(name) => json!({"header": **name}),
        HashPolicy::Cookie { name, ttl_ms, path, attributes } => {
            let mut entry = json!({"cookie": **name, "ttl_ms": ttl_ms, "path": **path});
            if let (Value::Object(entry), false) = (&mut entry, attributes.is_empty()) {
                let attributes = attributes.iter().map(|(name, value)| json!([**name, **value]));
                entry.insert("attributes".into(), attributes.collect());
            }
            entry
        }
        HashPolicy::SourceIp => json!({"source_ip": true}),
        HashPolicy::Query(name) => json!({"query": **name}),
    }
}

/// Whole numbers are printed without a fraction.
pub(crate) fn number(value: f64) -> Value {
    // An integer below 2^53 survives the conversion both ways.
    if value.fract() == 0.0 && value.abs() < 9e15 {
        #[expect(clippy::cast_possible_truncation, reason = "whole and small, tested above")]
        return Value::from(value as i64);
    }
    Value::from(value)
}
