//! What an accepted token leaves in the request: claims for policies, headers for the workload (S-285, S-286, S-299 to S-302).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::compile::Rule;
use crate::jwt::token::Token;
use crate::verdict::Claims;

/// What policies see: the payload, with space-delimited claims as lists (S-286).
pub(super) fn claims(rule: &Rule, token: &Token) -> Claims {
    let mut payload = token.payload.clone();
    for name in &rule.space_delimited {
        if let Some(value) = payload.get_mut(name) {
            let words = value.as_str().filter(|text| !text.is_empty()).map(words);
            if let Some(words) = words {
                *value = words;
            }
        }
    }
    let text = |name| payload.get(name).and_then(Value::as_str);
    let principal = text("iss").zip(text("sub")).map(|(issuer, subject)| format!("{issuer}/{subject}"));
    Claims { principal, payload }
}

fn words(text: &str) -> Value {
    Value::Array(text.split(' ').filter(|word| !word.is_empty()).map(Value::from).collect())
}

/// The headers that a rule asks for, in order; names may repeat.
pub(super) fn headers(rule: &Rule, token: &Token) -> Vec<(String, Vec<u8>)> {
    let mut headers = Vec::new();
    if let Some(name) = &rule.payload_header {
        headers.push((name.clone(), token.payload_section.clone().into_bytes()));
    }
    for (name, claim) in &rule.claim_headers {
        let value = find(&token.payload, claim).map(text_of).filter(|text| !text.is_empty());
        headers.extend(value.map(|text| (name.clone(), text.into_bytes())));
    }
    headers
}

/// A claim by its dotted path.
fn find<'c>(payload: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    let mut keys = path.split('.');
    keys.clone().next()?;
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
