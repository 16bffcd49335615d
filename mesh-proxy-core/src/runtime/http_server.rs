//! HTTP on a connection: hyper reads and writes it, every request becomes an exchange.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;

use super::body::{Body, BoxError};
use super::connection::{Connection, Standing};
use super::exchange::{self, Exchange};
use super::frame_budget::Budgeted;
use super::http1_guard::{ClientPatience, Gate, Guarded, Lent, Refusal, Rules};
use super::options::Options;
use super::proxy::{CountsPanic, Inner};
use super::refuse;
use super::when_woken::WhenWoken;
use crate::seam::dial::Io;

/// An HTTP connection, shared by its requests.
#[derive(Debug)]
pub(crate) struct HttpConnection {
    pub(crate) connection: Arc<Connection>,
    standing: Mutex<Arc<Standing>>,
}

impl HttpConnection {
    /// Where the connection stands in the configuration in force; `None`: that one no longer takes it.
    pub(crate) fn standing(&self) -> Option<Arc<Standing>> {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let live = self.connection.proxy.live.load();
        if standing.generation.number != live.number {
            *standing = Arc::new(self.connection.stand_in(Arc::clone(&live))?);
        }
        Some(Arc::clone(&standing))
    }
}

/// Serves requests until the client is done, or a drain begins and those in flight are.
pub(crate) async fn serve<T: Io>(connection: Arc<Connection>, standing: Standing, stream: T) {
    let proxy = Arc::clone(&connection.proxy);
    let arrival = connection.arrival;
    let is_http2 = connection.has_agreed_on_http2();
    let standing = Mutex::new(Arc::new(standing));
    let shared = Arc::new(HttpConnection { connection, standing });
    let gate = Arc::new(Gate::default());
    let service_gate = Arc::clone(&gate);
    let headers_max = proxy.options.limits.headers;
    let service = service_fn(move |request| {
        // Decided before there is a future: it then has no room for the request.
        let begun = begin(&shared, &service_gate, request, headers_max);
        let (shared, gate) = (Arc::clone(&shared), Arc::clone(&service_gate));
        async move {
            let Begun { exchange, is_http1, is_connect, asks_tunnel } = match begun {
                Ok(begun) => begun?,
                Err(response) => return Ok(*response),
            };
            // A stream of HTTP/2 is a task of its own: its connection does not hear of a panic.
            let _counts = (!is_http1).then(|| CountsPanic(Arc::clone(&shared.connection.proxy)));
            // On the heap while it lasts: the codec keeps room for it in every connection, idle ones too.
            let mut response = Box::pin(exchange::run(exchange)).await?;
            if is_http1 && shared.connection.proxy.draining.is_cancelled() && !asks_tunnel {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            if asks_tunnel {
                settle(&gate, is_connect, &mut response);
            }
            Ok::<_, exchange::Closed>(response)
        }
    });
    let options = &proxy.options;
    let rules = Rules {
        lines_max: options.limits.headers,
        bytes_max: options.limits.header_bytes.max(8192),
        upper_case_methods: true,
    };
    let patience = ClientPatience {
        head: options.patience.request_head,
        idle: options.patience.idle,
        stalled: options.patience.stalled_write,
        parked_after: if proxy.tasks.len() < MANY { PARKED_AFTER } else { PARKED_AFTER_OF_MANY },
    };
    let stream = Guarded::new(Budgeted::new(stream), gate, rules, patience);
    let mut stream = Box::new(if is_http2 { stream.of_http2() } else { stream });
    let builder = builder(options);
    let mut is_new = true;
    loop {
        // The codec and its buffers are there only while there is something to read or to write.
        let has_something = tokio::select! {
            biased;
            has_something = stream.starts() => has_something,
            () = is_over(&proxy, is_new) => false,
        };
        is_new = false;
        if !has_something {
            return stream.finish().await;
        }
        let (lent, home) = Lent::new(stream);
        let serving = builder.serve_connection_with_upgrades(TokioIo::new(lent), service.clone());
        let result = until_closing(Box::pin(serving), &proxy).await;
        if let Err(error) = result {
            tracing::debug!(?arrival, %error, "a connection ended");
        }
        let Some(parked) = home.parked() else { return };
        stream = parked;
    }
}

/// A request that was decided about.
struct Begun {
    exchange: Box<Exchange>,
    is_http1: bool,
    is_connect: bool,
    asks_tunnel: bool,
}

/// Decides about a request.
///
/// # Errors
/// The answer to one that is refused for its form.
fn begin(
    shared: &Arc<HttpConnection>,
    gate: &Arc<Gate>,
    request: Request<Incoming>,
    headers_max: usize,
) -> Result<Result<Begun, exchange::Closed>, Box<Response<Body>>> {
    let refuse = |refusal| Err(Box::new(refuse::refuse(shared, refusal)));
    if let Some(refusal) = gate.refusal() {
        return refuse(refusal);
    }
    let pressure = &shared.connection.proxy.pressure;
    if pressure.is_bounded() {
        pressure.grew(REQUEST_BYTES + request.headers().len() * HEADER_BYTES);
        if pressure.refuses() {
            return Err(Box::new(refuse::overloaded(shared, &request)));
        }
    }
    if request.headers().len() > headers_max {
        // HTTP/2 alone gets here: its codec bounds their bytes, not their number.
        return refuse(Refusal { status: 431, details: "http2.too_many_headers" });
    }
    let asks_tunnel = asks_tunnel(&request);
    let is_http1 = request.version() < Version::HTTP_2;
    let is_connect = request.method() == Method::CONNECT;
    let serving = is_http1.then(|| gate.serve());
    let exchange = exchange::begin(Arc::clone(shared), request, serving);
    Ok(exchange.map(|exchange| Begun { exchange, is_http1, is_connect, asks_tunnel }))
}

/// Over once the proxy closes; who was let in a moment before may say what it came for.
async fn is_over(proxy: &Inner, is_new: bool) {
    proxy.closing.cancelled().await;
    if is_new {
        tokio::time::sleep(FIRST_REQUEST).await;
    }
}

/// The codec's work, which it ends early once the proxy closes.
async fn until_closing<I, S>(
    mut serving: Pin<Box<auto::UpgradeableConnection<'_, I, S, TokioExecutor>>>,
    proxy: &Inner,
) -> Result<(), BoxError>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    S: hyper::service::Service<Request<Incoming>, Response = Response<Body>, Error = exchange::Closed>,
    S::Future: Send + 'static,
{
    let closing = pin!(proxy.closing.cancelled());
    let closing = WhenWoken::new(closing);
    tokio::select! {
        biased;
        result = &mut serving => result,
        () = closing => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    }
}

/// Whether another protocol is to follow this request on its HTTP/1 connection.
fn asks_tunnel(request: &Request<Incoming>) -> bool {
    request.version() < Version::HTTP_2
        && (request.method() == Method::CONNECT || request.headers().contains_key(UPGRADE))
}

/// Lets the other protocol begin where it was granted; elsewhere the connection ends with the answer, for what the
/// client has sent since is nobody's.
fn settle(gate: &Gate, is_connect: bool, response: &mut Response<Body>) {
    let status = response.status();
    let granted = status == StatusCode::SWITCHING_PROTOCOLS || (is_connect && status.is_success());
    gate.settle(granted);
    if !granted {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// How long an HTTP/1 connection keeps its codec while it waits for its next request.
const PARKED_AFTER: Duration = Duration::from_secs(1);
/// The same of those that came when there were already many: together their buffers would take a lot of memory, and one of
/// them hardly ever asks anything.
const PARKED_AFTER_OF_MANY: Duration = Duration::from_millis(100);
const MANY: usize = 1000;
/// How long a connection that nothing was said on is kept open by a proxy that closes.
const FIRST_REQUEST: Duration = Duration::from_millis(500);
/// What a request takes besides the bytes that were read, and each of its headers, about.
const REQUEST_BYTES: usize = 6 * 1024;
const HEADER_BYTES: usize = 128;
/// Header lines that the codec takes where nothing is said.
const CODEC_HEADERS: usize = 100;

fn builder(options: &Options) -> auto::Builder<TokioExecutor> {
    let limits = &options.limits;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // The reader in front waits for heads, and gives up.
        .header_read_timeout(None)
        // The buffer holds a whole head; hyper wants 8 KiB at least.
        .max_buf_size(limits.header_bytes.max(8192))
        .half_close(false);
    // Any other bound than its own costs the codec a table made for each request.
    if limits.headers != CODEC_HEADERS {
        builder.http1().max_headers(limits.headers);
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_local_error_reset_streams(100)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_send_buf_size(256 * 1024);
    builder
}
