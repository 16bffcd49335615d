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
    if is_plainly_good(pattern.as_bytes()) {
        return Ok(());
    }
    check_all(pattern)
}

fn check_all(pattern: &str) -> Result<(), RegexError> {
    let translation = translate(pattern)?;
    let ast = Parser::new().parse(translation.text()).map_err(|error| {
        RegexError::new(error.kind().to_string(), translation.origin_of(error.span().start.offset))
    })?;
    if repeats_within(&ast, REPEAT_MAX) { Ok(()) } else { Err(too_many_repeats()) }
}

/// Whether a pattern is of the most common sort, of which all are good: letters, digits and some signs that stand for
/// themselves, dots, and classes of these, each repeated once at most. What it does not know it leaves to the parser.
fn is_plainly_good(pattern: &[u8]) -> bool {
    let mut rest = pattern;
    let mut may_repeat = false;
    loop {
        (rest, may_repeat) = match rest {
            [] => return true,
            [b'*' | b'+' | b'?', rest @ ..] if may_repeat => (rest, false),
            [b'[', class @ ..] => match after_class(class.strip_prefix(b"^").unwrap_or(class)) {
                Some(rest) => (rest, true),
                None => return false,
            },
            [b'.' | b'/' | b'-' | b'_', rest @ ..] => (rest, true),
            [letter, rest @ ..] if letter.is_ascii_alphanumeric() => (rest, true),
            _ => return false,
        }
    }
}

/// What follows a class after its bracket: at least one letter, digit, sign or range, and the closing bracket.
fn after_class(class: &[u8]) -> Option<&[u8]> {
    let mut rest = class;
    loop {
        rest = match rest {
            [first, b'-', last, rest @ ..] if last.is_ascii_alphanumeric() => {
                let is_range = first.is_ascii_alphanumeric() && first <= last;
                if !is_range {
                    return None;
                }
                rest
            }
            [letter, rest @ ..] if letter.is_ascii_alphanumeric() => rest,
            [b'/' | b'.' | b'_', rest @ ..] => rest,
            _ => return None,
        };
        // A hyphen before the bracket is one.
        if let [b'-', b']', rest @ ..] | [b']', rest @ ..] = rest {
            return Some(rest);
        }
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::Re2Pattern;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn what_is_plainly_good_is_good(pattern in r"([a-cX-Z0-2/._-]|\[\^?[a-cX-Z0-2/._-]{0,4}\]|[*+?\[\]^$|(){}\\,])([*+?])?[a-z.*\[\]^-]{0,8}") {
            if is_plainly_good(pattern.as_bytes()) {
                prop_assert_eq!(check_all(&pattern), Ok(()), "{}", pattern);
                prop_assert!(Re2Pattern::parse(&pattern).is_ok(), "{}", pattern);
            }
        }
    }

    #[test]
    fn common_patterns_are_plainly_good_and_others_are_not() {
        for good in ["", "/files/[0-9]+/[a-z]+", ".*", "/api/v[0-9]/.+", "[^/]+", "a?b*", "[a-zA-Z0-9_.-]*"] {
            assert!(is_plainly_good(good.as_bytes()), "{good}");
        }
        for other in [
            "*", "a**", "a*?", "[z-a]", "[]", "[", "[a", "(a)", "a|b", "a{2}", "\\d", "ä", "[^]", "[-a]",
            "[a--]",
        ] {
            assert!(!is_plainly_good(other.as_bytes()), "{other}");
        }
    }
}
