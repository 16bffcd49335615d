//! Clients that send exactly the bytes they are told to.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends bytes and waits for what is answered; then ends its side and reads to the end. `None`: the other side does not end
/// the connection then. Who ended its side at once would be taken to have left.
pub async fn say_and_end(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    bytes: &[u8],
) -> Option<Vec<u8>> {
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut patience = Duration::from_millis(500);
    while let Ok(Ok(1..)) = tokio::time::timeout(patience, stream.read_buf(&mut answer)).await {
        patience = Duration::from_millis(100);
    }
    let _ = stream.shutdown().await;
    let reading = stream.read_to_end(&mut answer);
    let is_over = tokio::time::timeout(Duration::from_secs(8), reading).await.is_ok();
    is_over.then_some(answer)
}

/// An HTTP/1 answer.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Reads an answer's text; the body is what follows the head.
    pub fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Self { status: status.unwrap_or(0), headers, body: body.to_owned() }
    }
}

/// Sends bytes and reads until the other side closes.
pub async fn exchange_on(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    let mut all = Vec::new();
    let reading = stream.read_to_end(&mut all);
    let _ = tokio::time::timeout(Duration::from_secs(20), reading).await.expect("no end of the answer");
    String::from_utf8_lossy(&all).into_owned()
}

/// Sends bytes to an address and reads until the other side closes.
pub async fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    exchange_on(TcpStream::connect(address).await.unwrap(), bytes.as_ref()).await
}

/// The only request of a connection: `GET /` with a host, more lines, and a body.
pub async fn request(address: SocketAddr, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut text = format!("{line} HTTP/1.1\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body);
    Answer::parse(&exchange(address, text).await)
}

/// `GET target` for a host.
pub async fn get(address: SocketAddr, host: &str, target: &str) -> Answer {
    request(address, &format!("GET {target}"), &[("host", host)], "").await
}
