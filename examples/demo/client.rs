//! A client of few words: HTTP/1.1 with connections that are kept, in the clear or over TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::stage::Problem;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub(crate) struct Client {
    stream: BufReader<Box<dyn Stream>>,
}

#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Client {
    pub(crate) async fn plain(address: SocketAddr) -> Result<Self, Problem> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(Box::new(stream)) })
    }

    /// Over TLS with a server of this name, which the authority vouches for.
    pub(crate) async fn secure(address: SocketAddr, name: &str, authority: &str) -> Result<Self, Problem> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
        let config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(roots)
                .with_no_client_auth();
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned())?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        Ok(Self { stream: BufReader::new(Box::new(stream)) })
    }

    /// Sends a request with these header lines and reads its answer.
    pub(crate) async fn ask(&mut self, line: &str, headers: &[(&str, &str)]) -> Result<Answer, Problem> {
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        self.stream.get_mut().write_all(format!("{line} HTTP/1.1\r\n{lines}\r\n").as_bytes()).await?;
        let mut answer = Answer::default();
        while !answer.head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut answer.head).await? == 0 {
                return Err("the connection was closed without an answer".into());
            }
        }
        answer.status = answer.head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        if answer.header("transfer-encoding") == Some("chunked") {
            self.chunks(&mut answer.body).await?;
        } else {
            let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            let mut body = vec![0; length];
            self.stream.read_exact(&mut body).await?;
            answer.body = String::from_utf8(body)?;
        }
        Ok(answer)
    }

    async fn chunks(&mut self, body: &mut String) -> Result<(), Problem> {
        loop {
            let mut size = String::new();
            self.stream.read_line(&mut size).await?;
            let size = usize::from_str_radix(size.trim_end(), 16)?;
            let mut chunk = vec![0; size + 2];
            self.stream.read_exact(&mut chunk).await?;
            chunk.truncate(size);
            body.push_str(std::str::from_utf8(&chunk)?);
            if size == 0 {
                return Ok(());
            }
        }
    }
}
