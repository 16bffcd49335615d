//! Patterns in use, by text. A mesh repeats a few regexes over and over, and every class of proxies asks for them again:
//! each is read once, and its automaton is built once, as long as somebody has it.
//!
//! What a pattern says depends on its text alone, so whether it is shared shows in time and memory only.

use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::{Engine, Pattern, PatternError, Rest};

/// Longer texts are not kept, in bytes: what is remembered of patterns that are gone stays small.
const LONGEST: usize = 256;

/// Entries above which those that nobody has are dropped, at least.
const ROOM: usize = 1_024;

/// Patterns that have to match the whole text.
static IN_USE: LazyLock<Mutex<InUse<Engine>>> = LazyLock::new(Mutex::default);

/// What such patterns end with.
static RESTS: LazyLock<Mutex<InUse<Rest>>> = LazyLock::new(Mutex::default);

/// Automata by what they were made of.
struct InUse<E> {
    by_text: HashMap<Arc<str>, Weak<E>, RandomState>,
    /// How many may be there before the next clean-up.
    room: usize,
}

impl<E> Default for InUse<E> {
    fn default() -> Self {
        Self { by_text: HashMap::default(), room: 0 }
    }
}

impl<E> InUse<E> {
    fn get(&self, text: &str) -> Option<Arc<E>> {
        self.by_text.get(text)?.upgrade()
    }

    fn add(&mut self, text: &Arc<str>, engine: &Arc<E>) {
        if self.by_text.len() >= self.room {
            self.by_text.retain(|_, engine| engine.strong_count() > 0);
            // Twice what is in use: every entry pays for one look at it.
            self.room = self.by_text.len().saturating_mul(2).max(ROOM);
        }
        self.by_text.insert(Arc::clone(text), Arc::downgrade(engine));
    }
}

/// The pattern of a text that is in use, or what `make` gives for it.
pub(super) fn pattern(
    text: &str,
    make: impl FnOnce(&str) -> Result<Pattern, PatternError>,
) -> Result<Pattern, PatternError> {
    if text.len() > LONGEST {
        return make(text);
    }
    // The map is whole whatever panicked beside it.
    if let Some(engine) = IN_USE.lock().unwrap_or_else(PoisonError::into_inner).get(text) {
        return Ok(Pattern { engine });
    }
    // Without the lock: others need not wait while it is read.
    let made = make(text)?;
    IN_USE.lock().unwrap_or_else(PoisonError::into_inner).add(&made.engine.text, &made.engine);
    Ok(made)
}

/// The automaton of a rest, by its syntax as text.
pub(super) fn rest(syntax: &str) -> Arc<Rest> {
    if syntax.len() > LONGEST {
        return Arc::default();
    }
    let mut rests = RESTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(rest) = rests.get(syntax) {
        return rest;
    }
    let rest = Arc::default();
    rests.add(&syntax.into(), &rest);
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_is_one_engine_as_long_as_somebody_has_it() -> Result<(), PatternError> {
        let first = Pattern::full_match("/shared/[a-f]+")?;
        let second = Pattern::full_match("/shared/[a-f]+")?;
        assert!(Arc::ptr_eq(&first.engine, &second.engine));
        assert!(!Arc::ptr_eq(&first.engine, &Pattern::search("/shared/[a-f]+")?.engine));
        let gone = Arc::downgrade(&first.engine);
        drop((first, second));
        assert!(gone.upgrade().is_none());
        assert!(Pattern::full_match("/shared/[a-f]+")?.is_match(b"/shared/abc"));
        Ok(())
    }

    #[test]
    fn a_shared_pattern_says_what_one_of_its_own_says() -> Result<(), PatternError> {
        for text in ["", "a|ab", "/v[12]/.*", "(?i)abc", "[^/]+"] {
            let kept = Pattern::full_match(text)?;
            let shared = Pattern::full_match(text)?;
            let own = Pattern::parse_full_match(text)?;
            assert!(!Arc::ptr_eq(&own.engine, &kept.engine));
            for input in ["", "a", "ab", "ABC", "/v1/x", "/v3/x", "x/y"] {
                assert_eq!(
                    shared.is_match(input.as_bytes()),
                    own.is_match(input.as_bytes()),
                    "{text} {input}"
                );
            }
        }
        assert_eq!(Pattern::full_match("(").err(), Pattern::parse_full_match("(").err());
        Ok(())
    }

    #[test]
    fn what_nobody_has_takes_no_room_in_the_long_run() -> Result<(), PatternError> {
        let mut in_use = InUse::default();
        let kept = Pattern::parse_full_match("kept")?;
        in_use.add(&kept.engine.text, &kept.engine);
        for number in 0..10 * ROOM {
            let pattern = Pattern::parse_full_match(&number.to_string())?;
            in_use.add(&pattern.engine.text, &pattern.engine);
            assert!(in_use.by_text.len() <= ROOM);
        }
        assert!(in_use.get("kept").is_some());
        assert!(in_use.get("7").is_none());
        Ok(())
    }
}
