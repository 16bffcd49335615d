//! Query parameters as Envoy reads and rewrites them (S-271, E-086).

use std::collections::BTreeMap;

/// Decoded values by decoded name, in the order of the query.
pub(super) type Params = BTreeMap<Vec<u8>, Vec<Vec<u8>>>;

/// The parameters of a path with query.
pub(super) fn parse(path: &str) -> Params {
    let mut params = Params::new();
    let Some((_, query)) = path.split_once('?') else { return params };
    // A trailing `&` adds no parameter, an empty one between two does.
    let query = query.strip_suffix('&').unwrap_or(query);
    if query.is_empty() {
        return params;
    }
    for param in query.split('&') {
        let (name, value) = param.split_once('=').unwrap_or((param, ""));
        params.entry(decode(name)).or_default().push(decode(value));
    }
    params
}

/// The path with one parameter less. The rest comes out decoded and sorted by name (E-086).
pub(super) fn without(path: &str, name: &str) -> String {
    let mut params = parse(path);
    params.remove(name.as_bytes());
    let mut out = path.split_once('?').map_or(path, |(path, _)| path).to_owned();
    let mut separator = '?';
    for (name, values) in &params {
        for value in values {
            out.push(separator);
            out.push_str(&String::from_utf8_lossy(name));
            out.push('=');
            out.push_str(&String::from_utf8_lossy(value));
            separator = '&';
        }
    }
    out
}

/// Percent-decoding of what is safe to decode; other escapes keep their text, and a `%` before two characters that
/// are no hexadecimal digits is lost, as in Envoy.
fn decode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) => {
                let digit =
                    |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                if let (Some(high_digit), Some(low_digit)) = (digit(high), digit(low)) {
                    let byte = high_digit * 16 + low_digit;
                    if is_decoded(byte) {
                        out.push(byte);
                    } else {
                        out.extend([b'%', *high, *low]);
                    }
                    rest = after;
                }
            }
            (byte, _) => out.push(*byte),
        }
    }
    out
}

/// Printable ASCII without what must stay escaped.
fn is_decoded(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7f) && !b"\"<>\\^{|}".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e086_the_rest_is_sorted_by_name() {
        assert_eq!(without("/a?b=2&access_token=x&a=1", "access_token"), "/a?a=1&b=2");
        assert_eq!(without("/a?access_token=x", "access_token"), "/a");
        assert_eq!(without("/a?c=1&b&c=0&t=%2E%20", "t"), "/a?b=&c=1&c=0");
    }

    #[test]
    fn s271_values_are_decoded() {
        assert_eq!(parse("/a?t=%41%20%zz+").get(b"t".as_slice()), Some(&vec![b"A%20zz+".to_vec()]));
    }
}
