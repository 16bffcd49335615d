//! HTTP on a connection: hyper reads and writes it, every request becomes an exchange.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;

use super::connection::{Connection, Standing};
use super::exchange;
use super::frame_budget::Budgeted;
use super::options::Options;
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
pub(crate) async fn serve<T: Io>(connection: Connection, standing: Standing, stream: T) {
    let proxy = Arc::clone(&connection.proxy);
    let arrival = connection.arrival;
    let shared = Arc::new(HttpConnection {
        connection: Arc::new(connection),
        standing: Mutex::new(Arc::new(standing)),
    });
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { exchange::serve(shared, request).await }
    });
    let builder = builder(&proxy.options);
    let mut serving =
        pin!(builder.serve_connection_with_upgrades(TokioIo::new(Budgeted::new(stream)), service));
    let result = tokio::select! {
        result = &mut serving => result,
        () = proxy.draining.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(?arrival, %error, "a connection ended");
    }
}

/// Header lines that the codec takes where nothing is said.
const CODEC_HEADERS: usize = 100;

fn builder(options: &Options) -> auto::Builder<TokioExecutor> {
    let limits = &options.limits;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.patience.request_head)
        // The buffer holds a whole head; hyper wants 8 KiB at least.
        .max_buf_size(limits.header_bytes.max(8192))
        .half_close(true);
    // Any other bound than its own costs the codec a table made for each request.
    if limits.headers != CODEC_HEADERS {
        builder.http1().max_headers(limits.headers);
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_send_buf_size(256 * 1024);
    builder
}
