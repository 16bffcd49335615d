//! The words of CEL.

use super::{CelError, CelProblem};

/// A word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// A name, reserved or not.
    Name(&'t str),
    /// A whole number without a sign, and whether 64 signed bits hold it: alone, and behind a minus.
    Integer { fits: bool, fits_negated: bool },
    /// A number that needs no sign to be judged, a string or bytes.
    Constant,
    /// An operator or bracket.
    Sign(&'static str),
}

/// Operators and brackets, longer ones first.
const SIGNS: [&str; 24] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "?", ":", "+", "-", "*", "/", "%", ".", ",", "(", ")",
    "[", "]", "{", "}",
];

/// A word and where it starts.
pub(super) type Placed<'t> = (usize, Token<'t>);

/// All words of a text, without blanks and comments.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed<'_>>, CelError> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = skip_blanks(rest);
        let Some(first) = rest.chars().next() else { return Ok(found) };
        let at = text.len() - rest.len();
        let (token, after) = token(rest, first).map_err(|problem| CelError { problem, at })?;
        found.push((at, token));
        rest = after;
    }
}

fn skip_blanks(text: &str) -> &str {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{c}']);
        match rest.strip_prefix("//") {
            Some(comment) => rest = comment.find('\n').and_then(|end| comment.get(end..)).unwrap_or(""),
            None => return rest,
        }
    }
}

fn token(text: &str, first: char) -> Result<(Token<'_>, &str), CelProblem> {
    if let Some((end, is_bytes, is_raw)) = quote_after_prefix(text) {
        let (_, quoted) = text.split_at(end);
        return Ok((Token::Constant, string(quoted, is_bytes, is_raw)?));
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let (name, rest) = split(text, |c| c.is_ascii_alphanumeric() || c == '_');
        return Ok((Token::Name(name), rest));
    }
    let starts_fraction = first == '.' && text.chars().nth(1).is_some_and(|c| c.is_ascii_digit());
    if first.is_ascii_digit() || starts_fraction {
        return number(text);
    }
    let sign = SIGNS.iter().find_map(|sign| Some((Token::Sign(sign), text.strip_prefix(sign)?)));
    sign.ok_or(CelProblem::Character)
}

fn split(text: &str, is_part: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()))
}

/// Where the quote of a string stands behind `b`, `r` or `br` in either case; whether they are there.
fn quote_after_prefix(text: &str) -> Option<(usize, bool, bool)> {
    let rest = text.strip_prefix(['b', 'B']).unwrap_or(text);
    let quoted = rest.strip_prefix(['r', 'R']).unwrap_or(rest);
    quoted
        .starts_with(['"', '\''])
        .then(|| (text.len() - quoted.len(), rest.len() < text.len(), quoted.len() < rest.len()))
}

/// What follows the string that `text` starts with.
fn string(text: &str, is_bytes: bool, is_raw: bool) -> Result<&str, CelProblem> {
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| text.starts_with(quote));
    let quote = quote.ok_or(CelProblem::Text)?;
    let spans_lines = quote.len() == 3;
    let mut rest = text.strip_prefix(quote).unwrap_or_default();
    loop {
        if let Some(after) = rest.strip_prefix(quote) {
            return Ok(after);
        }
        let mut characters = rest.chars();
        rest = match characters.next() {
            None => return Err(CelProblem::Text),
            Some('\n' | '\r') if !spans_lines => return Err(CelProblem::Text),
            Some('\\') if !is_raw => escape(characters.as_str(), is_bytes)?,
            Some(_) => characters.as_str(),
        };
    }
}

/// What follows an escape, of which `text` is the part behind the backslash.
fn escape(text: &str, is_bytes: bool) -> Result<&str, CelProblem> {
    let mut characters = text.chars();
    let digits = match characters.next().ok_or(CelProblem::Text)? {
        'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '"' | '\'' | '`' | '\\' | '?' => {
            return Ok(characters.as_str());
        }
        'x' | 'X' => 2,
        // Bytes have no characters beyond one byte.
        'u' if !is_bytes => 4,
        'U' if !is_bytes => 8,
        '0'..='3' => {
            let (octal, rest) = characters.as_str().split_at_checked(2).ok_or(CelProblem::Text)?;
            let is_octal = octal.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
            return if is_octal { Ok(rest) } else { Err(CelProblem::Text) };
        }
        _ => return Err(CelProblem::Text),
    };
    let (hex, rest) = characters.as_str().split_at_checked(digits).ok_or(CelProblem::Text)?;
    let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let code = u32::from_str_radix(hex, 16).ok().filter(|_| is_hex);
    code.and_then(char::from_u32).map(|_| rest).ok_or(CelProblem::Text)
}

fn number(text: &str) -> Result<(Token<'_>, &str), CelProblem> {
    let hex = text.strip_prefix("0x").map(|rest| split(rest, |c| c.is_ascii_hexdigit()));
    if let Some((digits, rest)) = hex.filter(|(digits, _)| !digits.is_empty()) {
        return whole(u64::from_str_radix(digits, 16).ok(), rest);
    }
    let (digits, after) = split(text, |c| c.is_ascii_digit());
    let after_fraction = fraction(after);
    let after_exponent = exponent(after_fraction.unwrap_or(after));
    let Some(end) = after_exponent.or(after_fraction) else { return whole(digits.parse().ok(), after) };
    let written = text.get(..text.len() - end.len()).unwrap_or_default();
    match written.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((Token::Constant, end)),
        _ => Err(CelProblem::Number),
    }
}

/// What follows `.5`.
fn fraction(text: &str) -> Option<&str> {
    let (digits, rest) = split(text.strip_prefix('.')?, |c| c.is_ascii_digit());
    (!digits.is_empty()).then_some(rest)
}

/// What follows `e-5`.
fn exponent(text: &str) -> Option<&str> {
    let signed = text.strip_prefix(['e', 'E'])?;
    let (digits, rest) = split(signed.strip_prefix(['+', '-']).unwrap_or(signed), |c| c.is_ascii_digit());
    (!digits.is_empty()).then_some(rest)
}

/// A whole number of that value (`None`: more than 64 bits), signed unless a `u` follows.
fn whole(value: Option<u64>, rest: &str) -> Result<(Token<'_>, &str), CelProblem> {
    if let Some(after) = rest.strip_prefix(['u', 'U']) {
        return value.map(|_| (Token::Constant, after)).ok_or(CelProblem::Number);
    }
    let magnitude_max = i64::MIN.unsigned_abs();
    let fits = value.is_some_and(|value| value < magnitude_max);
    let fits_negated = value.is_some_and(|value| value <= magnitude_max);
    Ok((Token::Integer { fits, fits_negated }, rest))
}
