use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::written::Checked;
use super::{ClientPatience, Gate, Guarded, Rules, oracle, pieces};

const RULES: Rules = Rules { lines_max: 4, bytes_max: 200, upper_case_methods: true };

fn read(bytes: &[u8], cuts: &[usize]) -> (Vec<usize>, Option<u16>) {
    pieces::read(bytes, cuts, RULES)
}

/// Pieces that messages are made of, good ones and bad ones.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        &b"GET / HTTP/1.1\r\n"[..],
        b"POST /a HTTP/1.1\r\n",
        b"GET / HTTP/1.0\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n",
        b"CONNECT / HTTP/1.1\r\n",
        b"CONNECT [::1]:443 HTTP/1.1\r\n",
        b"host: a\r\n",
        b"Host:b\r\n",
        b"content-length: 3\r\n",
        b"content-length: 0\r\n",
        b"Content-Length:  5 \r\n",
        b"transfer-encoding: chunked\r\n",
        b"transfer-encoding: gzip\r\n",
        b"transfer_encoding: chunked\r\n",
        b"connection: x, upgrade\r\n",
        b"upgrade: websocket\r\n",
        b"x: y\r\n",
        b"\r\n",
        b"\r\n",
        b"\r\n",
        b"abc",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"0\r\nx: y\r\n\r\n",
        b"5;a=b\r\nhello\r\n",
        b"00000000000000000",
        b"ffffffffffffffff\r\n",
        b"\n",
        b"\r",
        b" ",
        b":",
        b"\0",
        b"\x80",
        b";",
        b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ]);
    let good = prop::sample::select(vec![
        &b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..],
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    ]);
    let piece = prop_oneof![
        4 => word.prop_map(<[u8]>::to_vec),
        2 => good.prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 1..3),
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn the_verdict_is_the_slow_readers_however_the_bytes_are_cut(
        bytes in soup(),
        cuts in prop::collection::vec(1_usize..40, 1..6),
    ) {
        let whole = read(&bytes, &[usize::MAX]);
        prop_assert_eq!(&whole, &read(&bytes, &[1]));
        prop_assert_eq!(&whole, &read(&bytes, &cuts));
        prop_assert_eq!(&whole, &oracle::read(&bytes, RULES));
        let mut checked = Checked::new(RULES);
        prop_assert_eq!(checked.pass(&bytes).is_err(), whole.1.is_some());
    }
}

const PATIENCE: ClientPatience = ClientPatience {
    head: Duration::from_millis(200),
    idle: Duration::from_millis(400),
    stalled: Duration::from_millis(300),
    parked_after: Duration::from_secs(1),
};

fn guarded(size: usize) -> (DuplexStream, Guarded<DuplexStream>, Arc<Gate>) {
    let (client, server) = tokio::io::duplex(size);
    let gate = Arc::new(Gate::default());
    let rules = Rules { lines_max: 100, bytes_max: 8192, upper_case_methods: true };
    (client, Guarded::new(server, Arc::clone(&gate), rules, PATIENCE), gate)
}

async fn next(guarded: &mut Guarded<DuplexStream>) -> String {
    let mut buffer = vec![0; 8192];
    let length = guarded.read(&mut buffer).await.unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

const GOOD: &str = "GET /1 HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn messages_pass_one_at_a_time_and_a_bad_one_is_stood_in_for() {
    let (mut client, mut guarded, gate) = guarded(65536);
    let post = "POST /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc";
    let bytes = format!("{GOOD}{post}GET /3 HTTP/1.1\nhost: a\n\n{GOOD}");
    client.write_all(bytes.as_bytes()).await.unwrap();
    assert_eq!(next(&mut guarded).await, GOOD);
    let moment = Duration::from_millis(50);
    let ahead = tokio::time::timeout(moment, next(&mut guarded)).await;
    assert!(ahead.is_err(), "the first is not answered");
    // Its answer is written.
    guarded.flush().await.unwrap();
    assert_eq!(next(&mut guarded).await, post);
    guarded.flush().await.unwrap();
    assert_eq!(gate.refusal(), None);
    assert!(next(&mut guarded).await.starts_with("GET / HTTP/1.1\r\n"));
    assert_eq!(gate.refusal().unwrap().status, 400);
    let after = tokio::time::timeout(moment, next(&mut guarded)).await;
    assert!(after.is_err(), "the codec closes with the answer; until then it hears of no end");
}

