//! Key sets of token rules, fetched from real servers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use mesh::authz::jwks_store::{Fetch, FetchProblem};
use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::runtime::key_fetch::OverHttp;
use mesh::proxy_core::runtime::proxy::Builder;
use mesh::proxy_core::seam::clock::ManualClock;
use mesh::proxy_core::seam::dial::{Dial, Dialled, SystemDial, Target};
use mesh::proxy_core::seam::key_fetch::KeyFetch;
use mesh::proxy_core::seam::resolve::InMemory;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::alone::is_alone;
use crate::ca::Ca;
use crate::client::{get, request};
use crate::fixture::{GATEWAY, Running, config, door, start_with};
use crate::upstream::Upstream;

fn data() -> Value {
    serde_json::from_str(include_str!("../../mesh-authz/src/jwt/testdata/tokens.json")).unwrap()
}

fn token(algorithm: &str) -> String {
    data()["by_algorithm"][algorithm].as_str().unwrap().to_owned()
}

fn key_set(names: &[&str]) -> String {
    let data = data();
    let keys: Vec<&Value> = names.iter().map(|name| &data["keys"][*name]).collect();
    json!({ "keys": keys }).to_string()
}

/// What a server of keys answers: status, `location`, body.
type Page = (u16, String, String);

/// An HTTP server of keys; it answers every path with one page, which can be changed.
#[derive(Clone)]
struct Issuer {
    address: SocketAddr,
    page: Arc<Mutex<Page>>,
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    async fn start(body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let page = Arc::new(Mutex::new((200, String::new(), body.to_owned())));
        let issuer = Self { address: listener.local_addr().unwrap(), page, asked: Arc::default() };
        let served = issuer.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(served.clone().serve(TokioIo::new(stream)));
            }
        });
        issuer
    }

    async fn serve<T>(self, io: TokioIo<T>)
    where
        T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let service = service_fn(|_: Request<Incoming>| {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let (status, location, body) = self.page.lock().unwrap().clone();
            let response = Response::builder().status(status).header("location", location);
            async { response.body(Full::new(Bytes::from(body))) }
        });
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
    }

    fn answer(&self, status: u16, location: &str, body: &str) {
        *self.page.lock().unwrap() = (status, location.to_owned(), body.to_owned());
    }

    fn url(&self) -> String {
        format!("http://{}/keys", self.address)
    }
}

/// A gateway whose tokens are of these issuers: `issuer` and `jwksUri`.
async fn gateway(rules: &[(&str, &str)], keys: OverHttp, options: Options) -> (Running, Upstream) {
    gateway_with(rules, options, |builder| builder.keys(keys)).await
}

async fn gateway_with(
    rules: &[(&str, &str)],
    options: Options,
    more: impl FnOnce(Builder) -> Builder,
) -> (Running, Upstream) {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let rules: Vec<Value> = rules
        .iter()
        .map(|(issuer, uri)| match uri.is_empty() {
            true => json!({ "issuer": issuer, "timeout": "1s" }),
            false => json!({ "issuer": issuer, "jwksUri": uri, "timeout": "1s" }),
        })
        .collect();
    let text = format!(
        "{}\n---\napiVersion: security.istio.io/v1\nkind: RequestAuthentication\n\
         metadata: {{name: tokens, namespace: edge}}\nspec: {{jwtRules: {}}}\n",
        door("  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n"),
        Value::Array(rules),
    );
    let config = config(&text, GATEWAY);
    (start_with(config, &["80"], &endpoints, options, more).await, upstream)
}

async fn status(running: &Running, algorithm: &str) -> u16 {
    let bearer = format!("Bearer {}", token(algorithm));
    let headers = [("host", "shop.example"), ("authorization", &*bearer)];
    request(running.address(), "GET /", &headers, "").await.status
}

