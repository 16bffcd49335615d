//! RequestAuthentication: tokens of a request (S-258 to S-317).
//!
//! `locate` finds tokens, `crate::jwt` takes them apart and checks signatures, `authenticate` decides.
//!
//! The table of [the crate](crate) says what each field does, and by which rule. Of a token itself, `exp`, `nbf`, `iat`,
//! `alg`, `kid` and `crit` are read (S-276 to S-283, E-087); statuses and bodies are S-303 to S-316.

mod authenticate;
mod compile;
mod effects;
mod locate;
mod output;
mod query;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::facts::RequestFacts;
use mesh_model::object::Object;
use mesh_model::origin::Origin;
use mesh_model::security::request_authentication::RequestAuthentication;
use mesh_model::trace::Observer;
use smallvec::SmallVec;

use crate::claims::Claims;
pub use crate::jwks_store::{KeySource, RemoteKeys};
use crate::jwt::cache::TokenCache;
use crate::profile::Profile;
pub use crate::selection::applicable;
pub use effects::Effects;

/// No keys but those that rules hold themselves (S-288, S-291).
#[derive(Debug, Clone, Copy, Default)]
pub struct NoKeys;

impl KeySource for NoKeys {
    fn keys(&self, _issuer: &str, _jwks_uri: &str) -> Option<String> {
        None
    }
}

/// What compiling token rules needs beside them (S-288).
#[derive(Clone, Copy)]
pub struct AuthnOptions<'a> {
    /// Keys of `jwksUri` and of discovery.
    pub keys: &'a dyn KeySource,
    /// Whose reading is taken where there are two.
    pub profile: Profile,
}

impl Default for AuthnOptions<'_> {
    fn default() -> Self {
        Self { keys: &NoKeys, profile: Profile::default() }
    }
}

impl std::fmt::Debug for AuthnOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthnOptions").finish_non_exhaustive()
    }
}

/// The compiled token rules of one workload (S-259, S-261).
#[derive(Debug, Clone)]
pub struct RequestAuthn {
    /// In the order in which they are tried (S-259).
    rules: Vec<compile::Rule>,
    /// Resources that were refused and have no good version: their tokens cannot be verified.
    refused: Vec<compile::Refused>,
    /// Headers that some rule writes, lower case: clients have no say in them (S-301).
    outputs: Vec<Arc<str>>,
    profile: Profile,
    /// `None`: every signature is checked every time. Clones share it, as they share the keys.
    cache: Option<Arc<TokenCache<authenticate::Verified>>>,
}

/// What became of the tokens of a request (S-263).
#[derive(Debug, Clone, PartialEq)]
pub enum Authenticated {
    /// It may go on: a token was accepted, or there was none.
    Passed {
        /// What the accepted token says, with space-delimited claims as lists (S-286); `None`: there was no token.
        claims: Option<Arc<Claims>>,
        /// To be made to the request before anything else looks at it, in this order.
        changes: RequestChanges,
    },
    /// It is answered by the proxy.
    Rejected {
        /// 401, or 403 for audiences (S-303).
        status: u16,
        /// What is wrong with the token.
        body: &'static str,
    },
}

/// Changes to a request, in the order in which they are made; a slice of [`RequestChange`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestChanges(SmallVec<[RequestChange; 2]>);

impl RequestChanges {
    fn push(&mut self, change: RequestChange) {
        self.0.push(change);
    }
}

impl std::ops::Deref for RequestChanges {
    type Target = [RequestChange];
    fn deref(&self) -> &[RequestChange] {
        &self.0
    }
}

impl FromIterator<RequestChange> for RequestChanges {
    fn from_iter<I: IntoIterator<Item = RequestChange>>(changes: I) -> Self {
        Self(changes.into_iter().collect())
    }
}

/// A change to a request (S-272, S-300, S-301).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestChange {
    /// All lines of a header go; names are lower case.
    RemoveHeader(Arc<str>),
    /// A header gets this one value.
    SetHeader(Arc<str>, Arc<[u8]>),
    /// A header gets one more line.
    AddHeader(Arc<str>, Arc<[u8]>),
    /// The path with its query.
    SetPath(String),
}

