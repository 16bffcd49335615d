//! External authorizers: what they are shown, who asks them, what their answers come to (S-104 to S-112).
//!
//! `http` and `grpc` ask over the mesh; a program can put its own [`Authorizer`] in the place of a provider. No answer,
//! one that is too long, and one that is none are the same: `failOpen` and `statusOnError` decide.

mod grpc;
mod header_change;
mod http;
mod messages;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::http::header::{HeaderName, HeaderValue};
use mesh_authz::external_authorizer::{AuthorizerProtocol, CheckAnswer, CheckOutcome, ExternalAuthorizer};
use mesh_authz::request_authn::RequestChange;
use mesh_authz::verdict::ExternalAuthz;
use mesh_compile::proxy::clusters::names;
use mesh_model::facts::RequestFacts;

use super::cluster::ClusterState;
use super::connection::Connection;
use super::live::Generation;
use super::replay::{Buffered, Replay};
use super::reply::Reply;
use crate::seam::authorizer::{
    Answer, Authorizer, Consent, Existing, HeaderChange, Question, Refusal, ShownBody,
};

/// The longest answer of an authorizer, headers apart: more is no answer (CVE-2024-34364).
pub(crate) const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// What all authorizers of a request came to.
pub(crate) struct Consented {
    /// Changes to the request, in order.
    pub(crate) changes: Vec<RequestChange>,
    /// Whether the route is chosen by the changed request.
    pub(crate) reroute: bool,
    /// Changes to the answer.
    pub(crate) response: Vec<HeaderChange>,
}

/// Asks all authorizers of a request in order, each with what those before it have changed.
///
/// # Errors
/// The answer that the client gets instead.
pub(crate) async fn ask_about_request(
    connection: &Connection,
    generation: &Generation,
    asked: &[ExternalAuthz],
    mut request: RequestFacts<'static>,
    body: &Replay,
) -> Result<Consented, Reply> {
    let mut all = Consented { changes: Vec::new(), reroute: false, response: Vec::new() };
    for authz in asked.iter().filter(|authz| !authz.dry_run) {
        let authorizer = &*authz.authorizer;
        let body = shown_body(authorizer, &request, body).await?;
        let question = Question { request: Some(&request), body, ..question(connection, authorizer) };
        let consent = match ask(connection, generation, question).await {
            Answer::Allowed(consent) => consent,
            Answer::Denied(refusal) => return Err(refused(refusal)),
            Answer::Silent(why) => silent(authorizer, &why).map_err(Reply::unauthorized)?,
        };
        consent.request.iter().for_each(|change| change.apply(&mut request));
        all.reroute |= authorizer.clear_route_cache && !consent.request.is_empty();
        all.changes.extend(consent.request);
        all.response.extend(consent.response);
    }
    Ok(all)
}

/// Asks all authorizers of a connection of bytes; whether it may go on. Those that cannot be asked about connections
/// have no say (S-108).
pub(crate) async fn ask_about_connection(
    connection: &Connection,
    generation: &Generation,
    asked: &[ExternalAuthz],
) -> bool {
    for authz in asked.iter().filter(|authz| !authz.dry_run && authz.authorizer.takes_connections()) {
        let authorizer = &*authz.authorizer;
        let allowed = match ask(connection, generation, question(connection, authorizer)).await {
            Answer::Allowed(_) => true,
            Answer::Denied(_) => false,
            Answer::Silent(why) => silent(authorizer, &why).is_ok(),
        };
        if !allowed {
            return false;
        }
    }
    true
}

fn question<'q>(connection: &'q Connection, authorizer: &'q ExternalAuthorizer) -> Question<'q> {
    Question {
        authorizer,
        request: None,
        body: None,
        source: connection.arrival.peer,
        principal: connection.peer(),
        destination: connection.arrival.destination,
        time: SystemTime::now(),
    }
}

