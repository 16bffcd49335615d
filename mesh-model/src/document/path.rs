//! Field paths: `spec.http[0].match`, and the places they lead to.
//! Ours: the words of a finding, read back, have to lead to its place.

use super::{Node, Span};

impl Node<'_> {
    /// The place of the field at `path` (`spec.http[0].match`), or of the nearest parent that is written.
    ///
    /// For a map entry this is its key; for a list element its first character. Keys that contain dots or
    /// brackets are written `labels["a.b"]`. Both spellings of a field (`camelCase`, `snake_case`) are found.
    pub fn locate(self, path: &str) -> Span {
        let mut node = self;
        let mut key = None;
        for segment in PathSegments::new(path) {
            let next = match segment {
                Segment::Key(key) => {
                    let entry = node.entry(&key).or_else(|| node.entry(&snake_case(&key)));
                    entry.map(|entry| (Some(entry), entry.value))
                }
                Segment::Index(index) => node.item(index).map(|item| (None, item)),
            };
            let Some((entry, child)) = next else { break };
            key = entry;
            node = child;
        }
        key.map_or_else(|| node.span(), |entry| entry.key_span())
    }
}
/// Fields of Istio's API whose name in the `.proto` files does not follow from that in JSON.
///
/// Source: the `name=` of the struct tags in istio.io/api; `testdata/proto_names.tsv` has all of them.
const PROTO_NAMES: [(&str, &str); 6] = [
    ("consecutive5xxErrors", "consecutive_5xx_errors"),
    ("enable64bitTraceId", "enable_64bit_trace_id"),
    ("matchExpressions", "matchExpressions"),
    ("meshMTLS", "mesh_mTLS"),
    ("targetRef", "targetRef"),
    ("targetRefs", "targetRefs"),
];

/// `camelCase` to `snake_case`, as the fields of Istio's API are called in its `.proto` files (T-002).
///
/// ```
/// # use mesh_model::document::snake_case;
/// assert_eq!(snake_case("maxEjectionPercent"), "max_ejection_percent");
/// assert_eq!(snake_case("consecutive5xxErrors"), "consecutive_5xx_errors");
/// ```
pub fn snake_case(name: &str) -> String {
    if let Some((_, proto)) = PROTO_NAMES.iter().find(|(json, _)| *json == name) {
        return (*proto).to_owned();
    }
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
    if needs_quotes(key) {
        format!("{path}[\"{key}\"]")
    } else if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Whether a key is written in quotes and brackets.
pub(crate) fn needs_quotes(key: &str) -> bool {
    key.is_empty() || key.contains(['.', '[', ']', '"', ' '])
}
