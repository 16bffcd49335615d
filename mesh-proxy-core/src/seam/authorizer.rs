//! Who is asked whether a request may pass, where a CUSTOM policy says that somebody is (S-104 to S-112).

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use mesh_authz::external_authorizer::ExternalAuthorizer;
use mesh_authz::request_authn::RequestChange;
use mesh_model::facts::RequestFacts;

/// What an authorizer is asked (S-104..S-111).
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// Its settings.
    pub authorizer: &'a ExternalAuthorizer,
    /// The canonical request, before tokens are looked at, with what authorizers asked before have changed; `None`: a
    /// connection of bytes.
    pub request: Option<&'a RequestFacts<'a>>,
    /// What of the body it is shown; `None`: nothing.
    pub body: Option<ShownBody>,
    /// The physical peer.
    pub source: SocketAddr,
    /// URI SAN of the peer's verified certificate; `None`: none.
    pub principal: Option<&'a str>,
    /// The address that the peer dialled.
    pub destination: SocketAddr,
    /// When it arrived.
    pub time: SystemTime,
}

/// The beginning of a request's body, or all of it (S-110).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShownBody {
    /// The bytes.
    pub bytes: Bytes,
    /// Whether there is more of it (`allowPartialMessage`).
    pub is_partial: bool,
}

/// What an authorizer says (S-111).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The request may go on.
    Allowed(Consent),
    /// It is answered by the proxy.
    Denied(Refusal),
    /// It did not say: `failOpen` and `statusOnError` of its settings decide. The text is for the log.
    Silent(String),
}

/// What goes with a consent (S-109, S-111).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consent {
    /// Changes to the request, made before tokens and policies are looked at.
    pub request: Vec<RequestChange>,
    /// Changes to the answer that the client gets.
    pub response: Vec<HeaderChange>,
}

/// The answer that a client gets instead (S-111).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: Vec<HeaderChange>,
    /// Its body.
    pub body: Bytes,
}

/// A change to the headers of an answer. Spec: Envoy, config.core.v3.HeaderValueOption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderChange {
    /// Of the header.
    pub name: HeaderName,
    /// Of the header.
    pub value: HeaderValue,
    /// What becomes of a line that is there already.
    pub existing: Existing,
}

/// What becomes of lines of a header that are there already (`HeaderAppendAction` of Envoy's API).
/// Spec: Envoy, HeaderValueOption.HeaderAppendAction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// They stay, and one more line comes.
    Joined,
    /// They stay, and none comes.
    Kept,
    /// They go.
    Replaced,
    /// They go; where there were none, none comes.
    ReplacedOnly,
}

impl HeaderChange {
    /// Makes the change.
    pub fn apply(&self, headers: &mut HeaderMap) {
        let is_there = headers.contains_key(&self.name);
        match self.existing {
            Existing::Joined => {
                headers.append(self.name.clone(), self.value.clone());
            }
            Existing::Kept if is_there => {}
            Existing::ReplacedOnly if !is_there => {}
            Existing::Kept | Existing::Replaced | Existing::ReplacedOnly => {
                headers.insert(self.name.clone(), self.value.clone());
            }
        }
    }
}

/// An answer, some time later. Ours: an answer may take its time without holding a thread.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// Says whether requests and connections may pass (S-104, S-111).
///
/// A contract: the caller keeps the time (`timeout` of the settings) and drops the future when it is over. What cannot
/// be found out is [`Answer::Silent`], never a consent.
pub trait Authorizer: Send + Sync + std::fmt::Debug {
    /// Asks.
    fn ask<'a>(&'a self, question: Question<'a>) -> Asked<'a>;
}

/// An authorizer within the program: a function of the question.
/// Ours: a program's own rules need no service beside it.
///
/// ```
/// use mesh_proxy_core::runtime::{Options, Proxy};
/// use mesh_proxy_core::seam::authorizer::{Answer, Consent, InProcess};
///
/// // In the place of the provider `office-hours` of MeshConfig.
/// let builder = Proxy::builder(Options::default())
///     .authorizer("office-hours", InProcess::new(|question| match question.principal {
///         Some(_) => Answer::Allowed(Consent::default()),
///         None => Answer::Silent("nobody to judge".to_owned()),
///     }));
/// ```
pub struct InProcess<F>(F);

impl<F: Fn(&Question<'_>) -> Answer + Send + Sync> InProcess<F> {
    /// Asks this function.
    pub fn new(function: F) -> Self {
        Self(function)
    }
}

impl<F> std::fmt::Debug for InProcess<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InProcess").finish_non_exhaustive()
    }
}

impl<F: Fn(&Question<'_>) -> Answer + Send + Sync> Authorizer for InProcess<F> {
    fn ask<'a>(&'a self, question: Question<'a>) -> Asked<'a> {
        let answer = (self.0)(&question);
        Box::pin(std::future::ready(answer))
    }
}
