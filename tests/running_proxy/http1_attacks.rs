//! A corpus of hostile HTTP/1 messages, each sent as raw bytes to a gateway with a real upstream behind it. What counts
//! is what the upstream hears: nothing of what is refused, and never the request that hides behind another.
//!
//! The families are those of the published desynchronisation and parser-difference research (CL/TE conflicts, numbers
//! that parsers read differently, chunk framing, line ends, names and values, targets and hosts).

use std::time::Duration;

use tokio::net::TcpStream;

use crate::client::say_and_end;
use crate::http2_attacks::gateway;
use crate::upstream::Seen;

/// What must come of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The upstream hears nothing, the client no success.
    Refused,
    /// The upstream hears nothing, the client this status and no other.
    Told(u16),
    /// The head may have gone on; the body did not arrive whole, and there is no success.
    Broken,
    /// One request at most, and not the hidden one.
    AtMostOne,
    /// A good message: it arrives.
    Served,
}

use Fate::{AtMostOne, Broken, Refused, Served, Told};

pub(crate) type Case = (String, Vec<u8>, Fate);

/// The request that hides in the bodies.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";

fn post(lines: &str, body: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nhost: a\r\n{lines}\r\n{body}").into_bytes()
}

fn case(cases: &mut Vec<Case>, name: impl Into<String>, bytes: impl Into<Vec<u8>>, fate: Fate) {
    cases.push((name.into(), bytes.into(), fate));
}

/// M01: both lengths, in either order.
fn two_lengths() -> Vec<Case> {
    let mut cases = Vec::new();
    let body = format!("0\r\n\r\n{HIDDEN}");
    for coding in ["chunked", "Chunked", "CHUNKED", " chunked", "chunked ", "\tchunked"] {
        for length in ["0", "5", "6", "40", "999"] {
            let lines = format!("content-length: {length}\r\ntransfer-encoding:{coding}\r\n");
            case(&mut cases, format!("CL {length} then TE {coding:?}"), post(&lines, &body), Told(400));
        }
        let lines = format!("transfer-encoding:{coding}\r\ncontent-length: 4\r\n");
        case(&mut cases, format!("TE {coding:?} then CL"), post(&lines, &body), Told(400));
    }
    cases
}

/// M02: lengths that are no numbers, or several.
fn lengths() -> Vec<Case> {
    let mut cases = Vec::new();
    for value in [
        "+5",
        "-5",
        "5 5",
        "5,5",
        "5, 5",
        "5;5",
        "0x5",
        "5.0",
        "5e0",
        "\u{665}",
        "",
        "  ",
        "_5",
        "5_",
        "\"5\"",
        "5\u{b}",
        "\u{b}5",
        "5\0",
        "18446744073709551616",
        "99999999999999999999999999999999",
        "-0",
        "5\u{a0}",
        "NaN",
        "0b1",
        "5,",
        ",5",
    ] {
        case(
            &mut cases,
            format!("CL {value:?}"),
            post(&format!("content-length: {value}\r\n"), "hello"),
            Told(400),
        );
    }
    for (one, two) in [("5", "6"), ("6", "5"), ("0", "5"), ("5", "+5")] {
        let lines = format!("content-length: {one}\r\ncontent-length: {two}\r\n");
        case(&mut cases, format!("CL {one} and CL {two}"), post(&lines, "hello"), Told(400));
    }
    case(&mut cases, "CL 5 and CL 5", post("content-length: 5\r\ncontent-length: 5\r\n", "hello"), Told(400));
    case(&mut cases, "a look-alike", post("content_length: 5\r\n", "hello"), Told(400));
    case(&mut cases, "CL that is folded", post("content-length: 5\r\n 5\r\n", "hello"), Told(400));
    case(&mut cases, "space before the colon", post("content-length : 5\r\n", "hello"), Told(400));
    case(&mut cases, "longer than the body", post("content-length: 50\r\n", "hello"), Broken);
    case(&mut cases, "a good length", post("content-length: 5\r\n", "hello"), Served);
    cases
}

