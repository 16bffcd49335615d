//! What to write instead: help for values of the wrong type and fields that do not exist.

use std::fmt::Write as _;

use serde::de::Unexpected;

use super::error::shorten;
use crate::diagnostic::nearest;
use crate::document::{Node, Value};
use crate::value::Duration;

/// Help for a node where `expected` (in the words of [`super::error`]) should stand.
pub(super) fn wrong_type(expected: &str, found: Node<'_>) -> Option<String> {
    match found.value() {
        Value::Bool(flag) => wrong_value(expected, Unexpected::Bool(flag)),
        // The text may be another than the number: `1.0`, `0x10`, `1_000`.
        Value::Integer(number) if expected == "a string" && !is_as_written(number, found) => {
            Some("write it in quotes".to_owned())
        }
        Value::Integer(number) => {
            let number = i64::try_from(number).map_or(Unexpected::Other("a number"), Unexpected::Signed);
            wrong_value(expected, number)
        }
        Value::Float(number) => wrong_value(expected, Unexpected::Float(number)),
        Value::String(text) => wrong_value(expected, Unexpected::Str(text)),
        Value::List(_) => wrong_value(expected, Unexpected::Seq),
        Value::Map(_) => wrong_value(expected, Unexpected::Map),
        Value::Null => wrong_value(expected, Unexpected::Unit),
    }
}

fn is_as_written(number: i128, node: Node<'_>) -> bool {
    let span = node.span();
    // What is not read from a text has no span.
    span.end == 0 || u32::try_from(number.to_string().len()) == Ok(span.end.saturating_sub(span.start))
}

/// [`wrong_type`] where only serde's view of the value is known.
pub(super) fn wrong_value(expected: &str, found: Unexpected<'_>) -> Option<String> {
    if expected.starts_with("a duration") {
        return Some(duration(found));
    }
    Some(match (expected, found) {
        ("a string", Unexpected::Bool(_) | Unexpected::Float(_)) => "write it in quotes".to_owned(),
        ("a string", Unexpected::Signed(number)) => format!("write it in quotes: `\"{number}\"`"),
        ("a string", Unexpected::Unsigned(number)) => format!("write it in quotes: `\"{number}\"`"),
        ("a string", Unexpected::Seq) => "write one value, without `[ ]` or `-`".to_owned(),
        ("a string", Unexpected::Map) => {
            "write plain text here; text with a colon and a space in it needs quotes".to_owned()
        }
        ("a list", Unexpected::Map) => "this is a list: put `- ` before the first field".to_owned(),
        ("a list", Unexpected::Str(text)) if text.len() <= 40 && !text.contains([',', '\n', '\\', '"']) => {
            format!("write a list, also for one element: `[\"{text}\"]`")
        }
        ("a list", _) => "write a list, also for one element: `[..]`".to_owned(),
        ("a map", Unexpected::Seq) => "this is one map, not a list of them: write it without `- `".to_owned(),
        ("a map", _) => "write fields and their values below it, or in `{ }`".to_owned(),
        ("a map with one key", Unexpected::Map) => "keep one of these keys".to_owned(),
        ("a boolean", _) => "write `true` or `false`, without quotes".to_owned(),
        ("a number" | "a whole number", Unexpected::Str(text)) if text.trim().parse::<f64>().is_ok() => {
            format!("write it without quotes: `{}`", shorten(text.trim()))
        }
        ("a number" | "a whole number", Unexpected::Str(text)) => number_in(text),
        ("a whole number", Unexpected::Float(_)) => "write it without a fraction".to_owned(),
        ("a number" | "a whole number", _) => "write a number such as `5`".to_owned(),
        ("a name", _) => "write one name".to_owned(),
        (expected, _) if expected.starts_with("one of ") => "write one of these names".to_owned(),
        (expected, _) => format!("write {expected}"),
    })
}

/// A number that someone wrote with its unit (`5s`, `50%`).
fn number_in(text: &str) -> String {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    match text.get(..end) {
        Some(digits) if !digits.is_empty() && digits.len() < 10 => {
            format!("write a number without a unit: `{digits}`")
        }
        _ => "write a number such as `5`".to_owned(),
    }
}

fn duration(found: Unexpected<'_>) -> String {
    let with_unit = |number: &dyn std::fmt::Display| {
        format!("a duration needs its unit: `{number}s` for seconds, `{number}ms` for milliseconds")
    };
    match found {
        Unexpected::Signed(number) => with_unit(&number),
        Unexpected::Unsigned(number) => with_unit(&number),
        Unexpected::Float(number) => with_unit(&number),
        Unexpected::Str(text) if text.trim().parse::<f64>().is_ok_and(f64::is_finite) => {
            with_unit(&text.trim())
        }
        Unexpected::Str(text) => match repaired(text) {
            Some(duration) => format!("write `{duration}`"),
            None => "a number and a unit: `h`, `m`, `s`, `ms`, `us` or `ns`".to_owned(),
        },
        _ => "write a number and its unit as one text, such as `5s`".to_owned(),
    }
}

