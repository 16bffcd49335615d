//! Where a request carries tokens (S-269 to S-272).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::facts::RequestFacts;
use mesh_model::security::request_authentication::spec::JwtRule;
use smallvec::SmallVec;

use super::query;
use crate::profile::Profile;
use crate::request_header;

/// The places that one rule looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Locations {
    /// Name and prefix, by name and prefix run together: the order in which Envoy looks.
    headers: Box<[(Arc<str>, String)]>,
    params: BTreeSet<String>,
    cookies: BTreeSet<String>,
    /// Where a prefix must stand: anywhere (S-270), or at the start (S-275).
    profile: Profile,
}

/// The tokens of a request; there is seldom more than one.
pub(super) type Tokens<'r> = SmallVec<[Found<'r>; 2]>;

/// A token and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found<'r> {
    pub(super) token: Cow<'r, [u8]>,
    pub(super) place: Place<'r>,
}

/// Where a token was found, and so what is removed once it is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'r> {
    Header(&'r Arc<str>),
    Param(&'r str),
    Cookie,
}

impl Locations {
    /// The places of a rule; the usual ones where it names none (S-269).
    pub(super) fn new(rule: &JwtRule, profile: Profile) -> Self {
        let mut headers = BTreeMap::new();
        let mut header = |name: &str, prefix: &str| {
            let name = name.to_ascii_lowercase();
            headers.insert(format!("{name}{prefix}"), (name.into(), prefix.to_owned()));
        };
        for written in &rule.from_headers {
            header(&written.name, &written.prefix);
        }
        let mut params: BTreeSet<String> = rule.from_params.iter().cloned().collect();
        let cookies: BTreeSet<String> = rule.from_cookies.iter().cloned().collect();
        if rule.from_headers.is_empty() && params.is_empty() && cookies.is_empty() {
            header("authorization", "Bearer ");
            params.insert("access_token".to_owned());
        }
        Self { headers: headers.into_values().collect(), params, cookies, profile }
    }

    /// The tokens of a request: headers, then parameters, then cookies.
    pub(super) fn find<'r>(&'r self, request: &'r RequestFacts<'_>) -> Tokens<'r> {
        let mut found = Tokens::new();
        for (name, prefix) in &self.headers {
            request_header::each(request, name, |value| {
                if let Some(token) = after_prefix(value, prefix.as_bytes(), self.profile) {
                    found.push(Found { token, place: Place::Header(name) });
                }
            });
        }
        if !self.params.is_empty() && request.path.contains('?') {
            let params = query::parse(&request.path);
            for name in &self.params {
                // S-271: the first value of that name.
                if let Some(value) = params.get(name.as_bytes()).and_then(|values| values.first()) {
                    found.push(Found { token: Cow::Owned(value.clone()), place: Place::Param(name) });
                }
            }
        }
        for name in &self.cookies {
            if let Some(value) = cookie(request, name) {
                found.push(Found { token: Cow::Borrowed(value), place: Place::Cookie });
            }
        }
        found
    }
}

/// What follows `prefix`, which may stand anywhere in the value; from the first character that a token can have.
/// `None`: the prefix is not there (S-270).
fn after_prefix<'v>(value: Cow<'v, [u8]>, prefix: &[u8], profile: Profile) -> Option<Cow<'v, [u8]>> {
    if prefix.is_empty() {
        return Some(value);
    }
    let at = if value.starts_with(prefix) {
        0
    } else if profile == Profile::Hardened {
        return None;
    } else {
        value.windows(prefix.len()).position(|window| window == prefix)?
    };
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let start = value.iter().skip(at + prefix.len()).position(is_token).map(|gap| at + prefix.len() + gap);
    let Some(start) = start else { return Some(value) };
    Some(match value {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(start..)?),
        Cow::Owned(bytes) => Cow::Owned(bytes.get(start..)?.to_vec()),
    })
}

/// The first cookie of that name; quotes around the value are not part of it.
fn cookie<'r>(request: &'r RequestFacts<'_>, name: &str) -> Option<&'r [u8]> {
    let crumbs = request.headers.values("cookie").flat_map(|line| line.split(|byte| *byte == b';'));
    for crumb in crumbs {
        let Some(equals) = crumb.iter().position(|byte| *byte == b'=') else { continue };
        let Some((key, value)) = crumb.split_at_checked(equals) else { continue };
        let blank = key.iter().take_while(|byte| **byte == b' ').count();
        if key.get(blank..) == Some(name.as_bytes()) {
            let value = value.get(1..)?;
            return Some(match value {
                [b'"', quoted @ .., b'"'] => quoted,
                plain => plain,
            });
        }
    }
    None
}