/// Waits until a token gets this status; how long it took.
async fn until(running: &Running, algorithm: &str, wanted: u16) -> Duration {
    let began = Instant::now();
    while status(running, algorithm).await != wanted {
        assert!(began.elapsed() < Duration::from_secs(10), "{algorithm} never got {wanted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

const LOGIN: &str = "https://login.example.com";

#[tokio::test]
async fn jk01_without_keys_tokens_are_refused_and_what_was_good_stays() {
    let issuer = Issuer::start("<html>").await;
    let mut options = Options::default();
    options.keys.refresh_ms = 100;
    options.keys.retry_ms = 100;
    options.keys.retry_max_ms = 100;
    let (running, _) = gateway(&[(LOGIN, &issuer.url())], OverHttp::new(), options).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(status(&running, "RS256").await, 401);
    assert_eq!(get(running.address(), "shop.example", "/").await.status, 200, "no token, no question");
    issuer.answer(200, "", &key_set(&["RSA"]));
    until(&running, "RS256", 200).await;

    for (status_code, body) in
        [(500, key_set(&["P-256"])), (200, "{}".to_owned()), (200, " ".repeat(2 << 20))]
    {
        issuer.answer(status_code, "", &body);
        let asked = issuer.asked.load(Ordering::SeqCst);
        while issuer.asked.load(Ordering::SeqCst) < asked + 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!((status(&running, "RS256").await, status(&running, "ES256").await), (200, 401));
    }
    // A reload keeps them too.
    running.proxy.apply((*running.proxy.generation().config).clone());
    assert_eq!(status(&running, "RS256").await, 200);

    let admin = running.proxy.administer("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
    let told: Value = serde_json::from_str(&get(admin, "localhost", "/keys").await.body).unwrap();
    assert_eq!(told[0]["issuer"], LOGIN);
    assert!(told[0]["problem"].is_string() && told[0]["good_ms_ago"].is_u64(), "{told}");
    assert!(!told.to_string().contains("kty"), "never the keys");
}

#[tokio::test]
async fn jk02_rotation_takes_effect_and_made_up_key_names_cost_one_fetch() {
    let issuer = Issuer::start(&key_set(&["RSA"])).await;
    let (running, _) = gateway(&[(LOGIN, &issuer.url())], OverHttp::new(), Options::default()).await;
    until(&running, "RS256", 200).await;
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 1);
    issuer.answer(200, "", &key_set(&["P-256"]));
    // The next refresh is twenty minutes away, but the token names a key that nobody knows.
    until(&running, "ES256", 200).await;
    assert_eq!(status(&running, "RS256").await, 401, "the removed key is gone");
    for _ in 0..50 {
        assert_eq!(status(&running, "EdDSA").await, 401);
    }
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 2, "once in thirty seconds");
}

#[tokio::test]
async fn jk03_issuers_that_fail_delay_nobody() {
    let issuer = Issuer::start(&key_set(&["RSA"])).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = format!("http://{}/keys", silent.local_addr().unwrap());
    let names: Vec<String> = (0..100).map(|n| format!("https://{n}.example")).collect();
    let mut rules: Vec<(&str, &str)> = names.iter().map(|name| (&**name, &*dead)).collect();
    let url = issuer.url();
    rules.push((LOGIN, &url));
    let (running, _) = gateway(&rules, OverHttp::new(), Options::default()).await;
    assert!(
        until(&running, "RS256", 200).await < Duration::from_millis(900),
        "before the others have failed"
    );
    drop(silent);
}

#[tokio::test]
async fn s288_keys_are_discovered_where_no_address_is_written() {
    let issuer = Issuer::start(&key_set(&["RSA"])).await;
    let configuration = Issuer::start(&json!({ "jwks_uri": issuer.url() }).to_string()).await;
    let ca = Ca::new();
    // The issuer of the tokens is spoken to over TLS.
    let identity = ca.issue(&["login.example.com"]);
    let tls = tls_server(&identity, configuration).await;
    let resolver = InMemory::default();
    resolver.put("login.example.com", ["127.0.0.1".parse().unwrap()]);
    let instead = [("127.0.0.1:443".to_owned(), tls.to_string())].into_iter().collect();
    let keys = OverHttp::new().roots(&ca.pem()).resolver(resolver).dial(SystemDial { instead });
    let (running, _) = gateway(&[(LOGIN, "")], keys, Options::default()).await;
    until(&running, "RS256", 200).await;
}

/// The same server behind TLS.
async fn tls_server(
    identity: &mesh::proxy_core::seam::certificate_source::Identity,
    issuer: Issuer,
) -> SocketAddr {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let chain = CertificateDer::pem_slice_iter(&identity.chain).collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(&identity.key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, issuer) = (acceptor.clone(), issuer.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    issuer.serve(TokioIo::new(stream)).await;
                }
            });
        }
    });
    address
}

/// Tells which addresses were dialled.
#[derive(Debug, Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Dial for Told {
    fn dial(&self, target: Target) -> Dialled<'_> {
        self.0.lock().unwrap().push(target.address.to_string());
        Box::pin(async move { SystemDial::default().dial(target).await })
    }
}

async fn fetch(keys: &OverHttp, url: &str) -> Result<Bytes, FetchProblem> {
    let fetch = Fetch {
        issuer: String::new(),
        jwks_uri: String::new(),
        url: url.to_owned(),
        timeout_ms: 2_000,
        body_bytes_max: 1 << 20,
    };
    let fetching = keys.fetch(&fetch);
    tokio::time::timeout(Duration::from_secs(2), fetching).await.unwrap_or(Err(FetchProblem::Failed))
}

