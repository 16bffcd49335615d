//! 100,000 redirects of requests that are put together from parts, so that the oracle never takes one apart.

use super::*;
use crate::dice::{Dice, SeededDice};

const REQUESTS: u64 = 100_000;

fn one_of<'t>(dice: &mut SeededDice, texts: &[&'t str]) -> &'t str {
    texts[dice.below(texts.len() as u64) as usize]
}

fn maybe<'t>(dice: &mut SeededDice, texts: &[&'t str]) -> Option<&'t str> {
    dice.happens(50.0).then(|| one_of(dice, texts))
}

fn slashed(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

#[test]
fn locations_are_what_their_parts_say() {
    let mut dice = SeededDice::new(43);
    for _ in 0..REQUESTS {
        let dice = &mut dice;
        let (own_scheme, proto) = (one_of(dice, &["http", "https"]), one_of(dice, &["http", "https"]));
        let host = one_of(dice, &["a.com", "10.0.0.1", "[2001:db8::1]", "x", "xn--bcher-kva.example"]);
        let port = maybe(dice, &["80", "443", "8080", "1"]);
        let (prefix, rest) = (one_of(dice, &["/old", "/", "/a/b"]), one_of(dice, &["", "/x", "x%20y", "/é"]));
        let query = maybe(dice, &["", "q=1", "a=b&c=/d?e"]);

        let (new_scheme, new_host) =
            (maybe(dice, &["http", "https"]), maybe(dice, &["new.com", "new.com:9", "[::2]"]));
        let new_port = dice.happens(50.0).then(|| [80, 443, 8443][dice.below(3) as usize]);
        let strip_query = dice.happens(50.0);
        let replacement = one_of(dice, &["/new", "new", "/", "/new/", "/n?own=1", "n?own"]);
        let kind = dice.below(3);

        let scheme = new_scheme.unwrap_or(own_scheme);
        let was_default =
            (proto == "http" && port == Some("80")) || (proto == "https" && port == Some("443"));
        let loses_port = new_port.is_some() || (scheme != proto && was_default);
        let mut expected = format!("{scheme}://");
        match (new_host, port) {
            (Some(new_host), _) => expected.push_str(new_host),
            (None, Some(port)) if !loses_port => expected.push_str(&format!("{host}:{port}")),
            (None, _) => expected.push_str(host),
        }
        if let Some(new_port) = new_port {
            expected.push_str(&format!(":{new_port}"));
        }
        let kept_query = query.filter(|_| !strip_query).map(|query| format!("?{query}")).unwrap_or_default();
        let has_own_query = replacement.contains('?');
        expected.push_str(&match kind {
            0 => format!("{prefix}{rest}{kept_query}"),
            1 if has_own_query => slashed(replacement),
            1 => format!("{}{kept_query}", slashed(replacement)),
            // A `?` in the replaced prefix begins the query of what comes out, which is stripped with the rest.
            _ if has_own_query && strip_query => slashed(replacement.split('?').next().unwrap()),
            _ if has_own_query => {
                let query = query.map(|query| format!("?{query}")).unwrap_or_default();
                format!("{}{rest}{query}", slashed(replacement))
            }
            _ => format!("{}{rest}{kept_query}", slashed(replacement)),
        });

        let redirect = Redirect {
            scheme: new_scheme.map(Into::into),
            host: new_host.map(Into::into),
            port: new_port,
            path: match kind {
                0 => RedirectPath::Keep,
                1 => RedirectPath::Whole(replacement.into()),
                _ => RedirectPath::Prefix(replacement.into()),
            },
            strip_query,
            ..redirect()
        };
        let request = RequestFacts {
            version: HttpVersion::Http11,
            method: Cow::Borrowed("GET"),
            scheme: Cow::Borrowed(own_scheme),
            authority: Cow::Owned(port.map_or(host.to_owned(), |port| format!("{host}:{port}"))),
            path: Cow::Owned(format!(
                "{prefix}{rest}{}",
                query.map(|query| format!("?{query}")).unwrap_or_default()
            )),
            headers: Headers::default(),
        };
        let matched = PathMatch::Prefix(prefix.into(), Case::Sensitive);
        assert_eq!(
            location(&redirect, &matched, &request, proto),
            expected,
            "{redirect:?} {request:?} {proto}"
        );
        assert_eq!(https_location(&request), format!("https://{}{}", request.authority, request.path));
    }
}
