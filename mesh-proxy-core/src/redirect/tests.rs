use std::borrow::Cow;

use mesh_compile::route_table::matcher::Case;
use mesh_model::facts::{Headers, HttpVersion};

use super::*;

mod simulation;

fn redirect() -> Redirect {
    Redirect {
        status: 301,
        scheme: None,
        host: None,
        port: None,
        path: RedirectPath::Keep,
        strip_query: false,
    }
}

fn at(redirect: &Redirect, authority: &str, path: &str) -> String {
    let request = RequestFacts {
        version: HttpVersion::Http11,
        method: Cow::Borrowed("GET"),
        scheme: Cow::Borrowed("http"),
        authority: Cow::Borrowed(authority),
        path: Cow::Borrowed(path),
        headers: Headers::default(),
    };
    location(redirect, &PathMatch::Prefix("/old".into(), Case::Sensitive), &request, "http")
}

fn scheme(scheme: &str) -> Option<std::sync::Arc<str>> {
    Some(scheme.into())
}

#[test]
fn what_is_not_set_stays() {
    assert_eq!(at(&redirect(), "a:80", "/x?y"), "http://a:80/x?y");
}

#[test]
fn a_new_scheme_drops_the_old_ones_default_port() {
    let https = Redirect { scheme: scheme("https"), ..redirect() };
    assert_eq!(at(&https, "a:80", "/"), "https://a/");
    assert_eq!(at(&https, "a:8080", "/"), "https://a:8080/");
    assert_eq!(at(&https, "[::1]:80", "/"), "https://[::1]/");
    assert_eq!(at(&https, "[::1]", "/"), "https://[::1]/");
    let http = Redirect { scheme: scheme("http"), ..redirect() };
    assert_eq!(at(&http, "a:80", "/"), "http://a:80/");
}

#[test]
fn a_new_port_takes_the_place_of_the_requests_but_not_of_the_redirects_host() {
    let port = Redirect { port: Some(8443), ..redirect() };
    assert_eq!(at(&port, "a:80", "/"), "http://a:8443/");
    let host = Redirect { host: Some("new.com:8080".into()), ..port };
    assert_eq!(at(&host, "a:80", "/"), "http://new.com:8080:8443/");
}

#[test]
fn a_whole_path_keeps_the_query_unless_it_has_its_own() {
    let whole = |path: &str, strip_query| Redirect {
        path: RedirectPath::Whole(path.into()),
        strip_query,
        ..redirect()
    };
    assert_eq!(at(&whole("/new", false), "a", "/old?x"), "http://a/new?x");
    assert_eq!(at(&whole("/new", true), "a", "/old?x"), "http://a/new");
    assert_eq!(at(&whole("/new?y", false), "a", "/old?x"), "http://a/new?y");
    assert_eq!(at(&whole("/new?y", true), "a", "/old?x"), "http://a/new?y");
    assert_eq!(at(&whole("new", false), "a", "/old"), "http://a/new");
}

#[test]
fn a_prefix_is_replaced_byte_by_byte() {
    let prefix = |prefix: &str| Redirect { path: RedirectPath::Prefix(prefix.into()), ..redirect() };
    assert_eq!(at(&prefix("/new"), "a", "/old/x?y"), "http://a/new/x?y");
    assert_eq!(at(&prefix("/"), "a", "/old/x"), "http://a//x");
    let stripped = Redirect { strip_query: true, ..prefix("/new") };
    assert_eq!(at(&stripped, "a", "/old/x?y"), "http://a/new/x");
}
