//! Stores of keys with one known bug each, and the story that tells each from ours.

use super::*;

/// What a proxy has of a store.
trait Store {
    fn due(&mut self, now: u64) -> Vec<Fetch>;
    fn answered(&mut self, fetch: &Fetch, body: Result<&[u8], FetchProblem>, now: u64);
    fn unknown_key(&mut self, now: u64);
    fn keys(&self) -> Option<String>;
}

const URL: &str = "https://k";

impl Store for JwksStore {
    fn due(&mut self, now: u64) -> Vec<Fetch> {
        Self::due(self, now)
    }
    fn answered(&mut self, fetch: &Fetch, body: Result<&[u8], FetchProblem>, now: u64) {
        Self::answered(self, &fetch.issuer, &fetch.jwks_uri, body, now);
    }
    fn unknown_key(&mut self, now: u64) {
        Self::unknown_key(self, "a", URL, now);
    }
    fn keys(&self) -> Option<String> {
        KeySource::keys(self, "a", URL)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    /// Whatever was fetched last counts.
    GarbageCounts,
    /// Keys of its own where none were ever had.
    MakesKeysUp,
    /// A failure forgets what was good.
    FailureForgets,
    /// Keys that were taken away still count.
    RemovedKeysStay,
    /// Every unknown name is worth a fetch.
    EveryUnknownNameFetches,
    /// One after another: what is never answered holds up the rest.
    OneAtATime,
    /// Times are subtracted, and one that steps back is far away.
    TimesWrapAround,
}

use Bug::{
    EveryUnknownNameFetches, FailureForgets, GarbageCounts, MakesKeysUp, OneAtATime, RemovedKeysStay,
    TimesWrapAround,
};

struct Buggy {
    inner: JwksStore,
    bug: Bug,
    /// What the bug makes of the answers.
    own: Option<String>,
    open: bool,
}

impl Store for Buggy {
    fn due(&mut self, now: u64) -> Vec<Fetch> {
        let due = self.inner.due(if self.bug == TimesWrapAround && now < MINUTE { u64::MAX } else { now });
        if self.bug != OneAtATime {
            return due;
        }
        let first = due.into_iter().next().filter(|_| !self.open);
        self.open |= first.is_some();
        first.into_iter().collect()
    }
    fn answered(&mut self, fetch: &Fetch, body: Result<&[u8], FetchProblem>, now: u64) {
        self.open = false;
        let text = body.map(|body| String::from_utf8_lossy(body).into_owned());
        match (self.bug, text) {
            (GarbageCounts, Ok(text)) => self.own = Some(text),
            (RemovedKeysStay, Ok(text)) if fetch.issuer == "a" => {
                self.own = Some(self.own.take().map_or(text.clone(), |known| known + &text));
            }
            (FailureForgets, Err(_)) => self.inner.issuers.values_mut().for_each(|entry| entry.keys = None),
            _ => {}
        }
        Store::answered(&mut self.inner, fetch, body, now);
    }
    fn unknown_key(&mut self, now: u64) {
        if self.bug == EveryUnknownNameFetches {
            self.inner.issuers.values_mut().for_each(|entry| entry.unknown_key_at = None);
        }
        Store::unknown_key(&mut self.inner, now);
    }
    fn keys(&self) -> Option<String> {
        let known = self.own.clone().or_else(|| Store::keys(&self.inner));
        if self.bug == MakesKeysUp { known.or_else(|| Some(super::keys("RSA"))) } else { known }
    }
}

/// Answers what is due; how many there were.
fn serve_all(store: &mut dyn Store, body: Result<&str, FetchProblem>, now: u64) -> usize {
    let due = store.due(now);
    due.iter().for_each(|fetch| store.answered(fetch, body.map(str::as_bytes), now));
    due.len()
}

/// Rows of the list of attacks, the bug, and a story that ends well with ours.
type Story = fn(&mut dyn Store) -> bool;

const STORIES: &[(&[&str], Bug, Story)] = &[
    (&["JK01", "44"], GarbageCounts, |store| {
        serve_all(store, Ok(&keys("RSA")), 0);
        serve_all(store, Ok("<html>"), 20 * MINUTE);
        store.keys() == Some(keys("RSA"))
    }),
    (&["JK01", "39"], MakesKeysUp, |store| {
        serve_all(store, BAD, 0);
        store.keys().is_none()
    }),
    (&["JK01", "39"], FailureForgets, |store| {
        serve_all(store, Ok(&keys("RSA")), 0);
        serve_all(store, BAD, 20 * MINUTE);
        store.keys() == Some(keys("RSA"))
    }),
    (&["JK02"], RemovedKeysStay, |store| {
        serve_all(store, Ok(&keys("RSA")), 0);
        serve_all(store, Ok(&keys("P-256")), 20 * MINUTE);
        store.keys() == Some(keys("P-256"))
    }),
    (&["JK02"], EveryUnknownNameFetches, |store| {
        serve_all(store, Ok(&keys("RSA")), 0);
        let mut fetched = 0;
        for second in 1..=20 {
            store.unknown_key(second * 1_000);
            fetched += serve_all(store, Ok(&keys("RSA")), second * 1_000);
        }
        fetched == 1
    }),
    (&["JK03", "44"], OneAtATime, |store| {
        // Nobody answers for `0`, which comes first.
        let due = store.due(0);
        due.iter().filter(|fetch| fetch.issuer == "a").for_each(|fetch| {
            store.answered(fetch, Ok(keys("RSA").as_bytes()), 1);
        });
        store.keys().is_some()
    }),
    (&["JK04"], TimesWrapAround, |store| {
        serve_all(store, Ok(&keys("RSA")), 50 * MINUTE);
        serve_all(store, BAD, 0) == 0
    }),
];

#[test]
fn every_planted_bug_is_told_from_ours() {
    for (rows, bug, story) in STORIES {
        let new = || {
            let mut inner = JwksStore::default();
            inner.want(&[remote("0", URL), remote("a", URL)], 0);
            inner
        };
        assert!(story(&mut new()), "rows {rows:?}: ours has the bug {bug:?}");
        let mut buggy = Buggy { inner: new(), bug: *bug, own: None, open: false };
        assert!(!story(&mut buggy), "rows {rows:?}: nobody would see {bug:?}");
    }
}
