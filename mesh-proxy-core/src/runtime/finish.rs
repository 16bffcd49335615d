//! The end of a request: its answer is watched to its last byte, then the request is told of and its connection given back.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;

use super::attempt;
use super::body::{Breach, Watch};
use super::broken;
use super::cluster::Active;
use super::connection::Connection;
use super::http1_guard::Serving;
use super::replay::Replay;
use super::reply;
use super::traces::Traced;
use crate::telemetry::grpc_messages::MessageCounter;
use crate::telemetry::record::Record;

/// What is held until the last byte of the answer has passed.
pub(super) struct Held {
    pub(super) body: Replay,
    pub(super) is_grpc: bool,
    pub(super) active: Option<Active>,
    pub(super) lent: Option<attempt::Held>,
    /// Over with the answer's last byte.
    pub(super) _serving: Option<Serving>,
    /// Its plugins hear of the end.
    #[cfg(feature = "wasm")]
    pub(super) _road: Option<Arc<super::wasm::Road>>,
}

/// Tells of a request once its answer has passed.
pub(super) struct Finish {
    pub(super) connection: Arc<Connection>,
    pub(super) held: Held,
    pub(super) record: Box<Record>,
    pub(super) started: Instant,
    /// Counts messages of gRPC.
    pub(super) messages: Option<MessageCounter>,
    pub(super) traced: Option<Traced>,
}

impl Finish {
    fn tell(&mut self) {
        tell_times(&mut self.record, self.started, &self.held.body);
        self.record.bytes_received = self.held.body.received();
        if let Some(messages) = &self.messages {
            self.record.messages_received = self.held.body.messages();
            self.record.messages_sent = messages.messages();
        }
        self.connection.proxy.tell(&self.record);
        if let Some(traced) = self.traced.take() {
            traced.finished(&self.connection.proxy, &self.record);
        }
    }
}

/// The times of a request that is over.
pub(super) fn tell_times(record: &mut Record, started: Instant, body: &Replay) {
    let now = Instant::now();
    record.duration = now.saturating_duration_since(started);
    let times = &mut record.times;
    (times.begun, times.ended) = (Some(started), Some(now));
    times.received = body.has_ended().then(|| body.ended_at().unwrap_or(started));
    // What the client sends goes on as it arrives.
    times.sent = times.received.zip(times.sending).map(|(received, sending)| received.max(sending));
}

/// One more response flag.
pub(super) fn add_flag(record: &mut Record, flag: &str) {
    record.flags = match &*record.flags {
        "" | "-" => flag.to_owned(),
        flags => format!("{flags},{flag}"),
    };
}

impl Watch for Finish {
    fn passed(&mut self, bytes: &Bytes) {
        self.record.bytes_sent += bytes.len() as u64;
        let times = &mut self.record.times;
        if times.answer_body.is_none() && times.answered.is_some() {
            times.answer_body = Some(Instant::now());
        }
        if let Some(messages) = &mut self.messages {
            messages.passed(bytes);
        }
    }

    fn ended(&mut self, trailers: Option<&HeaderMap>) {
        self.held.active = None;
        // Where the upstream did not wait for all of the body, what is left of it may still be on its way there.
        if let Some(lent) = self.held.lent.take().filter(|_| self.held.body.has_ended()) {
            lent.give_back();
        }
        if let Some(trailers) = trailers {
            self.record.response_trailers = trailers.clone();
        }
        let times = &mut self.record.times;
        times.answer_read = times.answered.map(|_| Instant::now());
        self.tell();
    }

    fn broke(&mut self, by: Breach<'_>) {
        self.held.active = None;
        self.held.lent = None;
        let (flag, details) = match by {
            Breach::Receiver => ("DC", "downstream_remote_disconnect".to_owned()),
            Breach::Late => ("UT", "response_timeout".to_owned()),
            Breach::Sender(error) => {
                let (flag, words) =
                    broken::within_body(error).reset().unwrap_or(("UC", "connection termination"));
                (flag, format!("upstream_reset_after_response_started{{{}}}", reply::underscored(words)))
            }
        };
        add_flag(&mut self.record, flag);
        self.record.details = details;
        self.tell();
    }
}