/// M03: codings that are not `chunked`, once.
fn codings() -> Vec<Case> {
    let mut cases = Vec::new();
    let body = format!("0\r\n\r\n{HIDDEN}");
    for value in [
        "xchunked",
        "chunkedx",
        "chunked, identity",
        "identity",
        "identity, chunked",
        "gzip, chunked",
        "chunked, chunked",
        "chunked, gzip",
        "\"chunked\"",
        "'chunked'",
        "chunked;q=1",
        "chunked; a",
        "\u{b}chunked",
        "chunked\u{b}",
        "chunked\0",
        "chunked,",
        ",chunked",
        ", chunked",
        "cow",
        "trailers",
        "deflate",
        "chun ked",
        "x, chunked",
        "chunk\u{e9}d",
        "\u{c}chunked",
    ] {
        let lines = format!("transfer-encoding: {value}\r\n");
        // A coding that is one, and is not spoken here, has a status of its own (RFC 9112, 6.1).
        let is_coding = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'\'');
        let fate = Told(if is_coding { 501 } else { 400 });
        case(&mut cases, format!("TE {value:?}"), post(&lines, &body), fate);
    }
    for (one, two) in
        [("chunked", "chunked"), ("chunked", "identity"), ("identity", "chunked"), ("gzip", "chunked")]
    {
        let lines = format!("transfer-encoding: {one}\r\ntransfer-encoding: {two}\r\n");
        let fate = Told(if one == "chunked" { 400 } else { 501 });
        case(&mut cases, format!("TE {one} and TE {two}"), post(&lines, &body), fate);
    }
    for lines in [
        "transfer-encoding:\r\n chunked\r\n",
        "transfer-encoding : chunked\r\n",
        " transfer-encoding: chunked\r\n",
    ] {
        case(&mut cases, format!("{lines:?}"), post(lines, &body), Told(400));
    }
    for value in ["chunked", "Chunked", "chunked\t", "\t chunked"] {
        let lines = format!("transfer-encoding: {value}\r\n");
        case(&mut cases, format!("TE {value:?}, good"), post(&lines, "5\r\nhello\r\n0\r\n\r\n"), Served);
    }
    cases
}

/// M04: chunks.
fn chunks() -> Vec<Case> {
    let mut cases = Vec::new();
    for body in [
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5_\r\nhello\r\n0\r\n\r\n",
        "_5\r\nhello\r\n0\r\n\r\n",
        "g\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\nhello\n0\n\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "5,5\r\nhello\r\n0\r\n\r\n",
        "5.\r\nhello\r\n0\r\n\r\n",
        "\u{665}\r\nhello\r\n0\r\n\r\n",
        "5\0\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5\r\nhel",
        "5\r\nhello\r\n",
        "5\r\nhello\r\n0\r\n",
        "0",
        "",
    ] {
        case(&mut cases, format!("chunk {body:?}"), post("transfer-encoding: chunked\r\n", body), Broken);
    }
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(20_000));
    case(&mut cases, "an extension of 20 KB", post("transfer-encoding: chunked\r\n", &long), Broken);
    case(
        &mut cases,
        "an extension",
        post("transfer-encoding: chunked\r\n", "5;a=b\r\nhello\r\n0\r\n\r\n"),
        Served,
    );
    case(
        &mut cases,
        "a large size",
        post("transfer-encoding: chunked\r\n", "A\r\nhellohello\r\n0\r\n\r\n"),
        Served,
    );
    cases
}

/// M05: trailers never become headers.
fn trailers() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in [
        "content-length",
        "transfer-encoding",
        "host",
        "authorization",
        "content-type",
        "x-forwarded-for",
        "cookie",
    ] {
        let body = format!("5\r\nhello\r\n0\r\n{name}: hidden\r\n\r\n");
        case(&mut cases, format!("trailer {name}"), post("transfer-encoding: chunked\r\n", &body), AtMostOne);
    }
    let many: String = (0..10_000).map(|number| format!("x-{number}: 1\r\n")).collect();
    let body = format!("5\r\nhello\r\n0\r\n{many}\r\n");
    case(&mut cases, "10,000 trailers", post("transfer-encoding: chunked\r\n", &body), Broken);
    cases
}

