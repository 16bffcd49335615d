//! What a backslash introduces.

use super::RegexError;
use super::cursor::Cursor;
use super::unicode_names::unicode_class;

/// A set of characters behind a backslash: `\d`, `\PL`.
///
/// The Perl classes are ASCII in RE2, and its `\s` does not hold the vertical tab.
/// Returns the class in the target dialect, and reads nothing when something else stands here.
pub(super) fn class_escape(cursor: &mut Cursor<'_>) -> Result<Option<String>, RegexError> {
    let mut ahead = *cursor;
    if !ahead.eat("\\") {
        return Ok(None);
    }
    let class = match ahead.bump() {
        Some('d') => "[0-9]".to_owned(),
        Some('D') => "[^0-9]".to_owned(),
        Some('s') => r"[\t\n\x0C\r\x20]".to_owned(),
        Some('S') => r"[^\t\n\x0C\r\x20]".to_owned(),
        Some('w') => "[0-9A-Za-z_]".to_owned(),
        Some('W') => "[^0-9A-Za-z_]".to_owned(),
        Some('p') => property(cursor, &mut ahead, false)?,
        Some('P') => property(cursor, &mut ahead, true)?,
        _ => return Ok(None),
    };
    *cursor = ahead;
    Ok(Some(class))
}

/// `N`, `{Name}` or `{^Name}` behind `\p` or `\P`.
fn property(start: &Cursor<'_>, ahead: &mut Cursor<'_>, negated: bool) -> Result<String, RegexError> {
    let unknown = || start.error("unknown Unicode class");
    let mut one_letter = [0; 4];
    let name = if ahead.eat("{") {
        ahead.take_until("}").ok_or_else(unknown)?
    } else {
        ahead.bump().ok_or_else(unknown)?.encode_utf8(&mut one_letter)
    };
    let (name, negated) = name.strip_prefix('^').map_or((name, negated), |name| (name, !negated));
    let body = unicode_class(name).ok_or_else(unknown)?;
    let caret = if negated { "^" } else { "" };
    Ok(format!("[{caret}{body}]"))
}

/// One character behind a backslash, inside or outside a class. The cursor stands on the backslash.
pub(super) fn char_escape(cursor: &mut Cursor<'_>) -> Result<char, RegexError> {
    let start = *cursor;
    cursor.bump();
    let invalid = || start.error("invalid escape sequence");
    let Some(escaped) = cursor.bump() else {
        return Err(start.error("trailing backslash"));
    };
    match escaped {
        'a' => Ok('\x07'),
        'f' => Ok('\x0C'),
        'n' => Ok('\n'),
        'r' => Ok('\r'),
        't' => Ok('\t'),
        'v' => Ok('\x0B'),
        'x' => hexadecimal(cursor).ok_or_else(invalid),
        // `\1` alone would be a back-reference; with a second octal digit it is a character.
        '1'..='7' if !cursor.peek().is_some_and(|next| next.is_digit(8)) => Err(invalid()),
        '0'..='7' => octal(escaped, cursor).ok_or_else(invalid),
        _ if escaped.is_ascii() && !escaped.is_ascii_alphanumeric() => Ok(escaped),
        _ => Err(invalid()),
    }
}

/// At most three octal digits, the first already read.
fn octal(first: char, cursor: &mut Cursor<'_>) -> Option<char> {
    let mut code = first.to_digit(8)?;
    for _ in 0..2 {
        let Some(digit) = cursor.bump_if(|next| next.is_digit(8)) else { break };
        code = code * 8 + digit.to_digit(8)?;
    }
    char::from_u32(code)
}

/// `HH` or `{H...}`.
fn hexadecimal(cursor: &mut Cursor<'_>) -> Option<char> {
    if !cursor.eat("{") {
        let high = cursor.bump()?.to_digit(16)?;
        let low = cursor.bump()?.to_digit(16)?;
        return char::from_u32(high * 16 + low);
    }
    let digits = cursor.take_until("}")?;
    if digits.is_empty() {
        return None;
    }
    let code = digits
        .chars()
        .try_fold(0_u32, |code, digit| code.checked_mul(16)?.checked_add(digit.to_digit(16)?))?;
    char::from_u32(code)
}
