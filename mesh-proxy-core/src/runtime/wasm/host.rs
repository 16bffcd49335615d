//! What an instance knows of the proxy: its module's settings and the streams it works on.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderMap, Method, StatusCode};
use mesh_model::facts::HttpVersion;
use tokio::sync::Notify;
use wasmtime::{Memory, StoreLimits, TypedFunc};

use super::fields::Fields;
use super::properties::Facts;
use super::shared::Shared;
use super::vm::Direction;
use crate::runtime::head::{Head, Read};
use crate::runtime::inquiry::Whole;
use crate::runtime::reply::Reply;

/// The context of the module itself; streams have greater numbers.
pub(super) const ROOT: u32 = 1;

/// The state behind the imports of an instance.
pub(super) struct Host {
    pub(super) shared: Arc<Shared>,
    pub(super) limits: StoreLimits,
    pub(super) memory: Option<Memory>,
    pub(super) allocate: Option<TypedFunc<u32, u32>>,
    /// Memory is being asked for: nothing more is given meanwhile.
    pub(super) is_allocating: bool,
    /// The context that was called.
    pub(super) current: u32,
    /// The context that the module wants to work on instead; 0: none.
    pub(super) effective: u32,
    pub(super) streams: HashMap<u32, Stream>,
    /// Whether the module is being configured: its configuration can be read.
    pub(super) is_configured_now: bool,
    /// The answer that is being told.
    pub(super) answer: Option<Whole>,
    /// Calls that the module has made, not yet sent.
    pub(super) calls: Vec<Call>,
    /// Calls without an answer.
    pub(super) calls_open: usize,
    pub(super) last_call: u32,
    pub(super) tick: Option<Duration>,
}

/// An HTTP call of a module.
pub(super) struct Call {
    pub(super) id: u32,
    pub(super) cluster: Arc<str>,
    pub(super) head: Fields,
    pub(super) body: Bytes,
    pub(super) patience: Duration,
}

impl Call {
    /// The call as it is sent: its number, its cluster, its head, its body, and how long it waits.
    pub(super) fn ready(self) -> (u32, Arc<str>, Head, Bytes, Duration) {
        let Self { id, cluster, head: fields, body, patience } = self;
        let text = |name: &str| fields.pseudo(name).unwrap_or_default().to_owned();
        let head = Head {
            version: HttpVersion::Http11,
            method: Method::from_bytes(text(":method").as_bytes()).unwrap_or(Method::GET),
            scheme: if text(":scheme") == "https" { Scheme::HTTPS } else { Scheme::HTTP },
            authority: text(":authority"),
            path: text(":path"),
            headers: fields.lines,
            read: Read::default(),
        };
        (id, cluster, head, body, patience)
    }
}

/// A request and its answer, as one instance sees them.
pub(super) struct Stream {
    pub(super) facts: Arc<Facts>,
    pub(super) request: Side,
    pub(super) response: Side,
    /// The answer that the module gives; a second one counts for nothing.
    pub(super) local: Option<LocalResponse>,
    /// Whether there can be an answer of its own no more.
    pub(super) is_answered: bool,
    /// Whether the module wants the stream to be broken off.
    pub(super) is_closed: bool,
    /// Nothing is changed any more: the stream is told of.
    pub(super) is_over: bool,
    pub(super) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Told when the module goes on with a stream that it has paused.
    pub(super) wake: Arc<Notify>,
}

/// One direction of a stream. What is not here cannot be seen now.
#[derive(Default)]
pub(super) struct Side {
    pub(super) headers: Option<Fields>,
    pub(super) trailers: Option<Fields>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) is_paused: bool,
    /// The head as it went on, for the end of the stream.
    pub(super) told: Option<Fields>,
}

/// An answer of a module's own.
#[derive(Debug, Clone)]
pub(super) struct LocalResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) details: String,
    pub(super) grpc_status: Option<u32>,
}

impl Stream {
    pub(super) fn new(facts: Arc<Facts>, wake: Arc<Notify>) -> Self {
        Self {
            facts,
            request: Side::default(),
            response: Side::default(),
            local: None,
            is_answered: false,
            is_closed: false,
            is_over: false,
            properties: BTreeMap::new(),
            wake,
        }
    }

    pub(super) fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }
}

impl LocalResponse {
    pub(super) fn reply(self) -> Reply {
        let Self { status, headers, body, details, grpc_status } = self;
        let mut reply = Reply::new(status.as_u16(), details);
        (reply.headers, reply.body, reply.grpc_status) = (headers, body, grpc_status);
        reply
    }
}

impl Host {
    pub(super) fn new(shared: Arc<Shared>, limits: StoreLimits) -> Self {
        Self {
            shared,
            limits,
            memory: None,
            allocate: None,
            is_allocating: false,
            current: ROOT,
            effective: 0,
            streams: HashMap::new(),
            is_configured_now: false,
            answer: None,
            calls: Vec::new(),
            calls_open: 0,
            last_call: 0,
            tick: None,
        }
    }

    /// The context that a call into the proxy is about.
    pub(super) fn context(&self) -> u32 {
        let is_there = self.effective == ROOT || self.streams.contains_key(&self.effective);
        if self.effective != 0 && is_there { self.effective } else { self.current }
    }

    /// The stream of that context; `None`: it is the module's own, or the stream is no more.
    pub(super) fn stream(&mut self) -> Option<&mut Stream> {
        let context = self.context();
        self.streams.get_mut(&context)
    }

    /// The headers or trailers of a number. Spec: proxy-wasm ABI 0.2.1, `proxy_map_type_t`.
    pub(super) fn map(&mut self, number: u32) -> Option<&mut Fields> {
        let stream = self.stream()?;
        match number {
            0 => stream.request.headers.as_mut(),
            1 => stream.request.trailers.as_mut(),
            2 => stream.response.headers.as_mut(),
            3 => stream.response.trailers.as_mut(),
            _ => None,
        }
    }

    /// Whether the stream may still be changed.
    pub(super) fn may_change(&mut self) -> bool {
        self.stream().is_some_and(|stream| !stream.is_over)
    }
}
