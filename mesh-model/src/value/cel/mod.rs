//! Whether a text is an expression of CEL, the Common Expression Language: its syntax, not its types.
//! Spec: google/cel-spec, doc/langdef.md.
//!
//! Istio's webhook parses the filters of access logs with `cel-go` and refuses what that refuses. So this reads the same
//! grammar, with the standard macros (`has`, `all`, `exists`, `exists_one`, `map`, `filter`), without the extensions that
//! are off by default (optional syntax, quoted identifiers).
// Spec: google/cel-spec doc/langdef.md, "Syntax".

mod parser;
#[cfg(test)]
mod tests;
mod token;

/// The longest expression, in characters.
pub const CEL_CHARS_MAX: usize = 100_000;

/// Why a text is not a CEL expression. Spec: google/cel-spec, doc/langdef.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at byte {at}")]
pub struct CelError {
    /// What is wrong.
    pub problem: CelProblem,
    /// Where in the text, in bytes.
    pub at: usize,
}

/// What is wrong with an expression. Spec: google/cel-spec, doc/langdef.md, "Syntax" and "Macros".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CelProblem {
    /// Longer than [`CEL_CHARS_MAX`].
    #[error("the expression is too long")]
    TooLong,
    /// More levels or links than any sensible expression has.
    #[error("the expression is nested too deeply")]
    TooDeep,
    /// The text ends where a value or a closing bracket is missing.
    #[error("the expression is not complete")]
    Incomplete,
    /// Something else is expected here.
    #[error("this is not expected")]
    Unexpected,
    /// A character that starts nothing.
    #[error("this character means nothing")]
    Character,
    /// A string that does not end, or with an escape that there is not.
    #[error("a string that is not well-formed")]
    Text,
    /// A number outside of 64 bits.
    #[error("a number that is out of range")]
    Number,
    /// A word that may not name anything.
    #[error("a reserved word")]
    Reserved,
    /// `has(x)` where `x` is not a field of something, or `x.all(y, ..)` where `y` is not a name.
    #[error("a macro that is used wrongly")]
    Macro,
}

/// Checks that a text is a CEL expression.
///
/// ```
/// use mesh_model::value::check_cel;
///
/// assert!(check_cel("response.code >= 400 && request.url_path.contains('/v1')").is_ok());
/// assert_eq!(check_cel("response.code >=").unwrap_err().to_string(), "the expression is not complete at byte 16");
/// ```
///
/// # Errors
/// The first place where the text stops being one.
pub fn check_cel(text: &str) -> Result<(), CelError> {
    if text.len() > CEL_CHARS_MAX && text.chars().count() > CEL_CHARS_MAX {
        return Err(CelError { problem: CelProblem::TooLong, at: 0 });
    }
    parser::parse(&token::tokens(text)?, text.len())
}
