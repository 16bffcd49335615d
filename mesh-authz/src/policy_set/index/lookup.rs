//! What a request has, looked up in an index.

use std::borrow::Cow;

use mesh_model::facts::RequestFacts;
use serde_json::Value;

use super::key::NAMESPACE;
use super::{RuleIndex, TextIndex};
use crate::policy_set::attribute::{find_claim, path_of};
use crate::request_header::{self, PSEUDO_HEADERS};
use crate::verdict::{Claims, Facts};

/// Called with positions of rules that may match; a position may come several times.
type Visit<'v> = dyn FnMut(&[u32]) + 'v;

/// Calls for all rules that may match.
pub(super) fn candidates(index: &RuleIndex, facts: &Facts<'_>, visit: &mut Visit<'_>) {
    index.source_ip.look_up(facts.direct_ip, visit);
    index.remote_ip.look_up(facts.remote_ip, visit);
    index.destination_ip.look_up(facts.dst_ip, visit);
    if let Some(positions) = index.port.get(&facts.dst_port) {
        visit(positions);
    }
    if let Some(sni) = facts.sni {
        index.sni.look_up(sni.as_bytes(), visit);
    }
    if let Some(peer) = facts.peer {
        identity(index, peer, visit);
    }
    if let Some(claims) = facts.claims {
        token(index, claims, visit);
    }
    if let Some(request) = facts.request {
        http(index, request, visit);
    }
    // Last: they are asked only up to the first that is found before.
    visit(&index.always);
}

fn identity(index: &RuleIndex, peer: &str, visit: &mut Visit<'_>) {
    index.identity.look_up(peer.as_bytes(), visit);
    if !index.identity_segment.is_empty()
        && let Some((segments, _)) = peer.rsplit_once('/')
    {
        segments.split('/').for_each(|segment| index.identity_segment.look_up(segment.as_bytes(), visit));
    }
    if index.after_namespace.is_empty() && index.accounts.is_empty() {
        return;
    }
    let slashes = peer.match_indices('/').filter_map(|(at, _)| peer.split_at_checked(at));
    let mut tails = slashes.filter_map(|(_, rest)| rest.strip_prefix(NAMESPACE));
    let Some(tail) = tails.next() else { return };
    index.after_namespace.look_up(tail.as_bytes(), visit);
    let mut is_usual = true;
    for tail in tails {
        is_usual = false;
        index.after_namespace.look_up(tail.as_bytes(), visit);
    }
    // `NAMESPACE/sa/ACCOUNT` to the end; anything longer could be read in several ways.
    let usual =
        tail.split_once('/').and_then(|(namespace, rest)| Some((namespace, rest.strip_prefix("sa/")?)));
    match usual {
        Some((namespace, account)) if is_usual && !account.contains('/') => {
            if let Some(positions) =
                index.account.get(account).and_then(|by_namespace| by_namespace.get(namespace))
            {
                visit(positions);
            }
        }
        _ => visit(&index.accounts),
    }
}

fn token(index: &RuleIndex, claims: &Claims, visit: &mut Visit<'_>) {
    for (name, texts) in [("iss", &index.issuer), ("sub", &index.subject)] {
        if let Some(text) = claims.payload.get(name).and_then(Value::as_str) {
            texts.look_up(text.as_bytes(), visit);
        }
    }
    if index.claims.is_empty() {
        return;
    }
    let groups = claims.payload.keys().filter_map(|name| index.claims.get(name.as_str()));
    for (path, texts) in groups.flatten() {
        match find_claim(path, &claims.payload) {
            Some(Value::String(text)) => texts.look_up(text.as_bytes(), visit),
            Some(Value::Array(values)) => {
                let strings = values.iter().filter_map(Value::as_str);
                strings.for_each(|text| texts.look_up(text.as_bytes(), visit));
            }
            _ => {}
        }
    }
}

fn http(index: &RuleIndex, request: &RequestFacts<'_>, visit: &mut Visit<'_>) {
    if !index.host.is_empty() {
        index.host.look_up(lower_case(&request.authority).as_bytes(), visit);
    }
    index.method.look_up(request.method.as_bytes(), visit);
    let path = path_of(request.path_only());
    index.path.look_up(path.as_bytes(), visit);
    for (at, texts) in &index.segments {
        if let Some(positions) = path.split('/').nth(*at).and_then(|segment| texts.get(segment)) {
            visit(positions);
        }
    }
    if !index.headers.is_empty() {
        headers(index, request, visit);
    }
}

/// What is there is looked up, not what is asked for, so that the number of names does not count.
fn headers(index: &RuleIndex, request: &RequestFacts<'_>, visit: &mut Visit<'_>) {
    let mut look_up = |name: &str, texts: &TextIndex| {
        request_header::any(request, name, |value| {
            texts.look_up(value, visit);
            false
        });
    };
    for name in PSEUDO_HEADERS {
        if let Some(texts) = index.headers.get(*name) {
            look_up(name, texts);
        }
    }
    for (at, (name, _)) in request.headers.entries.iter().enumerate() {
        let lower = lower_case(name);
        let Some(texts) = index.headers.get(&*lower) else { continue };
        let mut before = request.headers.entries.iter().take(at);
        let seen =
            PSEUDO_HEADERS.contains(&&*lower) || before.any(|(other, _)| other.eq_ignore_ascii_case(name));
        if !seen {
            look_up(&lower, texts);
        }
    }
}

/// Allocates only where there is something to change.
fn lower_case(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}
