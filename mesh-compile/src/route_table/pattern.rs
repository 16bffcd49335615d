//! A compiled pattern in RE2's dialect, over bytes.

use std::fmt;
use std::sync::Arc;

use mesh_model::value::{Re2Pattern, RegexError};
use regex_automata::meta;
use regex_syntax::hir::Hir;
use regex_syntax::hir::literal::Extractor;

use super::substitution::Substitution;

/// Bound on the compiled size of one pattern, in bytes.
const SIZE_LIMIT: usize = 10 << 20;

/// Longest pattern that is compiled, in bytes; the API's own bound (T-147) is checked where the pattern is read.
const TEXT_LIMIT: usize = 64 << 10;

/// A compiled pattern with its text. Cheap to clone.
#[derive(Clone)]
pub struct Pattern {
    text: Arc<str>,
    regex: Arc<meta::Regex>,
    /// The syntax of a pattern over the whole text.
    full: Option<Arc<Hir>>,
}

/// Why a text cannot become a [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is not RE2.
    #[error(transparent)]
    Syntax(#[from] RegexError),
    /// Its automaton would be too large.
    #[error("the compiled pattern would be larger than {SIZE_LIMIT} bytes")]
    TooLarge,
}

impl Pattern {
    /// Compiles a pattern that has to match the whole text (T-137).
    ///
    /// # Errors
    /// When the text is not RE2, or its automaton would be too large.
    pub fn full_match(text: &str) -> Result<Self, PatternError> {
        let syntax = Re2Pattern::parse_with_limit(text, TEXT_LIMIT)?.full_match_hir();
        let regex = build(&syntax)?;
        Ok(Self { full: Some(Arc::new(syntax)), ..Self::from_engine(text, regex) })
    }

    /// Compiles a pattern that is looked for anywhere in the text (T-174).
    ///
    /// # Errors
    /// When the text is not RE2, or its automaton would be too large.
    pub fn search(text: &str) -> Result<Self, PatternError> {
        let syntax = Re2Pattern::parse_with_limit(text, TEXT_LIMIT)?.search_hir();
        Ok(Self::from_engine(text, build(&syntax)?))
    }

    /// Wraps a built engine; `text` is what the user wrote.
    pub fn from_engine(text: impl Into<Arc<str>>, regex: meta::Regex) -> Self {
        Self { text: text.into(), regex: Arc::new(regex), full: None }
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

    /// Replaces every match by a substitution with `\0` to `\9` (T-174).
    ///
    /// The input stays as it is where the substitution is not well formed or names a group that the pattern lacks.
    pub fn replace_all(&self, input: &str, substitution: &str) -> String {
        Substitution::parse(substitution)
            .filter(|parsed| self.has_group(parsed.highest_group()))
            .map_or_else(|| input.to_owned(), |parsed| parsed.replace_all(&self.regex, input))
    }

    /// Whether a substitution is well formed and names only groups that the pattern has.
    pub fn accepts_substitution(&self, substitution: &str) -> bool {
        Substitution::parse(substitution).is_some_and(|parsed| self.has_group(parsed.highest_group()))
    }

    fn has_group(&self, group: usize) -> bool {
        group < self.regex.group_info().group_len(regex_automata::PatternID::ZERO)
    }

    /// The syntax of a pattern made by [`full_match`](Self::full_match).
    pub(super) fn full_match_syntax(&self) -> Option<&Hir> {
        self.full.as_deref()
    }

    /// Literal bytes that every full match starts with; empty: nothing is known.
    pub(super) fn literal_start(&self) -> Vec<u8> {
        let Some(syntax) = &self.full else { return Vec::new() };
        let starts = Extractor::new().extract(syntax);
        starts.longest_common_prefix().map(<[u8]>::to_vec).unwrap_or_default()
    }
}

fn build(syntax: &Hir) -> Result<meta::Regex, PatternError> {
    let config = meta::Config::new().utf8_empty(false).nfa_size_limit(Some(SIZE_LIMIT));
    meta::Builder::new().configure(config).build_from_hir(syntax).map_err(|_| PatternError::TooLarge)
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
