//! The automaton of what follows a pattern's literal text: a small table where one is enough, which is asked in a step for
//! every byte, or else the engine for everything, which borrows its scratch space from a pool first.

use regex_automata::dfa::dense;
use regex_automata::dfa::{Automaton as _, StartKind};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::{Anchored, Input, meta};
use regex_syntax::hir::Hir;

/// Bound on the bytes of a table.
const TABLE_LIMIT: usize = 16 << 10;

/// Bound on the bytes that are used while a table is made.
const MAKING_LIMIT: usize = 64 << 10;

/// An automaton for a syntax that has to match a whole text.
pub(super) enum Automaton {
    /// A table of states.
    Table(Box<dense::DFA<Vec<u32>>>),
    /// Where the table would be large.
    Engine(meta::Regex),
}

impl Automaton {
    /// `None`: it would be too large.
    pub(super) fn new(syntax: &Hir) -> Option<Self> {
        match table(syntax) {
            Some(table) => Some(Self::Table(Box::new(table))),
            None => super::build(syntax).map(Self::Engine),
        }
    }

    pub(super) fn is_match(&self, text: &[u8]) -> bool {
        match self {
            Self::Table(table) => {
                let input = Input::new(text).anchored(Anchored::Yes).earliest(true);
                // It gives up at no byte: only Unicode word boundaries would make it.
                table.try_search_fwd(&input).is_ok_and(|end| end.is_some())
            }
            Self::Engine(regex) => regex.is_match(text),
        }
    }
}

fn table(syntax: &Hir) -> Option<dense::DFA<Vec<u32>>> {
    // Where something else than the ends of the text is looked for, the table might have to give up.
    if syntax.properties().look_set().contains_word_unicode() {
        return None;
    }
    let nfa = thompson::Config::new()
        .utf8(false)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(MAKING_LIMIT));
    let nfa = thompson::Compiler::new().configure(nfa).build_from_hir(syntax).ok()?;
    let config = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .dfa_size_limit(Some(TABLE_LIMIT))
        .determinize_size_limit(Some(MAKING_LIMIT));
    dense::Builder::new().configure(config).build_from_nfa(&nfa).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route_table::pattern::{TEXT_LIMIT, syntax_of};

    #[test]
    fn a_table_says_what_the_engine_says() {
        let mut tables = 0;
        for text in [
            "[a-z]+/[0-9]+",
            "",
            "(a|ab)(c|bcd)?",
            ".*",
            "[^/]+",
            "é?.",
            "\\w+",
            "(?i)ab|c",
            "a{2,40}",
            "\\pL{100}",
        ] {
            assert!(text.len() < TEXT_LIMIT);
            let syntax = syntax_of(text, true).unwrap();
            let engine = super::super::build(&syntax).unwrap();
            let automaton = Automaton::new(&syntax).unwrap();
            tables += usize::from(matches!(automaton, Automaton::Table(_)));
            for input in ["", "a", "ab", "abcd", "abc/42", "é", "éa", "AB", "aa", "a/b", "a\n", "\u{10ffff}"]
            {
                assert_eq!(
                    automaton.is_match(input.as_bytes()),
                    engine.is_match(input.as_bytes()),
                    "{text} {input}"
                );
            }
            for bytes in [&b"\xff"[..], b"a\xc3", b"\xc3\xa9", b"\0"] {
                assert_eq!(automaton.is_match(bytes), engine.is_match(bytes), "{text} {bytes:?}");
            }
        }
        // Letters of all languages are too many for one.
        assert!((6..10).contains(&tables), "{tables}");
    }
}
