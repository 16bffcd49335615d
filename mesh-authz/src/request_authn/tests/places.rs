//! Where a token may stand in a request, and where it does not count (row J01 of the hardening list).

use super::attacks::{HEADER, rules, signed, with_claim};
use super::*;

/// What a request comes to: whether its token counted, or `None` where it is refused.
fn found(authn: &RequestAuthn, path: &str, headers: &[(&str, String)]) -> Option<bool> {
    match ask(authn, &request("GET", path, headers)) {
        Authenticated::Passed { claims, .. } => Some(claims.is_some()),
        Authenticated::Rejected { .. } => None,
    }
}

fn good() -> String {
    signed(HEADER, &with_claim("sub", Some("\"alice\"")))
}

#[test]
fn j01_lines_of_authorization_in_both_profiles() {
    let good = good();
    for (line, istio, hardened) in [
        (format!("Bearer {good}"), Some(true), Some(true)),
        (format!("Bearer  {good}"), Some(true), Some(true)),
        (format!("bearer {good}"), Some(false), Some(false)),
        (format!("Basic {good}"), Some(false), Some(false)),
        (good.clone(), Some(false), Some(false)),
        (String::new(), Some(false), Some(false)),
        ("Bearer".to_owned(), Some(false), Some(false)),
        // S-275, S-431: the prefix inside the value counts in `istio`.
        (format!("Foo Bearer {good}"), Some(true), Some(false)),
        (format!("xBearer {good}"), Some(true), Some(false)),
        ("Foo Bearer x".to_owned(), None, Some(false)),
        // S-276, S-431: stray dots.
        (format!("Bearer {}", good.replacen('.', "..", 1)), Some(true), None),
        (format!("Bearer {good}."), Some(true), None),
        (format!("Bearer .{good}"), Some(true), None),
        ("Bearer x".to_owned(), None, None),
    ] {
        let headers = [("authorization", line.clone())];
        let of = |profile| found(&rules(json!({}), profile), "/", &headers);
        assert_eq!((of(Profile::Istio), of(Profile::Hardened)), (istio, hardened), "{line}");
    }
}

/// What the rule says beside its issuer, the path, headers, whether a token is found (`None`: refused).
type Placed<'h> = (Value, String, Vec<(&'h str, String)>, Option<bool>);

#[test]
fn j01_other_places_of_a_token() {
    let good = good();
    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    let query = |name: &str, token: &str| format!("/?{name}={token}");
    let cases: Vec<Placed<'_>> = vec![
        // S-269: both of the usual places; S-265: all that is there must be good.
        (json!({}), query("access_token", &good), vec![], Some(true)),
        (json!({}), query("access_token", "x"), vec![], None),
        (json!({}), query("access_token", &good), vec![bearer(&good)], Some(true)),
        (json!({}), query("access_token", "x"), vec![bearer(&good)], None),
        (json!({}), query("access_token", &good), vec![bearer("x")], None),
        // S-274: what is not listed is no token.
        (json!({}), query("token", &good), vec![], Some(false)),
        (json!({}), query("Access_Token", &good), vec![], Some(false)),
        // S-271: the first value, decoded.
        (json!({}), format!("/?access_token=x&access_token={good}"), vec![], None),
        (json!({}), format!("/?access_token={good}&access_token=x"), vec![], Some(true)),
        (json!({}), query("access_token", &good.replace('.', "%2E")), vec![], Some(true)),
        // S-269: one place that is named takes the place of the usual ones.
        (json!({ "fromParams": ["token"] }), "/".to_owned(), vec![bearer(&good)], Some(false)),
        (json!({ "fromParams": ["token"] }), query("token", &good), vec![], Some(true)),
        (json!({ "fromParams": ["token"] }), query("access_token", &good), vec![], Some(false)),
        (
            json!({ "fromCookies": ["s"] }),
            "/".to_owned(),
            vec![("cookie", format!("a=b; s={good}"))],
            Some(true),
        ),
        (json!({ "fromCookies": ["s"] }), "/".to_owned(), vec![("cookie", "s=x".to_owned())], None),
        (json!({ "fromCookies": ["s"] }), "/".to_owned(), vec![("cookie", format!("t={good}"))], Some(false)),
        (json!({ "fromCookies": ["s"] }), query("s", &good), vec![], Some(false)),
        (
            json!({ "fromHeaders": [{ "name": "X-Jwt" }] }),
            "/".to_owned(),
            vec![("x-jwt", good.clone())],
            Some(true),
        ),
        (json!({ "fromHeaders": [{ "name": "X-Jwt" }] }), "/".to_owned(), vec![bearer(&good)], Some(false)),
        (
            json!({ "fromHeaders": [{ "name": "x-jwt", "prefix": "Token " }] }),
            "/".to_owned(),
            vec![("x-jwt", format!("Token {good}"))],
            Some(true),
        ),
        (
            json!({ "fromHeaders": [{ "name": "x-jwt", "prefix": "Token " }] }),
            "/".to_owned(),
            vec![("x-jwt", good.clone())],
            Some(false),
        ),
        (
            json!({ "fromHeaders": [{ "name": "x-a" }, { "name": "x-b" }] }),
            "/".to_owned(),
            vec![("x-a", good.clone()), ("x-b", good.clone())],
            Some(true),
        ),
        (
            json!({ "fromHeaders": [{ "name": "x-a" }, { "name": "x-b" }] }),
            "/".to_owned(),
            vec![("x-a", good.clone()), ("x-b", "x".to_owned())],
            None,
        ),
    ];
    assert!(cases.len() >= 21, "{}", cases.len());
    for (more, path, headers, wanted) in cases {
        let authn = rules(more.clone(), Profile::Istio);
        assert_eq!(found(&authn, &path, &headers), wanted, "{more} {path} {headers:?}");
    }
}
