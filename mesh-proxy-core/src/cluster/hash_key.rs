//! What keeps requests on one host: the hash of a header, cookie, query parameter or address (T-185, T-247, E-072;
//! Envoy's `hash_policy.cc`).

use std::net::IpAddr;
use std::sync::Arc;

use mesh_compile::route_table::action::HashPolicy;
use twox_hash::XxHash64;

/// What hash policies may look at (T-247).
#[derive(Debug, Clone, Copy)]
pub struct HashFacts<'a> {
    /// Values of a header by lower-case name.
    pub headers: &'a dyn HeaderValues,
    /// Path with its query, as it was received.
    pub path: &'a str,
    /// The client's address.
    pub source: Option<IpAddr>,
}

/// Header values by name. Ours: a decision and a running proxy keep their headers in different forms.
pub trait HeaderValues: std::fmt::Debug {
    /// The values of a header, in order. The name is lower case.
    fn values<'h>(&'h self, name: &str) -> Box<dyn Iterator<Item = &'h str> + 'h>;
}

/// The key of a request, and the cookies that have to be set so that the next request has the same (T-185, T-247).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HashKey {
    /// `None`: nothing to hash, any host will do.
    pub hash: Option<u64>,
    /// Whole `Set-Cookie` values for the response.
    pub set_cookies: Vec<String>,
}

/// Hashes a request by all policies of its route; later ones are rotated in. `fresh` is what a generated cookie is made
/// of: different for every client (Envoy takes both addresses of the connection).
pub fn key(policies: &[HashPolicy], facts: &HashFacts<'_>, fresh: &str) -> HashKey {
    let mut key = HashKey::default();
    for policy in policies {
        let hash = match policy {
            HashPolicy::Header(name) => header(facts.headers, name),
            HashPolicy::Cookie { name, ttl_ms, path, attributes } => {
                match (cookie(facts.headers, name), ttl_ms) {
                    (Some(value), _) => Some(hash(value)),
                    (None, None) => None,
                    (None, Some(ttl_ms)) => {
                        let value = format!("{:016x}", hash(fresh));
                        let hashed = hash(&value);
                        key.set_cookies.push(set_cookie(name, &value, *ttl_ms, path, attributes));
                        Some(hashed)
                    }
                }
            }
            HashPolicy::SourceIp => facts.source.map(|address| hash(&address.to_string())),
            HashPolicy::Query(name) => query(facts.path, name).map(hash),
        };
        if let Some(hash) = hash {
            key.hash = Some(key.hash.map_or(hash, |before| before.rotate_left(1) ^ hash));
        }
    }
    key
}

fn hash(value: &str) -> u64 {
    XxHash64::oneshot(0, value.as_bytes())
}

/// Several values are hashed together, sorted, so that their order does not matter.
fn header(headers: &dyn HeaderValues, name: &str) -> Option<u64> {
    let mut values: Vec<&str> = headers.values(&name.to_ascii_lowercase()).collect();
    values.sort_unstable();
    match values.as_slice() {
        [] => None,
        [one] => Some(hash(one)),
        many => Some(many.iter().fold(0, |seed, value| XxHash64::oneshot(seed, value.as_bytes()))),
    }
}

/// The value of a cookie; the first of its name.
fn cookie<'h>(headers: &'h dyn HeaderValues, name: &str) -> Option<&'h str> {
    headers.values("cookie").flat_map(|line| line.split(';')).find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let value = value.trim();
        let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        (key.trim() == name).then_some(unquoted.unwrap_or(value)).filter(|value| !value.is_empty())
    })
}

/// The value of a query parameter; the first of its name, percent escapes as they are.
fn query<'p>(path: &'p str, name: &str) -> Option<&'p str> {
    let (_, query) = path.split('#').next()?.split_once('?')?;
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })
}

