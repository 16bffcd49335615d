//! The patterns of the table by name: what a text must look like, in words and as a function.
//!
//! A test compares each function with the regular expression of the CRD.

use crate::check::header::is_token;
use crate::object::is_dns_part as label;

/// What a text must look like.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// As the table names it.
    pub(super) name: &'static str,
    /// What it is, in words that fit behind "is not".
    pub(super) words: &'static str,
    /// Whether a text is one.
    pub(super) fits: fn(&str) -> bool,
    /// The CRD's own expression: the test compares with it, and schemas show it.
    #[cfg(any(test, feature = "schema"))]
    pub(crate) regex: &'static str,
}

macro_rules! patterns {
    ($($name:literal $words:literal $fits:path, $regex:literal;)*) => {
        static PATTERNS: &[Pattern] = &[$(Pattern {
            name: $name,
            words: $words,
            fits: $fits,
            #[cfg(any(test, feature = "schema"))]
            regex: $regex,
        },)*];
    };
}

patterns! {
    "address-type" "`IPAddress`, `Hostname`, `NamedAddress` or a name with a domain, as `example.com/kind`" address_type, r"^Hostname|IPAddress|NamedAddress|[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+$";
    "authorities" "`System` or a name with a domain, as `example.com/roots`" authorities, r"^(System|([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]))$";
    "controller" "a name with a domain, as `istio.io/gateway-controller`" controller, r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+$";
    "dns-name" "a DNS name in small letters" dns_name, r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
    "duration" "a duration of whole `h`, `m`, `s` and `ms`, as `1m30s`" duration, r"^([0-9]{1,5}(h|m|s|ms)){1,4}$";
    "group" "an API group, as `gateway.networking.k8s.io`, or empty" group, r"^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
    "header-name" "the name of a header" header_name, r"^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$";
    "header-value" "the value of a header: visible letters, single blanks between them" header_value, r"^[!-~]+([\t ]?[!-~]+)*$";
    "host" "a host in small letters, without scheme and port, `*` at most as its first label" host, r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
    "kind" "the name of a kind, as `Service`" kind, r"^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$";
    "label" "a name of small letters, digits and `-`" label, r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
    "label-value" "the value of a label" label_value, r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$";
    "origin" "an origin, as `https://*.example.com`, or `*`" origin, r"(^\*$)|(^(http(s)?):\/\/(((\*\.)?([a-zA-Z0-9\-]+\.)*[a-zA-Z0-9-]+|\*)(:([0-9]{1,5}))?)$)";
    "path" "a path: letters of RFC 3986, others as `%41`" path, r"^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$";
    "protocol" "a protocol: `HTTP`, `HTTPS`, `TLS`, `TCP`, `UDP`, or a name with a domain" protocol, r"^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$|[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9]+$";
    "uri" "an absolute URI, as `spiffe://cluster.local/ns/a/sa/b`" uri, r"^(([^:/?#]+):)(//([^/?#]*))([^?#]*)(\?([^#]*))?(#(.*))?";
}

/// The pattern of a name.
pub(super) fn named(name: &str) -> Option<&'static Pattern> {
    PATTERNS.iter().find(|pattern| pattern.name == name)
}

/// Every pattern.
#[cfg(test)]
pub(super) fn all() -> &'static [Pattern] {
    PATTERNS
}

/// Bytes of which the first and the last fit `edge`, and all between them `inner`.
fn framed(text: &str, edge: fn(u8) -> bool, inner: fn(u8) -> bool) -> bool {
    match text.as_bytes() {
        [] => false,
        [only] => edge(*only),
        [first, between @ .., last] => edge(*first) && edge(*last) && between.iter().all(|byte| inner(*byte)),
    }
}

