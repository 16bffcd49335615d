//! One operator: `%NAME(ARGUMENT):LENGTH%`.

use serde_json::Value as Json;

use super::value::Value;
use super::values::one_line;
use crate::telemetry::record::Record;

/// An operator as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written<'f> {
    pub(super) name: &'f str,
    /// Empty: none.
    pub(super) argument: &'f str,
    pub(super) length: Option<usize>,
}

/// An operator, and how many characters of its value are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operator {
    value: Value,
    length: Option<usize>,
}

/// The operator after a `%`, and what follows its closing `%`. An argument ends with the first bracket behind which the
/// operator may end: it may have brackets and percent signs of its own. `no_end`: whether there is none from here on, which
/// is noted, so that a format is not searched to its end again for each operator that does not end.
pub(super) fn read<'f>(text: &'f str, no_end: &mut bool) -> Option<(Written<'f>, &'f str)> {
    let name_length =
        text.find(|byte: char| !(byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == '_'))?;
    let (name, rest) = text.split_at_checked(name_length).filter(|(name, _)| !name.is_empty())?;
    let Some(inside) = rest.strip_prefix('(') else {
        let (length, rest) = end(rest)?;
        return Some((Written { name, argument: "", length }, rest));
    };
    if *no_end {
        return None;
    }
    let found = inside.match_indices(')').find_map(|(place, _)| {
        let (argument, after) = inside.split_at_checked(place)?;
        let (length, rest) = end(after.strip_prefix(')')?)?;
        Some((Written { name, argument, length }, rest))
    });
    *no_end = found.is_none();
    found
}

/// `:LENGTH%` or `%`, and what follows.
fn end(text: &str) -> Option<(Option<usize>, &str)> {
    let Some(after) = text.strip_prefix(':') else { return Some((None, text.strip_prefix('%')?)) };
    const DIGITS_MAX: usize = 20;
    let digits = after.bytes().take(DIGITS_MAX).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = after.split_at_checked(digits)?;
    Some((Some(digits.parse().ok()?), rest.strip_prefix('%')?))
}

impl Operator {
    /// # Errors
    /// Why Envoy would not take it.
    pub(super) fn of(written: &Written<'_>) -> Result<Self, String> {
        Ok(Self { value: Value::of(written)?, length: written.length })
    }

    /// One that has never a value.
    pub(super) fn missing() -> Self {
        Self { value: Value::Nothing, length: None }
    }

    /// Writes it on one line; whether it is there, be it empty.
    pub(super) fn write(&self, record: &Record, out: &mut String) -> bool {
        let start = out.len();
        let is_there = self.write_raw(record, out);
        one_line(out, start);
        is_there
    }

    /// The same with the control characters that are in it.
    pub(super) fn write_raw(&self, record: &Record, out: &mut String) -> bool {
        let start = out.len();
        if !self.value.write(record, out) {
            out.truncate(start);
            return false;
        }
        self.shorten(out, start);
        true
    }

    /// Keeps as many characters as are to be told.
    fn shorten(&self, out: &mut String, start: usize) {
        let Some(length) = self.length else { return };
        let end = out.get(start..).and_then(|text| text.char_indices().nth(length));
        out.truncate(end.map_or(out.len(), |(at, _)| start + at));
    }

    /// Its value in JSON, of its own kind; `None`: it is not there.
    pub(super) fn json(&self, record: &Record) -> Option<Json> {
        if let Some(value) = self.value.structured(record) {
            return match value {
                // Of metadata all is told, whatever the length.
                Some(Json::String(mut text)) if matches!(self.value, Value::First(_)) => {
                    self.shorten(&mut text, 0);
                    Some(text.into())
                }
                value => value,
            };
        }
        let mut text = String::new();
        if !self.write(record, &mut text) {
            return None;
        }
        match text.parse::<i64>() {
            Ok(number) if self.value.is_number() => Some(number.into()),
            _ => Some(text.into()),
        }
    }
}
