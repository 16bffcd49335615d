//! Rules by a text that a request must have: whole, at its start, or at its end.

use super::key::Shape;
use super::prefixes::{Prefixes, Side};
use super::{Hashed, Positions, push};

/// Rules by the texts of one subject.
#[derive(Debug, Clone)]
pub(super) struct TextIndex {
    exact: Hashed<Box<[u8]>, Positions>,
    starts: Prefixes,
    ends: Prefixes,
    is_empty: bool,
}

impl Default for TextIndex {
    fn default() -> Self {
        Self {
            exact: Hashed::default(),
            starts: Prefixes::new(Side::Start),
            ends: Prefixes::new(Side::End),
            is_empty: true,
        }
    }
}

impl TextIndex {
    pub(super) fn insert(&mut self, shape: Shape, text: Box<[u8]>, position: u32) {
        self.is_empty = false;
        match shape {
            Shape::Exact => push(self.exact.entry(text).or_default(), position),
            Shape::Start => self.starts.insert(text, position),
            Shape::End => self.ends.insert(text, position),
        }
    }

    /// To be called once, after the last text.
    pub(super) fn seal(&mut self) {
        self.starts.seal();
        self.ends.seal();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Calls for each text that fits.
    pub(super) fn look_up(&self, text: &[u8], visit: &mut dyn FnMut(&[u32])) {
        if self.is_empty {
            return;
        }
        if let Some(positions) = self.exact.get(text) {
            visit(positions);
        }
        self.starts.look_up(text, visit);
        self.ends.look_up(text, visit);
    }
}
