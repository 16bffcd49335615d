//! Access logs on their way to services: Envoy's records over gRPC (`envoyHttpAls`, `envoyTcpAls`), and OpenTelemetry's
//! (`envoyOtelAls`, in builds with the feature `otel`).
//!
//! A record is written as its message at once and waits as bytes, of which a proxy keeps a bounded number. Each batch is a
//! call of its own that ends with the service's answer, so that what was not taken is counted; Envoy leaves one call open
//! and never hears.

mod envoy;
mod messages;
mod otel;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::uri::Scheme;
use mesh_compile::proxy::telemetry::{AccessLogSink, GrpcLog, ProviderTarget};
use mesh_compile::proxy_identity::Proxy as Identity;
use mesh_model::facts::HttpVersion;

use super::export::{Deliver, Export, ExportCounts};
use super::head::{Head, Read};
use super::proxy::{Inner, Proxy};
use super::{grpc, inquiry};
use crate::telemetry::record::Record;

/// A service that takes longer is one that is down.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of records that may wait; more are dropped.
const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The queue of records for services.
#[derive(Debug, Default)]
pub(crate) struct LogExport {
    queue: Export<LogService>,
    waiting: Arc<AtomicUsize>,
}

/// A record as its message, which has taken room.
#[derive(Debug)]
pub(crate) struct Entry {
    bytes: Vec<u8>,
    waiting: Arc<AtomicUsize>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

/// A service that takes records of one log.
#[derive(Debug)]
pub(crate) struct LogService {
    cluster: Arc<str>,
    authority: String,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Http(envoy::Log),
    Tcp(envoy::Log),
    OpenTelemetry(otel::Log),
}

impl Proxy {
    /// What became of records for services that the configuration asks for.
    pub fn service_log_counts(&self) -> ExportCounts {
        self.inner.logs.services.queue.counts()
    }
}

impl LogExport {
    /// Lets a record wait to be sent, or drops it.
    pub(crate) fn send(&self, proxy: &Arc<Inner>, service: &Arc<LogService>, record: &Record) {
        let Some(bytes) = service.entry(record) else { return };
        let before = self.waiting.fetch_add(bytes.len(), Ordering::Relaxed);
        let is_too_much = before.saturating_add(bytes.len()) > WAITING_BYTES_MAX;
        // Its end gives the room back.
        let entry = Entry { bytes, waiting: Arc::clone(&self.waiting) };
        if is_too_much {
            return self.queue.drop_one();
        }
        self.queue.send(proxy, service, entry);
    }

    /// Sends what waits, for as long as there is patience.
    pub(crate) async fn flush(&self, patience: Duration) {
        self.queue.flush(patience).await;
    }
}

impl LogService {
    /// The service of a log; `None`: it is no service, or none that is known or built in.
    pub(crate) fn of(sink: &AccessLogSink, workload: Option<&Identity>) -> Option<Self> {
        let at = |target: &ProviderTarget, form| Self {
            cluster: Arc::clone(&target.cluster),
            authority: target.host.to_string(),
            form,
        };
        let envoy = |log: &GrpcLog| Some((log.target.clone()?, envoy::Log::of(log, workload)));
        match sink {
            AccessLogSink::File { .. } => None,
            AccessLogSink::HttpGrpc(log) => envoy(log).map(|(target, log)| at(&target, Form::Http(log))),
            AccessLogSink::TcpGrpc(log) => envoy(log).map(|(target, log)| at(&target, Form::Tcp(log))),
            // Of the name nothing is told: Istio has the labels of the log itself switched off.
            AccessLogSink::OpenTelemetry { target, log_name: _, body, attributes } => cfg!(feature = "otel")
                .then(|| at(target, Form::OpenTelemetry(otel::Log::of(body, attributes)))),
        }
    }

    /// The message of a record; `None`: it is of no kind that the service takes.
    fn entry(&self, record: &Record) -> Option<Vec<u8>> {
        match &self.form {
            Form::Http(log) => log.http(record),
            Form::Tcp(log) => log.tcp(record),
            Form::OpenTelemetry(log) => Some(log.entry(record)),
        }
    }

    /// The call that hands records over: its path and its message.
    fn call(&self, entries: &[Entry]) -> (&'static str, Bytes) {
        let entries = entries.iter().map(|entry| entry.bytes.clone()).collect();
        match &self.form {
            Form::Http(log) => (envoy::PATH, grpc::framed(&log.message(entries, true))),
            Form::Tcp(log) => (envoy::PATH, grpc::framed(&log.message(entries, false))),
            Form::OpenTelemetry(_) => (otel::PATH, grpc::framed(&otel::message(entries))),
        }
    }
}

impl Deliver for LogService {
    type Item = Entry;

    fn cluster(&self) -> &str {
        &self.cluster
    }

    async fn deliver(&self, proxy: &Inner, entries: &[Entry]) -> Result<(), String> {
        let (path, body) = self.call(entries);
        let mut headers = http::HeaderMap::new();
        grpc::mark(&mut headers);
        let head = Head {
            version: HttpVersion::Http2,
            method: Method::POST,
            scheme: Scheme::HTTP,
            authority: self.authority.clone(),
            path: path.to_owned(),
            headers,
            read: Read::default(),
        };
        let whole = inquiry::tell(proxy, &self.cluster, &head, body, PATIENCE).await?;
        if !whole.status.is_success() {
            return Err(format!("it answered {}", whole.status));
        }
        grpc::succeeded(&whole)?;
        match &self.form {
            Form::Http(_) | Form::Tcp(_) => Ok(()),
            Form::OpenTelemetry(_) => otel::taken(&whole),
        }
    }
}
