//! The last requests, so that their decisions can be explained afterwards.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::HeaderValue;
use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::listener::Direction;
use mesh_model::facts::{ConnectionFacts, Headers, RequestFacts};
use serde_json::{Value, json};

use crate::canonical::Terminated;
use crate::decide::explain_shown;
use crate::query::Query;

/// The most requests that are kept.
const KEPT_MAX: usize = 1024;
/// The most that they may hold together, in bytes of what clients sent.
const KEPT_BYTES_MAX: usize = 8 << 20;
/// The longest `x-request-id` that a request can be found by.
const REQUEST_ID_BYTES_MAX: usize = 256;

/// The last requests with their numbers.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    requests: VecDeque<KeptRequest>,
    bytes: usize,
}

#[derive(Debug)]
struct KeptRequest {
    id: u64,
    /// `x-request-id` as it went on; `None`: not told.
    request_id: Option<String>,
    query: Query<'static>,
    /// What `x-forwarded-client-cert` told of a client that has shown a certificate; `None`: nothing.
    element: Option<HeaderValue>,
    bytes: usize,
}

impl Recent {
    /// Keeps what a request asked. `element`: what it tells of the client's certificate.
    pub(crate) fn keep(
        &self,
        id: u64,
        direction: Direction,
        connection: &ConnectionFacts<'static>,
        request: &RequestFacts<'_>,
        element: Option<HeaderValue>,
        now: i64,
    ) {
        let query = Query { direction, connection: connection.clone(), request: Some(owned(request)), now };
        let bytes = bytes_of(request) + element.as_ref().map_or(0, HeaderValue::len);
        let mut kept = self.lock();
        kept.bytes += bytes;
        kept.requests.push_back(KeptRequest { id, request_id: None, query, element, bytes });
        while kept.requests.len() > KEPT_MAX || kept.bytes > KEPT_BYTES_MAX {
            let Some(oldest) = kept.requests.pop_front() else { return };
            kept.bytes -= oldest.bytes;
        }
    }

    /// Tells under which `x-request-id` a request went on.
    pub(crate) fn went_on_as(&self, id: u64, request_id: &str) {
        if request_id.len() > REQUEST_ID_BYTES_MAX {
            return;
        }
        let mut kept = self.lock();
        if let Some(request) = kept.requests.iter_mut().rev().find(|kept| kept.id == id) {
            request.request_id = Some(request_id.to_owned());
        }
    }

    /// The decision of a request under a configuration, with all its steps. It is named by its number in hexadecimal, or
    /// by its `x-request-id`: the last one that had it. `None`: it is not kept any more.
    pub(crate) fn explain(&self, name: &str, config: &ProxyConfig) -> Option<Value> {
        let (id, request_id, query, element) = {
            let kept = self.lock();
            let number = u64::from_str_radix(name, 16).ok().filter(|_| name.len() == 16);
            let found = kept.requests.iter().rev().find(|kept| {
                Some(kept.id) == number || kept.request_id.as_deref().is_some_and(|id| id == name)
            })?;
            (found.id, found.request_id.clone(), found.query.clone(), found.element.clone())
        };
        let shown = Terminated::Certified(element.as_ref().map(HeaderValue::as_bytes));
        let (decision, trace) = explain_shown(config, &query, shown);
        Some(json!({
            "id": format!("{id:016x}"),
            "request_id": request_id,
            "decision": decision,
            "steps": trace.steps,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a kept request holds on to.
fn bytes_of(request: &RequestFacts<'_>) -> usize {
    let line = request.method.len() + request.scheme.len() + request.authority.len() + request.path.len();
    let headers = &request.headers.entries;
    headers.iter().fold(line, |bytes, (name, value)| bytes + name.len() + value.len())
}

/// A copy that borrows nothing.
pub(crate) fn owned(request: &RequestFacts<'_>) -> RequestFacts<'static> {
    let text = |text: &str| Cow::Owned(text.to_owned());
    RequestFacts {
        version: request.version,
        method: text(&request.method),
        scheme: text(&request.scheme),
        authority: text(&request.authority),
        path: text(&request.path),
        headers: Headers {
            entries: request
                .headers
                .entries
                .iter()
                .map(|(name, value)| (text(name), Cow::Owned(value.to_vec())))
                .collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use mesh_model::facts::HttpVersion;

    use super::*;

    fn keep(recent: &Recent, id: u64, path_bytes: usize) {
        let connection = ConnectionFacts {
            src_ip: [10, 0, 0, 1].into(),
            dst_ip: [10, 0, 0, 2].into(),
            dst_port: 80,
            tls: None,
            proxied_ip: None,
        };
        let request = RequestFacts {
            version: HttpVersion::Http11,
            method: "GET".into(),
            scheme: "http".into(),
            authority: "a".into(),
            path: "/".repeat(path_bytes).into(),
            headers: Headers::default(),
        };
        recent.keep(id, Direction::Gateway, &connection, &request, None, 0);
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_in_bytes() {
        let recent = Recent::default();
        (0..5_000).for_each(|id| keep(&recent, id, 10));
        assert_eq!(recent.lock().requests.len(), KEPT_MAX);
        (5_000..6_000).for_each(|id| keep(&recent, id, 60_000));
        let kept = recent.lock();
        assert!(kept.bytes <= KEPT_BYTES_MAX && kept.requests.len() > 100, "{}", kept.bytes);
        assert_eq!(kept.bytes, kept.requests.iter().map(|kept| kept.bytes).sum::<usize>());
    }

    #[test]
    fn requests_are_found_by_number_and_by_request_id() {
        let recent = Recent::default();
        keep(&recent, 7, 1);
        keep(&recent, 8, 1);
        recent.went_on_as(7, "ab-1");
        recent.went_on_as(8, &"x".repeat(300));
        let config = ProxyConfig::default();
        let id = |name: &str| recent.explain(name, &config).map(|found| found["id"].clone());
        assert_eq!(id("0000000000000007"), Some("0000000000000007".into()));
        assert_eq!(id("ab-1"), Some("0000000000000007".into()));
        for unknown in ["7", "", &"x".repeat(300), "00000000000000ff"] {
            assert_eq!(id(unknown), None);
        }
    }
}
