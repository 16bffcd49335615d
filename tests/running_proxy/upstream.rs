//! Upstream servers that tell what they saw.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpListener;

/// A request as an upstream received it.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub target: String,
    pub authority: String,
    pub version: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Hears of requests.
type Tell = dyn Fn(&Seen) + Send + Sync;

/// An HTTP server. It answers 200 with its name; a path of `/status/N` gives that status, `/fail/N` fails the first N
/// requests with 503, `/slow` takes two seconds, `/cut` closes the connection.
#[derive(Clone)]
pub struct Upstream {
    pub address: SocketAddr,
    pub connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Seen>>>,
    told: Option<Arc<Tell>>,
}

impl Upstream {
    pub async fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            seen: Arc::default(),
            told: None,
        };
        let served = upstream.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                served.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(served.clone().serve(TokioIo::new(stream), name));
            }
        });
        upstream
    }

    /// One without an address: connections are handed to it.
    pub fn unbound() -> Self {
        let address = SocketAddr::from(([0, 0, 0, 0], 0));
        Self { address, connections: Arc::default(), seen: Arc::default(), told: None }
    }

    /// Tells of every request before it answers.
    pub fn on_request(mut self, told: impl Fn(&Seen) + Send + Sync + 'static) -> Self {
        self.told = Some(Arc::new(told));
        self
    }

    /// What it saw, taken away.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    pub fn only(&self) -> Seen {
        let seen = self.take();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.into_iter().next().unwrap()
    }

    pub async fn serve<T>(self, io: TokioIo<T>, name: &'static str)
    where
        T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(move |request| {
            let upstream = self.clone();
            async move { upstream.answer(request, name).await }
        });
        let builder = auto::Builder::new(TokioExecutor::new());
        let _ = builder.serve_connection_with_upgrades(io, service).await;
    }

    async fn answer(
        &self,
        mut request: Request<Incoming>,
        name: &'static str,
    ) -> Result<Response<Full<Bytes>>, &'static str> {
        let upgraded = hyper::upgrade::on(&mut request);
        let (parts, body) = request.into_parts();
        let text =
            |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let authority = parts.uri.authority().map(ToString::to_string);
        let seen = Seen {
            target: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            authority: authority.or_else(|| parts.headers.get("host").map(text)).unwrap_or_default(),
            version: format!("{:?}", parts.version),
            headers: parts.headers.iter().map(|(key, value)| (key.to_string(), text(value))).collect(),
            body: match body.collect().await {
                Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
                Err(error) => format!("broken: {error}"),
            },
        };
        if let Some(told) = &self.told {
            told(&seen);
            return Ok(named(name));
        }
        let target = seen.target.clone();
        let count = {
            let mut all = self.seen.lock().unwrap();
            all.push(seen);
            all.len()
        };
        let mut response = named(name);
        if let Some(protocol) = parts.headers.get("upgrade") {
            *response.status_mut() = hyper::StatusCode::SWITCHING_PROTOCOLS;
            response.headers_mut().insert("upgrade", protocol.clone());
            response.headers_mut().insert("connection", "upgrade".parse().unwrap());
            tokio::spawn(async move {
                let mut stream = TokioIo::new(upgraded.await.unwrap());
                let mut buffer = [0; 64];
                let length = stream.read(&mut buffer).await.unwrap();
                stream.write_all(&buffer[..length]).await.unwrap();
            });
            return Ok(response);
        }
        let number = |prefix: &str| -> Option<usize> { target.strip_prefix(prefix)?.parse().ok() };
        if let Some(status) = number("/status/") {
            *response.status_mut() = hyper::StatusCode::from_u16(status as u16).unwrap();
        }
        if number("/fail/").is_some_and(|failures| count <= failures) {
            *response.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
        }
        if target.starts_with("/slow") {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        if target.starts_with("/cut") {
            return Err("cut");
        }
        Ok(response)
    }
}

/// A server that sends back every byte.
pub async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    address
}

fn named(name: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(name)));
    response.headers_mut().insert("x-upstream", name.parse().unwrap());
    response
}

/// A stream of which one byte was read and is read again.
pub struct Prefixed<T> {
    first: Option<u8>,
    inner: T,
}

impl<T> Prefixed<T> {
    pub fn new(first: u8, inner: T) -> Self {
        Self { first: Some(first), inner }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Prefixed<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if let Some(first) = self.first.take() {
            buffer.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Prefixed<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