/// M06: versions.
fn versions() -> Vec<Case> {
    let mut cases = Vec::new();
    for version in [
        "HTTP/1.0",
        "HTTP/0.9",
        "HTTP/1.2",
        "HTTP/2.0",
        "HTTP/3",
        "HTTP/1",
        "HTTP/1.",
        "HTTP/11",
        "HTTP/01.1",
        "HTTP/1.10",
        "http/1.1",
        "Http/1.1",
        "HTTP /1.1",
        "HTTP/1,1",
        "HTTPS/1.1",
        "HTTP/1.1x",
        "HTTP/-1.1",
        "HTTP/1.1\0",
        "ICY/1.1",
        "",
    ] {
        let fate = Told(if version == "HTTP/1.0" { 426 } else { 400 });
        case(&mut cases, format!("{version:?}"), format!("GET / {version}\r\nhost: a\r\n\r\n"), fate);
    }
    let coded =
        "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned() + HIDDEN;
    case(&mut cases, "chunks in HTTP/1.0", coded, Told(400));
    case(&mut cases, "no version", "GET /\r\n", Told(400));
    cases
}

/// M07: lines, names and values.
fn lines() -> Vec<Case> {
    let mut cases = Vec::new();
    for byte in (0..=32).chain([127]).chain(*b"(),/;<=>?@[\\]{}\"").chain([0x80, 0xe9, 0xff]) {
        // A line end in a name is another line, told below.
        if matches!(byte, b'\n' | b'\r') {
            continue;
        }
        let bytes = [b"GET / HTTP/1.1\r\nhost: a\r\nx", &[byte][..], b"y: 1\r\n\r\n"].concat();
        case(&mut cases, format!("name with {byte:#x}"), bytes, Told(400));
    }
    for byte in (0..32).filter(|byte| !matches!(byte, b'\t' | b'\n' | b'\r')).chain([127]) {
        let bytes = [b"GET / HTTP/1.1\r\nhost: a\r\nx: y", &[byte][..], b"z\r\n\r\n"].concat();
        case(&mut cases, format!("value with {byte:#x}"), bytes, Told(400));
    }
    for bytes in [
        "GET / HTTP/1.1\r\nhost: a\r\nx: y\rz: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx\r: y\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n\tfolded\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx : y\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx\t: y\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n: y\r\n\r\n",
        "GET / HTTP/1.1\r\n host: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\thost: a\r\n\r\n",
        " GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /  HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /\tHTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nhost: a\r\n\r\n",
        "G(T / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET\0 / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\rhost: a\r\r\n",
    ] {
        case(&mut cases, format!("{bytes:?}"), bytes, Told(400));
    }
    // RFC 9112, 2.2 would let a bare LF end a line; nobody honest sends one.
    for bytes in [
        "GET / HTTP/1.1\nhost: a\n\n",
        "GET / HTTP/1.1\r\nhost: a\nx: y\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: y\n\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n\n",
    ] {
        case(&mut cases, format!("{bytes:?}"), bytes, Told(400));
    }
    case(
        &mut cases,
        "a value with obs-text",
        b"GET / HTTP/1.1\r\nhost: a\r\nx: \xe9\r\n\r\n".to_vec(),
        Served,
    );
    case(&mut cases, "an empty line first", "\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", Served);
    cases
}

