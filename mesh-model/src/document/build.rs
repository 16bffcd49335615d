//! Trees grow here, slot by slot.

use std::ops::Range;
use std::sync::Arc;

use super::Span;
use super::tree::{Kind, Origin, Reader, Side, Slot, Slots, Tree, narrow, string};

/// A tree being built. Its room is kept from one document to the next.
#[derive(Debug, Default)]
pub(crate) struct TreeBuilder {
    slots: Vec<Slot>,
    side: Side,
}

/// A scalar that is no string.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Plain {
    /// `null`.
    Null,
    /// A Boolean.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// Another number.
    Float(f64),
}

impl TreeBuilder {
    /// Slots so far: the position of the next.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.truncate(0);
        self.side.strings.clear();
        self.side.texts.clear();
        self.side.numbers.clear();
        self.side.floats.clear();
    }

    /// Forgets the slots from `at` on.
    pub(crate) fn truncate(&mut self, at: usize) {
        self.slots.truncate(at);
    }

    /// A scalar that is no string.
    pub(crate) fn scalar(&mut self, value: Plain, range: Range<u32>) {
        let (kind, data) = match value {
            Plain::Null => (Kind::Null, 0),
            Plain::Bool(false) => (Kind::False, 0),
            Plain::Bool(true) => (Kind::True, 0),
            Plain::Integer(number) => match u32::try_from(number) {
                Ok(number) => (Kind::Small, number),
                Err(_) => {
                    self.side.numbers.push(number);
                    (Kind::Number, narrow(self.side.numbers.len() - 1))
                }
            },
            Plain::Float(number) => {
                self.side.floats.push(number);
                (Kind::Float, narrow(self.side.floats.len() - 1))
            }
        };
        self.push(kind, data, range);
    }

    /// A string or key that stands in the text as it is, `quote` bytes (0 or 1) of quotes around it.
    pub(crate) fn written(&mut self, range: Range<u32>, quote: u32) {
        self.push(if quote == 0 { Kind::Plain } else { Kind::Quoted }, 0, range);
    }

    /// A string or key that is spelled in another way in the text.
    pub(crate) fn text(&mut self, text: &str, range: Range<u32>) {
        self.side.strings.push_str(text);
        self.side.texts.push(narrow(self.side.strings.len()));
        self.push(Kind::Text, narrow(self.side.texts.len() - 1), range);
    }

    /// A list whose elements follow; [`close`](Self::close) ends it.
    pub(crate) fn list(&mut self, start: u32) {
        self.push(Kind::List, 0, start..start);
    }

    /// A map whose keys and values follow in turn; [`close`](Self::close) ends it.
    pub(crate) fn map(&mut self, start: u32) {
        self.push(Kind::Map, 0, start..start);
    }

    /// Moves the start of the list at `at`, which is open.
    pub(crate) fn start_at(&mut self, at: usize, start: u32) {
        if let Some(slot) = self.slots.get_mut(at) {
            (slot.start, slot.end) = (start, start);
        }
    }

    /// Ends the list or map at `at`.
    pub(crate) fn close(&mut self, at: usize, end: u32) {
        let inside = narrow(self.slots.len().saturating_sub(at + 1));
        if let Some(slot) = self.slots.get_mut(at) {
            slot.data = inside;
            slot.end = end.max(slot.start);
        }
    }

    /// Whether a list or map at `at` is not closed yet.
    pub(crate) fn is_open(&self, at: usize) -> bool {
        self.is_collection(at)
            && self.slots.get(at).is_some_and(|slot| slot.data == 0 && slot.start == slot.end)
    }

    /// Repeats the value at `from`, as the value of an alias that stands at `range`; what is inside of it stands
    /// where it was written. `source` is the text.
    pub(crate) fn repeat(&mut self, source: &str, from: usize, range: Range<u32>) {
        // A string's place and its text are one range, so another place needs a copy.
        if let Some(text) = self.string(source, from).map(str::to_owned) {
            return self.text(&text, range);
        }
        let at = self.slots.len();
        let end = (from + self.size(from)).min(at);
        self.slots.extend_from_within(from.min(end)..end);
        if let Some(slot) = self.slots.get_mut(at) {
            (slot.start, slot.end) = (range.start, range.end);
        }
    }

    /// Copies an entry (key and value) to the end.
    pub(crate) fn repeat_entry(&mut self, key: usize) {
        let end = (key + 1 + self.size(key + 1)).min(self.slots.len());
        self.slots.extend_from_within(key.min(end)..end);
    }

    /// Marks a key as replaced.
    pub(crate) fn kill(&mut self, key: usize) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.dead = true;
        }
    }

    /// Slots of the value at `at`, its own included.
    pub(crate) fn size(&self, at: usize) -> usize {
        match self.slots.get(at) {
            Some(Slot { kind: Kind::List | Kind::Map, data, .. }) => *data as usize + 1,
            _ => 1,
        }
    }

    /// Whether the value at `at` is a list or map.
    pub(crate) fn is_collection(&self, at: usize) -> bool {
        self.slots.get(at).is_some_and(|slot| matches!(slot.kind, Kind::List | Kind::Map))
    }

    /// Whether the value at `at` is a map.
    pub(crate) fn is_map(&self, at: usize) -> bool {
        self.slots.get(at).is_some_and(|slot| slot.kind == Kind::Map)
    }

    /// Whether the value at `at` is a list.
    pub(crate) fn is_list(&self, at: usize) -> bool {
        self.slots.get(at).is_some_and(|slot| slot.kind == Kind::List)
    }

    /// The string or key at `at`; `text` is what the ranges are of.
    pub(crate) fn string<'t>(&'t self, text: &'t str, at: usize) -> Option<&'t str> {
        string(text, Some(&self.side), *self.slots.get(at)?)
    }

    /// The scalar at `at`, when it is no string.
    pub(crate) fn plain(&self, at: usize) -> Option<Plain> {
        let slot = self.slots.get(at)?;
        Some(match slot.kind {
            Kind::Null => Plain::Null,
            Kind::False => Plain::Bool(false),
            Kind::True => Plain::Bool(true),
            Kind::Small => Plain::Integer(slot.data.into()),
            Kind::Number => Plain::Integer(*self.side.numbers.get(slot.data as usize)?),
            Kind::Float => Plain::Float(*self.side.floats.get(slot.data as usize)?),
            Kind::Plain | Kind::Quoted | Kind::Text | Kind::List | Kind::Map => return None,
        })
    }

    /// The bytes of the text that the value or key at `at` stands at.
    pub(crate) fn range(&self, at: usize) -> Range<u32> {
        self.slots.get(at).map_or(0..0, |slot| slot.start..slot.end)
    }

    /// Positions of the keys of the map at `at`, those replaced left out.
    pub(crate) fn keys(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let end = at + self.size(at);
        let mut next = at + 1;
        std::iter::from_fn(move || {
            while next < end {
                let key = next;
                next += 1 + self.size(key + 1);
                if self.slots.get(key).is_some_and(|slot| !slot.dead) {
                    return Some(key);
                }
            }
            None
        })
    }

    /// Positions of the keys of the map at `at` that is still open, those whose values end before `until`.
    pub(crate) fn open_keys(&self, at: usize, until: usize) -> impl Iterator<Item = usize> + '_ {
        let mut next = at + 1;
        std::iter::from_fn(move || {
            let key = next;
            next += 1 + self.size(key + 1);
            (next <= until).then_some(key)
        })
    }

    /// Positions of the elements of the list at `at`.
    pub(crate) fn elements(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let end = at + self.size(at);
        let mut next = at + 1;
        std::iter::from_fn(move || {
            let element = next;
            next += self.size(element);
            (element < end).then_some(element)
        })
    }

    /// Levels of collections in the value at `at`.
    pub(crate) fn depth(&self, at: usize) -> usize {
        let end = at + self.size(at);
        let mut ends: Vec<usize> = Vec::new();
        let mut most = 0;
        for position in at..end {
            while ends.last().is_some_and(|end| *end <= position) {
                ends.pop();
            }
            if self.is_collection(position) {
                ends.push(position + self.size(position));
                most = most.max(ends.len());
            }
        }
        most
    }

    /// The finished tree of a text that starts at `offset` and `line` of its file. The builder is empty again.
    pub(crate) fn finish(&mut self, text: Arc<str>, offset: u32, line: u32) -> Tree {
        self.freeze(text, Origin::Text { offset, line, column: 0 })
    }

    /// The finished tree of what has no text: everything stands at `span`.
    pub(crate) fn finish_at(&mut self, span: Span) -> Tree {
        self.freeze("".into(), Origin::Fixed(span))
    }

    fn freeze(&mut self, text: Arc<str>, origin: Origin) -> Tree {
        let short = if text.len() <= usize::from(u16::MAX) { Slots::short(&self.slots) } else { None };
        let slots = short.unwrap_or_else(|| {
            // Long trees give their room away, so that they are not in memory twice.
            Slots::Long(if self.slots.len() > KEPT_SLOTS {
                std::mem::take(&mut self.slots).into_boxed_slice()
            } else {
                self.slots.as_slice().into()
            })
        });
        let side = &self.side;
        let is_used = !side.texts.is_empty() || !side.numbers.is_empty() || !side.floats.is_empty();
        let side = is_used.then(|| {
            let mut side = std::mem::take(&mut self.side);
            side.strings.shrink_to_fit();
            side.texts.shrink_to_fit();
            side.numbers.shrink_to_fit();
            side.floats.shrink_to_fit();
            Box::new(side)
        });
        self.clear();
        Tree::new(text, slots, side, origin)
    }

    /// The finished tree of a text that can be read again by `reader`.
    pub(crate) fn finish_quick(&mut self, text: Arc<str>, offset: u32, line: u32, reader: Reader) -> Tree {
        let mut tree = self.finish(text, offset, line);
        tree.reader = Some(reader);
        tree
    }

    /// The finished tree of a piece of a text, which can be read again by `reader`. It stands at `offset`, at a line and
    /// after so many characters of it.
    pub(crate) fn finish_piece(
        &mut self,
        text: Arc<str>,
        offset: u32,
        (line, column): (u32, u32),
        reader: Reader,
    ) -> Tree {
        let mut tree = self.freeze(text, Origin::Text { offset, line, column });
        tree.reader = Some(reader);
        tree
    }

    /// The value at `at` of a quickly read tree as a tree of its own, over its own piece of the text, which stands at
    /// `line` after `column` characters.
    pub(crate) fn cut(&mut self, tree: &Tree, at: u32, line: u32, column: u32) -> Option<Tree> {
        let (range, Origin::Text { offset, .. }, reader) = (tree.range(at), tree.origin, tree.reader?) else {
            return None;
        };
        let text = tree.text.get(range.start as usize..range.end as usize)?;
        let origin = Origin::Text { offset: offset.saturating_add(range.start), line, column };
        // Most pieces are small and have no side tables: one pass over their slots.
        if text.len() <= usize::from(u16::MAX)
            && let Some(slots) = tree.slots.piece(at..at.saturating_add(tree.size(at)), range.start)
        {
            let mut cut = Tree::new(text.into(), slots, None, origin);
            cut.reader = Some(reader);
            return Some(cut);
        }
        self.clear();
        self.copy(tree, at);
        for slot in &mut self.slots {
            slot.start = slot.start.saturating_sub(range.start);
            slot.end = slot.end.saturating_sub(range.start);
        }
        let mut cut = self.freeze(text.into(), origin);
        cut.reader = Some(reader);
        Some(cut)
    }

    /// Copies the value at `at` of another tree of the same text.
    pub(crate) fn copy(&mut self, tree: &Tree, at: u32) {
        let end = at.saturating_add(tree.size(at));
        for slot in (at..end).map(|at| tree.slot(at)) {
            let range = slot.start..slot.end;
            match (tree.string(slot), slot.kind) {
                (Some(text), Kind::Text) => self.text(text, range),
                (_, Kind::Number) => {
                    let number = tree.side.as_ref().and_then(|side| side.numbers.get(slot.data as usize));
                    self.scalar(Plain::Integer(number.copied().unwrap_or_default()), range);
                }
                (_, Kind::Float) => {
                    let number = tree.side.as_ref().and_then(|side| side.floats.get(slot.data as usize));
                    self.scalar(Plain::Float(number.copied().unwrap_or_default()), range);
                }
                _ => self.slots.push(slot),
            }
            if let Some(copy) = self.slots.last_mut() {
                copy.dead = slot.dead;
            }
        }
    }

    /// The finished tree of a text that another tree has already.
    pub(crate) fn finish_like(&mut self, tree: &Tree) -> Tree {
        self.freeze(Arc::clone(&tree.text), tree.origin).beside(tree)
    }

    fn push(&mut self, kind: Kind, data: u32, range: Range<u32>) {
        self.slots.push(Slot { start: range.start, end: range.end, data, kind, dead: false });
    }
}

/// Room for slots that is kept from one document to the next.
const KEPT_SLOTS: usize = 1 << 16;
