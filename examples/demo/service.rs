//! The three services, as small as services can be: `web` asks reviews through its sidecar, reviews name their version.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::client::Client;
use crate::stage::Problem;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Service {
    /// Says which version it is.
    Reviews(&'static str),
    /// Answers with what reviews say, asked by way of the sidecar's outbound address.
    Web(SocketAddr),
}

impl Service {
    /// Serves connections for as long as the program lives.
    pub(crate) fn serve(self, listener: TcpListener) {
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    // A client that goes away is no news.
                    let _ = self.connection(stream).await;
                });
            }
        });
    }

    async fn connection(self, stream: TcpStream) -> Result<(), Problem> {
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        let mut reviews = match self {
            Self::Web(sidecar) => Some(Client::plain(sidecar).await?),
            Self::Reviews(_) => None,
        };
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
            let mut header = String::new();
            while stream.read_line(&mut header).await? > 2 {
                header.clear();
            }
            let (status, body) = match (self, &mut reviews) {
                (Self::Reviews(version), _) => (200, format!("reviews {version}")),
                (Self::Web(_), Some(reviews)) => {
                    let answer = reviews.ask(&format!("GET {path}"), &[("host", "reviews:9080")]).await?;
                    (answer.status, answer.body)
                }
                (Self::Web(_), None) => (500, String::new()),
            };
            let answer = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.get_mut().write_all(answer.as_bytes()).await?;
        }
    }
}
