//! Header changes of gRPC authorizers, in the terms of requests and of answers.

use std::sync::Arc;

use mesh_authz::request_authn::RequestChange;
use mesh_model::facts::RequestFacts;

use super::messages::{HeaderValueOption, OkHttpResponse};
use super::{header, is_framing};
use crate::seam::authorizer::{Existing, HeaderChange};

impl HeaderValueOption {
    /// What becomes of lines that are there: by the old switch where it is set, else by the action. An action that is
    /// not known replaces, as Envoy has it.
    fn existing(&self) -> Existing {
        match (&self.append, self.append_action) {
            (Some(append), _) if append.value => Existing::Joined,
            (Some(_), _) => Existing::Replaced,
            (None, 0) => Existing::Joined,
            (None, 1) => Existing::Kept,
            (None, 3) => Existing::ReplacedOnly,
            (None, _) => Existing::Replaced,
        }
    }

    fn value(&self) -> (String, &[u8]) {
        let Some(header) = &self.header else { return (String::new(), &[]) };
        let value = if header.raw_value.is_empty() { header.value.as_bytes() } else { &header.raw_value };
        (header.key.to_ascii_lowercase(), value)
    }
}

/// Changes to an answer; what is no header is left out.
pub(super) fn of_answer(options: &[HeaderValueOption]) -> Vec<HeaderChange> {
    let change = |option: &HeaderValueOption| {
        let (name, value) = option.value();
        header(&name, value, option.existing())
    };
    options.iter().filter_map(change).collect()
}

/// Changes to a request: headers set and added, headers removed, then query parameters. What is no header, and what
/// says where the request goes, is left out.
pub(super) fn of_request(consent: &OkHttpResponse, request: &RequestFacts<'_>) -> Vec<RequestChange> {
    let mut changed = request.clone();
    let mut changes = Vec::new();
    let mut make = |change: RequestChange, changed: &mut RequestFacts<'_>| {
        change.apply(changed);
        changes.push(change);
    };
    for option in &consent.headers {
        let (name, value) = option.value();
        if header(&name, value, Existing::Joined).is_none() {
            continue;
        }
        let is_there = changed.headers.contains(&name);
        let (name, value): (Arc<str>, Arc<[u8]>) = (name.into(), value.into());
        match option.existing() {
            Existing::Joined => make(RequestChange::AddHeader(name, value), &mut changed),
            Existing::Kept if is_there => {}
            Existing::ReplacedOnly if !is_there => {}
            Existing::Kept | Existing::Replaced | Existing::ReplacedOnly => {
                make(RequestChange::SetHeader(name, value), &mut changed);
            }
        }
    }
    for name in &consent.headers_to_remove {
        let name = name.to_ascii_lowercase();
        if !is_framing(&name) {
            make(RequestChange::RemoveHeader(name.into()), &mut changed);
        }
    }
    if let Some(path) = query(&changed.path, consent) {
        make(RequestChange::SetPath(path), &mut changed);
    }
    changes
}

/// The path with other query parameters; `None`: they are not changed, or what came is no path.
fn query(path: &str, consent: &OkHttpResponse) -> Option<String> {
    if consent.query_parameters_to_set.is_empty() && consent.query_parameters_to_remove.is_empty() {
        return None;
    }
    let (before, query) = path.split_once('?').unwrap_or((path, ""));
    let key = |pair: &str| pair.split_once('=').map_or(pair, |(key, _)| key).to_owned();
    let goes = |pair: &&str| {
        let key = key(pair);
        consent.query_parameters_to_remove.contains(&key)
            || consent.query_parameters_to_set.iter().any(|set| set.key == key)
    };
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !goes(pair)).map(str::to_owned);
    let set = consent.query_parameters_to_set.iter().map(|set| format!("{}={}", set.key, set.value));
    let all: Vec<String> = kept.chain(set).collect();
    let made = if all.is_empty() { before.to_owned() } else { format!("{before}?{}", all.join("&")) };
    made.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#').then_some(made)
}

#[cfg(test)]
mod tests {
    use mesh_model::facts::{Headers, HttpVersion};

    use super::super::messages::{BoolValue, HeaderValue, QueryParameter};
    use super::*;

    fn option(key: &str, value: &str, append: Option<bool>, action: i32) -> HeaderValueOption {
        HeaderValueOption {
            header: Some(HeaderValue { key: key.into(), value: value.into(), raw_value: Vec::new() }),
            append: append.map(|value| BoolValue { value }),
            append_action: action,
        }
    }

    fn request() -> RequestFacts<'static> {
        let mut headers = Headers::default();
        headers.push("x-there", b"1");
        RequestFacts {
            version: HttpVersion::Http11,
            method: "GET".into(),
            scheme: "http".into(),
            authority: "a".into(),
            path: "/p?a=1&b=2&a=3".into(),
            headers,
        }
    }

    fn lines(consent: &OkHttpResponse) -> (Vec<(String, String)>, String) {
        let mut request = request();
        of_request(consent, &request.clone()).iter().for_each(|change| change.apply(&mut request));
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let entries = request.headers.entries.iter();
        (entries.map(|(name, value)| (name.to_string(), text(value))).collect(), request.path.to_string())
    }

    #[test]
    fn every_append_action_does_what_its_name_says() {
        for (append, action, there, new) in [
            (None, 0, &["1", "2"][..], &["2"][..]),
            (None, 1, &["1"], &["2"]),
            (None, 2, &["2"], &["2"]),
            (None, 3, &["2"], &[]),
            (None, 9, &["2"], &["2"]),
            (Some(true), 2, &["1", "2"], &["2"]),
            (Some(false), 0, &["2"], &["2"]),
        ] {
            for (name, wanted) in [("X-There", there), ("X-New", new)] {
                let consent = OkHttpResponse {
                    headers: vec![option(name, "2", append, action)],
                    ..OkHttpResponse::default()
                };
                let name = name.to_ascii_lowercase();
                let (lines, _) = lines(&consent);
                let got: Vec<&str> =
                    lines.iter().filter(|(key, _)| *key == name).map(|(_, value)| &**value).collect();
                assert_eq!(got, wanted, "{append:?} {action} {name}");
            }
        }
    }

    #[test]
    fn an_authorizer_cannot_say_where_a_request_goes_or_how_it_is_framed() {
        let headers = [":path", "Host", "content-length", "Transfer-Encoding", "bad name", ""];
        let consent = OkHttpResponse {
            headers: headers.iter().map(|name| option(name, "1", None, 2)).collect(),
            headers_to_remove: headers.iter().map(|name| (*name).to_owned()).collect(),
            ..OkHttpResponse::default()
        };
        assert_eq!(lines(&consent).0, lines(&OkHttpResponse::default()).0);
        assert!(of_answer(&consent.headers).is_empty());
    }

    #[test]
    fn query_parameters_are_set_and_removed() {
        let set = |key: &str, value: &str| QueryParameter { key: key.into(), value: value.into() };
        let with = |set: Vec<QueryParameter>, remove: &[&str]| {
            let remove = remove.iter().map(|key| (*key).to_owned()).collect();
            let consent = OkHttpResponse {
                query_parameters_to_set: set,
                query_parameters_to_remove: remove,
                ..OkHttpResponse::default()
            };
            lines(&consent).1
        };
        assert_eq!(with(vec![set("a", "9")], &[]), "/p?b=2&a=9");
        assert_eq!(with(Vec::new(), &["a", "b"]), "/p");
        assert_eq!(with(vec![set("a", "9 9")], &[]), "/p?a=1&b=2&a=3", "that would be no path");
    }
}
