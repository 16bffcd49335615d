//! Requests and answers on their way through plugins.

use mesh::proxy_core::runtime::wasm::Refusal;

use crate::client::{get, request};
use crate::fixture::{GATEWAY, config, door};
use crate::guests::{File, ROUTE, gateway, marking, module, on_request, settled};
use crate::upstream::Upstream;

/// The values of a header, in order.
fn values(headers: &[(String, String)], name: &str) -> Vec<String> {
    headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value.clone()).collect()
}

#[tokio::test]
async fn the_example_keeps_out_and_marks() {
    let door = wat::parse_str(include_str!("../../examples/wasm/door.wat")).unwrap();
    let (file, upstream) = (File::new(&door), Upstream::start("v1").await);
    let proxy = gateway(&file.plugin("door", ""), &upstream).await;
    let passed = get(proxy.address(), "a.example", "/open").await;
    assert_eq!((passed.status, passed.header("x-door")), (200, Some("open")));
    assert_eq!(upstream.only().header("x-door"), Some("open"));
    let kept_out = get(proxy.address(), "a.example", "/private/x").await;
    assert_eq!((kept_out.status, &*kept_out.body), (403, "private: keep out"));
    assert_eq!(kept_out.header("content-type"), Some("text/plain"));
    assert!(upstream.take().is_empty());
}

#[tokio::test]
async fn plugins_see_requests_in_order_and_answers_in_the_other() {
    let upstream = Upstream::start("v1").await;
    let files: Vec<File> =
        ["stats", "authz", "last", "authn", "first"].map(|it| File::new(&marking(it))).into();
    let plugins = [
        files[0].plugin("stats", "  phase: STATS"),
        files[1].plugin("authz", "  phase: AUTHZ"),
        files[2].plugin("last", ""),
        files[3].plugin("authn", "  phase: AUTHN\n  priority: 1"),
        files[4].plugin("first", "  phase: AUTHN\n  priority: 2"),
        files[4].plugin("elsewhere", "  match: [{ports: [{number: 81}]}]"),
        files[4].plugin("served", "  match: [{mode: SERVER}]"),
    ];
    let proxy = gateway(&plugins.concat(), &upstream).await;
    let answer = get(proxy.address(), "a.example", "/").await;
    assert_eq!(values(&upstream.only().headers, "x-order"), ["first", "authn", "authz", "stats", "last"]);
    assert_eq!(values(&answer.headers, "x-order"), ["last", "stats", "authz", "authn", "first"]);
}

/// A plugin before authorization makes what policies look at, one after it does not.
#[tokio::test]
async fn policies_see_what_plugins_before_them_made() {
    let policy = "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
        metadata: {name: marked, namespace: edge}\nspec:\n  rules: [{when: [{key: 'request.headers[x-order]', values: [ok]}]}]\n";
    let upstream = Upstream::start("v1").await;
    let file = File::new(&marking("ok"));
    for (phase, status) in [("AUTHN", 200), ("AUTHZ", 200), ("STATS", 403)] {
        let plugin = file.plugin("mark", &format!("  phase: {phase}"));
        let proxy = gateway(&format!("{policy}{plugin}"), &upstream).await;
        let answer = get(proxy.address(), "a.example", "/").await;
        assert_eq!(answer.status, status, "{phase}");
        // Answers of the proxy's own pass the plugins that saw the request, and no other.
        let marks = values(&answer.headers, "x-order").len();
        assert_eq!(marks, usize::from(status == 200), "{phase}");
    }
}

#[tokio::test]
async fn routes_are_chosen_by_what_plugins_made_of_a_request() {
    let routes =
        format!("  - match: [{{uri: {{prefix: /made}}}}]\n    directResponse: {{status: 204}}\n{ROUTE}");
    let code = on_request(
        "(call $must (call $set (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 256) (i32.const 5)))",
    );
    let file = File::new(&module(&[":path", "/made"], &code));
    let upstream = Upstream::start("v1").await;
    let proxy = gateway("", &upstream).await;
    proxy.proxy.apply(config(&format!("{}\n{}", door(&routes), file.plugin("path", "")), GATEWAY));
    settled(&proxy, |states| states.iter().all(|it| it.is_current)).await;
    assert_eq!(get(proxy.address(), "a.example", "/other").await.status, 204);
}

