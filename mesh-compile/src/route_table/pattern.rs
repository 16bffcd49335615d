//! A compiled RE2-dialect pattern.

use std::fmt;
use std::sync::Arc;

use regex_automata::meta;

/// A compiled pattern with its text. Cheap to clone.
#[derive(Clone)]
pub struct Pattern {
    text: Arc<str>,
    regex: Arc<meta::Regex>,
}

impl Pattern {
    /// Wraps a built engine; `text` is what the user wrote.
    pub fn from_engine(text: impl Into<Arc<str>>, regex: meta::Regex) -> Self {
        Self { text: text.into(), regex: Arc::new(regex) }
    }

    /// What the user wrote.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The engine.
    pub fn engine(&self) -> &meta::Regex {
        &self.regex
    }

    /// Whether the pattern (anchored or not, as it was built) is found in `input`.
    pub fn is_match(&self, input: &[u8]) -> bool {
        self.regex.is_match(input)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).finish()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
impl Eq for Pattern {}
