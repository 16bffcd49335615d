//! An hour of an issuer's life, without a clock.

mod mutants;

use serde_json::json;

use super::*;

const MINUTE: u64 = 60_000;

fn keys(name: &str) -> String {
    let data: Value = serde_json::from_str(include_str!("../jwt/testdata/tokens.json")).unwrap();
    json!({ "keys": [data["keys"][name]] }).to_string()
}

fn remote(issuer: &str, jwks_uri: &str) -> RemoteKeys {
    RemoteKeys { issuer: issuer.to_owned(), jwks_uri: jwks_uri.to_owned(), timeout_ms: 5_000 }
}

fn store(wanted: &[RemoteKeys]) -> JwksStore {
    let mut store = JwksStore::default();
    store.want(wanted, 0);
    store
}

/// Fetches what is due, all with one answer; how many there were.
fn serve(store: &mut JwksStore, body: Result<&str, FetchProblem>, now: u64) -> usize {
    let due = store.due(now);
    for fetch in &due {
        store.answered(&fetch.issuer, &fetch.jwks_uri, body.map(str::as_bytes), now);
    }
    due.len()
}

const BAD: Result<&str, FetchProblem> = Err(FetchProblem::Failed);

#[test]
fn jk01_nothing_ever_fetched_means_no_keys() {
    let mut store = store(&[remote("i", "https://k")]);
    assert_eq!(serve(&mut store, BAD, 0), 1);
    assert_eq!(store.keys("i", "https://k"), None);
    assert_eq!(store.revision(), 0);
}

#[test]
fn jk01_garbage_never_replaces_the_last_good_keys() {
    let mut store = store(&[remote("i", "https://k")]);
    serve(&mut store, Ok(&keys("RSA")), 0);
    let long = " ".repeat(KEY_SET_BYTES_MAX + 1);
    let secret = keys("oct");
    let garbage = [
        "",
        "<html>",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[]}"#,
        r#"{"keys":[{"kty":"RSA"}]}"#,
        &keys("RSA")[..200],
        &secret,
        &long,
    ];
    let mut now = 20 * MINUTE;
    for body in garbage {
        assert_eq!(serve(&mut store, Ok(body), now), 1, "{now}");
        assert_eq!(store.keys("i", "https://k"), Some(keys("RSA")));
        assert!(store.states().next().unwrap().problem.is_some());
        now = store.next_due().unwrap();
    }
    assert_eq!(store.revision(), 1);
    serve(&mut store, Ok(&keys("P-256")), now);
    assert_eq!(store.keys("i", "https://k"), Some(keys("P-256")));
    assert_eq!((store.revision(), store.states().next().unwrap().problem), (2, None));
}

#[test]
fn s294_good_answers_last_twenty_minutes_and_failures_double_the_wait() {
    let mut store = store(&[remote("i", "https://k")]);
    serve(&mut store, Ok(&keys("RSA")), 0);
    assert_eq!((store.next_due(), store.due(20 * MINUTE - 1).len()), (Some(20 * MINUTE), 0));
    let mut now = 20 * MINUTE;
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(serve(&mut store, BAD, now), 1);
        now += wait * MINUTE;
        assert_eq!(store.next_due(), Some(now), "{wait}");
    }
    serve(&mut store, Ok(&keys("RSA")), now);
    assert_eq!(store.next_due(), Some(now + 20 * MINUTE), "the wait begins anew");
    assert_eq!(store.revision(), 1, "the same keys are no change");
}

#[test]
fn jk01_an_expired_last_good_is_dropped_where_asked_for() {
    let options = JwksOptions { stale_ms: Some(60 * MINUTE), ..JwksOptions::default() };
    let mut store = JwksStore::new(options);
    store.want(&[remote("i", "https://k")], 0);
    serve(&mut store, Ok(&keys("RSA")), 0);
    serve(&mut store, BAD, 20 * MINUTE);
    assert!(!store.expire(60 * MINUTE - 1));
    assert!(store.expire(60 * MINUTE) && !store.expire(60 * MINUTE));
    assert_eq!((store.keys("i", "https://k"), store.revision()), (None, 2));
}