/// Targets and hosts that parsers take for different things.
fn targets() -> Vec<Case> {
    let mut cases = Vec::new();
    for target in [
        "*", "a:443", "a", "", "?x", "#x", "/%00", "/a\u{7f}", "/a\u{1}", "/<>", "http://", "http:///",
        "//\u{0}", "ftp//a", "/a\u{b}b",
    ] {
        if target == "/<>" {
            continue;
        }
        case(
            &mut cases,
            format!("target {target:?}"),
            format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n"),
            Refused,
        );
    }
    for host in ["a/b", "a?b", "a#b", "a b", "a\\b", "a\u{e9}", "<a>", "a\tb"] {
        case(
            &mut cases,
            format!("host {host:?}"),
            format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"),
            Refused,
        );
    }
    // Names that are nobody's, of letters that names may have: they match no other name than themselves.
    for host in ["user@a", "a:b", "a:99999", "a,b", "[::1", "::1]"] {
        case(
            &mut cases,
            format!("host {host:?}"),
            format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"),
            AtMostOne,
        );
    }
    for lines in ["", "host: a\r\nhost: b\r\n", "host: a\r\nhost: a\r\n", "Host: a\r\nhOST: b\r\n"] {
        case(&mut cases, format!("hosts {lines:?}"), format!("GET / HTTP/1.1\r\n{lines}\r\n"), Refused);
    }
    case(&mut cases, "a fragment", "GET /a#b HTTP/1.1\r\nhost: a\r\n\r\n", AtMostOne);
    case(&mut cases, "absolute, another host", "GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n", AtMostOne);
    case(
        &mut cases,
        "a long target",
        format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(70_000)),
        Refused,
    );
    case(
        &mut cases,
        "another expectation",
        post("expect: 200-ok\r\ncontent-length: 5\r\n", "hello"),
        AtMostOne,
    );
    case(
        &mut cases,
        "two expectations",
        post("expect: 100-continue, x\r\ncontent-length: 5\r\n", "hello"),
        AtMostOne,
    );
    cases
}

/// Every message, with a name and its fate.
pub(crate) fn all() -> Vec<Case> {
    [two_lengths(), lengths(), codings(), chunks(), trailers(), versions(), lines(), targets()].concat()
}

/// What the client was told, as status codes; those of interim answers are left out.
fn statuses(answer: &[u8]) -> Vec<u16> {
    String::from_utf8_lossy(answer)
        .split("HTTP/1.")
        .skip(1)
        .filter_map(|rest| rest.get(2..5)?.parse().ok())
        .filter(|status| *status >= 200)
        .collect()
}

fn problem(fate: Fate, heard: &[Seen], statuses: &[u16]) -> Option<&'static str> {
    let succeeded = statuses.iter().any(|status| *status < 300);
    let hidden = |seen: &Seen| {
        seen.target.contains("hidden") || seen.headers.iter().any(|(_, value)| value.contains("hidden"))
    };
    if heard.iter().any(hidden) {
        return Some("the upstream heard what was hidden");
    }
    match fate {
        Refused if !heard.is_empty() => Some("the upstream heard of it"),
        Told(_) if !heard.is_empty() => Some("the upstream heard of it"),
        Told(status) if *statuses != [status] => Some("it was told otherwise"),
        Refused | Broken if succeeded => Some("it was answered with success"),
        Broken if heard.iter().any(|seen| !seen.body.starts_with("broken")) => {
            Some("the upstream took it for whole")
        }
        AtMostOne if heard.len() > 1 => Some("the upstream heard more than one"),
        Served if heard.len() != 1 || !succeeded => Some("it was not served"),
        Refused | Told(_) | Broken | AtMostOne | Served => None,
    }
}

#[tokio::test]
async fn hostile_messages_do_not_reach_the_upstream() {
    let (running, upstream) = gateway().await;
    let all = all();
    assert!(all.len() >= 170, "{} cases", all.len());
    let mut wrong = Vec::new();
    for (name, bytes, fate) in &all {
        let mut stream = TcpStream::connect(running.address()).await.unwrap();
        let answer = say_and_end(&mut stream, bytes).await;
        // The upstream hears of a broken body a moment after the client is gone.
        if *fate == Broken {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (heard, statuses) = (upstream.take(), statuses(answer.as_deref().unwrap_or_default()));
        let found = if answer.is_none() {
            Some("the connection stayed open")
        } else {
            problem(*fate, &heard, &statuses)
        };
        if let Some(problem) = found {
            wrong.push(format!("{name}: {problem}; {statuses:?}, heard {}", heard.len()));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}