#[tokio::test]
async fn w01_a_trap_is_503_or_left_out_and_the_instance_is_made_anew() {
    // Breaks for requests that have a header.
    let code = on_request(
        "(if (i32.eqz (call $get (i32.const 0) (i32.const 0) (i32.const 6) (i32.const 1024) (i32.const 1028)))
            (then unreachable))",
    );
    let file = File::new(&module(&["x-trap"], &code));
    for (strategy, status) in [("FAIL_CLOSE", 503), ("FAIL_OPEN", 200), ("FAIL_RELOAD", 503)] {
        let upstream = Upstream::start("v1").await;
        let proxy = gateway(&file.plugin("trap", &format!("  failStrategy: {strategy}")), &upstream).await;
        for round in 1..=3_u64 {
            let broken = request(proxy.address(), "GET /", &[("host", "a"), ("x-trap", "1")], "").await;
            assert_eq!(broken.status, status, "{strategy}");
            settled(&proxy, |states| states[0].restarts >= round).await;
            assert_eq!(get(proxy.address(), "a", "/").await.status, 200, "{strategy}: others are served");
        }
        let details: Vec<String> = proxy.records.take().iter().map(|it| it.details.clone()).collect();
        assert_eq!(details.iter().any(|it| it == "wasm_fail_stream"), status == 503, "{details:?}");
    }
}

#[tokio::test]
async fn w02_a_loop_in_one_request_does_not_keep_others_waiting_for_ever() {
    let code = on_request(
        "(if (i32.eqz (call $get (i32.const 0) (i32.const 0) (i32.const 6) (i32.const 1024) (i32.const 1028)))
            (then (loop $again (br $again))))",
    );
    let file = File::new(&module(&["x-loop"], &code));
    let upstream = Upstream::start("v1").await;
    let proxy = gateway(&file.plugin("loop", ""), &upstream).await;
    let address = proxy.address();
    let looping =
        tokio::spawn(
            async move { request(address, "GET /", &[("host", "a"), ("x-loop", "1")], "").await.status },
        );
    assert_eq!(get(address, "a", "/").await.status, 200);
    assert_eq!(looping.await.unwrap(), 503);
}

#[tokio::test]
async fn w03_the_last_good_module_stays_and_one_that_never_was_good_fails_as_it_says() {
    let (good, bad) = (File::new(&marking("good")), File::new(b"\0asm and nothing else"));
    let upstream = Upstream::start("v1").await;
    let proxy = gateway(&good.plugin("own", ""), &upstream).await;
    proxy.proxy.apply(config(&format!("{}\n{}", door(ROUTE), bad.plugin("own", "")), GATEWAY));
    settled(&proxy, |states| states[0].problem.is_some()).await;
    let state = &proxy.proxy.wasm_states()[0];
    assert!(state.runs && !state.is_current, "{state:?}");
    assert!(matches!(state.problem, Some(Refusal::Malformed(_))), "{state:?}");
    let answer = get(proxy.address(), "a.example", "/").await;
    assert_eq!((answer.status, values(&answer.headers, "x-order").len()), (200, 1));

    for (strategy, status) in [("FAIL_CLOSE", 500), ("FAIL_OPEN", 200)] {
        let proxy = gateway(&bad.plugin("own", &format!("  failStrategy: {strategy}")), &upstream).await;
        assert_eq!(get(proxy.address(), "a.example", "/").await.status, status, "{strategy}");
    }
}

/// Bodies pass part by part; what a module adds is there, and a length that would lie is not sent.
#[tokio::test]
async fn modules_change_bodies_on_their_way() {
    let side = |name: &str, map: u32, buffer: u32| {
        format!(
            "(func (export \"proxy_on_{name}_headers\") (param i32 i32 i32) (result i32)
                (call $must (call $remove (i32.const {map}) (i32.const 0) (i32.const 14))) (i32.const 0))
            (func (export \"proxy_on_{name}_body\") (param i32 i32 i32) (result i32)
                (if (local.get 2) (then (call $must (call $set_body
                    (i32.const {buffer}) (i32.const -1) (i32.const 0) (i32.const 256) (i32.const 5)))))
                (i32.const 0))"
        )
    };
    let code = format!("{}{}", side("request", 0, 0), side("response", 2, 1));
    let file = File::new(&module(&["content-length", ", end"], &code));
    let upstream = Upstream::start("v1").await;
    let proxy = gateway(&file.plugin("end", ""), &upstream).await;
    let sent = request(proxy.address(), "POST /", &[("host", "a")], "hello").await;
    assert_eq!(sent.status, 200);
    assert_eq!(upstream.only().body, "hello, end");
    assert!(sent.body.contains(", end"), "{}", sent.body);
}

