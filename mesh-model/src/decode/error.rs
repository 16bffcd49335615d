//! serde's errors in our grammar: what was expected and what was found, without type names.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::path::Path;
use super::{Finding, help};
use crate::diagnostic::{Code, nearest};
use crate::document::{Node, Span, Value, join_key, snake_case};

/// The first error of a round. Boxed: every step of the decoder hands on a result that is nearly always good.
#[derive(Debug)]
pub(super) struct DecodeError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    path: Option<String>,
    span: Span,
    message: String,
    help: Option<String>,
    replacement: Option<&'static str>,
    missing: Option<&'static str>,
}

impl DecodeError {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        let (path, help, replacement, missing) = (None, None, None, None);
        Self(Box::new(Inner { code, path, span: Span::default(), message, help, replacement, missing }))
    }

    /// Adds what to do about it.
    pub(super) fn help(mut self, help: Option<String>) -> Self {
        self.0.help = help;
        self
    }

    /// `expected a number, found a string `abc``.
    pub(super) fn wrong_type(expected: &str, found: Node<'_>) -> Self {
        Self::new(Code::WrongType, format!("expected {expected}, found {}", describe(found)))
            .help(help::wrong_type(expected, found))
    }

    /// Names the place unless a place further inside is known.
    pub(super) fn at(self, path: &Path<'_>, node: Node<'_>) -> Self {
        if self.0.path.is_none() { self.at_span(path, node.span()) } else { self }
    }

    /// Names the place unless a place further inside is known.
    pub(super) fn at_span(mut self, path: &Path<'_>, span: Span) -> Self {
        if self.0.path.is_none() {
            self.0.path = Some(path.to_string());
            self.0.span = span;
        }
        self
    }

    /// The field path, once it is known.
    pub(super) fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// A field counts as missing only if it was not left out for an error of its own.
    pub(super) fn follows_from(&self, skipped: &BTreeSet<String>) -> bool {
        let Some(path) = self.path() else { return false };
        match self.0.missing {
            Some(field) => {
                let written = join_key(path, &snake_case(field));
                skipped.contains(&join_key(path, field)) || skipped.contains(&written)
            }
            // What a value complains of after parts of it were left out may be due to that.
            None => skipped.iter().any(|inner| inner.len() > path.len() && inner.starts_with(path)),
        }
    }

    pub(super) fn code(&self) -> Code {
        self.0.code
    }

    pub(super) fn finding(&self) -> Finding {
        Finding {
            code: self.0.code,
            severity: self.0.code.severity(),
            span: self.0.span,
            message: self.0.message.clone(),
            help: self.0.help.clone(),
            replacement: self.0.replacement.map(str::to_owned),
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Code::BadValue, message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = words(expected);
        Self::new(Code::WrongType, format!("expected {expected}, found {}", unexpected(found)))
            .help(help::wrong_value(&expected, found))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = words(expected);
        Self::new(Code::BadValue, format!("expected {expected}, found {}", unexpected(found)))
            .help(help::wrong_value(&expected, found))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(Code::BadValue, format!("expected {}, found {length} elements", words(expected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let names: Vec<String> = expected.iter().map(|name| format!("`{name}`")).collect();
        let known = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
        let mut error =
            Self::new(Code::BadValue, format!("expected one of {known}, found `{}`", shorten(variant)));
        let near = nearest(variant, expected.iter().copied());
        error.0.replacement = near;
        error.help(Some(match near {
            Some(name) => format!("did you mean `{name}`?"),
            None => "write one of these names, spelled exactly like this".to_owned(),
        }))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let mut error = Self::new(Code::UnknownField, format!("unknown field `{}`", shorten(field)));
        let (help, replacement) = help::unknown_field(field, expected);
        error.0.replacement = replacement;
        error.help(Some(help))
    }

    fn missing_field(field: &'static str) -> Self {
        let mut error = Self::new(Code::MissingField, format!("the field `{field}` is required"));
        error.0.missing = Some(field);
        error.help(Some(format!("add `{field}`")))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(Code::DuplicateKey, format!("the field `{field}` is set twice"))
    }
}

/// What a node is, with its text where that helps.
fn describe(node: Node<'_>) -> String {
    match node.value() {
        Value::String(text) => format!("a string `{}`", shorten(text)),
        Value::Integer(number) => format!("a number `{number}`"),
        Value::Float(number) => format!("a number `{number}`"),
        Value::Bool(flag) => format!("a boolean `{flag}`"),
        other => other.kind().to_owned(),
    }
}

fn unexpected(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(flag) => format!("a boolean `{flag}`"),
        Unexpected::Unsigned(number) => format!("a number `{number}`"),
        Unexpected::Signed(number) => format!("a number `{number}`"),
        Unexpected::Float(number) => format!("a number `{number}`"),
        Unexpected::Char(letter) => format!("a string `{letter}`"),
        Unexpected::Str(text) => format!("a string `{}`", shorten(text)),
        Unexpected::Unit | Unexpected::Option => "null".to_owned(),
        Unexpected::Seq | Unexpected::TupleVariant | Unexpected::Bytes(_) => "a list".to_owned(),
        Unexpected::Map | Unexpected::StructVariant => "a map".to_owned(),
        Unexpected::Enum | Unexpected::UnitVariant | Unexpected::NewtypeVariant => "a name".to_owned(),
        Unexpected::NewtypeStruct => "a value".to_owned(),
        Unexpected::Other(text) => text.to_owned(),
    }
}

/// What a visitor asks for, in words of the document.
pub(super) fn words(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "i128" | "isize"
        | "f32" | "f64" => "a number".to_owned(),
        "a sequence" | "an array" => "a list".to_owned(),
        "unit" => "null".to_owned(),
        "option" => "a value".to_owned(),
        "bool" => "a boolean".to_owned(),
        "any valid JSON value" => "a value".to_owned(),
        _ if text.starts_with("struct ") => "a map".to_owned(),
        _ if text.starts_with("tuple") || text.starts_with("a tuple") => "a list".to_owned(),
        _ if text.starts_with("enum ") || text.ends_with("identifier") => "a name".to_owned(),
        _ => text,
    }
}

/// User text for a message: one line, not too long.
pub(crate) fn shorten(text: &str) -> String {
    // Most text is short and reads as it is written.
    if text.len() <= 60 && text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"\"'\\".contains(&byte)) {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        short.push('…');
    }
    short
}
