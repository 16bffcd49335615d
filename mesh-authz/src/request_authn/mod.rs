//! RequestAuthentication: tokens of a request (S-258 to S-317).
//!
//! `locate` finds tokens, `crate::jwt` takes them apart and checks signatures, `authenticate` decides.

mod authenticate;
mod compile;
mod locate;
mod output;
mod query;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::facts::RequestFacts;
use mesh_model::object::Object;
use mesh_model::origin::Origin;
use mesh_model::part::{PolicyTargetReference, WorkloadSelector};
use mesh_model::security::request_authentication::RequestAuthentication;
use mesh_model::trace::Observer;

use crate::jwt::cache::TokenCache;
use crate::selection::{self, Attached};
use crate::verdict::Claims;

/// Where keys come from that a rule does not hold itself.
///
/// Fetching, caching and refreshing are the implementor's; a set of rules is compiled anew when keys change.
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

/// No keys but those that rules hold themselves.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoKeys;

impl KeySource for NoKeys {
    fn keys(&self, _issuer: &str, _jwks_uri: &str) -> Option<String> {
        None
    }
}

/// What compiling token rules needs beside them.
#[derive(Clone, Copy)]
pub struct AuthnOptions<'a> {
    /// Keys of `jwksUri` and of discovery.
    pub keys: &'a dyn KeySource,
}

impl Default for AuthnOptions<'_> {
    fn default() -> Self {
        Self { keys: &NoKeys }
    }
}

impl std::fmt::Debug for AuthnOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthnOptions").finish_non_exhaustive()
    }
}

/// The compiled token rules of one workload.
#[derive(Debug, Clone)]
pub struct RequestAuthn {
    /// In the order in which they are tried (S-259).
    rules: Vec<compile::Rule>,
    /// `None`: every signature is checked every time. Clones share it, as they share the keys.
    cache: Option<Arc<TokenCache>>,
}

/// What became of the tokens of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Authenticated {
    /// It may go on: a token was accepted, or there was none.
    Passed {
        /// What the accepted token says, with space-delimited claims as lists (S-286); `None`: there was no token.
        claims: Option<Claims>,
        /// To be made to the request before anything else looks at it, in this order.
        changes: Vec<RequestChange>,
    },
    /// It is answered by the proxy.
    Rejected {
        /// 401, or 403 for audiences (S-303).
        status: u16,
        /// What is wrong with the token.
        body: String,
    },
}

/// A change to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestChange {
    /// All lines of a header go; names are lower case.
    RemoveHeader(String),
    /// A header gets this one value.
    SetHeader(String, Vec<u8>),
    /// A header gets one more line.
    AddHeader(String, Vec<u8>),
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
                request.headers.push(name.clone(), value.clone());
            }
            Self::AddHeader(name, value) => request.headers.push(name.clone(), value.clone()),
            Self::SetPath(path) => request.path = path.clone().into(),
        }
    }
}

impl Attached for RequestAuthentication {
    fn selector(&self) -> Option<&WorkloadSelector> {
        self.selector.as_ref()
    }
    fn target_ref(&self) -> Option<&PolicyTargetReference> {
        self.target_ref.as_ref()
    }
    fn target_refs(&self) -> &[PolicyTargetReference] {
        &self.target_refs
    }
}

/// The resources of a workload, in the order in which their rules count (S-258, S-259).
pub fn applicable<'a>(
    resources: impl IntoIterator<Item = &'a Arc<Object<RequestAuthentication>>>,
    root_namespace: &str,
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> Vec<&'a Arc<Object<RequestAuthentication>>> {
    selection::applicable(resources, root_namespace, namespace, labels)
}

impl RequestAuthn {
    /// Compiles the resources that apply to a workload, in the order of [`applicable`]; `None`: there is no rule, tokens
    /// are not looked at (S-260).
    pub fn compile(
        resources: &[&Arc<Object<RequestAuthentication>>],
        options: &AuthnOptions<'_>,
    ) -> (Option<Self>, Report) {
        let (rules, report) = compile::rules(resources, options);
        ((!rules.is_empty()).then_some(Self { rules, cache: None }), report)
    }

    /// Remembers up to about `entries_max` tokens (of at most 8 KiB each) whose signature was right; `exp` and `nbf` are
    /// checked for each request all the same.
    ///
    /// The memory is this value's and its clones': rules that are compiled anew, as when keys change, start without.
    #[must_use]
    pub fn with_token_cache(self, entries_max: usize) -> Self {
        Self { cache: (entries_max > 0).then(|| Arc::new(TokenCache::new(entries_max))), ..self }
    }

    /// The issuer (empty: any) and the origin of every token rule, in the order in which they are tried.
    pub fn issuers(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.rules.iter().map(|rule| (rule.issuer.as_str(), &rule.origin))
    }

    /// Looks for tokens and judges them (S-261 to S-304). `now` is in seconds since 1970.
    pub fn authenticate<O: Observer>(
        &self,
        request: &RequestFacts<'_>,
        now: i64,
        observer: &mut O,
    ) -> Authenticated {
        authenticate::authenticate(&self.rules, self.cache.as_deref(), request, now, observer)
    }
}
