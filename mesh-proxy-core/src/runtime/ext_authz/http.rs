//! An authorizer that is asked with an HTTP request of its own (`envoyExtAuthzHttp`).

use std::borrow::Cow;
use std::sync::Arc;

use ::http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use ::http::uri::Scheme;
use ::http::{HeaderMap, Method, StatusCode};
use bytes::Bytes;
use mesh_authz::external_authorizer::{CheckAnswer, CheckOutcome, CheckRequest};
use mesh_authz::request_authn::RequestChange;
use mesh_model::facts::{Headers, HttpVersion};

use super::{ANSWER_BYTES_MAX, header};
use crate::runtime::cluster::ClusterState;
use crate::runtime::head::{Head, Read};
use crate::runtime::inquiry;
use crate::runtime::proxy::Inner;
use crate::seam::authorizer::{Answer, Asked, Authorizer, Consent, Existing, Question, Refusal};

/// Asks the hosts of a cluster.
#[derive(Debug)]
pub(super) struct OverHttp<'p> {
    pub(super) proxy: &'p Inner,
    pub(super) cluster: &'p Arc<ClusterState>,
}

impl Authorizer for OverHttp<'_> {
    fn ask<'a>(&'a self, question: Question<'a>) -> Asked<'a> {
        Box::pin(self.asked(question))
    }
}

impl OverHttp<'_> {
    async fn asked(&self, question: Question<'_>) -> Answer {
        let authorizer = question.authorizer;
        let Some(check) = question.request.and_then(|request| authorizer.question(request)) else {
            return Answer::Silent("an HTTP authorizer can be asked about requests only".to_owned());
        };
        let partial = question.body.as_ref().map(|body| body.is_partial);
        let body = question.body.map(|body| body.bytes).unwrap_or_default();
        let Some(head) = head(check, partial, body.len()) else {
            return Answer::Silent("the question is no HTTP request".to_owned());
        };
        let whole = match inquiry::ask(self.proxy, self.cluster, &head, body, ANSWER_BYTES_MAX).await {
            Ok(whole) => whole,
            Err(why) => return Answer::Silent(why.to_string()),
        };
        let headers = facts(&whole.headers);
        let answer =
            CheckAnswer::Response { status: whole.status.as_u16(), headers: &headers, body: &whole.body };
        if whole.status.is_server_error() {
            return Answer::Silent(format!("it answered {}", whole.status));
        }
        match authorizer.judge(answer) {
            CheckOutcome::Allowed { request_headers, response_headers } => Answer::Allowed(Consent {
                request: replaced(request_headers),
                response: response_headers
                    .iter()
                    .filter_map(|(name, value)| header(name, value, Existing::Joined))
                    .collect(),
            }),
            CheckOutcome::Denied { status, headers, body } => Answer::Denied(Refusal {
                status: StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN),
                headers: headers
                    .iter()
                    .filter_map(|(name, value)| header(name, value, Existing::Joined))
                    .collect(),
                body: Bytes::from(body),
            }),
        }
    }
}

/// The head of the question; `None`: what it holds cannot be sent.
fn head(check: CheckRequest, partial: Option<bool>, body_bytes: usize) -> Option<Head> {
    let mut headers = HeaderMap::with_capacity(check.headers.len() + 2);
    for (name, value) in &check.headers {
        headers.append(HeaderName::try_from(name).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    if let Some(partial) = partial {
        let value = HeaderValue::from_static(if partial { "true" } else { "false" });
        headers.insert(HeaderName::from_static("x-envoy-auth-partial-body"), value);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body_bytes));
    Some(Head {
        version: HttpVersion::Http11,
        method: Method::from_bytes(check.method.as_bytes()).ok()?,
        scheme: Scheme::HTTP,
        authority: check.authority,
        path: check.path,
        headers,
        read: Read::default(),
    })
}

fn facts(headers: &HeaderMap) -> Headers<'_> {
    let line = |(name, value): (&'_ HeaderName, &'_ HeaderValue)| {
        (Cow::Owned(name.as_str().to_owned()), Cow::Owned(value.as_bytes().to_vec()))
    };
    Headers { entries: headers.iter().map(line).collect() }
}

/// What the client sent of these headers goes; every line that the authorizer named comes.
fn replaced(headers: Vec<(String, Vec<u8>)>) -> Vec<RequestChange> {
    let mut changes = Vec::with_capacity(headers.len());
    let mut seen: Vec<Arc<str>> = Vec::new();
    for (name, value) in headers {
        let name: Arc<str> = name.into();
        if seen.contains(&name) {
            changes.push(RequestChange::AddHeader(name, value.into()));
        } else {
            seen.push(Arc::clone(&name));
            changes.push(RequestChange::SetHeader(name, value.into()));
        }
    }
    changes
}
