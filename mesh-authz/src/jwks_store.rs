//! Fetched key sets without the fetching: what is to be fetched when, and which keys count (S-288 to S-297).
//!
//! The caller asks [`JwksStore::due`] what to fetch, does it, and tells the [answer](JwksStore::answered); time comes in
//! with every call, in milliseconds of any clock that never steps back. A [`JwksStore`] is a [`KeySource`].
//!
//! - What was fetched once counts until something better comes, or until it is too old ([`JwksOptions::stale_ms`]).
//! - Nothing was ever fetched: there are no keys, and every token of the issuer is refused. No key is made up.
//! - An issuer waits for no other: each has its own times.
//! - An answer that is no key set, or one without a key that can be used, is no answer: the keys stay.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::jwt::keys::{KEY_SET_BYTES_MAX, KeySet, Reading};
use crate::profile::Profile;

/// Where keys come from that a rule does not hold itself. [`JwksStore`] is one.
///
/// ```
/// use mesh_authz::request_authn::KeySource;
///
/// struct One;
/// impl KeySource for One {
///     fn keys(&self, issuer: &str, jwks_uri: &str) -> Option<String> {
///         (issuer == "https://login.example.com" && jwks_uri.is_empty()).then(|| r#"{"keys":[]}"#.to_owned())
///     }
/// }
/// ```
pub trait KeySource {
    /// The key set of an issuer as JSON text; `jwks_uri` is empty where it is to be discovered from the issuer (S-288).
    /// `None`: the keys cannot be had, so every token of that issuer is refused (S-291).
    fn keys(&self, issuer: &str, jwks_uri: &str) -> Option<String>;
}

/// Keys that a rule wants fetched (S-288).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemoteKeys {
    /// `issuer` of the rule; empty: any.
    pub issuer: String,
    /// Empty: to be discovered from the issuer (S-288).
    pub jwks_uri: String,
    /// `timeout` of the rule, in milliseconds.
    pub timeout_ms: u64,
}

impl RemoteKeys {
    /// Where a rule sets no `timeout` (S-289).
    pub const TIMEOUT_MS: u64 = 5_000;
}

/// How often keys are fetched, and how long they count. Milliseconds (S-294).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct JwksOptions {
    /// From one good answer to the next fetch; 20 minutes (S-294).
    pub refresh_ms: u64,
    /// From the first failure to the next try, doubled at each further one; 1 minute (S-294).
    pub retry_ms: u64,
    /// The longest time between two tries; 60 minutes (S-294).
    pub retry_max_ms: u64,
    /// How long keys count after the last good answer; `None`, the default: for ever, as in Istio.
    pub stale_ms: Option<u64>,
    /// At most one fetch in this time because of a `kid` that nobody knows; 30 seconds.
    pub unknown_key_ms: u64,
    /// Whose reading of keys is taken.
    pub profile: Profile,
}

impl Default for JwksOptions {
    fn default() -> Self {
        const MINUTE: u64 = 60_000;
        Self {
            refresh_ms: 20 * MINUTE,
            retry_ms: MINUTE,
            retry_max_ms: 60 * MINUTE,
            stale_ms: None,
            unknown_key_ms: 30_000,
            profile: Profile::default(),
        }
    }
}

/// The key sets of all issuers that rules name (S-294).
#[derive(Debug, Clone, Default)]
pub struct JwksStore {
    options: JwksOptions,
    /// By issuer and `jwksUri`.
    issuers: BTreeMap<(String, String), Issuer>,
    revision: u64,
}

/// One issuer's keys, and when they are looked for again.
#[derive(Debug, Clone)]
struct Issuer {
    timeout_ms: u64,
    /// The last good answer, and when it came.
    keys: Option<(String, u64)>,
    /// Found by discovery.
    discovered: Option<String>,
    due: u64,
    /// When the fetch that is under way was begun.
    asked: Option<u64>,
    failures: u32,
    /// The last time that a `kid` which nobody knows led to a fetch.
    unknown_key_at: Option<u64>,
    problem: Option<FetchProblem>,
}

/// Something to fetch (S-288, S-292).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// Whose keys, to be told with the answer.
    pub issuer: String,
    /// `jwksUri` of the rule, to be told with the answer.
    pub jwks_uri: String,
    /// What to get: a key set, or the issuer's OpenID configuration.
    pub url: String,
    /// For the whole of it, in milliseconds.
    pub timeout_ms: u64,
    /// A longer body is no answer.
    pub body_bytes_max: usize,
}

/// Why there is no new key set (S-291, S-292).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchProblem {
    /// No answer, an error status, a refused address: whatever the caller met.
    #[error("the fetch failed")]
    Failed,
    /// More than a megabyte.
    #[error("the answer is too long")]
    TooLong,
    /// No JSON object with a `keys` array (S-292), or none that can be used.
    #[error("the answer holds no usable key")]
    NoKeys,
    /// The OpenID configuration names no `jwks_uri`.
    #[error("the issuer's OpenID configuration names no key set")]
    NoAddress,
}

