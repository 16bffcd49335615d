//! The decision over all rules of a workload (S-261 to S-267, S-303, S-304).

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_model::facts::RequestFacts;
use mesh_model::trace::{Because, Observer, Outcome, Stage, Step};

use super::compile::{Rule, comparable_audience};
use super::locate::{Found, Place};
use super::{Authenticated, RequestChange, output, query};
use crate::jwt::cache::TokenCache;
use crate::jwt::status::Status;
use crate::jwt::token::Token;
use crate::request_header;
use crate::verdict::Claims;

/// Tries the rules in order; the first that verifies wins.
pub(super) fn authenticate<O: Observer>(
    rules: &[Rule],
    cache: Option<&TokenCache>,
    request: &RequestFacts<'_>,
    now: i64,
    observer: &mut O,
) -> Authenticated {
    let stripped = strip_outputs(rules, request);
    if is_preflight(request) {
        // S-267: no token is looked at; policies still are.
        observer.note(|| {
            Step::new(Stage::Authenticate, Outcome::Won, "CORS preflight: tokens are not looked at (S-267)")
        });
        return Authenticated::Passed { claims: None, changes: stripped };
    }
    let cleaned;
    let request = if stripped.is_empty() {
        request
    } else {
        let mut copy = request.clone();
        stripped.iter().for_each(|change| change.apply(&mut copy));
        cleaned = copy;
        &cleaned
    };
    let mut statuses = Vec::with_capacity(rules.len());
    let mut remaining = rules.iter().enumerate();
    let mut accepted = None;
    for (position, rule) in remaining.by_ref() {
        let judge = Judge { rule, position, cache, now };
        match judge.verify(request) {
            Ok(passed) => {
                note_won(rule, &passed.0, observer);
                accepted = Some(passed);
                break;
            }
            Err(status) => {
                note_lost(rule, status, observer);
                statuses.push(status);
            }
        }
    }
    if O::EXHAUSTIVE {
        for (_, rule) in remaining {
            observer.note(|| {
                Step::new(Stage::Authenticate, Outcome::NotAsked, &*rule.label).origin(&rule.origin)
            });
        }
    }
    if let Some((claims, changes)) = accepted {
        let changes = stripped.into_iter().chain(changes).collect();
        return Authenticated::Passed { claims: Some(claims), changes };
    }
    match overall(&statuses) {
        Status::Missing => Authenticated::Passed { claims: None, changes: stripped },
        status => Authenticated::Rejected { status: status.http_status(), body: status.message().to_owned() },
    }
}

/// S-301: headers that rules write never come from the client, whichever rule is tried.
fn strip_outputs(rules: &[Rule], request: &RequestFacts<'_>) -> Vec<RequestChange> {
    let names: BTreeSet<&String> = rules
        .iter()
        .flat_map(|rule| rule.payload_header.iter().chain(rule.claim_headers.iter().map(|(name, _)| name)))
        .collect();
    let present = names.into_iter().filter(|name| request.headers.contains(name));
    present.map(|name| RequestChange::RemoveHeader(name.clone())).collect()
}

/// `OPTIONS` with both headers of a preflight, neither of them empty.
fn is_preflight(request: &RequestFacts<'_>) -> bool {
    let filled = |name| request_header::values(request, name).first().is_some_and(|value| !value.is_empty());
    request.method == "OPTIONS" && filled("origin") && filled("access-control-request-method")
}

/// One rule and what it needs to judge tokens.
struct Judge<'r> {
    rule: &'r Rule,
    /// Which rule it is, for the cache.
    position: usize,
    cache: Option<&'r TokenCache>,
    now: i64,
}