#[tokio::test]
async fn nothing_of_a_head_passes_before_it_is_complete() {
    let (mut client, mut guarded, _gate) = guarded(65536);
    let (one, two) = GOOD.split_at(20);
    client.write_all(one.as_bytes()).await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(50), next(&mut guarded)).await;
    assert!(waiting.is_err());
    client.write_all(two.as_bytes()).await.unwrap();
    assert_eq!(next(&mut guarded).await, GOOD);
}

#[tokio::test]
async fn a_body_that_breaks_is_an_error() {
    let (mut client, mut guarded, gate) = guarded(65536);
    let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    client.write_all(format!("{head}5\nhello\n0\n\n").as_bytes()).await.unwrap();
    assert_eq!(next(&mut guarded).await, head);
    assert!(guarded.read(&mut [0; 100]).await.is_err());
    assert_eq!(gate.refusal(), None);
}

#[tokio::test]
async fn what_follows_a_change_of_protocols_waits_for_its_grant() {
    let ask = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    for granted in [true, false] {
        let (mut client, mut guarded, gate) = guarded(65536);
        client.write_all(format!("{ask}\x01\x02\x03").as_bytes()).await.unwrap();
        assert_eq!(next(&mut guarded).await, ask);
        let waiting = tokio::time::timeout(Duration::from_millis(50), next(&mut guarded)).await;
        assert!(waiting.is_err());
        gate.settle(granted);
        if !granted {
            // The refusal is written.
            guarded.flush().await.unwrap();
        }
        assert_eq!(next(&mut guarded).await, if granted { "\x01\x02\x03" } else { "" });
    }
}

#[tokio::test]
async fn heads_that_do_not_come_and_clients_that_do_not_read_are_given_up() {
    let (mut client, mut slow, gate) = guarded(65536);
    client.write_all(b"GET /").await.unwrap();
    assert!(next(&mut slow).await.starts_with("GET / HTTP/1.1\r\n"));
    assert_eq!(gate.refusal().unwrap().status, 408);

    let (_client, mut silent, _gate) = guarded(65536);
    assert_eq!(next(&mut silent).await, "");

    let (_client, mut unread, _gate) = guarded(16);
    let error = unread.write_all(&[0; 64]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn http2_is_left_alone() {
    let (mut client, mut guarded, _gate) = guarded(65536);
    let bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\n\n";
    for piece in bytes.as_bytes().chunks(7) {
        client.write_all(piece).await.unwrap();
    }
    drop(client);
    let mut all = String::new();
    guarded.read_to_string(&mut all).await.unwrap();
    assert_eq!(all, bytes);
}

#[test]
fn a_tunnel_is_asked_for_by_host_and_port_alone() {
    for (target, is_taken) in [
        ("a:443", true),
        ("a.b-c:0", true),
        ("[::1]:65535", true),
        ("/", false),
        ("*", false),
        ("a", false),
        ("a:", false),
        (":443", false),
        ("a:65536", false),
        ("a:44x", false),
        ("a:+44", false),
        ("a:443/x", false),
        ("a:443?x", false),
        ("u@a:443", false),
        ("a_b:443", false),
        ("a%20b:443", false),
        ("::1:443", false),
        ("[::1]", false),
        ("[x]:1", false),
        ("http://a:443", false),
        ("http://a/x", false),
    ] {
        let head = format!("CONNECT {target} HTTP/1.1\r\nhost: a\r\n\r\n");
        let (_, refused) = read(head.as_bytes(), &[7]);
        assert_eq!(refused.is_none(), is_taken, "{target}: {refused:?}");
    }
}
