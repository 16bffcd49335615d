//! Bracketed classes: in RE2 there are no set operations and no nesting.

use super::RegexError;
use super::cursor::Cursor;
use super::escape::{char_escape, class_escape};

const ASCII_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// Rewrites the class the cursor stands on.
pub(super) fn bracket_class(cursor: &mut Cursor<'_>) -> Result<String, RegexError> {
    let start = *cursor;
    cursor.eat("[");
    let mut class = if cursor.eat("^") { "[^".to_owned() } else { "[".to_owned() };
    let mut is_first = true;
    loop {
        match cursor.peek() {
            None => return Err(start.error("missing closing bracket")),
            Some(']') if !is_first => {
                cursor.bump();
                class.push(']');
                return Ok(class);
            }
            Some(_) => class.push_str(&class_item(cursor, &start)?),
        }
        is_first = false;
    }
}

/// A named class, an escaped class, a range or a character.
fn class_item(cursor: &mut Cursor<'_>, start: &Cursor<'_>) -> Result<String, RegexError> {
    if let Some(named) = ascii_class(cursor)? {
        return Ok(named);
    }
    if let Some(class) = class_escape(cursor)? {
        return Ok(class);
    }
    let range_start = *cursor;
    let low = class_char(cursor, start)?;
    let is_range =
        cursor.rest().strip_prefix('-').is_some_and(|after| !after.is_empty() && !after.starts_with(']'));
    if !is_range {
        return Ok(literal(low));
    }
    cursor.bump();
    let high = class_char(cursor, start)?;
    if high < low {
        return Err(range_start.error("invalid character class range"));
    }
    Ok(format!("{}-{}", literal(low), literal(high)))
}

/// `[:alpha:]`, `[:^alpha:]`. Without the closing `:]` the bracket is a character.
fn ascii_class(cursor: &mut Cursor<'_>) -> Result<Option<String>, RegexError> {
    let mut ahead = *cursor;
    if !ahead.eat("[:") {
        return Ok(None);
    }
    let Some(name) = ahead.take_until(":]") else {
        return Ok(None);
    };
    if !ASCII_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return Err(cursor.error("unknown character class"));
    }
    *cursor = ahead;
    Ok(Some(format!("[:{name}:]")))
}

fn class_char(cursor: &mut Cursor<'_>, start: &Cursor<'_>) -> Result<char, RegexError> {
    match cursor.peek() {
        Some('\\') => char_escape(cursor),
        _ => cursor.bump().ok_or_else(|| start.error("missing closing bracket")),
    }
}

/// By number, so that no character has a meaning of its own.
fn literal(character: char) -> String {
    format!("\\x{{{:X}}}", u32::from(character))
}
