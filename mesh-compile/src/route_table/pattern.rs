//! A compiled pattern in RE2's dialect, over bytes.

use std::fmt;
use std::sync::Arc;

use mesh_model::value::{Re2Pattern, RegexError};
use regex_automata::meta;
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, HirKind, Look};

use super::substitution::Substitution;

mod automaton;
mod on_demand;
mod shared;

use automaton::Automaton;
pub(super) use on_demand::OnDemand;
use on_demand::size_bound;

/// Bound on the size of one pattern's automaton, in bytes as [`size_bound`] reckons it, which is some times what it takes.
const SIZE_LIMIT: usize = 32 << 20;

/// Longest pattern that is compiled, in bytes; the API's own bound (T-147) is checked where the pattern is read.
const TEXT_LIMIT: usize = 64 << 10;

/// A pattern with its text. Cheap to clone; the automaton is built when it is first asked (T-137).
///
/// Most patterns of a mesh are never asked on most proxies, and an automaton costs far more than its syntax.
#[derive(Clone)]
pub struct Pattern {
    engine: Arc<Engine>,
}

/// What is kept of a pattern. Its syntax is not: it takes kilobytes, and is read again where it is needed, which is
/// when its automaton is built.
struct Engine {
    text: Arc<str>,
    /// Whether it has to match the whole text.
    is_full: bool,
    /// Bytes that every match starts with.
    literal_start: Box<[u8]>,
    /// Groups with parentheses.
    captures: usize,
    /// The pattern behind its first literal text, where it can be asked by itself.
    tail: Option<Tail>,
    /// Bytes that the automaton takes at most.
    bytes: usize,
    automaton: OnDemand<meta::Regex>,
}

/// A full match in two steps: compare a literal, and ask an automaton about the rest. Patterns of a mesh repeat their ends
/// (`/orders/[0-9]+`, `/users/[0-9]+`): those share one small automaton, which a processor's caches hold.
struct Tail {
    /// Bytes of the literal text, with which [`Engine::literal_start`] starts.
    head: usize,
    rest: Arc<Rest>,
}

/// The automaton of a rest.
#[derive(Default)]
struct Rest {
    automaton: OnDemand<Automaton>,
}

/// Why a text cannot become a [`Pattern`] (T-147, S-365).
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
    /// Compiles a pattern that has to match the whole text (T-137). Where the same text is in use already, both share
    /// their syntax and their automaton.
    ///
    /// # Errors
    /// When the text is not RE2, or its automaton would be too large.
    pub fn full_match(text: &str) -> Result<Self, PatternError> {
        shared::pattern(text, Self::parse_full_match)
    }

    /// A pattern of its own.
    fn parse_full_match(text: &str) -> Result<Self, PatternError> {
        Self::new(text, &syntax_of(text, true)?, true)
    }

    /// Compiles a pattern that is looked for anywhere in the text (T-174).
    ///
    /// # Errors
    /// When the text is not RE2, or its automaton would be too large.
    pub fn search(text: &str) -> Result<Self, PatternError> {
        Self::new(text, &syntax_of(text, false)?, false)
    }

    fn new(text: &str, syntax: &Hir, is_full: bool) -> Result<Self, PatternError> {
        let bytes = size_bound(syntax);
        if bytes > SIZE_LIMIT {
            return Err(PatternError::TooLarge);
        }
        let literal_start = if is_full { literal_start(syntax) } else { Box::default() };
        let captures = syntax.properties().explicit_captures_len();
        let tail = split(syntax)
            .filter(|(head, _)| is_full && literal_start.starts_with(head))
            .map(|(head, rest)| Tail { head: head.len(), rest: shared::rest(&rest.to_string()) });
        let engine = Arc::new(Engine {
            text: text.into(),
            is_full,
            literal_start,
            captures,
            tail,
            bytes,
            automaton: OnDemand::default(),
        });
        Ok(Self { engine })
    }

    /// What the user wrote.
    pub fn text(&self) -> &str {
        &self.engine.text
    }

    fn ask<T>(&self, question: impl FnOnce(&meta::Regex) -> T) -> Option<T> {
        let make = || build(&syntax_of(self.text(), self.engine.is_full).ok()?);
        self.engine.automaton.ask(self.engine.bytes, make, question)
    }

    /// Whether the pattern (anchored or not, as it was made) is found in `input`.
    pub fn is_match(&self, input: &[u8]) -> bool {
        match &self.engine.tail {
            Some(tail) => self.is_match_in_two(tail, input),
            None => self.ask(|regex| regex.is_match(input)).unwrap_or(false),
        }
    }

    fn is_match_in_two(&self, tail: &Tail, input: &[u8]) -> bool {
        let Some(head) = self.engine.literal_start.get(..tail.head) else { return false };
        let Some(rest) = input.strip_prefix(head) else { return false };
        let make = || Automaton::new(&split(&syntax_of(self.text(), true).ok()?)?.1);
        tail.rest
            .automaton
            .ask(self.engine.bytes, make, |automaton| automaton.is_match(rest))
            .unwrap_or(false)
    }

    /// Replaces every match by a substitution with `\0` to `\9` (T-174).
    ///
    /// The input stays as it is where the substitution is not well formed or names a group that the pattern lacks.
    pub fn replace_all(&self, input: &str, substitution: &str) -> String {
        Substitution::parse(substitution)
            .filter(|parsed| self.has_group(parsed.highest_group()))
            .and_then(|parsed| self.ask(|regex| parsed.replace_all(regex, input)))
            .unwrap_or_else(|| input.to_owned())
    }

    /// Whether a substitution is well formed and names only groups that the pattern has.
    pub fn accepts_substitution(&self, substitution: &str) -> bool {
        Substitution::parse(substitution).is_some_and(|parsed| self.has_group(parsed.highest_group()))
    }

    fn has_group(&self, group: usize) -> bool {
        group <= self.engine.captures
    }

    /// Bytes that the automaton takes at most.
    pub(super) fn size_bound(&self) -> usize {
        self.engine.bytes
    }

    /// The syntax of a pattern made by [`full_match`](Self::full_match).
    pub(super) fn full_match_syntax(&self) -> Option<Hir> {
        self.engine.is_full.then(|| syntax_of(self.text(), true).ok()).flatten()
    }

    /// Literal bytes that every full match starts with; empty: nothing is known.
    pub(super) fn literal_start(&self) -> &[u8] {
        &self.engine.literal_start
    }
}