/// What an answer changed. Ours: only new keys are a reason to compile anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// The keys are others: compile with them ([`RequestAuthn::with_keys`](crate::request_authn::RequestAuthn::with_keys)).
    Changed,
    /// They are the same.
    Unchanged,
    /// The address is known now; [`JwksStore::due`] names it at once.
    Discovered,
    /// What counted before still counts.
    Kept(FetchProblem),
    /// Nobody asked, or no rule names the issuer any more.
    NotAsked,
}

/// How an issuer stands. Ours: whose tokens are refused, and since when, has to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerState {
    /// The issuer; empty: any.
    pub issuer: String,
    /// `jwksUri`; empty: discovered.
    pub jwks_uri: String,
    /// When its keys were last good; `None`: never, so its tokens are refused.
    pub good_at: Option<u64>,
    /// What was wrong with the last answer; `None`: nothing.
    pub problem: Option<FetchProblem>,
    /// When it is fetched next.
    pub due: u64,
}

impl JwksStore {
    /// An empty store.
    pub fn new(options: JwksOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// The issuers that rules name now. New ones are due at once; what is known of the others stays; those that no rule
    /// names any more are forgotten.
    pub fn want<'a>(&mut self, wanted: impl IntoIterator<Item = &'a RemoteKeys>, now: u64) {
        let mut before = std::mem::take(&mut self.issuers);
        for RemoteKeys { issuer, jwks_uri, timeout_ms } in wanted {
            let key = (issuer.clone(), jwks_uri.clone());
            let known = before.remove(&key);
            let entry = self.issuers.entry(key).or_insert_with(|| known.unwrap_or_else(|| Issuer::new(now)));
            // Several rules may name it: the most patient one counts.
            entry.timeout_ms = entry.timeout_ms.max(*timeout_ms);
        }
    }

    /// What to fetch now. Each is named once until it is [answered](Self::answered) or its time is over.
    pub fn due(&mut self, now: u64) -> Vec<Fetch> {
        let mut fetches = Vec::new();
        for ((issuer, jwks_uri), entry) in &mut self.issuers {
            let Some(url) = entry.url(issuer, jwks_uri) else { continue };
            if entry.next() > now {
                continue;
            }
            if entry.asked.is_some() {
                // The answer never came.
                entry.fail(FetchProblem::Failed, now, self.options);
                if entry.due > now {
                    continue;
                }
            }
            entry.asked = Some(now);
            fetches.push(Fetch {
                issuer: issuer.clone(),
                jwks_uri: jwks_uri.clone(),
                url,
                timeout_ms: entry.timeout_ms,
                body_bytes_max: KEY_SET_BYTES_MAX,
            });
        }
        fetches
    }

    /// When to ask [`due`](Self::due) or [`expire`](Self::expire) next; `None`: no rule wants keys.
    pub fn next_due(&self) -> Option<u64> {
        let stale = |entry: &Issuer| {
            let (_, good_at) = entry.keys.as_ref()?;
            Some(good_at.saturating_add(self.options.stale_ms?))
        };
        self.issuers.values().flat_map(|entry| [Some(entry.next()), stale(entry)]).flatten().min()
    }

    /// Takes the body of a successful answer, or why there is none.
    pub fn answered(
        &mut self,
        issuer: &str,
        jwks_uri: &str,
        body: Result<&[u8], FetchProblem>,
        now: u64,
    ) -> Answered {
        let options = self.options;
        let Some(entry) = self.issuers.get_mut(&(issuer.to_owned(), jwks_uri.to_owned())) else {
            return Answered::NotAsked;
        };
        if entry.asked.take().is_none() {
            return Answered::NotAsked;
        }
        let is_discovery = jwks_uri.is_empty() && entry.discovered.is_none();
        let read =
            body.and_then(|body| if is_discovery { address(body) } else { key_set(body, options.profile) });
        match read {
            Err(problem) => {
                // Perhaps the keys have moved.
                entry.discovered = None;
                entry.fail(problem, now, options);
                Answered::Kept(problem)
            }
            Ok(address) if is_discovery => {
                entry.discovered = Some(address);
                entry.due = now;
                Answered::Discovered
            }
            Ok(text) => {
                let is_new = entry.keys.as_ref().is_none_or(|(known, _)| *known != text);
                entry.keys = Some((text, now));
                entry.due = now.saturating_add(options.refresh_ms);
                (entry.failures, entry.problem) = (0, None);
                if is_new {
                    self.revision += 1;
                    Answered::Changed
                } else {
                    Answered::Unchanged
                }
            }
        }
    }

