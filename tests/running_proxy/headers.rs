//! Headers that a proxy itself adds, takes off or passes on, as `proxyHeaders` and `gatewayTopology` have it (T-473).

mod certificates;

use std::net::SocketAddr;

use mesh::model::mesh_config::MeshConfig;
use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::seam::certificate_source::InMemory;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Answer, request};
use crate::fixture::{GATEWAY, REVIEWS, Running, SIDECAR, config_with, door, reviews, start_with};
use crate::tls::SERVER;
use crate::upstream::{Seen, Upstream};

const XFCC: &str = "x-forwarded-client-cert";

/// The mesh with this `defaultConfig`.
fn mesh(default_config: &str) -> MeshConfig {
    let written = format!("{{\"defaultConfig\": {default_config}}}");
    MeshConfig::with_defaults().overlay(serde_json::from_str(&written).unwrap())
}

/// The mesh with these `proxyHeaders`.
fn headers(written: &str) -> MeshConfig {
    mesh(&format!("{{\"proxyHeaders\": {written}}}"))
}

async fn start(
    text: &str,
    proxy: &str,
    mesh: MeshConfig,
    port: &str,
    upstream: SocketAddr,
    certificates: InMemory,
) -> Running {
    let endpoints = [("10.0.1.1:9080", upstream), ("10.0.1.2:9080", upstream)];
    let config = config_with(text, proxy, mesh);
    let mut options = Options::default();
    options.name_decisions = true;
    start_with(config, &[port], &endpoints, options, |builder| builder.certificates(certificates)).await
}

const ROUTE: &str = "  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n";

/// The three places: the sidecar of a client, that of a server (in plaintext), a gateway.
async fn everywhere(mesh: &MeshConfig, route: &str, upstream: SocketAddr) -> [Running; 3] {
    let none = InMemory::default;
    [
        start(&reviews(route), SIDECAR, mesh.clone(), "9080", upstream, none()).await,
        start(REVIEWS, SERVER, mesh.clone(), "in:10.0.1.1:9080", upstream, none()).await,
        start(&door(route), GATEWAY, mesh.clone(), "80", upstream, none()).await,
    ]
}

/// Asks with these lines besides `host`.
async fn ask(proxy: &Running, target: &str, lines: &[(&str, &str)]) -> Answer {
    let lines: Vec<_> = [("host", "reviews")].into_iter().chain(lines.iter().copied()).collect();
    request(proxy.address(), &format!("GET {target}"), &lines, "").await
}