#[tokio::test]
async fn jk01_addresses_of_the_own_link_are_never_dialled_on_any_hop() {
    let issuer = Issuer::start("{}").await;
    let resolver = Arc::new(InMemory::default());
    let addresses = ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "0.0.0.0", "192.0.2.7"];
    resolver.put("inside.example", addresses.map(|text| text.parse().unwrap()));
    let told = Told::default();
    let keys = OverHttp::new()
        .resolver(Arc::clone(&resolver))
        .dial(told.clone())
        .blocked(["192.0.2.0/24".parse().unwrap()]);
    for url in [
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://inside.example/keys",
        "http://192.0.2.7/",
    ] {
        assert_eq!(fetch(&keys, url).await, Err(FetchProblem::Failed), "{url}");
        issuer.answer(302, url, "");
        assert_eq!(fetch(&keys, &issuer.url()).await, Err(FetchProblem::Failed), "by a redirect to {url}");
    }
    let own = issuer.address.to_string();
    assert!(told.0.lock().unwrap().iter().all(|dialled| *dialled == own), "{told:?}");
}

#[tokio::test]
async fn jk01_redirects_are_bounded_and_bodies_too() {
    let issuer = Issuer::start("").await;
    let keys = OverHttp::new();
    issuer.answer(302, "/keys", "");
    assert_eq!(fetch(&keys, &issuer.url()).await, Err(FetchProblem::Failed));
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 6, "five redirects");
    let target = Issuer::start("found").await;
    issuer.answer(307, &target.url(), "");
    assert_eq!(fetch(&keys, &issuer.url()).await.as_deref(), Ok(&b"found"[..]));
    for location in ["", "ftp://x/", "//", "file:///etc/passwd"] {
        issuer.answer(302, location, "");
        assert_eq!(fetch(&keys, &issuer.url()).await, Err(FetchProblem::Failed), "{location}");
    }
    issuer.answer(200, "", &"x".repeat((1 << 20) + 1));
    assert_eq!(fetch(&keys, &issuer.url()).await, Err(FetchProblem::TooLong));
    for url in ["", "/keys", "ftp://x/", "http://", "https://127.0.0.1:1/", "http://no such host/"] {
        assert_eq!(fetch(&keys, url).await, Err(FetchProblem::Failed), "{url}");
    }
    // A byte a second, and never the end of it.
    let slow = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", slow.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = slow.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    assert_eq!(fetch(&keys, &url).await, Err(FetchProblem::Failed));
}

#[tokio::test]
async fn jk01_a_certificate_of_nobodys_authority_is_no_answer() {
    let issuer = Issuer::start(&key_set(&["RSA"])).await;
    let (ours, theirs) = (Ca::new(), Ca::new());
    let tls = tls_server(&theirs.issue(&["localhost"]), issuer.clone()).await;
    let resolver = Arc::new(InMemory::default());
    resolver.put("localhost", ["127.0.0.1".parse().unwrap()]);
    resolver.put("other.example", ["127.0.0.1".parse().unwrap()]);
    let keys = |ca: &Ca| OverHttp::new().roots(&ca.pem()).resolver(Arc::clone(&resolver));
    let (right, wrong) =
        (format!("https://localhost:{}/", tls.port()), format!("https://other.example:{}/", tls.port()));
    assert!(fetch(&keys(&theirs), &right).await.is_ok());
    assert_eq!(fetch(&keys(&theirs), &wrong).await, Err(FetchProblem::Failed), "another name");
    assert_eq!(fetch(&keys(&ours), &right).await, Err(FetchProblem::Failed), "another authority");
    issuer.answer(302, &issuer.url(), "");
    assert_eq!(fetch(&keys(&theirs), &right).await, Err(FetchProblem::Failed), "a redirect away from TLS");
}

/// Overrides the wall clock of a process, whose steps a file tells in seconds; the monotonic clock stays.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, now);
    if (id == CLOCK_REALTIME) {
        FILE *file = fopen(getenv("MESH_TEST_CLOCK"), "r");
        long step = 0;
        if (file) { if (fscanf(file, "%ld", &step) != 1) step = 0; fclose(file); }
        now->tv_sec += step;
    }
    return result;
}
"#;