    /// A token named a `kid` that the issuer's keys do not have: they are fetched soon, but not again and again because
    /// somebody makes up names. Whether this call made them due.
    pub fn unknown_key(&mut self, issuer: &str, jwks_uri: &str, now: u64) -> bool {
        let pause = self.options.unknown_key_ms;
        let Some(entry) = self.issuers.get_mut(&(issuer.to_owned(), jwks_uri.to_owned())) else {
            return false;
        };
        let is_due = entry.unknown_key_at.is_none_or(|last| now.saturating_sub(last) >= pause);
        if is_due {
            entry.unknown_key_at = Some(now);
            entry.due = entry.due.min(now);
        }
        is_due
    }

    /// Drops keys that are too old; whether there were any.
    pub fn expire(&mut self, now: u64) -> bool {
        let Some(stale_ms) = self.options.stale_ms else { return false };
        let mut dropped = false;
        for entry in self.issuers.values_mut() {
            let is_stale = |(_, good_at): &(String, u64)| now.saturating_sub(*good_at) >= stale_ms;
            if entry.keys.as_ref().is_some_and(is_stale) {
                entry.keys = None;
                dropped = true;
            }
        }
        self.revision += u64::from(dropped);
        dropped
    }

    /// Goes up whenever keys change: what was compiled at another revision has other keys.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// How every issuer stands, in order.
    pub fn states(&self) -> impl Iterator<Item = IssuerState> {
        self.issuers.iter().map(|((issuer, jwks_uri), entry)| IssuerState {
            issuer: issuer.clone(),
            jwks_uri: jwks_uri.clone(),
            good_at: entry.keys.as_ref().map(|(_, good_at)| *good_at),
            problem: entry.problem,
            due: entry.due,
        })
    }
}

impl KeySource for JwksStore {
    fn keys(&self, issuer: &str, jwks_uri: &str) -> Option<String> {
        let entry = self.issuers.get(&(issuer.to_owned(), jwks_uri.to_owned()))?;
        entry.keys.as_ref().map(|(text, _)| text.clone())
    }
}

impl Issuer {
    fn new(now: u64) -> Self {
        Self {
            timeout_ms: 0,
            keys: None,
            discovered: None,
            due: now,
            asked: None,
            failures: 0,
            unknown_key_at: None,
            problem: None,
        }
    }

    /// What to get; `None`: there is neither an address nor an issuer to ask (S-295).
    fn url(&self, issuer: &str, jwks_uri: &str) -> Option<String> {
        match (jwks_uri, &self.discovered) {
            ("", Some(found)) => Some(found.clone()),
            ("", None) if issuer.is_empty() => None,
            ("", None) => Some(format!(
                "{}/.well-known/openid-configuration",
                issuer.strip_suffix('/').unwrap_or(issuer)
            )),
            (written, _) => Some(written.to_owned()),
        }
    }

    /// When something is to be done: a fetch, or giving one up that is not answered in twice its time.
    fn next(&self) -> u64 {
        match self.asked {
            Some(asked) => asked.saturating_add(self.timeout_ms.saturating_mul(2)),
            None => self.due,
        }
    }

    /// Waits longer after each failure.
    fn fail(&mut self, problem: FetchProblem, now: u64, options: JwksOptions) {
        let factor = 1u64.checked_shl(self.failures).unwrap_or(u64::MAX);
        let wait = options.retry_ms.saturating_mul(factor).min(options.retry_max_ms);
        self.failures = self.failures.saturating_add(1);
        self.problem = Some(problem);
        self.asked = None;
        self.due = now.saturating_add(wait);
    }
}

fn text(body: &[u8]) -> Result<&str, FetchProblem> {
    if body.len() > KEY_SET_BYTES_MAX {
        return Err(FetchProblem::TooLong);
    }
    std::str::from_utf8(body).map_err(|_| FetchProblem::NoKeys)
}

/// A key set with at least one key.
fn key_set(body: &[u8], profile: Profile) -> Result<String, FetchProblem> {
    let text = text(body)?;
    match KeySet::parse(text, Reading { takes_secrets: false, profile }) {
        KeySet::Keys(_) => Ok(text.to_owned()),
        KeySet::Unusable | KeySet::Absent => Err(FetchProblem::NoKeys),
    }
}

/// `jwks_uri` of an OpenID configuration.
fn address(body: &[u8]) -> Result<String, FetchProblem> {
    let document: Value = serde_json::from_str(text(body)?).map_err(|_| FetchProblem::NoAddress)?;
    let address = document.get("jwks_uri").and_then(Value::as_str).unwrap_or_default();
    let is_http = address.starts_with("https://") || address.starts_with("http://");
    if is_http { Ok(address.to_owned()) } else { Err(FetchProblem::NoAddress) }
}

#[cfg(test)]
mod tests;
