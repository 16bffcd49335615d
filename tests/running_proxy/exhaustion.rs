//! What runs out, what panics, what is written into logs: nothing of it stops the proxy.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use mesh::compile::proxy::ProxyConfig;
use mesh::compile::proxy::listener::Direction;
use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::runtime::log_writer::LogWriter;
use mesh::proxy_core::seam::filter::{Filter, RequestHead};
use mesh::proxy_core::seam::sink::Sink;
use mesh::proxy_core::telemetry::access_log::LineFormat;
use mesh::proxy_core::telemetry::record::{Record, RequestRecord};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Answer, exchange, get, request};
use crate::fixture::{GATEWAY, Shared, config, door, start_with};
use crate::http2_attacks::{answer, connect, succeeded, with};
use crate::upstream::Upstream;

const ROUTE: &str = "  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n";

fn record(host: &str) -> Record {
    let address = "127.0.0.1:1".parse().unwrap();
    let mut record = Record::begin(Direction::Gateway, address, address);
    record.request = Some(RequestRecord {
        method: Method::from_bytes(host.as_bytes()).unwrap_or_default(),
        authority: host.to_owned(),
        path: format!("/{host}"),
        ..RequestRecord::default()
    });
    record.status = 200;
    record.peer_principal = Some(format!("spiffe://cluster.local/ns/{host}/sa/{host}"));
    record.flags = host.to_owned();
    record.details = host.to_owned();
    record
}

/// A writer that sleeps until it is told not to, then fails.
#[derive(Clone, Default)]
struct Stuck(Arc<AtomicBool>);