impl Judge<'_> {
    /// Every token at the rule's places must verify (S-265). The last of them is looked at first, as in Envoy, and what
    /// the first of them says is what counts.
    fn verify(&self, request: &RequestFacts<'_>) -> Result<(Claims, Vec<RequestChange>), Status> {
        let rule = self.rule;
        let found = rule.locations.find(request);
        let mut changes = Changes::default();
        let mut claims = None;
        for found in found.iter().rev() {
            let token = self.check(found)?;
            claims = Some(output::claims(rule, &token));
            for (name, value) in output::headers(rule, &token) {
                changes.write(name, value);
            }
            if !rule.forward {
                changes.remove(found.place, request);
            }
        }
        claims.map(|claims| (claims, changes.list)).ok_or(Status::Missing)
    }

    fn check(&self, found: &Found<'_>) -> Result<Arc<Token>, Status> {
        if let Some(token) = self.cache.and_then(|cache| cache.get(self.position, &found.token)) {
            // All else about it was found right, and only the time has changed.
            token.check_time(self.now)?;
            return Ok(token);
        }
        let rule = self.rule;
        let token = Token::parse(&found.token)?;
        if !rule.issuer.is_empty() && rule.issuer != token.issuer {
            return Err(Status::UnknownIssuer);
        }
        token.check_time(self.now)?;
        let allowed = |audience: &String| rule.audiences.contains(comparable_audience(audience));
        if !rule.audiences.is_empty() && !token.audiences.iter().any(allowed) {
            return Err(Status::AudienceNotAllowed);
        }
        rule.keys.verify(&token)?;
        let token = Arc::new(token);
        if let Some(cache) = self.cache {
            cache.insert(self.position, &found.token, &token);
        }
        Ok(token)
    }
}

/// The changes of one rule.
#[derive(Default)]
struct Changes {
    list: Vec<RequestChange>,
    path: Option<String>,
}

impl Changes {
    /// The first value of a header replaces it, further ones are added.
    fn write(&mut self, name: String, value: Vec<u8>) {
        let written =
            self.list.iter().any(|change| matches!(change, RequestChange::SetHeader(set, _) if *set == name));
        self.list.push(if written {
            RequestChange::AddHeader(name, value)
        } else {
            RequestChange::SetHeader(name, value)
        });
    }

    /// Takes the token away (S-272); a cookie stays.
    fn remove(&mut self, place: Place<'_>, request: &RequestFacts<'_>) {
        match place {
            Place::Header(name) => {
                let removal = RequestChange::RemoveHeader(name.to_owned());
                if self.list.last() != Some(&removal) {
                    self.list.push(removal);
                }
            }
            Place::Param(name) => {
                let path = query::without(self.path.as_deref().unwrap_or(&request.path), name);
                self.path = Some(path.clone());
                self.list.push(RequestChange::SetPath(path));
            }
            Place::Cookie => {}
        }
    }
}

/// What all rules together come to; `Missing`: none of them found a token.
///
/// Envoy asks "one of the rules, or each of them or nothing". The second half fails with the first rule that found
/// a token, and as the last alternative it has the last word, unless all it says is "another issuer" (S-304).
fn overall(statuses: &[Status]) -> Status {
    let is_real = |status: &&Status| !matches!(status, Status::Missing | Status::UnknownIssuer);
    let first_found = statuses.iter().find(|status| **status != Status::Missing);
    match first_found {
        None => Status::Missing,
        Some(Status::UnknownIssuer) => {
            statuses.iter().rev().find(is_real).copied().unwrap_or(Status::UnknownIssuer)
        }
        Some(status) => *status,
    }
}

fn note_won<O: Observer>(rule: &Rule, claims: &Claims, observer: &mut O) {
    observer.note(|| {
        let got = claims.principal.clone().unwrap_or_else(|| "a token without issuer or subject".to_owned());
        Step::new(Stage::Authenticate, Outcome::Won, &*rule.label)
            .because(Because::new("token", wanted(rule), got))
            .origin(&rule.origin)
    });
}

fn note_lost<O: Observer>(rule: &Rule, status: Status, observer: &mut O) {
    observer.note(|| {
        Step::new(Stage::Authenticate, Outcome::Lost, &*rule.label)
            .because(Because::new("token", wanted(rule), status.message()))
            .origin(&rule.origin)
    });
}

fn wanted(rule: &Rule) -> String {
    if rule.issuer.is_empty() {
        "a token of any issuer".to_owned()
    } else {
        format!("a token of {}", rule.issuer)
    }
}