/// Whether a token has expired is the calendar's to say; when keys are fetched again, and whether they are still good, is
/// not.
#[tokio::test]
async fn jk04_tokens_go_by_the_calendar_and_fetches_by_the_time_that_passes() {
    const YEAR: i64 = 365 * 86_400;
    const NOW: i64 = 1_800_000_000;
    let issuer = Issuer::start(&key_set(&["RSA"])).await;
    let mut options = Options::default();
    options.keys.refresh_ms = 20 * 60_000;
    options.keys.stale_ms = Some(60 * 60_000);
    let clock = Arc::new(ManualClock::at(NOW));
    let own = Arc::clone(&clock);
    let more = |builder: Builder| builder.keys(OverHttp::new()).clock(own);
    let (running, _upstream) = gateway_with(&[(LOGIN, &issuer.url())], options, more).await;
    until(&running, "RS256", 200).await;
    let asked = || issuer.asked.load(Ordering::SeqCst);
    assert_eq!(asked(), 1);
    // The token expires in 2099.
    for (years, wanted) in [(0, 200), (80, 401), (-40, 200), (71, 200), (73, 401), (0, 200)] {
        clock.turn(NOW + years * YEAR);
        assert_eq!(status(&running, "RS256").await, wanted, "{years} years");
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(asked(), 1, "the calendar makes nothing due");
    let fetched = async |wanted: usize| {
        let began = Instant::now();
        while asked() < wanted {
            assert!(began.elapsed() < Duration::from_secs(10), "{} fetches, not {wanted}", asked());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(asked(), wanted);
    };
    clock.advance(Duration::from_secs(19 * 60));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(asked(), 1, "19 minutes are not 20");
    // While the calendar stands in the past.
    clock.turn(NOW - 40 * YEAR);
    clock.advance(Duration::from_secs(2 * 60));
    fetched(2).await;
    assert_eq!(status(&running, "RS256").await, 200);
    // An hour of failures: what was good is dropped once it has passed, not before.
    issuer.answer(500, "", "");
    clock.turn(NOW + 40 * YEAR);
    clock.advance(Duration::from_secs(59 * 60));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(status(&running, "RS256").await, 200, "59 minutes are less than an hour");
    clock.advance(Duration::from_secs(5 * 60));
    until(&running, "RS256", 401).await;
}

/// A year forwards, two back, while keys are fetched: they are fetched as often as without, and stay what they are.
#[test]
fn jk04_a_clock_that_is_turned_changes_nothing_about_fetching() {
    let folder = std::env::temp_dir().join("mesh-test-clock");
    std::fs::create_dir_all(&folder).unwrap();
    let own = folder.join(std::process::id().to_string());
    let (source, library) = (own.with_extension("c"), own.with_extension("so"));
    let step = std::env::var("MESH_TEST_CLOCK").map_or(own.with_extension("step"), PathBuf::from);
    if std::env::var_os("MESH_TEST_CLOCK").is_none() {
        std::fs::write(&source, CLOCK).unwrap();
        std::fs::write(&step, "0").unwrap();
        let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
        if !compiled.is_ok_and(|status| status.success()) {
            eprintln!("skipped: no C compiler");
            return;
        }
    }
    let variables = [
        ("MESH_TEST_CLOCK", step.to_string_lossy().into_owned()),
        ("LD_PRELOAD", library.to_string_lossy().into_owned()),
    ];
    if !is_alone("keys::jk04_a_clock_that_is_turned_changes_nothing_about_fetching", &variables) {
        let _ = [source, library, step].map(std::fs::remove_file);
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(under_a_turned_clock(&step));
}

async fn under_a_turned_clock(step: &std::path::Path) {
    const YEAR: i64 = 365 * 86_400;
    const EVERY: u64 = 200;
    let issuer = Issuer::start(&key_set(&["RSA"])).await;
    let mut options = Options::default();
    options.keys.refresh_ms = EVERY;
    // Good keys are dropped a second after they were good: under the wall clock a year would be too much.
    options.keys.stale_ms = Some(1000);
    let (running, _upstream) = gateway(&[(LOGIN, &issuer.url())], OverHttp::new(), options).await;
    let year_now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64 / YEAR;
    until(&running, "RS256", 200).await;
    let year = year_now();
    for years in [0, 1, -1, 0] {
        std::fs::write(step, (years * YEAR).to_string()).unwrap();
        assert_eq!(year_now(), year + years, "the clock is not turned");
        let (before, started) = (issuer.asked.load(Ordering::SeqCst), Instant::now());
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            // The token is good for many years more.
            assert_eq!(status(&running, "RS256").await, 200, "{years} years");
        }
        let fetched = (issuer.asked.load(Ordering::SeqCst) - before) as u64;
        let due = started.elapsed().as_millis() as u64 / EVERY;
        assert!(
            fetched >= due / 2 && fetched <= due + 2,
            "{years} years: {fetched} fetches where {due} are due"
        );
    }
}