#[tokio::test]
async fn t_473_request_ids_can_be_left_to_others() {
    let upstream = Upstream::start("reviews").await;
    let own = |seen: Seen| seen.header("x-request-id").map(str::to_owned);
    for (at, proxy) in everywhere(&headers("{}"), ROUTE, upstream.address).await.iter().enumerate() {
        ask(proxy, "/x", &[]).await;
        assert_eq!(own(upstream.only()).map(|id| id.len()), Some(36));
        ask(proxy, "/x", &[("x-request-id", "mine")]).await;
        // The edge alone believes nobody.
        assert_eq!(own(upstream.only()).as_deref() == Some("mine"), at != 2);
    }
    let off = headers(r#"{"requestId": {"disabled": true}}"#);
    for proxy in everywhere(&off, ROUTE, upstream.address).await {
        ask(&proxy, "/x", &[]).await;
        assert_eq!(own(upstream.only()), None);
        ask(&proxy, "/x", &[("x-request-id", "mine")]).await;
        assert_eq!(own(upstream.only()).as_deref(), Some("mine"));
    }
}

/// A server whose answers name it, and tell how long it took.
async fn named_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(1..) = stream.read(&mut buffer).await {
                    let answer = b"HTTP/1.1 200 OK\r\nserver: application\r\ncontent-length: 0\r\n\r\n";
                    if stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn t_473_answers_are_of_the_server_that_the_settings_name() {
    let server = named_server().await;
    let route = "  - match: [{uri: {prefix: /gone}}]\n    directResponse: {status: 410}\n".to_owned() + ROUTE;
    for (written, of_upstream, own) in [
        (
            "{}",
            ["envoy", "istio-envoy", "istio-envoy"].map(Some),
            ["envoy", "istio-envoy", "istio-envoy"].map(Some),
        ),
        (r#"{"server": {"value": "door"}}"#, [Some("door"); 3], [Some("door"); 3]),
        (r#"{"server": {"disabled": true}}"#, [Some("application"); 3], [None; 3]),
    ] {
        let proxies = everywhere(&headers(written), &route, server).await;
        for (at, proxy) in proxies.iter().enumerate() {
            let answer = ask(proxy, "/x", &[]).await;
            assert_eq!((answer.status, answer.header("server")), (200, of_upstream[at]), "{written} {at}");
            if at != 1 {
                let answer = ask(proxy, "/gone", &[]).await;
                assert_eq!((answer.status, answer.header("server")), (410, own[at]), "{written} {at}");
            }
            // What is no request at all.
            let answer = Answer::parse(
                &crate::client::exchange(proxy.address(), "GET / HTTP/1.1\r\nx y: z\r\n\r\n").await,
            );
            assert_eq!((answer.status, answer.header("server")), (400, own[at]), "{written} {at}");
        }
    }
}

#[tokio::test]
async fn t_473_attempts_are_counted_by_clients_and_gateways_unless_it_is_off() {
    let upstream = Upstream::start("reviews").await;
    for (written, given, wanted) in [
        ("{}", None, [Some("1"), None, Some("1")]),
        // A sidecar leaves its client's count to the application.
        ("{}", Some("7"), [Some("1"), Some("7"), Some("1")]),
        (r#"{"attemptCount": {"disabled": true}}"#, None, [None; 3]),
        // No client of an edge counts.
        (r#"{"attemptCount": {"disabled": true}}"#, Some("7"), [Some("7"), Some("7"), None]),
    ] {
        for (at, proxy) in everywhere(&headers(written), ROUTE, upstream.address).await.iter().enumerate() {
            let lines: Vec<_> = given.map(|given| ("x-envoy-attempt-count", given)).into_iter().collect();
            ask(proxy, "/x", &lines).await;
            assert_eq!(
                upstream.only().header("x-envoy-attempt-count"),
                wanted[at],
                "{written} {given:?} {at}"
            );
        }
    }
}

const REWRITE: &str = "  - match: [{uri: {prefix: /several}}]
    rewrite: {uri: /s}
    route:
    - destination: {host: reviews.shop.svc.cluster.local}
      weight: 100
      headers: {request: {set: {host: weighted.example}}}
    - {destination: {host: reviews.shop.svc.cluster.local, subset: v1}, weight: 0}
  - match: [{uri: {prefix: /set}}]
    headers: {request: {set: {host: set.example}}}
    route: [{destination: {host: reviews.shop.svc.cluster.local}}]
  - rewrite: {uri: /new, authority: new.example}
    headers: {request: {set: {x-saw: '%REQ(:authority)%'}}}
    route: [{destination: {host: reviews.shop.svc.cluster.local}}]
";

#[tokio::test]
async fn t_473_debug_headers_are_left_out_where_they_are_off() {
    const DEBUG: [&str; 2] = ["x-envoy-original-path", "x-envoy-original-host"];
    let upstream = Upstream::start("reviews").await;
    for (written, is_on) in [("{}", true), (r#"{"envoyDebugHeaders": {"disabled": true}}"#, false)] {
        let [outbound, inbound, gateway] = everywhere(&headers(written), REWRITE, upstream.address).await;
        for proxy in [&outbound, &gateway] {
            let answer = ask(proxy, "/old", &[]).await;
            assert_eq!(answer.header("x-envoy-upstream-service-time").is_some(), is_on);
            let seen = upstream.only();
            assert_eq!((&*seen.target, &*seen.authority), ("/newold", "new.example"));
            let wanted = [is_on.then_some("/old"), is_on.then_some("reviews")];
            assert_eq!(DEBUG.map(|name| seen.header(name)), wanted);
            // Header operations see the request as it came.
            assert_eq!(seen.header("x-saw"), Some("reviews"));
            assert_eq!(seen.header("x-envoy-attempt-count"), Some("1"), "it is no debug header");
        }
        let answer = ask(&inbound, "/old", &[]).await;
        assert_eq!(answer.header("x-envoy-upstream-service-time").is_some(), is_on);
        upstream.take();
    }
}

#[tokio::test]
async fn t_473_that_an_upstream_has_too_much_to_do_is_a_debug_header() {
    const POLICY: &str =
        "\n  trafficPolicy: {connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}}";
    for (written, is_on) in [("{}", true), (r#"{"envoyDebugHeaders": {"disabled": true}}"#, false)] {
        let upstream = Upstream::start("reviews").await;
        let text = reviews(ROUTE).replace("\n  subsets:", &format!("{POLICY}\n  subsets:"));
        // All of it is one endpoint.
        let text = text.replace(
            "host: reviews.shop.svc.cluster.local",
            "host: reviews.shop.svc.cluster.local, subset: v1",
        );
        let proxy =
            start(&text, SIDECAR, headers(written), "9080", upstream.address, InMemory::default()).await;
        let (a, b, c, d) = tokio::join!(
            ask(&proxy, "/slow", &[]),
            ask(&proxy, "/slow", &[]),
            ask(&proxy, "/slow", &[]),
            ask(&proxy, "/slow", &[])
        );
        let refused: Vec<_> = [a, b, c, d].into_iter().filter(|answer| answer.status == 503).collect();
        assert!(!refused.is_empty());
        for answer in refused {
            assert_eq!(answer.header("x-envoy-overloaded"), is_on.then_some("true"));
        }
    }
}

#[tokio::test]
async fn t_175_t_473_the_authority_before_a_rewrite_is_told_where_it_is_wanted() {
    const HOST: &str = "x-forwarded-host";
    let upstream = Upstream::start("reviews").await;
    for (written, is_on) in [("{}", false), (r#"{"xForwardedHost": {"enabled": true}}"#, true)] {
        let [outbound, _, gateway] = everywhere(&headers(written), REWRITE, upstream.address).await;
        for proxy in [&outbound, &gateway] {
            // As Envoy 1.40 has it: what was told last is not told again, but for white space.
            for (given, wanted) in [
                (&[][..], "reviews"),
                (&["a.example"], "a.example,reviews"),
                (&["a.example,reviews"], "a.example,reviews"),
                (&["a.example, reviews"], "a.example, reviews,reviews"),
                (&["a.example", "b.example"], "a.example,b.example,reviews"),
            ] {
                let lines: Vec<_> = given.iter().map(|given| (HOST, *given)).collect();
                ask(proxy, "/old", &lines).await;
                let seen = upstream.only();
                let told: Vec<_> =
                    seen.headers.iter().filter(|(name, _)| name == HOST).map(|(_, it)| &**it).collect();
                let wanted = if is_on { vec![wanted] } else { given.to_vec() };
                assert_eq!(told, wanted, "{given:?}");
                assert_eq!(seen.header("x-envoy-original-host"), Some("reviews"));
            }
            // Nobody is told where there is no `rewrite`, nor of what a destination among several replaces.
            for (target, authority) in [("/set", "set.example"), ("/several", "weighted.example")] {
                ask(proxy, target, &[]).await;
                let seen = upstream.only();
                let wanted = (authority, None, (target == "/set").then_some("reviews"));
                assert_eq!(
                    (&*seen.authority, seen.header(HOST), seen.header("x-envoy-original-host")),
                    wanted
                );
            }
        }
    }
}

#[tokio::test]
async fn t_473_the_port_is_told_and_nobody_outside_is_believed() {
    const PORT: &str = "x-forwarded-port";
    let upstream = Upstream::start("reviews").await;
    let port = async |proxy: &Running, given: Option<&str>| {
        let lines: Vec<_> = given.map(|given| (PORT, given)).into_iter().collect();
        ask(proxy, "/x", &lines).await;
        upstream.only().header(PORT).map(str::to_owned)
    };
    for proxy in everywhere(&headers("{}"), ROUTE, upstream.address).await {
        assert_eq!(port(&proxy, None).await, None);
    }
    let on = r#"{"proxyHeaders": {"xForwardedPort": {"enabled": true}}"#;
    for (hops, at_edge) in [(0, "80"), (1, "99")] {
        let mesh = mesh(&format!(r#"{on}, "gatewayTopology": {{"numTrustedProxies": {hops}}}}}"#));
        let dialled = ["9080", "9080", "80"];
        let forwarded = ["99", "99", at_edge];
        for (at, proxy) in everywhere(&mesh, ROUTE, upstream.address).await.iter().enumerate() {
            assert_eq!(port(proxy, None).await.as_deref(), Some(dialled[at]), "{at}");
            assert_eq!(port(proxy, Some("99")).await.as_deref(), Some(forwarded[at]), "{at} {hops}");
        }
    }
}

#[tokio::test]
async fn no_setting_lets_what_outside_clients_say_of_themselves_pass_an_edge() {
    let upstream = Upstream::start("reviews").await;
    let everything_off = mesh(
        r#"{"proxyHeaders": {"forwardedClientCert": "ALWAYS_FORWARD_ONLY", "attemptCount": {"disabled": true},
            "requestId": {"disabled": true}, "server": {"disabled": true}, "envoyDebugHeaders": {"disabled": true},
            "setCurrentClientCertDetails": {"subject": false}}}"#,
    );
    let door =
        start(&door(REWRITE), GATEWAY, everything_off, "80", upstream.address, InMemory::default()).await;
    let forged = [
        XFCC,
        "x-envoy-attempt-count",
        "x-envoy-original-path",
        "x-envoy-original-host",
        "x-envoy-external-address",
        "x-envoy-peer-metadata-id",
    ];
    ask(&door, "/x", &forged.map(|name| (name, "forged"))).await;
    let seen = upstream.only();
    assert!(!seen.headers.iter().any(|(_, value)| value == "forged"), "{:?}", seen.headers);
}

#[tokio::test]
async fn t_470_a_pod_has_settings_of_its_own_and_a_reload_changes_them() {
    let upstream = Upstream::start("reviews").await;
    let pod = |config: &str| {
        format!(
            "\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: web-0, namespace: shop, labels: {{app: web}}, annotations: \
             {{proxy.istio.io/config: '{config}'}}}}\nstatus: {{podIP: 10.0.0.9}}\n"
        )
    };
    let text = |config: &str| reviews(ROUTE) + &pod(config);
    let mesh = headers(r#"{"server": {"value": "of-mesh"}, "attemptCount": {"disabled": true}}"#);
    let own = text("{proxyHeaders: {server: {value: of-pod}}}");
    let proxy = start(&own, SIDECAR, mesh.clone(), "9080", upstream.address, InMemory::default()).await;
    assert_eq!(ask(&proxy, "/x", &[]).await.header("server"), Some("of-pod"));
    assert_eq!(upstream.only().header("x-envoy-attempt-count"), None);
    let next = text("{proxyHeaders: {attemptCount: {disabled: false}}}");
    proxy.proxy.apply(config_with(&next, SIDECAR, mesh));
    assert_eq!(ask(&proxy, "/x", &[]).await.header("server"), Some("of-mesh"));
    assert_eq!(upstream.only().header("x-envoy-attempt-count"), Some("1"));
}

const ASKS: [(&str, &str); 2] = [("x-envoy-retry-on", "5xx"), ("x-envoy-max-retries", "3")];
const SOON: (&str, &str) = ("x-envoy-upstream-rq-timeout-ms", "100");
const UNTRIED: &str =
    "  - retries: {attempts: 0}\n    route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n";

/// T-167: what clients ask of a proxy is not heeded, as in Istio's proxies, and nobody's upstream hears of it.
#[tokio::test]
async fn t_167_nobody_asks_for_retries_and_timeouts_unless_the_program_wants_it() {
    let upstream = Upstream::start("reviews").await;
    for (at, proxy) in everywhere(&headers("{}"), UNTRIED, upstream.address).await.iter().enumerate() {
        assert_eq!(ask(proxy, "/status/500", &ASKS).await.status, 500);
        let seen = upstream.only();
        assert!(ASKS.iter().all(|(name, _)| seen.header(name).is_none()), "{at}");
        assert_eq!(ask(proxy, "/slow", &[SOON]).await.status, 200, "{at}");
        assert!(upstream.only().header(SOON.0).is_none(), "{at}");
    }
}

#[tokio::test]
async fn t_167_an_application_asks_for_retries_and_timeouts_where_the_program_wants_it() {
    let upstream = Upstream::start("reviews").await;
    for (is_heeded, text, proxy, port) in [
        (true, reviews(UNTRIED), SIDECAR, "9080"),
        (false, REVIEWS.to_owned(), SERVER, "in:10.0.1.1:9080"),
        (false, door(UNTRIED), GATEWAY, "80"),
    ] {
        let mut options = Options::default();
        options.heed_application = true;
        let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
        let config = config_with(&text, proxy, headers("{}"));
        let proxy = start_with(config, &[port], &endpoints, options, |builder| builder).await;
        assert_eq!(ask(&proxy, "/status/500", &ASKS).await.status, 500);
        let seen = upstream.take();
        assert_eq!(seen.len(), if is_heeded { 4 } else { 1 }, "{port}");
        assert!(seen.iter().all(|seen| ASKS.iter().all(|(name, _)| seen.header(name).is_none())), "{port}");
        assert_eq!(ask(&proxy, "/slow", &[SOON]).await.status, if is_heeded { 504 } else { 200 }, "{port}");
        assert!(upstream.take().iter().all(|seen| seen.header(SOON.0).is_none()), "{port}");
    }
}

/// As Envoy's router has it: the first try has all of the time, each has no more than is left, none is told of where there is
/// no end to it.
#[tokio::test]
async fn t_473_upstreams_are_told_how_long_a_request_may_take() {
    const EXPECTED: &str = "x-envoy-expected-rq-timeout-ms";
    let timed = |retries: &str| {
        format!(
            "  - timeout: 20s\n    retries: {{{retries}}}\n    route: [{{destination: {{host: reviews.shop.svc.cluster.local}}}}]\n"
        )
    };
    let upstream = Upstream::start("reviews").await;
    let told = async |proxy: &Running, target: &str, lines: &[(&str, &str)], name: &str| -> Vec<String> {
        ask(proxy, target, lines).await;
        upstream.take().iter().map(|seen| seen.header(name).unwrap_or("none").to_owned()).collect()
    };
    for (at, proxy) in everywhere(&headers("{}"), ROUTE, upstream.address).await.iter().enumerate() {
        assert_eq!(told(proxy, "/x", &[(EXPECTED, "77")], EXPECTED).await, ["none"], "{at}");
    }
    let twice = timed("attempts: 1, retryOn: 5xx");
    let [client, server, edge] = everywhere(&headers("{}"), &twice, upstream.address).await;
    for proxy in [&client, &edge] {
        let all = told(proxy, "/status/500", &[(EXPECTED, "77")], EXPECTED).await;
        let millis: Vec<u64> = all.iter().map(|millis| millis.parse().unwrap()).collect();
        assert!(matches!(&millis[..], [20_000, 1..=20_000]), "{millis:?}");
    }
    assert_eq!(told(&server, "/x", &[], EXPECTED).await, ["none"], "no timeout is the server's");
    // A call of gRPC has no more time than its client gives it.
    const GRPC: (&str, &str) = ("content-type", "application/grpc");
    assert_eq!(told(&client, "/x", &[GRPC], "grpc-timeout").await, ["20000m"]);
    assert_eq!(told(&client, "/x", &[GRPC, ("grpc-timeout", "9S")], "grpc-timeout").await, ["9000m"]);
    assert_eq!(told(&client, "/x", &[GRPC, ("grpc-timeout", "1H")], EXPECTED).await, ["20000"]);
    assert_eq!(told(&client, "/x", &[("grpc-timeout", "9S")], "grpc-timeout").await, ["9S"]);
    let each = timed("attempts: 1, retryOn: 5xx, perTryTimeout: 5s");
    let off = headers(r#"{"envoyDebugHeaders": {"disabled": true}}"#);
    let [client, ..] = everywhere(&headers("{}"), &each, upstream.address).await;
    assert_eq!(told(&client, "/status/500", &[], EXPECTED).await, ["5000", "5000"]);
    let [client, ..] = everywhere(&off, &each, upstream.address).await;
    assert_eq!(told(&client, "/x", &[], EXPECTED).await, ["none"]);
    assert_eq!(told(&client, "/x", &[GRPC], "grpc-timeout").await, ["5000m"]);
}
