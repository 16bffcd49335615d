//! Regular expressions in RE2's dialect, the one Istio and Envoy speak. Spec: RE2, doc/syntax.
//!
//! A pattern is rewritten into the dialect of `regex-syntax` and parsed there: the result is syntax only, to be
//! compiled by whoever matches. Accepted is what both RE2 (the proxy) and Go's `regexp` (Istio's validation)
//! accept, short of what is refused here: groups nested more than 250 deep, a repetition right after a flag group
//! (`a(?i)*`) or after an empty quotation (`a*\Q\E*`), and the surrogate `\x{D800}`.

mod check;
mod class;
mod cursor;
mod escape;
mod translate;
mod unicode_names;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind, Look};

use translate::{Translation, translate};

/// Longest pattern, in bytes; Istio's API has the same bound on most pattern fields (T-147).
pub const PATTERN_BYTES_MAX: usize = 1024;

/// Largest repetition count, and largest product of nested ones, as in RE2.
const REPEAT_MAX: u32 = 1000;

/// Why a text is not an RE2 pattern (T-147).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at byte {offset}")]
pub struct RegexError {
    /// What is wrong, lower case, without a full stop.
    pub message: String,
    /// Where, in bytes from the start of the pattern.
    pub offset: usize,
}

impl RegexError {
    fn new(message: impl Into<String>, offset: usize) -> Self {
        Self { message: message.into(), offset }
    }
}

/// A regular expression in RE2's dialect, parsed but not compiled (T-137, T-147).
///
/// ```
/// use mesh_model::value::Re2Pattern;
///
/// assert!(Re2Pattern::parse(r"/v\d+/[^/]+").is_ok());
/// let error = Re2Pattern::parse(r"ab(?=c)").unwrap_err();
/// assert_eq!(error.offset, 2);
/// ```
#[derive(Clone)]
pub struct Re2Pattern {
    source: String,
    hir: Hir,
}

impl Re2Pattern {
    /// Parses a pattern of at most [`PATTERN_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// When RE2 or Go would refuse the pattern, or it is too long.
    pub fn parse(pattern: &str) -> Result<Self, RegexError> {
        Self::parse_with_limit(pattern, PATTERN_BYTES_MAX)
    }

    /// Parses a pattern of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// When RE2 or Go would refuse the pattern, or it is too long.
    pub fn parse_with_limit(pattern: &str, bytes_max: usize) -> Result<Self, RegexError> {
        if pattern.len() > bytes_max {
            return Err(too_long(bytes_max));
        }
        let translation = translate(pattern)?;
        let hir = ParserBuilder::new()
            // Matching is on bytes, so an ASCII `\B` may look between the bytes of a character.
            .utf8(false)
            .build()
            .parse(translation.text())
            .map_err(|error| locate(&error, &translation))?;
        if !repeats_within(&hir, REPEAT_MAX) {
            return Err(too_many_repeats());
        }
        Ok(Self { source: pattern.to_owned(), hir })
    }

    /// Whether [`parse`](Self::parse) would take the pattern, at much less cost where the pattern holds Unicode
    /// classes.
    ///
    /// # Errors
    /// Those of `parse`.
    pub fn check(pattern: &str) -> Result<(), RegexError> {
        check::check(pattern)
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Syntax that matches the whole text only.
    pub fn full_match_hir(&self) -> Hir {
        Hir::concat(vec![Hir::look(Look::Start), self.hir.clone(), Hir::look(Look::End)])
    }

    /// Syntax that matches anywhere, with its capture groups.
    pub fn search_hir(&self) -> Hir {
        self.hir.clone()
    }
}

fn too_long(bytes_max: usize) -> RegexError {
    RegexError::new(format!("pattern is longer than {bytes_max} bytes"), bytes_max)
}

fn too_many_repeats() -> RegexError {
    RegexError::new(format!("repetitions multiply to more than {REPEAT_MAX}"), 0)
}

/// The error of the syntax crate, placed in the pattern as written.
fn locate(error: &regex_syntax::Error, translation: &Translation) -> RegexError {
    let (message, offset) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span().start.offset),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span().start.offset),
        _ => ("pattern is not supported".to_owned(), 0),
    };
    RegexError::new(message, translation.origin_of(offset))
}

/// Whether nested repetition counts multiply to at most `limit` on every path.
fn repeats_within(hir: &Hir, limit: u32) -> bool {
    match hir.kind() {
        HirKind::Repetition(repetition) => {
            let count = repetition.max.unwrap_or(repetition.min);
            count <= limit && repeats_within(&repetition.sub, limit / count.max(1))
        }
        HirKind::Capture(capture) => repeats_within(&capture.sub, limit),
        HirKind::Concat(subs) | HirKind::Alternation(subs) => {
            subs.iter().all(|sub| repeats_within(sub, limit))
        }
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => true,
    }
}

impl FromStr for Re2Pattern {
    type Err = RegexError;

    fn from_str(text: &str) -> Result<Self, RegexError> {
        Self::parse(text)
    }
}

/// Two patterns are equal when they are written alike.
impl PartialEq for Re2Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Re2Pattern {}

impl fmt::Debug for Re2Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Re2Pattern").field(&self.source).finish()
    }
}

impl fmt::Display for Re2Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}
