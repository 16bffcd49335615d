//! Typed values as YAML text that reads the same here, in Kubernetes and in readers of YAML 1.2.
//! Spec: YAML 1.2.2, its block styles.
//!
//! Not the YAML library's own printing: that one leaves texts unquoted which Kubernetes' reader takes for something else
//! (`no`, `y`, `012`, `1_000`).

use serde::Serialize;
use serde_yaml::{Mapping, Value};

use super::scalar::{self, Resolved};

/// A value that has no YAML form (a map key that is a list, a custom `Serialize` that refuses).
/// Spec: YAML 1.2.2, what has a form there.
#[derive(Debug, thiserror::Error)]
#[error("the value cannot be written as YAML: {message}")]
pub struct PrintError {
    message: String,
}

impl PrintError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// Writes a value as one YAML document, in block style.
///
/// ```
/// # use mesh_model::yaml::to_yaml;
/// let value = serde_json::json!({"hosts": ["reviews", "no"], "port": 80});
/// assert_eq!(to_yaml(&value).unwrap(), "hosts:\n- reviews\n- \"no\"\nport: 80\n");
/// ```
///
/// # Errors
/// When the value's `Serialize` fails, when a map key has no YAML form, or when a number is not finite.
pub fn to_yaml<T: Serialize>(value: &T) -> Result<String, PrintError> {
    let value = serde_yaml::to_value(value).map_err(|error| PrintError::new(error.to_string()))?;
    let mut printer = Printer { out: String::new() };
    match &value {
        Value::Mapping(map) if !map.is_empty() => printer.map(map, 0, false)?,
        Value::Sequence(items) if !items.is_empty() => printer.list(items, 0, false)?,
        scalar => printer.inline(scalar, 0)?,
    }
    Ok(printer.out)
}

/// A key longer than this is written after a `?`, because readers look ahead only so far for its colon.
const SIMPLE_KEY_BYTES_MAX: usize = 500;

struct Printer {
    out: String,
}

impl Printer {
    fn pad(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    /// `is_begun`: the first line already has its indentation, and a dash.
    fn map(&mut self, map: &Mapping, indent: usize, is_begun: bool) -> Result<(), PrintError> {
        for (index, (key, value)) in map.iter().enumerate() {
            if index > 0 || !is_begun {
                self.pad(indent);
            }
            let key = text_of(key)?;
            if key.len() > SIMPLE_KEY_BYTES_MAX {
                self.out.push_str("? ");
                self.out.push_str(&key);
                self.out.push('\n');
                self.pad(indent);
            } else {
                self.out.push_str(&key);
            }
            self.out.push(':');
            match value {
                Value::Mapping(inner) if !inner.is_empty() => {
                    self.out.push('\n');
                    self.map(inner, indent + 2, false)?;
                }
                Value::Sequence(items) if !items.is_empty() => {
                    self.out.push('\n');
                    self.list(items, indent, false)?;
                }
                scalar => {
                    self.out.push(' ');
                    self.inline(scalar, indent + 2)?;
                }
            }
        }
        Ok(())
    }

    fn list(&mut self, items: &[Value], indent: usize, is_begun: bool) -> Result<(), PrintError> {
        for (index, item) in items.iter().enumerate() {
            if index > 0 || !is_begun {
                self.pad(indent);
            }
            self.out.push_str("- ");
            match item {
                Value::Mapping(map) if !map.is_empty() => self.map(map, indent + 2, true)?,
                Value::Sequence(items) if !items.is_empty() => self.list(items, indent + 2, true)?,
                scalar => self.inline(scalar, indent + 2)?,
            }
        }
        Ok(())
    }

    /// A scalar, or an empty list or map; `indent` is that of the lines of a block of text.
    fn inline(&mut self, value: &Value, indent: usize) -> Result<(), PrintError> {
        match value {
            Value::Sequence(_) => self.out.push_str("[]"),
            Value::Mapping(_) => self.out.push_str("{}"),
            Value::String(text) => match block_head(text).filter(|_| indent > 0) {
                Some(head) => {
                    self.out.push_str(head);
                    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
                        self.out.push('\n');
                        if !line.is_empty() {
                            self.pad(indent);
                            self.out.push_str(line);
                        }
                    }
                }
                None => self.out.push_str(&quoted_if_needed(text)),
            },
            scalar => self.out.push_str(&text_of(scalar)?),
        }
        self.out.push('\n');
        Ok(())
    }
}

