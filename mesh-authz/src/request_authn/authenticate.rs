//! The decision over all rules of a workload (S-261 to S-267, S-303, S-304).

use std::borrow::Cow;
use std::sync::Arc;

use mesh_model::facts::RequestFacts;
use mesh_model::trace::{Because, Observer, Outcome, Stage, Step};
use smallvec::SmallVec;

use super::compile::{KeysFrom, Refused, Rule, comparable_audience};
use super::locate::{Found, Place};
use super::{Authenticated, RemoteKeys, RequestAuthn, RequestChange, RequestChanges, effects, output, query};
use crate::claims::Claims;
use crate::jwt::cache::TokenCache;
use crate::jwt::status::Status;
use crate::jwt::token::{Decoded, Times, Token};
use crate::request_header;

/// Tries the rules in order; the first that verifies wins.
pub(super) fn authenticate<O: Observer>(
    authn: &RequestAuthn,
    request: &RequestFacts<'_>,
    now: i64,
    observer: &mut O,
) -> Authenticated {
    // S-301: headers that rules write never come from the client, whichever rule is tried.
    let mut changes = RequestChanges::default();
    let outputs = authn.outputs.iter().filter(|name| request.headers.contains(name));
    outputs.for_each(|name| changes.push(RequestChange::RemoveHeader(Arc::clone(name))));
    if O::EXHAUSTIVE {
        effects::note_removed(&changes, observer);
    }
    if is_preflight(request) {
        // S-267: no token is looked at; policies still are.
        observer.note(|| {
            Step::new(Stage::Authenticate, Outcome::Won, "CORS preflight: tokens are not looked at (S-267)")
        });
        return Authenticated::Passed { claims: None, changes };
    }
    if let Some(refused) = authn.refused.first() {
        return refuse(authn, refused, observer);
    }
    let cleaned;
    let request = if changes.is_empty() {
        request
    } else {
        let mut copy = request.clone();
        changes.iter().for_each(|change| change.apply(&mut copy));
        cleaned = copy;
        &cleaned
    };
    let mut statuses: SmallVec<[Status; 8]> = SmallVec::new();
    let mut remaining = authn.rules.iter().enumerate();
    let mut accepted = None;
    for (position, rule) in remaining.by_ref() {
        let judge = Judge { rule, position, cache: authn.cache.as_deref(), now };
        let before = changes.len();
        match judge.verify(request, &mut changes) {
            Ok(claims) => {
                note_won(rule, &claims, observer);
                if O::EXHAUSTIVE {
                    effects::note_changes(rule, changes.get(before..).unwrap_or_default(), observer);
                }
                accepted = Some(claims);
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
    if accepted.is_some() {
        return Authenticated::Passed { claims: accepted, changes };
    }
    match overall(&statuses) {
        Status::Missing if !authn.rules.iter().any(|rule| rule.is_required) => {
            Authenticated::Passed { claims: None, changes }
        }
        status => Authenticated::Rejected { status: status.http_status(), body: status.message() },
    }
}

/// Nobody knows what a token would have to be like: the answer is that of a rule whose keys cannot be had.
fn refuse<O: Observer>(authn: &RequestAuthn, refused: &Refused, observer: &mut O) -> Authenticated {
    let status = Status::NoValidKeys;
    observer.note(|| {
        Step::new(Stage::Authenticate, Outcome::Lost, &*refused.label)
            .because(Because::new("resource", "rules that can be read", "errors"))
            .origin(&refused.origin)
    });
    if O::EXHAUSTIVE {
        for rule in &authn.rules {
            observer.note(|| {
                Step::new(Stage::Authenticate, Outcome::NotAsked, &*rule.label).origin(&rule.origin)
            });
        }
    }
    Authenticated::Rejected { status: status.http_status(), body: status.message() }
}

/// Fetched key sets without the key of a token that is of their issuer.
pub(super) fn unknown_keys<'a>(authn: &'a RequestAuthn, request: &RequestFacts<'_>) -> Vec<&'a RemoteKeys> {
    let lacks = |rule: &Rule, found: &Found<'_>| {
        let mut decoded = Decoded::default();
        Token::parse(&found.token, rule.form, &mut decoded).is_ok_and(|token| {
            let is_of_issuer = rule.is_of(&token);
            is_of_issuer && rule.keys.verify(&token) == Err(Status::NoMatchingKey)
        })
    };
    let mut unknown = Vec::new();
    for rule in &authn.rules {
        if let KeysFrom::Fetched(remote) = &rule.keys_from
            && rule.locations.find(request).iter().any(|found| lacks(rule, found))
        {
            unknown.push(remote);
        }
    }
    unknown
}

/// `OPTIONS` with both headers of a preflight, neither of them empty.
fn is_preflight(request: &RequestFacts<'_>) -> bool {
    let filled = |name| request_header::values(request, name).first().is_some_and(|value| !value.is_empty());
    request.method == "OPTIONS" && filled("origin") && filled("access-control-request-method")
}

impl Rule {
    /// The token is of the rule's issuer, or the rule is for any (S-279).
    fn is_of(&self, token: &Token<'_>) -> bool {
        self.issuer.is_empty() || token.issuer.as_deref() == Some(&*self.issuer)
    }
}

/// One rule and what it needs to judge tokens.
struct Judge<'r> {
    rule: &'r Rule,
    /// Which rule it is, for the cache.
    position: usize,
    cache: Option<&'r TokenCache<Verified>>,
    now: i64,
}

/// What is known of a token that a rule has verified.
#[derive(Debug, Clone)]
pub(super) struct Verified {
    times: Times,
    claims: Arc<Claims>,
    /// What it leaves in the request; `None`: nothing.
    headers: Option<Arc<[RequestChange]>>,
}

impl Judge<'_> {
    /// Every token at the rule's places must verify (S-265). The last of them is looked at first, as in Envoy, and what
    /// the first of them says is what counts. Changes of a rule that verifies are added to `changes`.
    fn verify(
        &self,
        request: &RequestFacts<'_>,
        changes: &mut RequestChanges,
    ) -> Result<Arc<Claims>, Status> {
        let found = self.rule.locations.find(request);
        let mut own = OwnChanges { before: changes.len(), changes, path: None };
        // What there nearly always is, without a list.
        if let [found] = found.as_slice() {
            let verified = self.check(found)?;
            self.leave(&mut own, found, &verified, request);
            return Ok(verified.claims);
        }
        let mut verified: SmallVec<[Verified; 1]> = SmallVec::new();
        for found in found.iter().rev() {
            verified.push(self.check(found)?);
        }
        for (found, verified) in found.iter().rev().zip(&verified) {
            self.leave(&mut own, found, verified, request);
        }
        verified.pop().map(|verified| verified.claims).ok_or(Status::Missing)
    }

    /// What a token that verifies changes.
    #[inline]
    fn leave(
        &self,
        own: &mut OwnChanges<'_>,
        found: &Found<'_>,
        verified: &Verified,
        request: &RequestFacts<'_>,
    ) {
        verified.headers.iter().flat_map(|headers| headers.iter()).for_each(|change| own.write(change));
        if !self.rule.forward {
            own.remove(found.place, request);
        }
    }

    fn check(&self, found: &Found<'_>) -> Result<Verified, Status> {
        if let Some(verified) = self.cache.and_then(|cache| cache.get(self.position, &found.token)) {
            // All else about it was found right, and only the time has changed.
            verified.times.check(self.now)?;
            return Ok(verified);
        }
        let rule = self.rule;
        let mut decoded = Decoded::default();
        let token = Token::parse(&found.token, rule.form, &mut decoded)?;
        if !rule.is_of(&token) {
            return Err(Status::UnknownIssuer);
        }
        token.times.check(self.now)?;
        let allowed = |audience: &Cow<'_, str>| rule.audiences.contains(comparable_audience(audience));
        if !rule.audiences.is_empty() && !token.audiences.iter().any(allowed) {
            return Err(Status::AudienceNotAllowed);
        }
        rule.keys.verify(&token)?;
        let (times, about) = (token.times, output::About::new(rule, &token));
        let headers = output::headers(rule, &token);
        let headers = (!headers.is_empty()).then(|| headers.into());
        drop(token);
        let claims = Arc::new(output::claims(rule, about, decoded.payload));
        let verified = Verified { times, claims, headers };
        if let Some(cache) = self.cache {
            cache.insert(self.position, &found.token, verified.clone());
        }
        Ok(verified)
    }
}

