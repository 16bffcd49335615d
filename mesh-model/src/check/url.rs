//! URLs as Go's `net/url` reads them, which is how Istio's webhook and the schema of the API judge them.

use std::net::Ipv6Addr;

/// Why a text is not a URL, to be said after it.
pub(crate) type NoUrl = &'static str;

/// The scheme in lower case of a text that is an absolute URL or a rooted path; empty for the latter.
///
/// That is Go's `ParseRequestURI`: a fragment is not cut off.
pub(crate) fn request_scheme(text: &str) -> Result<String, NoUrl> {
    parse(text, true)
}

/// Whether a text is a URL or a relative reference, its fragment included: Go's `Parse`.
pub(crate) fn is_reference(text: &str) -> Result<(), NoUrl> {
    let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
    parse(before, false)?;
    escapes(fragment, |_| false)
}

fn parse(text: &str, is_request: bool) -> Result<String, NoUrl> {
    if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Err("holds a control character");
    }
    if text.is_empty() && is_request {
        return Err("is empty");
    }
    if text == "*" {
        return Ok(String::new());
    }
    let (scheme, rest) = split_scheme(text)?;
    let scheme = scheme.to_ascii_lowercase();
    let rest = rest.split('?').next().unwrap_or_default();
    if !rest.starts_with('/') {
        if !scheme.is_empty() {
            return Ok(scheme);
        }
        if is_request {
            return Err("has neither a scheme nor a leading `/`");
        }
        if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
            return Err("has a colon in its first path segment");
        }
    }
    let may_have_host = !scheme.is_empty() || (!is_request && !rest.starts_with("///"));
    let path = match rest.strip_prefix("//") {
        Some(after) if may_have_host => {
            let end = after.find('/').unwrap_or(after.len());
            let (authority, path) = after.split_at_checked(end).unwrap_or((after, ""));
            self::authority(&scheme, authority)?;
            path
        }
        _ => rest,
    };
    escapes(path, |_| false)?;
    Ok(scheme)
}

/// The scheme, if there is one, and what comes after its colon.
fn split_scheme(text: &str) -> Result<(&str, &str), NoUrl> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(text.len());
    let starts_with_letter = text.starts_with(|c: char| c.is_ascii_alphabetic());
    match text.split_at_checked(end) {
        Some(("", rest)) if rest.starts_with(':') => Err("has no scheme before its colon"),
        Some((scheme, rest)) if starts_with_letter => match rest.strip_prefix(':') {
            Some(rest) => Ok((scheme, rest)),
            None => Ok(("", text)),
        },
        _ => Ok(("", text)),
    }
}

fn authority(scheme: &str, text: &str) -> Result<(), NoUrl> {
    let Some((user, host)) = text.rsplit_once('@') else { return self::host(scheme, text) };
    self::host(scheme, host)?;
    if !user.chars().all(|c| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c)) {
        return Err("has a bad user name or password");
    }
    escapes(user, |_| false)
}

fn host(scheme: &str, text: &str) -> Result<(), NoUrl> {
    match text.rfind('[') {
        Some(0) => {
            let Some((address, port)) = text.strip_prefix('[').and_then(|text| text.rsplit_once(']')) else {
                return Err("lacks the `]` of its address");
            };
            optional_port(port)?;
            // A zone may be named after `%25`.
            let (address, zone) = address.split_once("%25").map_or((address, None), |(a, z)| (a, Some(z)));
            if zone == Some("") || address.parse::<Ipv6Addr>().is_err() {
                return Err("has no IPv6 address in its brackets");
            }
            escapes(zone.unwrap_or_default(), |_| false)
        }
        Some(_) => Err("has a bracket inside its host"),
        None => {
            // Go takes several colons for schemes other than HTTP's: `a:1,b:2`.
            let is_http = matches!(scheme, "http" | "https");
            let colon = if is_http { text.find(':') } else { text.rfind(':') };
            let port = colon.and_then(|colon| text.get(colon..)).unwrap_or_default();
            optional_port(port)?;
            if text.bytes().any(|byte| byte < 0x80 && !may_stand_in_host(byte)) {
                return Err("has a character in its host that may not stand there");
            }
            // Only what is not ASCII may be escaped in a host, and `%` itself.
            escapes(text, |byte| byte < 0x80 && byte != b'%')
        }
    }
}

fn optional_port(text: &str) -> Result<(), NoUrl> {
    match text.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(()),
        None if text.is_empty() => Ok(()),
        _ => Err("has a port that is not a number"),
    }
}

fn may_stand_in_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"%".contains(&byte)
}

/// Each `%` is followed by two hexadecimal digits, and none of these bytes is refused.
fn escapes(text: &str, is_refused: impl Fn(u8) -> bool) -> Result<(), NoUrl> {
    for after in text.split('%').skip(1) {
        let byte = after.get(..2).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match byte.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if !is_refused(byte) => {}
            _ => return Err("has a `%` that is no escape"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_urls_and_rooted_paths_are_requests() {
        for (text, scheme) in [
            ("http://a.com/b", "http"),
            ("HTTPS://a.com", "https"),
            ("oci://a.com:5000/b:v1", "oci"),
            ("file:///a/b.wasm", "file"),
            ("a.com:b", "a.com"),
            ("/a/b", ""),
            ("//a b", ""),
            ("*", ""),
            ("http://[::1]:80/", "http"),
            ("http://[fe80::1%25en0]/", "http"),
            ("http://u:p@a.com/", "http"),
            ("oci://a:1,b:2/", "oci"),
            ("http://a.com/?%zz", "http"),
            ("http://a.com/?a#%zz", "http"),
            ("http://\u{e4}.com/", "http"),
            ("http://%e4.com/", "http"),
        ] {
            assert_eq!(request_scheme(text).as_deref(), Ok(scheme), "{text}");
        }
    }

    #[test]
    fn other_texts_are_none() {
        for text in [
            "",
            "a.com/b",
            ":a",
            "1a:b",
            "http://a.com/%zz",
            "http://a.com/%a",
            "http://a b.com/",
            "http://a.com:b/",
            "http://a:1:2/",
            "http://[::1/",
            "http://[1.2.3.4]/",
            "http://a[::1]/",
            "http://a\n",
            "http://%41.com/",
            "http://a^b@c.com/",
        ] {
            assert!(request_scheme(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_a_reference_has_a_fragment() {
        assert_eq!(is_reference("http://a.com/?a#%zz"), Err("has a `%` that is no escape"));
        assert_eq!(is_reference("http://a.com/#a"), Ok(()));
        assert_eq!(is_reference("a/b:c"), Ok(()));
        assert!(is_reference("a:b/c").is_ok() && is_reference("1a:b/c").is_err());
    }
}