#[test]
fn jk02_made_up_key_names_fetch_once_in_thirty_seconds() {
    let mut store = store(&[remote("i", "https://k")]);
    serve(&mut store, Ok(&keys("RSA")), 0);
    let mut fetched = 0;
    for second in 1..=60 {
        for _ in 0..100 {
            store.unknown_key("i", "https://k", second * 1_000);
            store.unknown_key("nobody", "", second * 1_000);
        }
        fetched += serve(&mut store, Ok(&keys("RSA")), second * 1_000);
    }
    assert_eq!(fetched, 2);
}

#[test]
fn jk03_failing_issuers_delay_nobody() {
    let wanted: Vec<_> = (0..1_000).map(|n| remote(&format!("i{n:04}"), "https://k")).collect();
    let mut store = store(&wanted);
    let due = store.due(0);
    assert_eq!(due.len(), 1_000);
    for fetch in &due {
        if fetch.issuer.ends_with('7') {
            continue; // never answered
        }
        let body = if fetch.issuer.ends_with('3') { Err(FetchProblem::Failed) } else { Ok(keys("RSA")) };
        store.answered(
            &fetch.issuer,
            &fetch.jwks_uri,
            body.as_deref().map(str::as_bytes).map_err(|p| *p),
            10,
        );
    }
    let good = store.states().filter(|state| state.good_at == Some(10)).count();
    assert_eq!(good, 800);
    // Those that were never answered are given up after twice their time, and tried again later like failures.
    assert!(store.due(9_999).is_empty());
    assert!(store.due(10_000).is_empty());
    assert_eq!(store.due(10 + MINUTE).len(), 100);
    assert_eq!(store.due(10_000 + MINUTE).len(), 100);
}

#[test]
fn jk04_a_clock_that_steps_back_breaks_nothing() {
    let mut store = store(&[remote("i", "https://k")]);
    serve(&mut store, Ok(&keys("RSA")), 50 * MINUTE);
    assert!(store.due(0).is_empty() && !store.expire(0));
    store.unknown_key("i", "https://k", 0);
    assert_eq!(store.keys("i", "https://k"), Some(keys("RSA")));
}

#[test]
fn s288_keys_are_discovered_where_no_address_is_written() {
    let mut store = store(&[remote("https://login.example.com/", "")]);
    let due = store.due(0);
    assert_eq!(due[0].url, "https://login.example.com/.well-known/openid-configuration");
    let told = |store: &mut JwksStore, body: &str, now| {
        store.answered("https://login.example.com/", "", Ok(body.as_bytes()), now)
    };
    let configuration = r#"{"issuer":"x","jwks_uri":"https://keys.example.com/jwks"}"#;
    assert_eq!(told(&mut store, configuration, 5), Answered::Discovered);
    assert_eq!(store.due(5)[0].url, "https://keys.example.com/jwks");
    assert_eq!(told(&mut store, &keys("RSA"), 6), Answered::Changed);
    assert_eq!(told(&mut store, &keys("RSA"), 7), Answered::NotAsked);
    assert_eq!(store.keys("https://login.example.com/", ""), Some(keys("RSA")));
    for bad in ["{}", r#"{"jwks_uri":5}"#, r#"{"jwks_uri":"file:///etc/passwd"}"#, "x"] {
        let mut store = self::store(&[remote("i", "")]);
        store.due(0);
        let answer = store.answered("i", "", Ok(bad.as_bytes()), 0);
        assert_eq!(answer, Answered::Kept(FetchProblem::NoAddress), "{bad}");
    }
    assert!(self::store(&[remote("", "")]).due(0).is_empty(), "there is nobody to ask");
}

#[test]
fn s294_what_no_rule_names_is_forgotten_and_the_rest_stays() {
    let (one, two) = (remote("one", "https://1"), remote("two", "https://2"));
    let mut store = store(&[one.clone(), two.clone()]);
    serve(&mut store, Ok(&keys("RSA")), 0);
    store.want(&[two], 5);
    assert_eq!(store.keys("one", "https://1"), None);
    assert_eq!(store.keys("two", "https://2"), Some(keys("RSA")));
    assert!(store.due(5).is_empty(), "what is known is not fetched anew");
    assert_eq!(store.answered("one", "https://1", Ok(b"x"), 6), Answered::NotAsked);
}