impl Write for Stuck {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        while !self.0.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(2));
        }
        Err(std::io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x05_a_log_that_cannot_be_written_costs_lines_and_no_request() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let stuck = Stuck::default();
    let log = LogWriter::new(stuck.clone(), LineFormat::text(""));
    let dropped = log.dropped();
    // The queue is full before the first request.
    let started = Instant::now();
    let line = record("a");
    for _ in 0..50_000 {
        log.finished(&line);
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(dropped.load(Ordering::Relaxed) > 15_000);
    let running =
        start_with(config(&door(ROUTE), GATEWAY), &["80"], &endpoints, Options::default(), |builder| {
            builder.sink(log)
        })
        .await;
    for _ in 0..20 {
        assert_eq!(get(running.address(), "a", "/").await.status, 200);
    }
    // A full disk: lines that were taken are counted too.
    stuck.0.store(true, Ordering::Relaxed);
    let started = Instant::now();
    while dropped.load(Ordering::Relaxed) < 50_000 {
        assert!(started.elapsed() < Duration::from_secs(10), "{} dropped", dropped.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(get(running.address(), "a", "/").await.status, 200);
}

#[derive(Debug)]
struct Panics;

impl Filter for Panics {
    fn request(&self, head: &mut RequestHead<'_>) -> Option<http::Response<String>> {
        assert!(!head.path.contains("panic"), "a filter's bug");
        None
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q06_a_panic_takes_its_own_connection_only() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let running =
        start_with(config(&door(ROUTE), GATEWAY), &["80"], &endpoints, Options::default(), |builder| {
            builder.filter(Panics)
        })
        .await;
    let mut other = TcpStream::connect(running.address()).await.unwrap();
    other
        .write_all(b"POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhel")
        .await
        .unwrap();
    for _ in 0..5 {
        let answer = exchange(running.address(), "GET /panic HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(answer, "");
    }
    assert_eq!(running.proxy.panics(), 5);
    other.write_all(b"lo").await.unwrap();
    let mut answer = String::new();
    other.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(get(running.address(), "a", "/").await.status, 200);
    tokio::time::timeout(Duration::from_secs(5), running.proxy.drain())
        .await
        .expect("a place is still taken");
}

impl Shared {
    async fn lines(&self, wanted: usize) -> Vec<Vec<u8>> {
        for _ in 0..100 {
            let all = self.0.lock().unwrap().clone();
            let lines: Vec<Vec<u8>> = all
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .map(<[u8]>::to_vec)
                .collect();
            if lines.len() >= wanted {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("too few lines");
    }
}

/// CVE-2024-34363: one line for each request, and JSON that parses.
#[tokio::test]
async fn l01_what_clients_send_cannot_break_out_of_a_log_line() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let (text, json) = (Shared::default(), Shared::default());
    let (text_log, json_log) = (text.clone(), json.clone());
    let running =
        start_with(config(&door(ROUTE), GATEWAY), &["80"], &endpoints, Options::default(), |builder| {
            builder
                .sink(LogWriter::new(text_log, LineFormat::text("")))
                .sink(LogWriter::new(json_log, LineFormat::json(None)))
        })
        .await;
    let mut sent = 0;
    let large = vec![b'"'; 30_000];
    let values: [&[u8]; 7] = [
        b"\" 200 - \"injected\"",
        b"{\"a\":1}\\",
        b"\xff\xfe\x80\xc0\xaf",
        b"tab\there",
        b"\\u0000\\n%0d%0a",
        "\u{202e}\u{2028}".as_bytes(),
        &large,
    ];
    for value in values {
        let head = [
            b"GET /a%0a\"b HTTP/1.1\r\nhost: a\r\nconnection: close\r\nuser-agent: ",
            value,
            b"\r\nx-request-id: ",
            value,
            b"\r\n\r\n",
        ]
        .concat();
        exchange(running.address(), head).await;
        sent += 1;
    }
    // Refused by the strict reader: told in the log all the same, and nothing of it repeated.
    for bytes in
        [&b"GET /\x1b[31m\r\nx HTTP/1.1\r\n\r\n"[..], b"GET / HTTP/1.1\r\nhost: a\r\nx: a\x1bb\0\r\n\r\n"]
    {
        exchange(running.address(), bytes).await;
        sent += 1;
    }
    let mut stream = connect(&running).await;
    stream.write_all(&with(&[(b"user-agent", b"\xff\"quoted\"")])).await.unwrap();
    let (answered, _) = answer(&mut stream, Duration::from_millis(300)).await;
    assert!(succeeded(&answered), "{answered:?}");
    sent += 1;
    let lines = text.lines(sent).await;
    assert_eq!(lines.len(), sent);
    for line in &lines {
        assert!(
            !line.iter().any(|byte| matches!(byte, 0..=8 | 11..=31 | 127)),
            "{}",
            String::from_utf8_lossy(line)
        );
    }
    let lines = json.lines(sent).await;
    assert_eq!(lines.len(), sent);
    for line in &lines {
        let parsed: Result<serde_json::Value, _> = serde_json::from_slice(line);
        assert!(parsed.is_ok_and(|value| value.is_object()), "{}", String::from_utf8_lossy(line));
    }
}

/// Names of servers and headers of 64 KiB: one line each, whatever is in them (#89).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l01_names_of_servers_and_headers_of_64_kib_stay_on_their_line() {
    const FORMAT: &str = "%REQUESTED_SERVER_NAME% %REQ(USER-AGENT)% %RESPONSE_FLAGS%\n";
    let (text, json) = (Shared::default(), Shared::default());
    let (text_log, json_log) = (text.clone(), json.clone());
    let passthrough = crate::tls::secure_door("{mode: PASSTHROUGH}")
        .replace("hosts: [shop.example]", "hosts: ['*', shop.example]")
        .replace(
            "  http:\n  - route",
            "  tls:\n  - match: [{port: 443, sniHosts: ['*']}, {port: 443, sniHosts: [shop.example]}]\n    route",
        );
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let both = format!(
        "{passthrough}---{}",
        door(ROUTE)
            .split_once("\n---\napiVersion: networking.istio.io/v1\nkind: Gateway")
            .map(|(_, rest)| format!("\napiVersion: networking.istio.io/v1\nkind: Gateway{rest}"))
            .unwrap()
            .replace("name: door", "name: plain")
            .replace("gateways: [door]", "gateways: [plain]")
    );
    let mut options = Options::default();
    options.limits.header_bytes = 1 << 18;
    let running = start_with(config(&both, GATEWAY), &["443", "80"], &endpoints, options, |builder| {
        builder
            .sink(LogWriter::new(text_log, LineFormat::text(FORMAT)))
            .sink(LogWriter::new(json_log, LineFormat::json(None)))
    })
    .await;
    // Hellos with names as they may be, as long as they may be, and as they may not be.
    let long = format!("{}.example", ["x".repeat(60).as_str(); 3].join("."));
    let names: [&[u8]; 8] = [
        b"shop.example",
        b"SHOP.Example",
        long.as_bytes(),
        b"shop\r\nGET / HTTP/1.1",
        b"\"},{\"a\":\"b",
        b"shop\x1b[31mred",
        b"\xff\xfe\x80",
        b"nul\0.example",
    ];
    for name in names {
        let mut stream = TcpStream::connect(running.addresses[0]).await.unwrap();
        stream.write_all(&crate::tls_attacks::hello_for(name)).await.unwrap();
        // The application speaks no TLS and ends it, or nothing takes the name.
        let mut rest = Vec::new();
        let reading = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest));
        let _ = reading.await.expect("nobody ends it");
    }
    let mut sent = 0;
    for byte in [b'"', b'\\', 0xff, b'\t', b'a'] {
        let value = vec![byte; 64 << 10];
        let head =
            [b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nuser-agent: a", &value[..], b"a\r\n\r\n"]
                .concat();
        let answer = exchange(running.addresses[1], head).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{}", &answer[..answer.len().min(200)]);
        sent += 1;
    }
    // What a name might be if the reader of hellos let it through, by the writers alone.
    let address = "127.0.0.1:1".parse().unwrap();
    for name in ["a\r\nb", "a\u{1b}[31m", "a\"b\\", "\u{85}\u{2028}"] {
        let mut record = Record::begin(Direction::Gateway, address, address);
        record.server_name = Some(name.to_owned());
        let both = [LineFormat::text(FORMAT), LineFormat::json(None)];
        for (log, format) in [&text, &json].into_iter().zip(both) {
            let writer = LogWriter::new(log.clone(), format);
            writer.finished(&record);
        }
        sent += 1;
    }
    for (log, is_json) in [(&text, false), (&json, true)] {
        // At least the names that are names were passed on, and told of. The last line of each is waited for.
        let has =
            |lines: &[Vec<u8>], text: &[u8]| lines.concat().windows(text.len()).any(|window| window == text);
        let mut lines = log.lines(sent + 3).await;
        while !has(&lines, &[b'a'; 64 << 10]) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            lines = log.lines(sent + 3).await;
        }
        assert!((sent + 3..=sent + names.len()).contains(&lines.len()), "{} lines", lines.len());
        assert!(has(&lines, b"shop.example") && has(&lines, long.as_bytes()), "JSON: {is_json}");
        for line in &lines {
            let shown = String::from_utf8_lossy(&line[..line.len().min(300)]).into_owned();
            if is_json {
                let parsed: Result<serde_json::Value, _> = serde_json::from_slice(line);
                assert!(parsed.is_ok_and(|value| value.is_object()), "{shown}");
            } else {
                assert!(!line.iter().any(|byte| matches!(byte, 0..=8 | 11..=31 | 127)), "{shown}");
            }
        }
    }
}

/// A gateway whose route answers with one name, and whose policy lets nobody through who does not ask for the other.
fn naming(route: &str, policy: &str) -> ProxyConfig {
    let text = door(&format!("  - directResponse: {{status: 200, body: {{string: {route}}}}}\n"));
    let policy = format!(
        "\n---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: p, namespace: edge}}\n\
         spec:\n  action: DENY\n  rules:\n  - when: [{{key: 'request.headers[x-want]', notValues: [{policy}]}}]\n"
    );
    config(&(text + &policy), GATEWAY)
}

/// A client's policy and the route that answers it are of one configuration: whoever is let through gets what it asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c05_every_answer_is_of_one_generation_whole() {
    async fn ask(address: SocketAddr, want: &str) -> Answer {
        request(address, "GET /", &[("host", "a"), ("x-want", want)], "").await
    }
    const NAMES: [&str; 3] = ["one", "two", "three"];
    let configs = NAMES.map(|name| naming(name, name));
    // The new policy in front of the old route, and the other way round, would show.
    let torn = naming("one", "two");
    let running = start_with(torn, &["80"], &[], Options::default(), |builder| builder).await;
    let address = running.address();
    let mixed = ask(address, "two").await;
    assert_eq!((mixed.status, &*mixed.body), (200, "one"));
    let mut last = running.proxy.apply(configs[0].clone());
    let stop = Arc::new(AtomicBool::new(false));
    let clients = NAMES.map(|want| {
        let stop = Arc::clone(&stop);
        tokio::spawn(async move {
            let (mut served, mut denied) = (0, 0);
            while !stop.load(Ordering::Relaxed) {
                let answer = ask(address, want).await;
                match answer.status {
                    200 => {
                        assert_eq!(answer.body, want, "the policy of one generation, the route of another");
                        served += 1;
                    }
                    status => {
                        assert_eq!(status, 403);
                        denied += 1;
                    }
                }
            }
            (served, denied)
        })
    });
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(1500) {
        for config in &configs {
            let number = running.proxy.apply(config.clone());
            assert!(number > last, "generations only grow");
            last = number;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        let (served, denied) = client.await.unwrap();
        assert!(served > 0 && denied > 0, "{served} served, {denied} denied: only one generation was seen");
    }
}

/// What was allowed stays for as long as its connection; what is asked anew is decided anew.
#[tokio::test]
async fn c06_a_tightened_policy_holds_for_what_comes_next_and_leaves_tunnels_alone() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let running =
        start_with(config(&door(ROUTE), GATEWAY), &["80"], &endpoints, Options::default(), |builder| builder)
            .await;
    let mut tunnel = TcpStream::connect(running.address()).await.unwrap();
    tunnel
        .write_all(b"GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        .await
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tunnel.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    let mut kept = TcpStream::connect(running.address()).await.unwrap();
    kept.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut buffer = vec![0; 4096];
    let length = kept.read(&mut buffer).await.unwrap();
    assert!(buffer[..length].starts_with(b"HTTP/1.1 200 "));

    let closed = door(ROUTE)
        + "\n---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: nobody, namespace: edge}\nspec: {}\n";
    running.proxy.apply(config(&closed, GATEWAY));
    kept.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let length = kept.read(&mut buffer).await.unwrap();
    assert!(buffer[..length].starts_with(b"HTTP/1.1 403 "), "the next request of a connection");
    assert_eq!(get(running.address(), "a", "/").await.status, 403);
    tunnel.write_all(b"still here").await.unwrap();
    let length =
        tokio::time::timeout(Duration::from_secs(3), tunnel.read(&mut buffer)).await.unwrap().unwrap();
    assert_eq!(&buffer[..length], b"still here");
}

/// A thousand of each kind of slow client beside an honest one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x01_slow_clients_hold_nobody_up_and_all_of_them_go() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let mut options = Options::default();
    options.patience.request_head = Duration::from_millis(1500);
    options.patience.idle = Duration::from_millis(1500);
    let running =
        start_with(config(&door(ROUTE), GATEWAY), &["80"], &endpoints, options, |builder| builder).await;
    let mut held = Vec::new();
    for number in 0..2000 {
        let mut stream = TcpStream::connect(running.address()).await.unwrap();
        let said: &[u8] = match number % 4 {
            0 => b"GET / HTTP/1.1\r\nhost: a\r\nx: ",
            1 => b"",
            2 => b"PRI * HTTP",
            _ => b"GET /\r",
        };
        stream.write_all(said).await.unwrap();
        if number % 8 == 1 {
            stream.shutdown().await.unwrap();
        }
        held.push(stream);
    }
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let started = Instant::now();
        assert_eq!(get(running.address(), "a", "/").await.status, 200);
        slowest = slowest.max(started.elapsed());
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    let started = Instant::now();
    for mut stream in held {
        let mut rest = Vec::new();
        let ending = tokio::time::timeout(Duration::from_secs(6), stream.read_to_end(&mut rest)).await;
        assert!(ending.is_ok(), "still open after {:?}", started.elapsed());
    }
    tokio::time::timeout(Duration::from_secs(5), running.proxy.drain())
        .await
        .expect("somebody is still there");
}

/// A connection that waits for more than a second does so without the codec, and is none the worse for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x01_a_connection_that_waits_goes_on_where_it_was_and_is_cut_in_time() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let mut options = Options::default();
    options.patience.idle = Duration::from_secs(3);
    options.patience.request_head = Duration::from_millis(500);
    let running =
        start_with(config(&door(ROUTE), GATEWAY), &["80"], &endpoints, options, |builder| builder).await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    let get = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let answers = async |stream: &mut TcpStream, count: usize| {
        let mut heard = Vec::new();
        while heard.windows(11).filter(|window| window == b"\r\n\r\nreviews").count() < count {
            heard.push(stream.read_u8().await.unwrap());
        }
    };
    for (first, rest) in [(&get[..], &b""[..]), (&get[..9], &get[9..]), (&get[..1], &get[1..])] {
        stream.write_all(first).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        stream.write_all(rest).await.unwrap();
        answers(&mut stream, 1).await;
        tokio::time::sleep(Duration::from_millis(1300)).await;
    }
    let post = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nyes";
    stream.write_all(&[&post[..], get, post].concat()).await.unwrap();
    answers(&mut stream, 3).await;
    assert_eq!(running.records.take().len(), 6);
    // Neither its head nor its idleness is waited for longer than elsewhere.
    let started = Instant::now();
    assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 0);
    assert!((2500..4500).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
    let mut slow = TcpStream::connect(running.address()).await.unwrap();
    slow.write_all(get).await.unwrap();
    answers(&mut slow, 1).await;
    tokio::time::sleep(Duration::from_millis(1300)).await;
    slow.write_all(&get[..9]).await.unwrap();
    let mut heard = String::new();
    slow.read_to_string(&mut heard).await.unwrap();
    assert!(heard.starts_with("HTTP/1.1 408 "), "{heard}");
    // A drain ends connections that wait at once.
    let mut waiting = TcpStream::connect(running.address()).await.unwrap();
    waiting.write_all(get).await.unwrap();
    answers(&mut waiting, 1).await;
    tokio::time::sleep(Duration::from_millis(1300)).await;
    let started = Instant::now();
    running.proxy.drain().await;
    assert!(started.elapsed() < Duration::from_millis(1500), "{:?}", started.elapsed());
    assert_eq!(waiting.read(&mut [0; 64]).await.unwrap(), 0);
}