/// A scalar on one line.
fn text_of(value: &Value) -> Result<String, PrintError> {
    match value {
        Value::Null => Ok("null".to_owned()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) if number.as_f64().is_some_and(f64::is_finite) => {
            let json = serde_json::to_string(value);
            json.map_err(|error| PrintError::new(error.to_string()))
        }
        Value::Number(number) => Err(PrintError::new(format!("the number {number} is not finite"))),
        Value::String(text) => Ok(quoted_if_needed(text)),
        Value::Sequence(_) | Value::Mapping(_) => Err(PrintError::new("a map key is a list or a map")),
        Value::Tagged(_) => Err(PrintError::new("a value has a tag")),
    }
}

fn quoted_if_needed(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// Whether a text stands for itself without quotes, in any reader.
fn is_plain(text: &str) -> bool {
    let starts_well = text.starts_with(|first: char| first.is_ascii_alphanumeric() || "_/".contains(first));
    let is_safe = |character: char| character.is_ascii_alphanumeric() || "-_./:@+ ,=()".contains(character);
    // `12:30` and `2001-01-01` are numbers and dates to some.
    let is_number_like = text.starts_with(|first: char| first.is_ascii_digit())
        && (text.contains(':') || !text.contains(|c: char| c.is_ascii_alphabetic()));
    starts_well
        && !is_number_like
        && text.chars().all(is_safe)
        && !text.contains(": ")
        && !text.ends_with([' ', ':'])
        && scalar::resolve(text) == Resolved::String
}

/// In double quotes, with JSON's escapes, and more of them where YAML does not take a character as it is.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            _ if character.is_control() || is_line_or_mark(character) => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

/// Separators of lines and paragraphs, the byte order mark, and what is no character.
fn is_line_or_mark(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// How a text of several lines begins as a literal block; `None` where it cannot be one.
fn block_head(text: &str) -> Option<&'static str> {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let is_bad =
        |character: char| (character.is_control() && character != '\n') || is_line_or_mark(character);
    let fits = body.contains('\n')
        && !body.starts_with([' ', '\n'])
        && !body.ends_with('\n')
        && !text.contains(is_bad);
    match (fits, text.ends_with('\n')) {
        (false, _) => None,
        (true, true) => Some("|"),
        (true, false) => Some("|-"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::yaml::{LoadOptions, load};

    fn read(text: &str) -> Value {
        let loaded = load("a.yaml", text, &LoadOptions::default());
        assert!(loaded.report.is_empty(), "{text}\n{:#?}", loaded.report);
        loaded.documents.first().map_or(Value::Null, |document| document.root().to_json())
    }

    #[test]
    fn blocks_nest_without_braces() {
        let value = json!({"a": [{"b": 1, "c": [[1, []], {}]}], "d": {"e": null}, "f": "x\n y\n", "g": 0.5});
        let text = "a:\n- b: 1\n  c:\n  - - 1\n    - []\n  - {}\nd:\n  e: null\nf: |\n  x\n   y\ng: 0.5\n";
        assert_eq!(to_yaml(&value).unwrap(), text);
        assert_eq!(read(text), value);
    }

    #[test]
    fn what_readers_take_for_something_else_is_quoted() {
        for text in [
            "no",
            "y",
            "012",
            "1_000",
            "12:30",
            "2001-01-01",
            "~",
            "",
            " a",
            "a: b",
            "a #b",
            "-",
            "%a",
            "\u{feff}",
        ] {
            let yaml = to_yaml(&json!({ "a": text })).unwrap();
            assert!(yaml.starts_with("a: \""), "{yaml}");
            assert_eq!(read(&yaml), json!({ "a": text }));
        }
        for text in ["reviews", "a.b.svc", "/a", "1.5s", "a b", "ns/gw", "https://a.com/b", "a=b"] {
            assert_eq!(to_yaml(&json!({ "a": text })).unwrap(), format!("a: {text}\n"));
        }
    }

    #[test]
    fn what_has_no_form_is_refused() {
        assert!(to_yaml(&f64::NAN).is_err());
        assert!(to_yaml(&std::collections::BTreeMap::from([(vec![1], 1)])).is_err());
    }

    fn values() -> impl Strategy<Value = Value> {
        let scalars = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            Just(Value::Null),
            any::<String>().prop_map(Value::from),
            "[ -~\n\t]{0,12}".prop_map(Value::from),
            "[-+.0-9xoeb_:~nyNYtrue]{0,6}".prop_map(Value::from),
        ];
        scalars.prop_recursive(4, 32, 4, |inner| {
            let key = prop_oneof!["[a-z]{1,4}", "[ -~\n]{0,8}", "[0-9.ynon]{1,3}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(value in values()) {
            let text = to_yaml(&json!({ "a": value })).unwrap();
            prop_assert_eq!(read(&text), json!({ "a": value }), "{}", text);
        }
    }
}
