//! What token rules do to requests, for people: of a rule as it is written, and of one request as it went.

use std::sync::Arc;

use mesh_model::origin::Origin;
use mesh_model::trace::{Observer, Outcome, Stage, Step};

use super::compile::Rule;
use super::{RequestAuthn, RequestChange};

/// Longer values are cut where they are told.
const TOLD_CHARS_MAX: usize = 80;

/// What a token rule does to a request whose token it accepts. API: security.istio.io/v1 `JWTRule` (S-272, S-299, S-300).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Effects<'a> {
    /// `issuer`; empty: any.
    pub issuer: &'a str,
    /// The rule.
    pub origin: &'a Origin,
    /// `forwardOriginalToken`: whether the token stays in the request; one in a cookie always does (S-272).
    pub forwards_token: bool,
    /// `outputPayloadToHeader` (S-299), then `outputClaimToHeaders` (S-300): header, claim (`None`: the whole payload), and
    /// where that is written.
    pub headers: Vec<(&'a str, Option<&'a str>, Origin)>,
}

impl RequestAuthn {
    /// What every token rule does to a request, in the order in which they are tried.
    pub fn effects(&self) -> impl Iterator<Item = Effects<'_>> {
        self.rules.iter().map(|rule| Effects {
            issuer: &rule.issuer,
            origin: &rule.origin,
            forwards_token: rule.forward,
            headers: outputs(rule).map(|(name, claim, origin)| (&**name, claim, origin)).collect(),
        })
    }

    /// Headers that clients have no say in, as a rule writes them: they are removed from every request first (S-301).
    pub fn removed_headers(&self) -> impl Iterator<Item = &str> {
        self.outputs.iter().map(AsRef::as_ref)
    }
}

/// Headers that a rule writes, in order.
fn outputs(rule: &Rule) -> impl Iterator<Item = (&Arc<str>, Option<&str>, Origin)> {
    let payload = rule.payload_header.iter();
    let payload = payload.map(|name| (name, None, rule.origin.child(".outputPayloadToHeader")));
    let claims = rule.claim_headers.iter().enumerate().map(|(at, (name, claim))| {
        (name, Some(claim.as_str()), rule.origin.child(&format!(".outputClaimToHeaders[{at}]")))
    });
    payload.chain(claims)
}

/// What clients sent and rules write instead.
pub(super) fn note_removed<O: Observer>(changes: &[RequestChange], observer: &mut O) {
    for change in changes {
        if let RequestChange::RemoveHeader(name) = change {
            observer.note(|| {
                let what = format!("header {name} of the client removed: a token rule writes it (S-301)");
                Step::new(Stage::Authenticate, Outcome::Won, what)
            });
        }
    }
}

/// What a rule did to the request.
pub(super) fn note_changes<O: Observer>(rule: &Rule, changes: &[RequestChange], observer: &mut O) {
    for (name, claim, origin) in outputs(rule) {
        let values = changes.iter().filter_map(|change| match change {
            RequestChange::SetHeader(set, value) | RequestChange::AddHeader(set, value) if set == name => {
                Some(String::from_utf8_lossy(value))
            }
            _ => None,
        });
        let mut values = values.peekable();
        let from = claim.map_or_else(|| "the token's payload".to_owned(), |claim| format!("claim {claim}"));
        let what = if values.peek().is_none() {
            format!("header {name} not set: the token has no {from} that a header can hold")
        } else {
            let values: Vec<_> = values.map(|value| told(&value)).collect();
            format!("header {name} set from {from}: {}", values.join(", then "))
        };
        observer.note(|| Step::new(Stage::Authenticate, Outcome::Won, what).origin(&origin));
    }
    // Where it is not written, the rule itself has it so.
    let origin = if rule.forward { rule.origin.child(".forwardOriginalToken") } else { rule.origin.clone() };
    let mut is_removed = false;
    for change in changes {
        let what = match change {
            RequestChange::RemoveHeader(name) => format!("header {name} removed: the token goes no further"),
            RequestChange::SetPath(path) => {
                format!("path set to {}: the token's parameter goes no further", told(path))
            }
            RequestChange::SetHeader(..) | RequestChange::AddHeader(..) => continue,
        };
        is_removed = true;
        observer.note(|| Step::new(Stage::Authenticate, Outcome::Won, what).origin(&origin));
    }
    if !is_removed {
        let what = if rule.forward {
            "the token stays in the request: it is forwarded"
        } else {
            "the token stays in the request: cookies are not removed (S-272)"
        };
        observer.note(|| Step::new(Stage::Authenticate, Outcome::Won, what).origin(&origin));
    }
}

/// A value on one line.
fn told(value: &str) -> String {
    let shown: String = value.chars().take(TOLD_CHARS_MAX).flat_map(char::escape_debug).collect();
    match value.chars().count().saturating_sub(TOLD_CHARS_MAX) {
        0 => format!("`{shown}`"),
        more => format!("`{shown}` and {more} characters more"),
    }
}