impl RequestChange {
    /// Makes the change.
    pub fn apply(&self, request: &mut RequestFacts<'_>) {
        match self {
            Self::RemoveHeader(name) => request.headers.remove(name),
            Self::SetHeader(name, value) => {
                request.headers.remove(name);
                request.headers.push(name.to_string(), value.to_vec());
            }
            Self::AddHeader(name, value) => request.headers.push(name.to_string(), value.to_vec()),
            Self::SetPath(path) => request.path = path.clone().into(),
        }
    }
}

impl RequestAuthn {
    /// Compiles the resources that apply to a workload, in the order of [`applicable`]; `None`: there is no rule, tokens
    /// are not looked at (S-260). A resource that stands for one that was refused refuses every request but a CORS
    /// preflight, with or without token: what tokens prove, and which headers clients must not send, is not known.
    pub fn compile(
        resources: &[&Arc<Object<RequestAuthentication>>],
        options: &AuthnOptions<'_>,
    ) -> (Option<Self>, Report) {
        let (rules, report) = compile::rules(resources, options);
        let refused = compile::refused(resources);
        let outputs: BTreeSet<Arc<str>> = rules
            .iter()
            .flat_map(|rule| {
                rule.payload_header.iter().chain(rule.claim_headers.iter().map(|(name, _)| name))
            })
            .cloned()
            .collect();
        let outputs = outputs.into_iter().collect();
        let is_needed = !rules.is_empty() || !refused.is_empty();
        let authn = Self { rules, refused, outputs, profile: options.profile, cache: None };
        (is_needed.then_some(authn), report)
    }

    /// Remembers up to about `entries_max` tokens (of at most 8 KiB each) whose signature was right; `exp` and `nbf` are
    /// checked for each request all the same.
    ///
    /// The memory is this value's and its clones': rules that are compiled anew, as when keys change, start without.
    #[must_use]
    pub fn with_token_cache(self, entries_max: usize) -> Self {
        Self { cache: (entries_max > 0).then(|| Arc::new(TokenCache::new(entries_max))), ..self }
    }

    /// Keys that rules want fetched, in the order of the rules.
    pub fn remote_keys(&self) -> impl Iterator<Item = &RemoteKeys> {
        self.rules.iter().filter_map(|rule| match &rule.keys_from {
            compile::KeysFrom::Fetched(remote) => Some(remote),
            compile::KeysFrom::Inline(_) => None,
        })
    }

    /// Fetched key sets that lack the key which a token of this request names, though it is of their issuer: what a
    /// caller may want fetched again ([`JwksStore::unknown_key`](crate::jwks_store::JwksStore::unknown_key)).
    pub fn unknown_keys(&self, request: &RequestFacts<'_>) -> Vec<&RemoteKeys> {
        authenticate::unknown_keys(self, request)
    }

    /// The same rules with the keys that `source` has now, and with an empty token cache: no token outlives its keys.
    pub fn with_keys(&self, source: &dyn KeySource) -> (Self, Report) {
        let options = AuthnOptions { keys: source, profile: self.profile };
        let mut report = Report::new();
        let mut rules = self.rules.clone();
        for rule in &mut rules {
            if let compile::KeysFrom::Fetched(_) = &rule.keys_from {
                rule.keys = Arc::new(rule.keys_from.read(&options, &rule.origin, &mut report));
            }
        }
        let entries_max = self.cache.as_ref().map_or(0, |cache| cache.entries_max());
        let new = Self { rules, cache: None, ..self.clone() };
        (new.with_token_cache(entries_max), report)
    }

    /// The issuer (empty: any) and the origin of every token rule, in the order in which they are tried.
    pub fn issuers(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.rules.iter().map(|rule| (&*rule.issuer, &rule.origin))
    }

    /// Resources that were refused and have no good version, each where it was: they refuse every request.
    pub fn refused(&self) -> impl Iterator<Item = &Origin> {
        self.refused.iter().map(|refused| &refused.origin)
    }

    /// Looks for tokens and judges them (S-261 to S-304). `now` is in seconds since 1970.
    pub fn authenticate<O: Observer>(
        &self,
        request: &RequestFacts<'_>,
        now: i64,
        observer: &mut O,
    ) -> Authenticated {
        authenticate::authenticate(self, request, now, observer)
    }
}
