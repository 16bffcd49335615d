//! The last requests, so that their decisions can be explained afterwards.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::listener::Direction;
use mesh_model::facts::{ConnectionFacts, Headers, RequestFacts};
use serde_json::{Value, json};

use crate::decide::explain;
use crate::query::Query;

/// The most requests that are kept.
const KEPT_MAX: usize = 1024;

/// The last requests with their numbers.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    kept: Mutex<VecDeque<(u64, Query<'static>)>>,
}

impl Recent {
    /// Keeps what a request asked.
    pub(crate) fn keep(
        &self,
        id: u64,
        direction: Direction,
        connection: &ConnectionFacts<'static>,
        request: &RequestFacts<'_>,
        now: i64,
    ) {
        let query = Query { direction, connection: connection.clone(), request: Some(owned(request)), now };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back((id, query));
    }

    /// The decision of a request under a configuration, with all its steps; `None`: it is not kept any more.
    pub(crate) fn explain(&self, id: u64, config: &ProxyConfig) -> Option<Value> {
        let query = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.iter().find(|(kept, _)| *kept == id)?.1.clone()
        };
        let (decision, trace) = explain(config, &query);
        Some(json!({"decision": decision, "steps": trace.steps}))
    }
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