/// Blanks, capitals and units that people write out; days and weeks are not in Go's grammar.
fn repaired(text: &str) -> Option<String> {
    const UNITS: [(&str, &str, u64); 13] = [
        ("milliseconds", "ms", 1),
        ("millis", "ms", 1),
        ("msec", "ms", 1),
        ("seconds", "s", 1),
        ("second", "s", 1),
        ("secs", "s", 1),
        ("sec", "s", 1),
        ("minutes", "m", 1),
        ("minute", "m", 1),
        ("min", "m", 1),
        ("hours", "h", 1),
        ("hour", "h", 1),
        ("d", "h", 24),
    ];
    if text.len() > 40 {
        return None;
    }
    let plain: String =
        text.chars().filter(|letter| !letter.is_whitespace()).collect::<String>().to_lowercase();
    let split = plain.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(plain.len());
    let (number, unit) = plain.split_at(split);
    let spelled = UNITS.iter().find(|(word, ..)| *word == unit).and_then(|(_, unit, factor)| {
        let whole = number.parse::<u64>().ok()?.checked_mul(*factor)?;
        Some(format!("{whole}{unit}"))
    });
    spelled.or(Some(plain)).filter(|text| text.parse::<Duration>().is_ok())
}

/// Help for a value that should be a map with these fields.
pub(super) fn not_a_struct(fields: &'static [&'static str], found: Node<'_>) -> Option<String> {
    let scalar = match found.value() {
        Value::String(text) if text.len() <= 40 && !text.contains(['\n', '"', '\\']) => {
            Some(format!("\"{text}\""))
        }
        Value::Integer(number) => Some(number.to_string()),
        Value::List(_) => return wrong_type("a map", found),
        _ => None,
    };
    // Ways to compare a text, and the selector of a port: by far the most common slips of this sort.
    if let Some(scalar) = &scalar
        && let Some(field) = match fields {
            [only] => Some(only),
            _ if matches!(found.value(), Value::Integer(_)) => {
                fields.iter().find(|field| **field == "number")
            }
            _ => fields.iter().find(|field| ["exact", "value"].contains(field)),
        }
    {
        let others = if fields.len() > 1 { format!("; {}", known_fields(fields)) } else { String::new() };
        return Some(format!("write `{{{field}: {scalar}}}`{others}"));
    }
    Some(format!("write a map; {}", known_fields(fields)))
}

/// Help for a field that a message does not have, and the name to write in its place.
pub(crate) fn unknown_field(written: &str, fields: &[&'static str]) -> (String, Option<&'static str>) {
    if let Some(help) = super::misplaced::help(written, fields) {
        return (help.to_owned(), None);
    }
    let near = nearest(written, fields.iter().copied());
    match near.or_else(|| completed(written, fields)).or_else(|| contained(written, fields)) {
        Some(field) => (format!("did you mean `{field}`?"), Some(field)),
        None => match fields {
            [only @ ("labels" | "matchLabels")] => {
                (format!("write labels under `{only}`: `{only}: {{{}: ..}}`", shorten(written)), None)
            }
            _ => (known_fields(fields), None),
        },
    }
}

/// The only field that is called by one word more or less (`labels` for `matchLabels`).
fn contained(written: &str, fields: &[&'static str]) -> Option<&'static str> {
    const LENGTH_MIN: usize = 5;
    if written.len() < LENGTH_MIN {
        return None;
    }
    let is_it = |field: &&&str| {
        let (field, written) = (field.as_bytes(), written.as_bytes());
        let (short, long) = if field.len() < written.len() { (field, written) } else { (written, field) };
        let end = long.get(long.len() - short.len()..).unwrap_or_default();
        short.len() >= LENGTH_MIN && end.eq_ignore_ascii_case(short)
    };
    let mut found = fields.iter().filter(is_it);
    found.next().copied().filter(|_| found.next().is_none())
}

/// The only field that begins with what is written (`percent` for `percentage`).
fn completed(written: &str, fields: &[&'static str]) -> Option<&'static str> {
    const LENGTH_MIN: usize = 4;
    let mut longer = fields.iter().filter(|field| written.len() >= LENGTH_MIN && field.starts_with(written));
    longer.next().copied().filter(|_| longer.next().is_none())
}

fn known_fields(fields: &[&str]) -> String {
    const LISTED_MAX: usize = 16;
    if fields.is_empty() {
        return "no fields are known here".to_owned();
    }
    let mut names: Vec<&str> = fields.to_vec();
    names.sort_unstable();
    // In one piece: a text of nothing but unknown fields has tens of thousands of these lists.
    let mut text = String::with_capacity(16 * (names.len().min(LISTED_MAX) + 1));
    text.push_str("its fields are ");
    for (at, name) in names.iter().take(LISTED_MAX).enumerate() {
        text.push_str(if at == 0 { "`" } else { ", `" });
        text.push_str(name);
        text.push('`');
    }
    if let more @ 1.. = names.len().saturating_sub(LISTED_MAX) {
        let _ = write!(text, " and {more} more");
    }
    text
}
