//! Bytes through an HTTP proxy: the request that asks the upstream to forward them, and its answer (T-290).

use std::io;

use mesh_compile::proxy::cluster::UpstreamProtocol;
use mesh_compile::proxy::listener::{Tunnel, TunnelMethod};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::seam::dial::Io;

/// The longest answer that is read before the tunnel counts as refused.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Asks for the tunnel. HTTP/1.1 with `CONNECT` alone: what else can be configured is refused rather than sent as bytes
/// that the upstream would take for something else.
///
/// # Errors
/// The upstream cannot be asked so, does not answer, or does not want to forward.
pub(crate) async fn open(
    stream: &mut impl Io,
    tunnel: &Tunnel,
    protocol: UpstreamProtocol,
) -> io::Result<()> {
    if tunnel.method != TunnelMethod::Connect || protocol != UpstreamProtocol::Http1 {
        return Err(io::Error::other("only tunnels by CONNECT over HTTP/1.1 are spoken here"));
    }
    let request = format!("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n\r\n", tunnel.target);
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    // A byte at a time: what follows the answer belongs to the client.
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= ANSWER_BYTES_MAX {
            return Err(io::Error::other("the answer to CONNECT has no end"));
        }
        answer.push(stream.read_u8().await?);
    }
    match status(&answer) {
        Some(200..=299) => Ok(()),
        Some(status) => Err(io::Error::other(format!("the upstream answered CONNECT with {status}"))),
        None => Err(io::Error::other("the answer to CONNECT is not HTTP/1.1")),
    }
}

/// The status of `HTTP/1.x STATUS reason`.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let is_http = words.next()?.starts_with("HTTP/1.");
    words.next()?.parse().ok().filter(|status| is_http && (100..600).contains(status))
}

#[cfg(test)]
mod tests {
    use mesh_model::origin::Origin;

    use super::*;

    fn tunnel(method: TunnelMethod) -> Tunnel {
        Tunnel { method, target: "db.example:5432".into(), origin: Origin::built_in("a test") }
    }

    async fn answered(answer: &'static [u8]) -> (io::Result<()>, Vec<u8>, Vec<u8>) {
        let (mut own, mut upstream) = tokio::io::duplex(64 * 1024);
        let upstream = tokio::spawn(async move {
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(upstream.read_u8().await.unwrap());
            }
            upstream.write_all(answer).await.unwrap();
            asked
        });
        let opened = open(&mut own, &tunnel(TunnelMethod::Connect), UpstreamProtocol::Http1).await;
        let asked = upstream.await.unwrap();
        let mut rest = Vec::new();
        own.read_to_end(&mut rest).await.unwrap();
        (opened, asked, rest)
    }

    #[tokio::test]
    async fn bytes_begin_right_behind_the_answer() {
        let (opened, asked, rest) = answered(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nhello").await;
        assert!(opened.is_ok());
        assert_eq!(asked, b"CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n");
        assert_eq!(rest, b"hello");
    }

    #[tokio::test]
    async fn an_upstream_that_does_not_forward_gets_no_bytes() {
        for answer in [
            &b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..],
            b"SSH-2.0-x\r\n\r\n",
            b"HTTP/1.1 2000 OK\r\n\r\n",
            b"HTTP/1.1",
        ] {
            assert!(answered(answer).await.0.is_err(), "{}", String::from_utf8_lossy(answer));
        }
        let mut own = tokio::io::duplex(64).0;
        assert!(open(&mut own, &tunnel(TunnelMethod::Post), UpstreamProtocol::Http1).await.is_err());
        assert!(open(&mut own, &tunnel(TunnelMethod::Connect), UpstreamProtocol::Http2).await.is_err());
    }

    #[tokio::test]
    async fn an_answer_without_end_is_given_up() {
        let (mut own, mut upstream) = tokio::io::duplex(ANSWER_BYTES_MAX * 2);
        upstream.write_all(&vec![b'a'; ANSWER_BYTES_MAX + 10]).await.unwrap();
        assert!(open(&mut own, &tunnel(TunnelMethod::Connect), UpstreamProtocol::Http1).await.is_err());
    }
}
