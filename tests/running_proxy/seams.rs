//! What a program puts in the place of a shipped part, seen by clients and upstreams.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, Response, StatusCode};
use mesh::proxy_core::cluster::host::Host;
use mesh::proxy_core::cluster::load_balancer::{LoadBalancer, Pick, WeightedHost};
use mesh::proxy_core::runtime::Options;
use mesh::proxy_core::seam::config_source::InMemory;
use mesh::proxy_core::seam::filter::{AnswerHeaders, Filter, RateLimit, RequestHead};

use crate::client::{get, request};
use crate::fixture::{SIDECAR, config, reviews, start_with};
use crate::upstream::Upstream;

const ROUTES: &str = "  - match: [{uri: {prefix: /said}}]
    directResponse: {status: 200, body: {string: said}}
  - rewrite: {uri: /rewritten/}
    route: [{destination: {host: reviews}}]
";

/// Tells the upstream what it saw, and turns one kind of request away.
#[derive(Debug, Clone, Default)]
struct Notes {
    requests: Arc<AtomicUsize>,
    answers: Arc<AtomicUsize>,
}

impl Filter for Notes {
    fn request(&self, request: &mut RequestHead<'_>) -> Option<Response<String>> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let saw = format!("{} {} {}", request.method, request.authority, request.path);
        request.headers.insert("x-saw", HeaderValue::from_str(&saw).unwrap());
        request.path.contains("secret").then(|| {
            let mut answer = Response::new("none of yours".to_owned());
            *answer.status_mut() = StatusCode::GONE;
            answer
        })
    }

    fn response(&self, status: StatusCode, headers: &mut HeaderMap) {
        self.answers.fetch_add(1, Ordering::SeqCst);
        headers.insert("x-status-was", HeaderValue::from(status.as_u16()));
    }
}

#[tokio::test]
async fn filters_see_what_policies_let_pass_in_their_order() {
    let upstream = Upstream::start("reviews").await;
    let endpoints = [("10.0.1.1:9080", upstream.address), ("10.0.1.2:9080", upstream.address)];
    let (before, after) = (Notes::default(), Notes::default());
    let named =
        AnswerHeaders([("x-door".parse().unwrap(), HeaderValue::from_static("3"))].into_iter().collect());
    let (first, last) = (before.clone(), after.clone());
    let written = config(&reviews(ROUTES), SIDECAR);
    let running = start_with(written, &["9080"], &endpoints, Options::default(), |builder| {
        // Two requests, and the next in a day.
        builder.filter(first).filter(RateLimit::new(0.000_01, 2)).filter(named).filter(last)
    })
    .await;
    let headers = [("host", "reviews")];
    let answer = request(running.address(), "POST /asked?q", &headers, "body").await;
    assert_eq!((answer.status, &*answer.body), (200, "reviews"));
    assert_eq!((answer.header("x-door"), answer.header("x-status-was")), (Some("3"), Some("200")));
    let seen = upstream.only();
    // The path that the client asked for, not that of the route.
    assert_eq!((&*seen.target, seen.header("x-saw")), ("/rewritten/asked?q", Some("POST reviews /asked?q")));

    // An answer of a filter ends it there; all of them see it go.
    let answer = get(running.address(), "reviews", "/secret").await;
    assert_eq!((answer.status, &*answer.body, answer.header("x-door")), (410, "none of yours", Some("3")));
    assert_eq!((before.requests.load(Ordering::SeqCst), after.requests.load(Ordering::SeqCst)), (2, 1));
    assert_eq!(get(running.address(), "reviews", "/a").await.status, 200);
    let limited = get(running.address(), "reviews", "/b").await;
    assert_eq!(
        (limited.status, &*limited.body, limited.header("x-door")),
        (429, "local_rate_limited", Some("3"))
    );
    assert_eq!(running.records.take().last().unwrap().flags, "RL");
    // What the route answers itself goes to no upstream and by no filter's `request`.
    assert_eq!(get(running.address(), "reviews", "/said").await.header("x-status-was"), Some("200"));
    assert_eq!((before.requests.load(Ordering::SeqCst), after.requests.load(Ordering::SeqCst)), (4, 2));
    assert_eq!((before.answers.load(Ordering::SeqCst), after.answers.load(Ordering::SeqCst)), (5, 5));
    assert_eq!(upstream.take().len(), 1);
}

/// Always the last of the list.
#[derive(Debug)]
struct Last(Vec<WeightedHost>);

impl LoadBalancer for Last {
    fn pick(&self, _: &mut Pick<'_>) -> Option<&Arc<Host>> {
        self.0.last().map(|weighted| &weighted.host)
    }
}

#[tokio::test]
async fn a_balancer_of_the_programs_own_picks_for_the_clusters_it_is_for() {
    let (one, two) = (Upstream::start("one").await, Upstream::start("two").await);
    let endpoints = [("10.0.1.1:9080", one.address), ("10.0.1.2:9080", two.address)];
    let written = config(&reviews("  - route: [{destination: {host: reviews}}]\n"), SIDECAR);
    let last = |hosts| Box::new(Last(hosts)) as Box<dyn LoadBalancer>;
    let running = start_with(written.clone(), &["9080"], &endpoints, Options::default(), |builder| {
        builder.balancer(move |cluster| cluster.name.contains("reviews").then(|| Arc::new(last) as _))
    })
    .await;
    for _ in 0..10 {
        assert_eq!(get(running.address(), "reviews", "/").await.body, "two");
    }
    // Another version of the cluster asks again.
    let less = config(&reviews("  - route: [{destination: {host: reviews, subset: v1}}]\n"), SIDECAR);
    running.proxy.apply(less);
    assert_eq!(get(running.address(), "reviews", "/").await.body, "one");
}

#[tokio::test]
async fn a_source_in_memory_gives_each_configuration_that_is_sent() {
    let said = |text: &str| {
        config(&reviews(&format!("  - directResponse: {{status: 200, body: {{string: {text}}}}}\n")), SIDECAR)
    };
    let (sender, source) = InMemory::new(said("one"));
    let running = start_with(said("one"), &["9080"], &[], Options::default(), |builder| builder).await;
    let address = running.address();
    let following = tokio::spawn({
        let proxy = running.proxy.clone();
        async move { proxy.follow(source).await }
    });
    for text in ["two", "three"] {
        sender.send(said(text)).unwrap();
        let started = Instant::now();
        while get(address, "reviews", "/").await.body != text {
            assert!(started.elapsed() < Duration::from_secs(10), "`{text}` never came");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    // Without a sender no more will come; a drain ends the following.
    drop(sender);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(get(address, "reviews", "/").await.body, "three");
    running.proxy.drain().await;
    tokio::time::timeout(Duration::from_secs(5), following).await.unwrap().unwrap();
}
