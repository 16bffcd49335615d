//! What an accepted token leaves in the request: claims for policies, headers for the workload (S-285, S-286, S-299 to S-302).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::RequestChange;
use super::compile::Rule;
use crate::claims::Claims;
use crate::jwt::token::Token;

/// What policies see. The rule's issuer is shared rather than copied.
pub(super) fn claims(rule: &Rule, about: About, payload: Vec<u8>) -> Claims {
    Claims::unread(about.issuer, about.subject, payload.into(), Arc::clone(&rule.space_delimited))
}

/// What is kept of a token beside its payload.
pub(super) struct About {
    issuer: Option<Arc<str>>,
    subject: Option<Box<str>>,
}

impl About {
    pub(super) fn new(rule: &Rule, token: &Token<'_>) -> Self {
        let issuer = token
            .issuer
            .as_deref()
            .map(|issuer| if *issuer == *rule.issuer { Arc::clone(&rule.issuer) } else { Arc::from(issuer) });
        Self { issuer, subject: token.subject.as_deref().map(Box::from) }
    }
}

/// The headers that a rule asks for, in order. The first value of a header replaces it, further ones are added.
pub(super) fn headers(rule: &Rule, token: &Token<'_>) -> Vec<RequestChange> {
    if rule.payload_header.is_none() && rule.claim_headers.is_empty() {
        return Vec::new();
    }
    let mut changes = Vec::new();
    let mut write = |name: &Arc<str>, value: Arc<[u8]>| {
        let is_same =
            |change: &RequestChange| matches!(change, RequestChange::SetHeader(set, _) if set == name);
        let written = changes.iter().any(is_same);
        changes.push(if written {
            RequestChange::AddHeader(Arc::clone(name), value)
        } else {
            RequestChange::SetHeader(Arc::clone(name), value)
        });
    };
    if let Some(name) = &rule.payload_header {
        write(name, token.payload_section.into());
    }
    if rule.claim_headers.is_empty() {
        return changes;
    }
    let payload: Map<String, Value> = serde_json::from_slice(token.payload).unwrap_or_default();
    for (name, claim) in &rule.claim_headers {
        if let Some(text) = find(&payload, claim).map(text_of).filter(|text| is_header_value(text)) {
            write(name, text.into_bytes().into());
        }
    }
    changes
}

/// Not empty, and nothing that could end a header line.
fn is_header_value(text: &str) -> bool {
    !text.is_empty() && !text.contains(['\r', '\n', '\0'])
}

/// A claim by its dotted path.
fn find<'c>(payload: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    let mut keys = path.split('.');
    let first = payload.get(keys.next()?)?;
    keys.try_fold(first, |value, key| value.as_object()?.get(key))
}

/// A claim as header text; lists and objects as base64 of their JSON (E-084).
fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(flag) => flag.to_string(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number
            .as_u64()
            .map_or_else(|| number.as_f64().map_or_else(String::new, number_text), |whole| whole.to_string()),
        Value::Array(_) | Value::Object(_) => STANDARD.encode(value.to_string()),
    }
}

/// Whole numbers from 0 as such, all others with six decimals, as Envoy prints them.
fn number_text(number: f64) -> String {
    if (0.0..18_446_744_073_709_551_616.0).contains(&number) && number.fract() == 0.0 {
        format!("{number:.0}")
    } else {
        format!("{number:.6}")
    }
}