/// The changes of one rule.
struct OwnChanges<'c> {
    changes: &'c mut RequestChanges,
    /// Changes before these are not the rule's.
    before: usize,
    path: Option<String>,
}

impl OwnChanges<'_> {
    /// The first value of a header replaces it, further ones are added, whichever token they come from.
    fn write(&mut self, change: &RequestChange) {
        let change = match change {
            RequestChange::SetHeader(name, value)
                if self
                    .changes
                    .iter()
                    .skip(self.before)
                    .any(|change| matches!(change, RequestChange::SetHeader(set, _) if set == name)) =>
            {
                RequestChange::AddHeader(Arc::clone(name), Arc::clone(value))
            }
            other => other.clone(),
        };
        self.changes.push(change);
    }

    /// Takes the token away (S-272); a cookie stays.
    fn remove(&mut self, place: Place<'_>, request: &RequestFacts<'_>) {
        match place {
            Place::Header(name) => {
                let removal = RequestChange::RemoveHeader(Arc::clone(name));
                if self.changes.last() != Some(&removal) {
                    self.changes.push(removal);
                }
            }
            Place::Param(name) => {
                let path = query::without(self.path.as_deref().unwrap_or(&request.path), name);
                self.path = Some(path.clone());
                self.changes.push(RequestChange::SetPath(path));
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
        let got = claims.principal().unwrap_or_else(|| "a token without issuer or subject".to_owned());
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