#[tokio::test]
async fn w04_a_body_that_is_longer_than_its_head_tells_goes_no_further() {
    // It forgets that the head told a length.
    let code = "(func (export \"proxy_on_request_body\") (param i32 i32 i32) (result i32)
        (call $must (call $set_body (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 0) (i32.const 24)))
        (i32.const 0))";
    let file = File::new(&module(&["GET /smuggled HTTP/1.1\r\n"], code));
    let upstream = Upstream::start("v1").await;
    let proxy = gateway(&file.plugin("more", ""), &upstream).await;
    let sent = request(proxy.address(), "POST /", &[("host", "a")], "hello").await;
    assert_ne!(sent.status, 200);
    assert!(upstream.take().iter().all(|seen| seen.target != "/smuggled" && !seen.body.contains("GET")));
}

#[tokio::test]
async fn w04_what_is_held_back_is_bounded() {
    let code =
        "(func (export \"proxy_on_request_body\") (param i32 i32 i32) (result i32) (i32.eqz (local.get 2)))";
    let file = File::new(&module(&[], code));
    let upstream = Upstream::start("v1").await;
    let proxy = gateway(&file.plugin("hold", ""), &upstream).await;
    let large = request(proxy.address(), "POST /", &[("host", "a")], &"x".repeat(2 << 20)).await;
    assert_eq!(large.status, 413);
    let small = request(proxy.address(), "POST /", &[("host", "a")], "hello").await;
    assert_eq!((small.status, &*upstream.take().pop().unwrap().body), (200, "hello"));
}

#[tokio::test]
async fn a_module_answers_while_a_body_passes() {
    let code = "(func (export \"proxy_on_request_body\") (param i32 i32 i32) (result i32)
        (call $must (call $answer (i32.const 418) (i32.const 0) (i32.const 4) (i32.const 256) (i32.const 3)
            (i32.const 0) (i32.const 0) (i32.const -1)))
        (i32.const 1))";
    let file = File::new(&module(&["full", "no!"], code));
    let upstream = Upstream::start("v1").await;
    let proxy = gateway(&file.plugin("tea", ""), &upstream).await;
    let sent = request(proxy.address(), "POST /", &[("host", "a")], "hello").await;
    assert_eq!((sent.status, &*sent.body), (418, "no!"));
}

/// A module holds a request until a service of the mesh has answered.
#[tokio::test]
async fn a_module_asks_a_service_before_a_request_goes_on() {
    let cluster = "outbound|9080|v1|reviews.shop.svc.cluster.local";
    let pairs = |pairs: &[(&str, &str)]| {
        let number = |number: usize| char::from(u8::try_from(number).unwrap()).to_string() + "\0\0\0";
        let lengths: String =
            pairs.iter().map(|(name, value)| number(name.len()) + &number(value.len())).collect();
        let texts: String = pairs.iter().map(|(name, value)| format!("{name}\0{value}\0")).collect();
        format!("{}{lengths}{texts}", number(pairs.len()))
    };
    let head = pairs(&[(":method", "GET"), (":path", "/status/202"), (":authority", "asked")]);
    let code = format!(
        "(global $held (mut i32) (i32.const 0))
        (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
            (global.set $held (local.get 0))
            (call $must (call $call (i32.const 0) (i32.const {}) (i32.const 256) (i32.const {}) (i32.const 0) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 5000) (i32.const 2048)))
            (i32.const 1))
        (func (export \"proxy_on_http_call_response\") (param i32 i32 i32 i32 i32)
            (call $must (call $get (i32.const 6) (i32.const 512) (i32.const 7) (i32.const 1024) (i32.const 1028)))
            (call $must (call $on (global.get $held)))
            (call $must (call $add (i32.const 0) (i32.const 768) (i32.const 7)
                (i32.load (i32.const 1024)) (i32.load (i32.const 1028))))
            (call $must (call $continue (i32.const 0))))",
        cluster.len(),
        head.len()
    );
    let file = File::new(&module(&[cluster, &head, ":status", "x-asked"], &code));
    let upstream = Upstream::start("v1").await;
    let proxy = gateway(&file.plugin("ask", ""), &upstream).await;
    assert_eq!(get(proxy.address(), "a.example", "/").await.status, 200);
    let seen = upstream.take();
    assert_eq!((&*seen[0].authority, &*seen[0].target), ("asked", "/status/202"));
    assert_eq!((&*seen[1].target, seen[1].header("x-asked")), ("/", Some("202")));
}

#[tokio::test]
async fn w04_a_stream_that_a_module_closes_is_not_answered() {
    let code = on_request("(call $must (call $close (i32.const 0)))");
    let file = File::new(&module(&[], &code));
    let upstream = Upstream::start("v1").await;
    let proxy = gateway(&file.plugin("close", ""), &upstream).await;
    let nothing = crate::client::exchange(proxy.address(), "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(nothing, "");
    assert!(upstream.take().is_empty());
}
