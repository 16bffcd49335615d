//! The administration endpoint: on loopback only, for reading, but for a request that begins a drain and one that confirms
//! a change.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use mesh_authz::jwks_store::IssuerState;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::body::Body;
use super::metrics::Metrics;
use super::own_metrics::own_metrics;
use super::proxy::Proxy;
use super::redact::redact;
use crate::describe;

/// What metrics are written in; Prometheus reads it as its own format too.
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
/// Connections at once.
const CONNECTIONS_MAX: usize = 16;

impl Proxy {
    /// Serves the administration endpoint at a loopback address until the proxy has stopped; the address.
    ///
    /// `GET /ready` (200 until a drain begins), `/config` (without values of headers that carry secrets), `/findings` (what is
    /// wrong with what it was made from), `/metrics`, `/keys` (how the fetched keys of every issuer stand, never the keys),
    /// `/explain/ID` (the decision of a recent request, by the number in its `x-mesh-decision` or by the `x-request-id` that
    /// it went on with, under the configuration in force now); `POST /drain`, `POST /confirm` (a configuration that was
    /// refused because it takes too much away is meant).
    ///
    /// # Errors
    /// The address is not a loopback address, or cannot be listened on.
    pub async fn administer(&self, address: SocketAddr, metrics: Option<Metrics>) -> io::Result<SocketAddr> {
        if !address.ip().is_loopback() {
            let problem = format!("{address}: the administration endpoint listens on loopback only");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let proxy = self.clone();
        tokio::spawn(async move { accept(proxy, listener, metrics).await });
        Ok(address)
    }
}

async fn accept(proxy: Proxy, listener: TcpListener, metrics: Option<Metrics>) {
    let places = std::sync::Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = std::sync::Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = proxy.inner.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (proxy, metrics) = (proxy.clone(), metrics.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = answer(&proxy, metrics.as_ref(), &request);
                async { Ok::<_, Infallible>(response) }
            });
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(5)).keep_alive(false);
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            drop(place);
        });
    }
}

fn answer(proxy: &Proxy, metrics: Option<&Metrics>, request: &Request<Incoming>) -> Response<Body> {
    // A page in a browser may be made to send requests here, under a name of its own choice.
    if !is_local(request.headers()) {
        return text(StatusCode::FORBIDDEN, "only for this machine\n");
    }
    let generation = proxy.generation();
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/ready") if proxy.inner.draining.is_cancelled() => {
            text(StatusCode::SERVICE_UNAVAILABLE, "DRAINING\n")
        }
        (&Method::GET, "/ready") => text(StatusCode::OK, "LIVE\n"),
        (&Method::GET, "/config") => json_answer(&json!({
            "generation": generation.number,
            "listeners": describe::listeners(&generation.config),
            "routes": describe::route_tables(&generation.config),
            "clusters": describe::clusters(&generation.config),
        })),
        (&Method::GET, "/findings") => json_answer(&json!(proxy.findings().iter().collect::<Vec<_>>())),
        (&Method::GET, "/keys") => json_answer(&Value::Array(keys(proxy))),
        (&Method::GET, "/metrics" | "/stats/prometheus") => match metrics {
            Some(metrics) => {
                let mut response = text(StatusCode::OK, "");
                *response.body_mut() = Body::Metrics(Box::new(metrics.pieces().and(own_metrics(proxy))));
                response.headers_mut().insert(CONTENT_TYPE, OPEN_METRICS);
                response
            }
            None => text(StatusCode::NOT_FOUND, "no metrics are kept\n"),
        },
        (&Method::GET, path) => {
            let id = path.strip_prefix("/explain/");
            match id.and_then(|id| proxy.inner.recent.explain(id, &generation.config)) {
                Some(explained) => json_answer(&explained),
                None => text(
                    StatusCode::NOT_FOUND,
                    "GET /ready /config /findings /metrics /keys /explain/ID, POST /drain /confirm\n",
                ),
            }
        }
        (&Method::POST, "/drain") => {
            let proxy = proxy.clone();
            tokio::spawn(async move { proxy.drain().await });
            text(StatusCode::ACCEPTED, "draining\n")
        }
        (&Method::POST, "/confirm") => {
            proxy.confirm();
            text(StatusCode::ACCEPTED, "the configuration is loaded as it is\n")
        }
        _ => text(StatusCode::METHOD_NOT_ALLOWED, "POST is for /drain and /confirm\n"),
    }
}

/// Milliseconds, counted from now.
fn keys(proxy: &Proxy) -> Vec<Value> {
    let keys = &proxy.inner.keys;
    let now = keys.now();
    let state = |state: IssuerState| {
        json!({
            "issuer": state.issuer,
            "jwks_uri": state.jwks_uri,
            "good_ms_ago": state.good_at.map(|good| now.saturating_sub(good)),
            "problem": state.problem.map(|problem| problem.to_string()),
            "due_in_ms": state.due.saturating_sub(now),
        })
    };
    keys.states().into_iter().map(state).collect()
}

/// Asked under the name of this machine, and not by a page of another origin.
fn is_local(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]") && !headers.contains_key("origin")
}

/// Values of headers that carry secrets are not told.
fn json_answer(value: &Value) -> Response<Body> {
    let mut value = value.clone();
    redact(&mut value);
    let mut response = text(StatusCode::OK, format!("{value:#}\n"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn text(status: StatusCode, body: impl Into<String>) -> Response<Body> {
    let mut response = Response::new(Body::full(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}