fn small(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn dns_name(text: &str) -> bool {
    text.split('.').all(label)
}

fn group(text: &str) -> bool {
    text.is_empty() || dns_name(text)
}

fn host(text: &str) -> bool {
    dns_name(text.strip_prefix("*.").unwrap_or(text))
}

fn kind(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && framed(text, alphanumeric, |byte| alphanumeric(byte) || byte == b'-')
}

fn header_name(text: &str) -> bool {
    !text.is_empty() && is_token(text)
}

fn header_value(text: &str) -> bool {
    let is_blank = |byte: u8| byte == b' ' || byte == b'\t';
    let mut was_blank = true;
    for byte in text.bytes() {
        if !byte.is_ascii_graphic() && (!is_blank(byte) || was_blank) {
            return false;
        }
        was_blank = is_blank(byte);
    }
    // An empty text, too.
    !was_blank
}

fn label_value(text: &str) -> bool {
    text.is_empty() || framed(text, alphanumeric, |byte| alphanumeric(byte) || b"-_.".contains(&byte))
}

fn authorities(text: &str) -> bool {
    let is_name = |name: &str| name.len() <= 63 && !name.is_empty() && label_value(name);
    text == "System" || text.split_once('/').is_some_and(|(domain, name)| dns_name(domain) && is_name(name))
}

fn is_controller_letter(byte: u8) -> bool {
    alphanumeric(byte) || b"/-._~%!$&'()*+,;=:".contains(&byte)
}

fn controller(text: &str) -> bool {
    text.split_once('/').is_some_and(|(domain, path)| {
        dns_name(domain) && !path.is_empty() && path.bytes().all(is_controller_letter)
    })
}

/// Its expression is bound to neither end but for `Hostname`: what only ends with a name that has a domain is taken too.
fn address_type(text: &str) -> bool {
    text.starts_with("Hostname")
        || text.contains("IPAddress")
        || text.contains("NamedAddress")
        || ends_with_domain(text, is_controller_letter)
}

fn protocol(text: &str) -> bool {
    framed(text, alphanumeric, |byte| alphanumeric(byte) || byte == b'-')
        || ends_with_domain(text, alphanumeric)
}

/// Whether there is a `/` with a small letter or digit before it, and nothing but such letters after it.
fn ends_with_domain(text: &str, letter: fn(u8) -> bool) -> bool {
    text.char_indices().any(|(at, sign)| {
        let (before, after) = text.split_at(at);
        let rest = after.strip_prefix('/').unwrap_or_default();
        sign == '/'
            && before.bytes().last().is_some_and(small)
            && !rest.is_empty()
            && rest.bytes().all(letter)
    })
}

fn origin(text: &str) -> bool {
    let is_letter = |byte: u8| alphanumeric(byte) || byte == b'-';
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_letter);
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return text == "*";
    };
    let (host, port) = match rest.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (rest, None),
    };
    let is_port =
        |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_host = host == "*" || host.strip_prefix("*.").unwrap_or(host).split('.').all(is_label);
    is_host && port.is_none_or(is_port)
}

pub(super) fn path(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let is_hex = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
        let fits = match byte {
            b'%' => is_hex(bytes.next()) && is_hex(bytes.next()),
            _ => alphanumeric(byte) || b"-/._~!$&'()*+,;=:@".contains(&byte),
        };
        if !fits {
            return false;
        }
    }
    !text.is_empty()
}

/// One to four numbers of at most five digits, each with its unit.
fn duration(text: &str) -> bool {
    let mut rest = text;
    for count in 0.. {
        if rest.is_empty() {
            return count > 0;
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let unit = rest.get(digits..).unwrap_or_default();
        let Some(after) = ["h", "ms", "m", "s"].iter().find_map(|name| unit.strip_prefix(name)) else {
            return false;
        };
        if count == 4 || !(1..=5).contains(&digits) {
            return false;
        }
        rest = after;
    }
    false
}

fn uri(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        !scheme.is_empty() && !scheme.contains(['/', '?', '#']) && rest.starts_with("//")
    })
}
