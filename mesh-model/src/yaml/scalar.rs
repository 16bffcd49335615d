//! What a plain scalar means: the rules of Kubernetes' YAML reader (YAML 1.1 Booleans and numbers, no timestamps,
//! no base 60), so that a file means here what it means to the API server.

use crate::document::Plain;

/// A scalar, resolved.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Resolved {
    /// The text as it is.
    String,
    /// Another text.
    Other(String),
    /// A scalar that is no string.
    Plain(Plain),
    /// A number that JSON cannot write (`.inf`, `.nan`); the normal form as a map key.
    NotJson(&'static str),
}

/// Reads an untagged plain scalar, or one tagged as a number, Boolean or null.
pub(super) fn resolve(text: &str) -> Resolved {
    let value = match text.bytes().next() {
        None => return Resolved::Plain(Plain::Null),
        Some(b'.') => word(text).or_else(|| decimal(text).map(Resolved::Plain)),
        Some(b'0'..=b'9') => number(text).map(Resolved::Plain),
        Some(b'+' | b'-') => word(text).or_else(|| number(text).map(Resolved::Plain)),
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => word(text),
        Some(_) => None,
    };
    value.unwrap_or(Resolved::String)
}

/// The words with a meaning.
fn word(text: &str) -> Option<Resolved> {
    let value = match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Plain::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Plain::Bool(false)
        }
        "~" | "null" | "Null" | "NULL" => Plain::Null,
        ".nan" | ".NaN" | ".NAN" => return Some(Resolved::NotJson(".nan")),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Some(Resolved::NotJson(".inf")),
        "-.inf" | "-.Inf" | "-.INF" => return Some(Resolved::NotJson("-.inf")),
        _ => return None,
    };
    Some(Resolved::Plain(value))
}

/// A scalar that starts with a digit or a sign.
fn number(text: &str) -> Option<Plain> {
    // Underscores are dropped wherever they stand (`1__0` is 10), as in the Go reader.
    let cleaned: String;
    let plain = if text.contains('_') {
        cleaned = text.replace('_', "");
        cleaned.as_str()
    } else {
        text
    };
    integer(plain).map(Plain::Integer).or_else(|| is_decimal(plain).then(|| decimal(plain)).flatten())
}

/// A whole number with Go's prefixes; `None` when it is none, or does not fit 64 bits.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let signed = digits.len() < text.len();
    let (radix, body) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if body.is_empty() || !body.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from_str_radix(body, radix).ok()?;
    let value = if negative { -magnitude } else { magnitude };
    // A sign makes it an `int64` for the Go reader, no sign a `uint64` at most.
    let most = if signed { i128::from(i64::MAX) } else { i128::from(u64::MAX) };
    (i128::from(i64::MIN)..=most).contains(&value).then_some(value)
}

/// `[-+]? (\.[0-9]+ | [0-9]+(\.[0-9]*)?) ([eE][-+]?[0-9]+)?`
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let body = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !body.is_empty() && digits(body)
    });
    mantissa_fits && exponent_fits
}

/// A decimal number; `None` when it overflows (`1e500` is a string).
fn decimal(text: &str) -> Option<Plain> {
    if !is_decimal(text) {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite()).map(float)
}

/// A float as JSON text would carry it: Go prints whole numbers below 10^21 without fraction or exponent, so
/// `1.0` and `1e3` reach integer fields.
pub(super) fn float(number: f64) -> Plain {
    if number.fract() == 0.0 && number.abs() < 1e21 {
        // Rust prints the shortest digits that read back, zeros after them, exactly as Go does.
        return number.to_string().parse().map_or(Plain::Float(number), Plain::Integer);
    }
    Plain::Float(number)
}

/// Why other readers of YAML (1.2's core schema) would see something else; `None`: they agree.
pub(super) fn unusual(text: &str, value: Plain) -> Option<&'static str> {
    match value {
        Plain::Bool(_) if !matches!(text.to_ascii_lowercase().as_str(), "true" | "false") => {
            Some("is a boolean by the rules of YAML 1.1 that Kubernetes follows")
        }
        Plain::Integer(_) | Plain::Float(_) => {
            let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
            let zero_led = digits.len() > 1
                && digits.starts_with('0')
                && digits.as_bytes().get(1).is_some_and(|byte| byte.is_ascii_digit() || *byte == b'_');
            if zero_led && integer(&text.replace('_', "")).is_some() {
                Some("is an octal number by the rules of YAML 1.1 that Kubernetes follows")
            } else if digits.contains('_') || digits.starts_with("0b") || digits.starts_with("0B") {
                Some("is a number by the rules of YAML 1.1 that Kubernetes follows")
            } else {
                None
            }
        }
        _ => None,
    }
}

/// What to write instead of an [`unusual`] scalar, so that every reader sees the same.
pub(super) fn plainer(text: &str, value: Plain) -> String {
    match value {
        Plain::Bool(flag) => format!("write `{flag}`, or `\"{text}\"` if text is meant"),
        Plain::Integer(number) => format!("write `{number}`, or `\"{text}\"` if text is meant"),
        _ => format!("write the number without `_`, or `\"{text}\"` if text is meant"),
    }
}

/// A map key as text, as Kubernetes' conversion to JSON writes it.
pub(super) fn key_text(value: Plain) -> String {
    match value {
        Plain::Null => "null".to_owned(),
        Plain::Bool(flag) => flag.to_string(),
        Plain::Integer(number) => number.to_string(),
        Plain::Float(number) => number.to_string(),
    }
}

/// Standard base64 with padding, line breaks ignored: the content of `!!binary`.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut buffer, mut bits, mut symbols, mut padding) = (0_u32, 0_u32, 0_usize, 0_usize);
    for byte in text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')) {
        symbols += 1;
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                continue;
            }
            _ => return None,
        };
        if padding > 0 {
            return None;
        }
        buffer = (buffer << 6) | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from((buffer >> bits) & 0xff).ok()?);
        }
    }
    (symbols % 4 == 0 && padding <= 2).then_some(out)
}