/// Envoy's form of a generated cookie.
fn set_cookie(
    name: &str,
    value: &str,
    ttl_ms: i64,
    path: &str,
    attributes: &[(Arc<str>, Arc<str>)],
) -> String {
    let mut cookie = format!("{name}=\"{value}\"");
    if ttl_ms > 0 {
        cookie.push_str(&format!("; Max-Age={}", ttl_ms / 1_000));
    }
    if !path.is_empty() {
        cookie.push_str("; Path=");
        cookie.push_str(path);
    }
    for (name, value) in attributes {
        cookie.push_str("; ");
        cookie.push_str(name);
        if !value.is_empty() {
            cookie.push('=');
            cookie.push_str(value);
        }
    }
    cookie.push_str("; HttpOnly");
    cookie
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct List(Vec<(&'static str, &'static str)>);

    impl HeaderValues for List {
        fn values<'h>(&'h self, name: &str) -> Box<dyn Iterator<Item = &'h str> + 'h> {
            let name = name.to_owned();
            Box::new(self.0.iter().filter(move |(key, _)| *key == name).map(|(_, value)| *value))
        }
    }

    fn of(policies: &[HashPolicy], headers: Vec<(&'static str, &'static str)>, path: &str) -> HashKey {
        let facts = HashFacts { headers: &List(headers), path, source: "10.0.0.1".parse().ok() };
        key(policies, &facts, "10.0.0.1:1|10.0.0.2:2")
    }

    fn cookie_policy(ttl_ms: Option<i64>, path: &str, attributes: &[(&str, &str)]) -> HashPolicy {
        let attributes = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        HashPolicy::Cookie { name: "s".into(), ttl_ms, path: path.into(), attributes }
    }

    #[test]
    fn a_made_cookie_bears_its_attributes_in_order() {
        let policy = [cookie_policy(Some(0), "/", &[("SameSite", "Strict"), ("Secure", "")])];
        let made = of(&policy, vec![], "/");
        assert!(made.set_cookies[0].ends_with("\"; Path=/; SameSite=Strict; Secure; HttpOnly"), "{made:?}");
    }

    #[test]
    fn nothing_to_hash_means_no_key() {
        assert_eq!(of(&[HashPolicy::Header("x".into())], vec![], "/"), HashKey::default());
        assert_eq!(of(&[HashPolicy::Query("q".into())], vec![], "/?r=1").hash, None);
        assert_eq!(of(&[], vec![], "/").hash, None);
    }

    #[test]
    fn the_same_value_gives_the_same_key() {
        let user = [HashPolicy::Header("X-User".into())];
        let key = of(&user, vec![("x-user", "a")], "/");
        assert_eq!(key.hash, Some(XxHash64::oneshot(0, b"a")));
        assert_ne!(key, of(&user, vec![("x-user", "b")], "/"));
        let both = [HashPolicy::Header("x-user".into()), HashPolicy::SourceIp];
        assert_eq!(
            of(&both, vec![("x-user", "a")], "/").hash,
            Some(XxHash64::oneshot(0, b"a").rotate_left(1) ^ XxHash64::oneshot(0, b"10.0.0.1"))
        );
    }

    #[test]
    fn the_order_of_repeated_headers_does_not_matter() {
        let user = [HashPolicy::Header("x".into())];
        assert_eq!(
            of(&user, vec![("x", "a"), ("x", "b")], "/"),
            of(&user, vec![("x", "b"), ("x", "a")], "/")
        );
    }

    #[test]
    fn a_cookie_without_ttl_is_never_made() {
        let sticky = |ttl_ms| [cookie_policy(ttl_ms, "/", &[])];
        assert_eq!(of(&sticky(None), vec![], "/"), HashKey::default());
        let made = of(&sticky(Some(0)), vec![], "/");
        assert!(
            made.set_cookies[0].starts_with("s=\"") && made.set_cookies[0].ends_with("\"; Path=/; HttpOnly")
        );
        assert!(of(&sticky(Some(90_000)), vec![], "/").set_cookies[0].contains("; Max-Age=90;"));
        let again = of(&sticky(Some(0)), vec![("cookie", "a=b; s=\"cafe\"")], "/");
        assert_eq!(again, HashKey { hash: Some(XxHash64::oneshot(0, b"cafe")), set_cookies: vec![] });
    }

    #[test]
    fn a_made_cookie_keeps_the_client_where_it_was() {
        let sticky = [cookie_policy(Some(0), "", &[])];
        let made = of(&sticky, vec![], "/");
        let value: &'static str = made.set_cookies[0].split('"').nth(1).unwrap().to_owned().leak();
        let line: &'static str = format!("s={value}").leak();
        assert_eq!(of(&sticky, vec![("cookie", line)], "/").hash, made.hash);
    }
}
