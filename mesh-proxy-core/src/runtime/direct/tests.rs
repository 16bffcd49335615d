use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Version};
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::super::body::Body;
use super::super::pool::Failure;
use super::{Broken, Direct};

const ASKED: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// What came of an answer: status, reason, version, headers, body and trailers; `None`: it broke.
type Seen = Option<(u16, Option<Vec<u8>>, Version, HeaderMap, Bytes, HeaderMap)>;

async fn seen<B>(response: http::Response<B>) -> Seen
where
    B: http_body::Body<Data = Bytes>,
{
    let (parts, body) = response.into_parts();
    let whole = body.collect().await.ok()?;
    let reason = parts.extensions.get::<hyper::ext::ReasonPhrase>().map(|reason| reason.as_bytes().to_vec());
    let trailers = whole.trailers().cloned().unwrap_or_default();
    Some((parts.status.as_u16(), reason, parts.version, parts.headers, whole.to_bytes(), trailers))
}

/// Answers with bytes in pieces, and closes where nothing more is asked.
async fn answer(mut far: DuplexStream, bytes: Vec<u8>, cut: usize) {
    let mut asked = [0; 256];
    let _ = far.read(&mut asked).await;
    for piece in bytes.chunks(cut) {
        if far.write_all(piece).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn by_hand(method: &Method, bytes: &[u8], cut: usize) -> (Seen, bool) {
    let (near, far) = duplex(64);
    let answering = tokio::spawn(answer(far, bytes.to_vec(), cut));
    let came_home = Arc::new(Mutex::new(false));
    let home = {
        let came_home = Arc::clone(&came_home);
        move |_: Direct| *came_home.lock().unwrap() = true
    };
    let response = Direct::new(Box::new(near)).send(method, ASKED, home).await;
    let seen = match response {
        Ok(response) => seen(response).await,
        Err(_) => None,
    };
    answering.abort();
    let came_home = *came_home.lock().unwrap();
    (seen, came_home)
}

async fn by_the_codec(method: &Method, bytes: &[u8], cut: usize) -> (Seen, bool) {
    let (near, far) = duplex(64);
    let answering = tokio::spawn(answer(far, bytes.to_vec(), cut));
    let (mut sender, connection) = http1::handshake(TokioIo::new(near)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::builder().method(method).uri("/").header("host", "a").body(Body::Empty).unwrap();
    let seen = match sender.send_request(request).await {
        Ok(response) => seen(response).await,
        Err(_) => None,
    };
    let keeps = tokio::time::timeout(Duration::from_millis(20), sender.ready()).await;
    answering.abort();
    (seen, matches!(keeps, Ok(Ok(()))))
}

/// Answers, most of them good.
fn answers() -> impl Strategy<Value = Vec<u8>> {
    let interim = prop::sample::select(vec![
        "",
        "",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
    ]);
    let line = prop::sample::select(vec![
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 Fine\r\n",
        "HTTP/1.1 503 \r\n",
        "HTTP/1.1 404\r\n",
        "HTTP/1.1 204 No Content\r\n",
        "HTTP/1.1 304 Not Modified\r\n",
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.1 20 OK\r\n",
        "HTTP/2 200 OK\r\n",
        "ICY 200 OK\r\n",
    ]);
    let other = prop::sample::select(vec![
        "",
        "x-a: 1\r\n",
        "X-A:2\r\nx-a:  3 \r\n",
        "x-empty:\r\n",
        "connection: close\r\n",
        "Connection: keep-alive\r\n",
        "x-b: caf\u{e9}\r\n",
        "x c: 1\r\n",
        "no colon\r\n",
        "x-d : 1\r\n",
    ]);
    let body = prop::sample::select(vec![
        "\r\n",
        "\r\nuntil the end",
        "content-length: 0\r\n\r\n",
        "content-length: 5\r\n\r\nhello",
        "content-length: 5\r\n\r\nhel",
        "content-length: 5x\r\n\r\nhello",
        "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "transfer-encoding: Chunked\r\n\r\n5;x=y\r\nhello\r\n3 \r\nyou\r\n0\r\nx-t: 1\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n5\r\nhelloX0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "transfer-encoding: chunked\r\n\r\nz\r\n",
    ]);
    (interim, line, prop::collection::vec(other, 0..4), body).prop_map(|(interim, line, others, body)| {
        [interim, line, &others.concat(), body].concat().into_bytes()
    })
}

proptest! {
    /// The codec's client is the slow one that is known to be right. It takes chunks in HTTP/1.0 for none of its own.
    #[test]
    fn answers_are_read_as_the_codec_reads_them(
        bytes in answers(), cut in 1_usize..80, is_head in any::<bool>()
    ) {
        let method = if is_head { Method::HEAD } else { Method::GET };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (by_hand, by_codec) = runtime.block_on(async {
            (by_hand(&method, &bytes, cut).await, by_the_codec(&method, &bytes, cut).await)
        });
        let text = String::from_utf8_lossy(&bytes).into_owned();
        prop_assert_eq!(&by_hand.0, &by_codec.0, "{}", text);
        // What is kept the codec would keep too.
        prop_assert!(!by_hand.1 || by_hand.0.is_some(), "{}", text);
    }
}

async fn failure(bytes: &[u8]) -> Option<Failure> {
    let (near, far) = duplex(1024);
    tokio::spawn(answer(far, bytes.to_vec(), 1024));
    match Direct::new(Box::new(near)).send(&Method::GET, ASKED, |_| ()).await {
        Err(Broken::Failed(failure)) => Some(failure),
        _ => None,
    }
}

#[tokio::test]
async fn answers_that_can_be_read_in_two_ways_are_refused() {
    for head in [
        "content-length: 1\r\ncontent-length: 1\r\n",
        "content-length: 1\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "content-length: +1\r\n",
        "content-length: 1, 1\r\n",
        "x-a: 1\r\n folded\r\n",
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\n{head}\r\na");
        let failure = failure(bytes.as_bytes()).await;
        assert!(matches!(failure, Some(Failure::Protocol(_))), "{head:?}: {failure:?}");
    }
}

#[tokio::test]
async fn what_an_upstream_makes_the_proxy_hold_is_bounded() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(500 * 1024));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101));
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(33);
    for bytes in [long, many, interim] {
        assert!(matches!(failure(bytes.as_bytes()).await, Some(Failure::Protocol(_))));
    }
}