/// Asks whoever is to be asked, for as long as the settings say.
async fn ask(connection: &Connection, generation: &Generation, question: Question<'_>) -> Answer {
    let authorizer = question.authorizer;
    let patience = Duration::from_millis(authorizer.timeout_ms);
    let proxy = &*connection.proxy;
    let answering = async {
        if let Some(own) = proxy.authorizers.get(&*authorizer.name) {
            return own.ask(question).await;
        }
        let Some(cluster) = cluster(generation, authorizer) else {
            // The mesh has the service, else nobody would be told to ask (S-106); this proxy does not see it.
            return Answer::Silent("its service is not among this proxy's clusters".to_owned());
        };
        match &authorizer.protocol {
            AuthorizerProtocol::Http(_) => http::OverHttp { proxy, cluster }.ask(question).await,
            AuthorizerProtocol::Grpc => grpc::OverGrpc { proxy, cluster }.ask(question).await,
        }
    };
    match tokio::time::timeout(patience, answering).await {
        Ok(answer) => answer,
        Err(_) => Answer::Silent("no answer in time".to_owned()),
    }
}

/// The cluster of an authorizer's service, written `HOST` or `NAMESPACE/HOST`.
fn cluster<'g>(generation: &'g Generation, authorizer: &ExternalAuthorizer) -> Option<&'g Arc<ClusterState>> {
    let name = names::outbound(authorizer.port, "", host(authorizer));
    generation.clusters.get(&name)
}

fn host(authorizer: &ExternalAuthorizer) -> &str {
    authorizer.service.rsplit_once('/').map_or(&*authorizer.service, |(_, host)| host)
}

/// What of the body an authorizer is shown; a body that is too long for it is answered with 413 (S-110). Requests that
/// change protocols have none.
async fn shown_body(
    authorizer: &ExternalAuthorizer,
    request: &RequestFacts<'_>,
    body: &Replay,
) -> Result<Option<ShownBody>, Reply> {
    let Some(wanted) = &authorizer.body else { return Ok(None) };
    if request.headers.contains("upgrade") || request.method == "CONNECT" {
        return Ok(None);
    }
    let max = usize::try_from(wanted.max_request_bytes).unwrap_or(usize::MAX);
    match body.buffer(max).await {
        Ok(Buffered::Whole(bytes)) => Ok(Some(ShownBody { bytes, is_partial: false })),
        Ok(Buffered::Beginning(bytes)) if wanted.allow_partial_message => {
            Ok(Some(ShownBody { bytes, is_partial: true }))
        }
        Ok(Buffered::Beginning(_)) => Err(Reply::too_large()),
        Err(_) => Err(Reply::malformed("the request's body broke")),
    }
}

/// What comes of an authorizer that did not answer; the status of a refusal.
fn silent(authorizer: &ExternalAuthorizer, why: &str) -> Result<Consent, u16> {
    tracing::debug!(provider = &*authorizer.name, why, "an external authorizer did not answer");
    match authorizer.judge(CheckAnswer::Failed) {
        CheckOutcome::Allowed { .. } => Ok(Consent::default()),
        CheckOutcome::Denied { status, .. } => Err(status),
    }
}

fn refused(refusal: Refusal) -> Reply {
    let mut reply = Reply::denied(refusal.status, refusal.body);
    refusal.headers.iter().for_each(|change| change.apply(&mut reply.headers));
    reply
}

/// A header of an answer; `None`: it is none that can be sent, or one that belongs to the connection.
fn header(name: &str, value: &[u8], existing: Existing) -> Option<HeaderChange> {
    let name = HeaderName::try_from(name).ok().filter(|name| !is_framing(name.as_str()))?;
    Some(HeaderChange { name, value: HeaderValue::from_bytes(value).ok()?, existing })
}

/// Headers that are nobody's to change: they belong to the connection, or say where a request goes.
fn is_framing(name: &str) -> bool {
    const FRAMING: [&str; 7] =
        ["host", "connection", "transfer-encoding", "content-length", "upgrade", "te", "keep-alive"];
    name.starts_with(':') || FRAMING.contains(&name)
}