fn syntax_of(text: &str, is_full: bool) -> Result<Hir, RegexError> {
    let parsed = Re2Pattern::parse_with_limit(text, TEXT_LIMIT)?;
    Ok(if is_full { parsed.full_match_hir() } else { parsed.search_hir() })
}

/// A pattern that has to match the whole text as its first literal text and the syntax of what follows, where nothing of
/// what follows looks back.
fn split(syntax: &Hir) -> Option<(&[u8], Hir)> {
    let HirKind::Concat(parts) = syntax.kind() else { return None };
    let [start, head, rest @ .., end] = parts.as_slice() else { return None };
    let (HirKind::Look(Look::Start), HirKind::Literal(head), HirKind::Look(Look::End)) =
        (start.kind(), head.kind(), end.kind())
    else {
        return None;
    };
    let looks = rest.iter().any(|part| !part.properties().look_set().is_empty());
    let parts = || [start].into_iter().chain(rest).chain([end]).cloned().collect();
    (!looks).then(|| (&*head.0, Hir::concat(parts())))
}

fn literal_start(syntax: &Hir) -> Box<[u8]> {
    let starts = Extractor::new().extract(syntax);
    starts.longest_common_prefix().map(Box::from).unwrap_or_default()
}

fn build(syntax: &Hir) -> Option<meta::Regex> {
    let config = meta::Config::new().utf8_empty(false).nfa_size_limit(Some(SIZE_LIMIT));
    meta::Builder::new().configure(config).build_from_hir(syntax).ok()
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.engine.text).finish()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.engine.text == other.engine.text
    }
}
impl Eq for Pattern {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_steps_say_what_one_automaton_says() -> Result<(), PatternError> {
        let mut halves = 0;
        for text in [
            "/a/[a-z]+",
            "/a(/b)?",
            "/a\\b.*",
            "/a",
            "/ab*",
            "(?i)/a/x",
            "/a/(b|)",
            "/a/.*$",
            "/é[^a]",
            "a|ab",
        ] {
            let pattern = Pattern::full_match(text)?;
            halves += usize::from(pattern.engine.tail.is_some());
            for input in [
                "", "/a", "/a/", "/a/b", "/ab", "/abbb", "/a/x", "/A/X", "/éb", "/éa", "/b/a/b", "a", "ab",
                "/a\n",
            ] {
                let whole = pattern.ask(|regex| regex.is_match(input.as_bytes())).unwrap_or(false);
                assert_eq!(pattern.is_match(input.as_bytes()), whole, "{text} {input}");
            }
        }
        assert!(halves > 4, "{halves}");
        Ok(())
    }

    #[test]
    fn what_is_within_the_bound_can_be_built_and_what_is_beyond_is_refused() {
        let mut refused = 0;
        for text in [
            "",
            "a",
            "a{1000}",
            "\\pL",
            "\\pL{10}",
            "\\pL{100}",
            "\\pL{1000}",
            "(\\pL\\d.){50}",
            "(?i)é{500}",
            "[^a]*|.*",
            "(((a|b){30})|c){30}",
            "((((\\pL{9}){9}){9}){9}){9}",
        ] {
            let Ok(syntax) = Re2Pattern::parse_with_limit(text, TEXT_LIMIT).map(|it| it.full_match_hir())
            else {
                continue;
            };
            let is_bounded = size_bound(&syntax) <= SIZE_LIMIT;
            assert!(!is_bounded || build(&syntax).is_some(), "{text}");
            assert_eq!(Pattern::full_match(text).is_ok(), is_bounded, "{text}");
            refused += usize::from(!is_bounded);
        }
        assert!(refused > 0);
    }
}