#[tokio::test]
async fn a_connection_goes_home_only_where_the_next_answer_is_the_next_requests() {
    let came_home = |text: &'static str| async move { by_hand(&Method::GET, text.as_bytes(), 1024).await.1 };
    assert!(came_home("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na").await);
    assert!(came_home("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await);
    assert!(came_home("HTTP/1.1 204 No Content\r\n\r\n").await);
    assert!(came_home("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\na").await);
    assert!(came_home("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n").await);
    assert!(!came_home("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab").await);
    assert!(!came_home("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n").await);
    assert!(!came_home("HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 1\r\n\r\na").await);
    assert!(!came_home("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na").await);
    assert!(!came_home("HTTP/1.1 200 OK\r\n\r\na").await);
    assert!(!came_home("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nx").await);
}

#[tokio::test]
async fn a_kept_connection_that_has_ended_or_has_something_to_say_is_not_quiet() {
    let (near, mut far) = duplex(64);
    let mut direct = Direct::new(Box::new(near));
    assert!(direct.is_quiet());
    far.write_all(b"HTTP/1.1 408 Request Timeout\r\n").await.unwrap();
    assert!(!direct.is_quiet());
    let (near, far) = duplex(64);
    let mut direct = Direct::new(Box::new(near));
    drop(far);
    assert!(!direct.is_quiet());
}
