//! The first bytes of a connection: TLS, HTTP or anything else, told apart without losing any of them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use mesh_model::facts::HttpVersion;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::wrap::writes_to_inner;
use crate::http_syntax::{is_http1_method, is_token_byte};

/// What a connection begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FirstBytes {
    /// A TLS client hello.
    Tls(ClientHello),
    /// An HTTP request line, or HTTP/2's preface.
    Http(HttpVersion, String),
    /// Anything else, or nothing in time.
    Other,
}

/// What a client hello says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ClientHello {
    pub(crate) server_name: Option<String>,
    pub(crate) alpn: Vec<String>,
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) tls: bool,
    pub(crate) http: bool,
}

/// A stream whose first bytes were read and are read again.
#[derive(Debug)]
pub(crate) struct Prefixed<T> {
    prefix: Bytes,
    inner: T,
}

impl<T> Prefixed<T> {
    pub(crate) fn new(prefix: Bytes, inner: T) -> Self {
        Self { prefix, inner }
    }
}

/// Reads until it is clear what the bytes are, `max` are read, the client stops, or the time is over.
///
/// # Errors
/// The stream's.
pub(crate) async fn look<T: AsyncRead + Unpin>(
    mut stream: T,
    wanted: Wanted,
    max: usize,
    patience: Duration,
) -> io::Result<(FirstBytes, Prefixed<T>)> {
    let mut seen = BytesMut::new();
    if !wanted.tls && !wanted.http {
        return Ok((FirstBytes::Other, Prefixed::new(seen.freeze(), stream)));
    }
    let deadline = tokio::time::Instant::now() + patience;
    let mut hello = HelloReader::default();
    let found = loop {
        let read = tokio::time::timeout_at(deadline, stream.read_buf(&mut seen)).await;
        let is_over = match read {
            Err(_) => break FirstBytes::Other,
            Ok(count) => count? == 0,
        };
        match examine(&seen, wanted, &mut hello) {
            Some(found) => break found,
            None if is_over || seen.len() >= max => break FirstBytes::Other,
            None => {}
        }
    };
    Ok((found, Prefixed::new(seen.freeze(), stream)))
}

/// `None`: more bytes are needed.
fn examine(seen: &[u8], wanted: Wanted, hello: &mut HelloReader) -> Option<FirstBytes> {
    const HANDSHAKE: u8 = 22;
    let first = seen.first()?;
    if wanted.tls && *first == HANDSHAKE && seen.get(1).is_none_or(|major| *major == 3) {
        return hello.read(seen);
    }
    if wanted.http { request_line(seen) } else { Some(FirstBytes::Other) }
}

/// Feeds rustls, which knows client hellos.
#[derive(Default)]
struct HelloReader {
    acceptor: Acceptor,
    fed: usize,
}

impl HelloReader {
    fn read(&mut self, seen: &[u8]) -> Option<FirstBytes> {
        let mut fresh = seen.get(self.fed..)?;
        while !fresh.is_empty() {
            match self.acceptor.read_tls(&mut fresh) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Some(FirstBytes::Other),
            }
            self.fed = seen.len() - fresh.len();
            match self.acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => {
                    let hello = accepted.client_hello();
                    return Some(FirstBytes::Tls(ClientHello {
                        server_name: hello.server_name().map(str::to_owned),
                        alpn: hello
                            .alpn()
                            .into_iter()
                            .flatten()
                            .map(|name| String::from_utf8_lossy(name).into_owned())
                            .collect(),
                    }));
                }
                Err(_) => return Some(FirstBytes::Other),
            }
        }
        None
    }
}

/// `METHOD target HTTP/1.x`, or the preface of HTTP/2 (T-199).
fn request_line(seen: &[u8]) -> Option<FirstBytes> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    if seen.starts_with(PREFACE) {
        return Some(FirstBytes::Http(HttpVersion::Http2, "PRI".to_owned()));
    }
    if PREFACE.starts_with(seen) {
        return None;
    }
    // Empty lines before a request line are allowed for (RFC 9112, 2.2).
    let start = seen.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let seen = seen.get(start..)?;
    let method_end = seen.iter().position(|byte| !is_token_byte(*byte));
    match method_end.and_then(|at| seen.get(at)) {
        None => return if seen.len() > 64 { Some(FirstBytes::Other) } else { None },
        Some(b' ') => {}
        Some(_) => return Some(FirstBytes::Other),
    }
    let line_end = seen.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(seen.get(..line_end)?).ok().map(str::trim_end);
    let Some((method, version)) =
        line.and_then(|line| Some((line.split_once(' ')?.0, line.rsplit_once(' ')?.1)))
    else {
        return Some(FirstBytes::Other);
    };
    let version = match version {
        "HTTP/1.1" => HttpVersion::Http11,
        "HTTP/1.0" => HttpVersion::Http10,
        _ => return Some(FirstBytes::Other),
    };
    if !is_http1_method(method) {
        return Some(FirstBytes::Other);
    }
    Some(FirstBytes::Http(version, method.to_owned()))
}

impl<T: AsyncRead + Unpin> AsyncRead for Prefixed<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.prefix.is_empty() {
            return Pin::new(&mut this.inner).poll_read(context, buffer);
        }
        let count = this.prefix.len().min(buffer.remaining());
        buffer.put_slice(this.prefix.get(..count).unwrap_or_default());
        this.prefix.advance(count);
        if this.prefix.is_empty() {
            // Its memory is not needed for the rest of the connection.
            this.prefix = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

writes_to_inner!(Prefixed);

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Wanted = Wanted { tls: true, http: true };

    fn of(bytes: &[u8]) -> Option<FirstBytes> {
        examine(bytes, BOTH, &mut HelloReader::default())
    }

    #[test]
    fn request_lines_are_http() {
        let http = |version, method: &str| Some(FirstBytes::Http(version, method.to_owned()));
        assert_eq!(of(b"GET /a HTTP/1.1\r\n"), http(HttpVersion::Http11, "GET"));
        assert_eq!(of(b"\r\nPUT /a HTTP/1.0\r\nx"), http(HttpVersion::Http10, "PUT"));
        assert_eq!(of(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0"), http(HttpVersion::Http2, "PRI"));
    }

    #[test]
    fn other_bytes_are_told_early() {
        for bytes in [&b"\x00\x01"[..], b"SSH-2.0-OpenSSH\r\n", b"get / HTTP/1.1\r\n", b"GET / HTTP/3\r\n"] {
            assert_eq!(of(bytes), Some(FirstBytes::Other), "{bytes:?}");
        }
    }

    #[test]
    fn too_few_bytes_decide_nothing() {
        for bytes in [&b""[..], b"G", b"GET /a HT", b"PRI * HT", b"\x16", b"\x16\x03\x01\x02\x00"] {
            assert_eq!(of(bytes), None, "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn nothing_read_is_lost() {
        let (mut client, server) = tokio::io::duplex(64);
        tokio::io::AsyncWriteExt::write_all(&mut client, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        drop(client);
        let (found, mut stream) = look(server, BOTH, 1024, Duration::from_secs(1)).await.unwrap();
        assert!(matches!(found, FirstBytes::Http(HttpVersion::Http11, _)));
        let mut all = String::new();
        stream.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    }

    #[tokio::test]
    async fn a_silent_client_is_other_bytes_in_time() {
        let (_client, server) = tokio::io::duplex(64);
        let (found, _) = look(server, BOTH, 1024, Duration::from_millis(20)).await.unwrap();
        assert_eq!(found, FirstBytes::Other);
    }
}
