//! Rules by a text that a request must have: whole, at its start, or at its end.

use smallvec::SmallVec;

use super::key::Shape;
use super::prefixes::Prefixes;
use super::{Hashed, Positions, push};

/// Rules by the texts of one subject.
#[derive(Debug, Clone, Default)]
pub(super) struct TextIndex {
    exact: Hashed<Box<[u8]>, Positions>,
    starts: Prefixes,
    /// Of texts read backwards.
    ends: Prefixes,
}

impl TextIndex {
    pub(super) fn insert(&mut self, shape: Shape, text: Box<[u8]>, position: u32) {
        match shape {
            Shape::Exact => push(self.exact.entry(text).or_default(), position),
            Shape::Start => self.starts.insert(text, position),
            Shape::End => self.ends.insert(text.iter().rev().copied().collect(), position),
        }
    }

    /// To be called once, after the last text.
    pub(super) fn seal(&mut self) {
        self.starts.seal();
        self.ends.seal();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.starts.is_empty() && self.ends.is_empty()
    }

    /// Calls for each text that fits.
    pub(super) fn look_up(&self, text: &[u8], visit: &mut dyn FnMut(&[u32])) {
        if !self.exact.is_empty()
            && let Some(positions) = self.exact.get(text)
        {
            visit(positions);
        }
        self.starts.look_up(text, visit);
        if !self.ends.is_empty() {
            // On the stack, unless someone asks for an end that is longer.
            let backwards: SmallVec<[u8; 128]> =
                text.iter().rev().take(self.ends.longest()).copied().collect();
            self.ends.look_up(&backwards, visit);
        }
    }
}
