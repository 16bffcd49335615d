//! Whether a pattern is one, without building what it matches: Unicode classes without case take long to write out.

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{Ast, RepetitionKind, RepetitionRange};

use super::translate::translate;
use super::{PATTERN_BYTES_MAX, REPEAT_MAX, RegexError, too_long, too_many_repeats};

/// What [`Re2Pattern::parse`](super::Re2Pattern::parse) has against a pattern.
pub(super) fn check(pattern: &str) -> Result<(), RegexError> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(too_long(PATTERN_BYTES_MAX));
    }
    let translation = translate(pattern)?;
    let ast = Parser::new().parse(translation.text()).map_err(|error| {
        RegexError::new(error.kind().to_string(), translation.origin_of(error.span().start.offset))
    })?;
    if repeats_within(&ast, REPEAT_MAX) { Ok(()) } else { Err(too_many_repeats()) }
}

/// The twin of the function of this name that reads the finished syntax, which leaves out repetitions of nothing.
fn repeats_within(ast: &Ast, limit: u32) -> bool {
    match ast {
        Ast::Repetition(repetition) => {
            let count = match (&repetition.op.kind, is_zero_width(&repetition.ast)) {
                (RepetitionKind::Range(RepetitionRange::Exactly(0) | RepetitionRange::Bounded(_, 0)), _) => {
                    return true;
                }
                (_, true) | (RepetitionKind::OneOrMore | RepetitionKind::ZeroOrOne, _) => 1,
                (RepetitionKind::ZeroOrMore, _) => 0,
                (RepetitionKind::Range(range), _) => match range {
                    RepetitionRange::Exactly(count)
                    | RepetitionRange::AtLeast(count)
                    | RepetitionRange::Bounded(_, count) => *count,
                },
            };
            count <= limit && repeats_within(&repetition.ast, limit / count.max(1))
        }
        Ast::Group(group) => repeats_within(&group.ast, limit),
        Ast::Concat(concat) => concat.asts.iter().all(|inner| repeats_within(inner, limit)),
        Ast::Alternation(either) => either.asts.iter().all(|inner| repeats_within(inner, limit)),
        _ => true,
    }
}

/// Whether nothing but the empty text fits.
fn is_zero_width(ast: &Ast) -> bool {
    match ast {
        Ast::Empty(_) | Ast::Flags(_) | Ast::Assertion(_) => true,
        Ast::Repetition(repetition) => {
            matches!(
                repetition.op.kind,
                RepetitionKind::Range(RepetitionRange::Exactly(0) | RepetitionRange::Bounded(_, 0))
            ) || is_zero_width(&repetition.ast)
        }
        Ast::Group(group) => is_zero_width(&group.ast),
        Ast::Concat(concat) => concat.asts.iter().all(is_zero_width),
        Ast::Alternation(either) => either.asts.iter().all(is_zero_width),
        _ => false,
    }
}
