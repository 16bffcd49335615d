//! Automata: made when they are first asked, and kept while there is room.
//!
//! Configuration may hold any number of patterns that are small to write and large to run. None of them costs more than its
//! text before somebody asks it; and all large ones together keep no more than their room (HARDENING R04).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind};
use regex_syntax::utf8::Utf8Sequences;

/// Automata up to this size are not counted: they are what configuration is made of.
const ORDINARY: usize = 64 << 10;

/// What large automata of the process take.
static LARGE: Room = Room { size: 256 << 20, in_use: AtomicUsize::new(0) };

/// Bytes that may be in use at a time.
#[derive(Debug)]
struct Room {
    size: usize,
    in_use: AtomicUsize,
}

/// An automaton, made when it is first asked.
#[derive(Debug)]
pub(in crate::route_table) struct OnDemand<A> {
    kept: OnceLock<Kept<A>>,
}

#[derive(Debug)]
struct Kept<A> {
    /// `None`: it could not be made, which its bound ruled out.
    automaton: Option<A>,
    _share: Share,
}

/// Bytes of a room, given back when it is dropped.
#[derive(Debug)]
struct Share {
    room: &'static Room,
    bytes: usize,
}

impl Room {
    /// `None`: there are not so many left.
    fn take(&'static self, bytes: usize) -> Option<Share> {
        let bytes = if bytes <= ORDINARY { 0 } else { bytes };
        let more = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.size);
        let taken =
            bytes == 0 || self.in_use.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        taken.then(|| Share { room: self, bytes })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.in_use.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl<A> Default for OnDemand<A> {
    fn default() -> Self {
        Self { kept: OnceLock::new() }
    }
}

impl<A> OnDemand<A> {
    /// The automaton, made now where it is not there yet; `None`: it cannot be made, or there is no room for `bytes`.
    pub(in crate::route_table) fn get(&self, bytes: usize, make: impl FnOnce() -> Option<A>) -> Option<&A> {
        let kept = match self.kept.get() {
            Some(kept) => kept,
            None => {
                let share = LARGE.take(bytes)?;
                self.kept.get_or_init(|| Kept { automaton: make(), _share: share })
            }
        };
        kept.automaton.as_ref()
    }

    /// Asks the automaton; where there is no room for it, one that is made for this question alone.
    pub(super) fn ask<T>(
        &self,
        bytes: usize,
        make: impl Fn() -> Option<A>,
        question: impl FnOnce(&A) -> T,
    ) -> Option<T> {
        match self.get(bytes, &make) {
            Some(automaton) => Some(question(automaton)),
            None if self.kept.get().is_some() => None,
            None => make().as_ref().map(question),
        }
    }
}

/// Bytes of a state with its transitions, generously.
const STATE_BYTES: usize = 96;

/// Bytes of a step between two bytes of a character, generously.
const STEP_BYTES: usize = 48;

/// Bytes that the automaton of a syntax takes at most.
pub(super) fn size_bound(syntax: &Hir) -> usize {
    let own = match syntax.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => literal.0.len().saturating_mul(STEP_BYTES),
        HirKind::Class(Class::Unicode(class)) => steps(class).saturating_mul(STEP_BYTES),
        HirKind::Class(Class::Bytes(class)) => class.ranges().len().saturating_mul(STEP_BYTES),
        HirKind::Repetition(repetition) => {
            let copies = repetition.max.unwrap_or(repetition.min).saturating_add(1) as usize;
            size_bound(&repetition.sub).saturating_add(STATE_BYTES).saturating_mul(copies)
        }
        HirKind::Capture(capture) => size_bound(&capture.sub).saturating_add(2 * STATE_BYTES),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().fold(0, |sum, part| size_bound(part).saturating_add(sum))
        }
    };
    own.saturating_add(STATE_BYTES)
}

/// Bytes that stand in the UTF-8 forms of a class, as ranges: what an automaton that shares nothing would have steps.
fn steps(class: &ClassUnicode) -> usize {
    let of_range = |start, end| Utf8Sequences::new(start, end).map(|sequence| sequence.len()).sum::<usize>();
    class.ranges().iter().map(|range| of_range(range.start(), range.end())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    static SMALL: Room = Room { size: 3 * ORDINARY, in_use: AtomicUsize::new(0) };

    #[test]
    fn a_share_is_given_back_and_what_is_refused_takes_nothing() {
        let in_use = || SMALL.in_use.load(Ordering::Relaxed);
        let share = SMALL.take(2 * ORDINARY);
        assert!(share.is_some() && SMALL.take(2 * ORDINARY).is_none());
        assert_eq!(in_use(), 2 * ORDINARY);
        assert!(SMALL.take(ORDINARY).is_some(), "ordinary ones are not counted");
        drop(share);
        assert_eq!(in_use(), 0);
        assert!(SMALL.take(2 * ORDINARY).is_some());
    }

    #[test]
    fn an_answer_is_the_same_with_and_without_room() {
        let kept = OnDemand::default();
        assert_eq!(kept.ask(0, || Some(7), |number| number + 1), Some(8));
        assert_eq!(kept.ask(0, || Some(9), |number| number + 1), Some(8), "it was made already");
        let homeless = OnDemand::default();
        assert_eq!(homeless.ask(usize::MAX, || Some(7), |number| number + 1), Some(8));
        assert_eq!(homeless.ask(usize::MAX, || Some(9), |number| number + 1), Some(10));
        assert!(homeless.get(usize::MAX, || Some(7)).is_none());
        let broken: OnDemand<u8> = OnDemand::default();
        assert_eq!(broken.ask(0, || None, |number| *number), None);
    }
}
