//! The span-carrying tree of one document: the JSON data model, with a place in the text for every key and value.
//!
//! `yaml` builds it from YAML or JSON text; [`crate::decode`] turns it into typed specs; [`crate::origin`] asks it
//! where a field stands. No YAML library type appears here.

use std::sync::Arc;

/// A place in a source text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// Byte offset of the first byte.
    pub start: u32,
    /// Byte offset after the last byte.
    pub end: u32,
    /// Line of the first byte, from 1; 0: unknown.
    pub line: u32,
    /// Column of the first byte in characters, from 1; 0: unknown.
    pub column: u32,
}

/// Where a document's text came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// File name as the user gave it, `-` for standard input, or any label.
    pub file: Arc<str>,
    /// The cluster the configuration was read from (`Kubernetes` unless stated).
    pub cluster: Arc<str>,
}

/// One document of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Where the text came from.
    pub source: Source,
    /// Position in its file, from 0 (items of a `kind: List` count on their own).
    pub index: usize,
    /// The tree.
    pub root: Node,
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands.
    pub span: Span,
}

/// The JSON data model.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// `null`, `~`, or nothing.
    #[default]
    Null,
    /// A Boolean, after the Kubernetes scalar rules (`yes`, `on` are true).
    Bool(bool),
    /// A whole number, exact.
    Integer(i128),
    /// A number with a fraction or an exponent, or one too large to be exact.
    Float(f64),
    /// A string.
    String(Box<str>),
    /// A list.
    List(Vec<Node>),
    /// A map, in document order. INVARIANT: keys are distinct.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key as text.
    pub key: Box<str>,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

impl Value {
    /// What a person would call this kind of value.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

impl Node {
    /// The entry of a map under `key`; `None` for other values.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| &*entry.key == key),
            _ => None,
        }
    }

    /// The value of a map under `key`.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The text, for a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The elements, for a list; nothing otherwise.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The entries, for a map; nothing otherwise.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The place of the field at `path` (`spec.http[0].match`), or of the nearest parent that is written.
    ///
    /// For a map entry this is its key; for a list element its first character. Keys that contain dots or
    /// brackets are written `labels["a.b"]`. Both spellings of a field (`camelCase`, `snake_case`) are found.
    pub fn locate(&self, path: &str) -> Span {
        let mut node = self;
        let mut span = self.span;
        for segment in PathSegments::new(path) {
            let next = match segment {
                Segment::Key(key) => {
                    let entry = node.entry(&key).or_else(|| node.entry(&snake_case(&key)));
                    entry.map(|entry| (entry.key_span, &entry.value))
                }
                Segment::Index(index) => node.items().get(index).map(|item| (item.span, item)),
            };
            let Some((place, child)) = next else { break };
            span = place;
            node = child;
        }
        span
    }
}

/// `camelCase` to `snake_case`, as protobuf names map.
pub fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            out.push('_');
            out.push(character.to_ascii_lowercase());
        } else {
            out.push(character);
        }
    }
    out
}

enum Segment {
    Key(String),
    Index(usize),
}

/// Splits `a.b[0]["c.d"]`.
struct PathSegments<'a> {
    rest: &'a str,
}

impl<'a> PathSegments<'a> {
    fn new(path: &'a str) -> Self {
        Self { rest: path }
    }
}

impl Iterator for PathSegments<'_> {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        self.rest = self.rest.strip_prefix('.').unwrap_or(self.rest);
        if self.rest.is_empty() {
            return None;
        }
        if let Some(quoted) = self.rest.strip_prefix("[\"") {
            let (key, rest) = quoted.split_once("\"]")?;
            self.rest = rest;
            return Some(Segment::Key(key.to_owned()));
        }
        if let Some(number) = self.rest.strip_prefix('[') {
            let (index, rest) = number.split_once(']')?;
            self.rest = rest;
            return index.parse().ok().map(Segment::Index);
        }
        let end = self.rest.find(['.', '[']).unwrap_or(self.rest.len());
        let (key, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(Segment::Key(key.to_owned()))
    }
}

/// Appends a map key to a field path, quoted where it would be read as several.
pub fn join_key(path: &str, key: &str) -> String {
    if key.contains(['.', '[', ']', '"', ' ']) || key.is_empty() {
        format!("{path}[\"{key}\"]")
    } else if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

impl Node {
    /// The tree as JSON. Whole numbers beyond 64 bits become floats, as JSON readers would have them.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Integer(number) => integer_to_json(*number),
            Value::Float(number) => Json::from(*number),
            Value::String(text) => Json::String(text.to_string()),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => Json::Object(
                entries.iter().map(|entry| (entry.key.to_string(), entry.value.to_json())).collect(),
            ),
        }
    }

    /// A tree without places inside: everything stands at `span`.
    pub fn from_json(json: &serde_json::Value, span: Span) -> Self {
        use serde_json::Value as Json;
        let value = match json {
            Json::Null => Value::Null,
            Json::Bool(flag) => Value::Bool(*flag),
            Json::Number(number) => number_from_json(number),
            Json::String(text) => Value::String(text.as_str().into()),
            Json::Array(items) => Value::List(items.iter().map(|item| Self::from_json(item, span)).collect()),
            Json::Object(fields) => Value::Map(
                fields
                    .iter()
                    .map(|(key, value)| Entry {
                        key: key.as_str().into(),
                        key_span: span,
                        value: Self::from_json(value, span),
                    })
                    .collect(),
            ),
        };
        Self { value, span }
    }
}

fn integer_to_json(number: i128) -> serde_json::Value {
    let whole = u64::try_from(number).map(serde_json::Value::from);
    whole.or_else(|_| i64::try_from(number).map(serde_json::Value::from)).unwrap_or_else(|_| {
        // Printing and reading back rounds to the nearest float, without a lossy cast.
        number.to_string().parse::<f64>().map_or(serde_json::Value::Null, serde_json::Value::from)
    })
}

fn number_from_json(number: &serde_json::Number) -> Value {
    let whole = number.as_u64().map(i128::from).or_else(|| number.as_i64().map(i128::from));
    if let Some(whole) = whole {
        return Value::Integer(whole);
    }
    let float = number.as_f64().unwrap_or_default();
    // `1.0` and `1e3` reach integer fields, as they do through Kubernetes' conversion.
    if float.fract() == 0.0 && float.abs() < 1e21 {
        return float.to_string().parse().map_or(Value::Float(float), Value::Integer);
    }
    Value::Float(float)
}
