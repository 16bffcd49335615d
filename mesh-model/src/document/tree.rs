//! How a tree is stored.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::line_table::{LineTable, lines_before};
use super::{Node, Span};

/// One value or key, in document order. A list is followed by its elements; a map by its keys, each followed by its
/// value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    /// Bytes of the text, from its start.
    pub(super) start: u32,
    pub(super) end: u32,
    /// By kind: slots of the elements, the number, or a position in the side tables.
    pub(super) data: u32,
    pub(super) kind: Kind,
    /// A key that another entry of its map replaced: it and its value are passed over.
    pub(super) dead: bool,
}

/// A slot of a text below 64 KiB: most documents are, and many are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShortSlot {
    start: u16,
    end: u16,
    data: u16,
    kind: Kind,
    dead: bool,
}

/// The slots of a finished tree.
#[derive(Debug)]
pub(super) enum Slots {
    Short(Box<[ShortSlot]>),
    Long(Box<[Slot]>),
}

impl Slots {
    /// In the short form, where all of them fit.
    pub(super) fn short(slots: &[Slot]) -> Option<Self> {
        // All bits of all numbers first, so that no slot needs a look of its own.
        let bits = slots.iter().fold(0, |bits, slot| bits | slot.start | slot.end | slot.data);
        let short = |slot: &Slot| {
            let Slot { start, end, data, kind, dead } = *slot;
            ShortSlot { start: start as u16, end: end as u16, data: data as u16, kind, dead }
        };
        (bits <= u16::MAX.into()).then(|| Self::Short(slots.iter().map(short).collect()))
    }

    /// The slots of a piece of the text that starts at `offset`, in the short form; `None`: not all of them fit, or some
    /// need the side tables.
    pub(super) fn piece(&self, positions: Range<u32>, offset: u32) -> Option<Self> {
        let mut short = Vec::with_capacity(positions.len());
        for at in positions {
            let Slot { start, end, data, kind, dead } = self.get(at as usize)?;
            if matches!(kind, Kind::Text | Kind::Number | Kind::Float) {
                return None;
            }
            let [start, end] = [start, end].map(|place| place.checked_sub(offset));
            let (start, end) = (u16::try_from(start?).ok()?, u16::try_from(end?).ok()?);
            short.push(ShortSlot { start, end, data: u16::try_from(data).ok()?, kind, dead });
        }
        Some(Self::Short(short.into_boxed_slice()))
    }

    /// Whether there is a list of more than so many slots.
    fn any_list_longer_than(&self, most: usize) -> bool {
        let is_longer = |kind, slots: usize| slots > most && kind == Kind::List;
        match self {
            Self::Short(slots) => slots.iter().any(|slot| is_longer(slot.kind, slot.data.into())),
            Self::Long(slots) => slots.iter().any(|slot| is_longer(slot.kind, slot.data as usize)),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Short(slots) => slots.len(),
            Self::Long(slots) => slots.len(),
        }
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<Slot> {
        match self {
            Self::Short(slots) => slots.get(at).map(|slot| {
                let ShortSlot { start, end, data, kind, dead } = *slot;
                Slot { start: start.into(), end: end.into(), data: data.into(), kind, dead }
            }),
            Self::Long(slots) => slots.get(at).copied(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    False,
    True,
    /// `data` is the number.
    Small,
    /// `data` is the position in `numbers`.
    Number,
    /// `data` is the position in `floats`.
    Float,
    /// The text from `start` to `end`.
    Plain,
    /// The text between its quotes.
    Quoted,
    /// `data` is the position in `texts`.
    Text,
    /// `data` is the number of slots that follow and belong to it.
    List,
    Map,
}

/// Values that have no slot's form: rare, so they share one allocation.
#[derive(Debug, Default, Clone)]
pub(super) struct Side {
    pub(super) strings: String,
    /// Ends of the texts in `strings`.
    pub(super) texts: Vec<u32>,
    pub(super) numbers: Vec<i128>,
    pub(super) floats: Vec<f64>,
}

impl Side {
    pub(super) fn text(&self, at: u32) -> &str {
        let at = at as usize;
        let end = self.texts.get(at).copied().unwrap_or_default() as usize;
        let start = at.checked_sub(1).and_then(|before| self.texts.get(before)).copied().unwrap_or_default();
        self.strings.get(start as usize..end).unwrap_or_default()
    }
}

/// The tree of a document beside its text.
/// Ours: documents by the hundred thousand must fit in memory with the place of every value.
pub struct Tree {
    pub(super) text: Arc<str>,
    pub(super) slots: Slots,
    pub(super) side: Option<Box<Side>>,
    pub(super) origin: Origin,
    /// What reads the text again, where that is quickly done.
    pub(super) reader: Option<Reader>,
    /// For long lists, by the list's slot: where every [`STRIDE`]th element starts.
    strides: Vec<(u32, Box<[u32]>)>,
    /// Offsets at which lines start, for long texts, once somebody asks for a place.
    lines: Option<Lines>,
}

/// Where the lines of a text start; trees of one text share it.
pub(super) type Lines = Arc<OnceLock<LineTable>>;

/// Where a tree's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// In a file, from this offset and line on, after so many characters of the line.
    Text { offset: u32, line: u32, column: u32 },
    /// Nowhere: every node has this place.
    Fixed(Span),
}

/// Reads a text to the tree that was read from it before; `None` never comes of a text that it has read.
pub(crate) type Reader = fn(&Arc<str>) -> Option<Tree>;

/// Elements that are stepped over to reach one of a long list.
const STRIDE: usize = 64;

/// Texts above this size get a table of their lines.
const LINES_MIN: usize = 16 << 10;

impl Tree {
    pub(super) fn new(text: Arc<str>, slots: Slots, side: Option<Box<Side>>, origin: Origin) -> Self {
        let mut tree = Self { text, slots, side, origin, reader: None, strides: Vec::new(), lines: None };
        if tree.text.len() > LINES_MIN {
            tree.lines = Some(Lines::default());
        }
        if tree.slots.len() > STRIDE {
            tree.strides = tree.long_lists();
        }
        tree
    }

    fn long_lists(&self) -> Vec<(u32, Box<[u32]>)> {
        // Most trees have none: tell that from the slots as they lie.
        if !self.slots.any_list_longer_than(STRIDE) {
            return Vec::new();
        }
        let is_long = |at: &u32| {
            let slot = self.slot(*at);
            slot.kind == Kind::List && slot.data as usize > STRIDE
        };
        let long = (0..narrow(self.slots.len())).filter(is_long);
        // Every slot is an element of one list at most, so this is one pass over the tree.
        long.map(|at| (at, Node::at(self, at).items().step_by(STRIDE).map(Node::position).collect()))
            .collect()
    }

    /// The slot of an element at or before `index` of the list at `at`, and how many elements are between.
    pub(super) fn stride(&self, at: u32, index: usize) -> (u32, usize) {
        let long = self.strides.binary_search_by_key(&at, |(list, _)| *list).ok();
        let strides = long.and_then(|long| self.strides.get(long));
        let start = strides.and_then(|(_, starts)| starts.get(index / STRIDE));
        start.map_or((at + 1, index), |start| (*start, index % STRIDE))
    }

    /// The slot at a position; nothing beyond the end.
    #[inline]
    pub(super) fn slot(&self, at: u32) -> Slot {
        const NOTHING: Slot = Slot { start: 0, end: 0, data: 0, kind: Kind::Null, dead: false };
        self.slots.get(at as usize).unwrap_or(NOTHING)
    }

    /// Slots of the value at `at`, its own included.
    #[inline]
    pub(super) fn size(&self, at: u32) -> u32 {
        let slot = self.slot(at);
        if matches!(slot.kind, Kind::List | Kind::Map) { slot.data.saturating_add(1) } else { 1 }
    }

    /// The bytes of the text that the value or key at `at` stands at.
    pub(crate) fn range(&self, at: u32) -> std::ops::Range<u32> {
        let slot = self.slot(at);
        slot.start..slot.end
    }

    /// Line of the first byte, and the characters of that line before it.
    pub(crate) fn start(&self) -> (u32, u32) {
        match self.origin {
            Origin::Text { line, column, .. } => (line, column),
            Origin::Fixed(span) => (span.line, 0),
        }
    }

    /// Another tree of the same text.
    pub(super) fn beside(mut self, other: &Self) -> Self {
        self.lines.clone_from(&other.lines);
        self
    }

    /// The text, where it can be quickly read again.
    pub(crate) fn quick_text(&self) -> Option<&str> {
        self.reader.map(|_| &*self.text)
    }

    /// Whether the key or string of a slot reads so: most others are told by their length.
    #[inline]
    pub(super) fn reads(&self, slot: Slot, wanted: &str) -> bool {
        let length = slot.end.saturating_sub(slot.start) as usize;
        let may_be = match slot.kind {
            Kind::Plain => length == wanted.len(),
            Kind::Quoted => length == wanted.len() + 2,
            _ => true,
        };
        may_be && self.string(slot) == Some(wanted)
    }

    /// The text of a key or string; `None` for other values.
    #[inline]
    pub(super) fn string(&self, slot: Slot) -> Option<&str> {
        string(&self.text, self.side.as_deref(), slot)
    }

    pub(super) fn span(&self, slot: Slot) -> Span {
        let (offset, line, before) = match self.origin {
            Origin::Fixed(span) => return span,
            Origin::Text { offset, line, column } => (offset, line, column),
        };
        let start = slot.start as usize;
        let (lines, line_start) = if let Some(lines) = &self.lines {
            lines.get_or_init(|| LineTable::of(&self.text)).lines_before(start)
        } else {
            lines_before(self.text.as_bytes().get(..start).unwrap_or_default())
        };
        let column = match self.lines.as_deref().and_then(OnceLock::get) {
            Some(table) => table.letters(&self.text, start) - table.letters(&self.text, line_start),
            None => self.text.get(line_start..start).map_or(0, |text| text.chars().count()),
        };
        Span {
            start: offset.saturating_add(slot.start),
            end: offset.saturating_add(slot.end),
            line: line.saturating_add(narrow(lines)),
            column: narrow(column + 1).saturating_add(if lines == 0 { before } else { 0 }),
        }
    }
}

/// Nothing, nowhere.
impl Default for Tree {
    fn default() -> Self {
        Self::from_json(&serde_json::Value::Null, Span::default())
    }
}

/// Never the content, which may be a secret.
impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("slots", &self.slots.len()).finish_non_exhaustive()
    }
}

#[inline]
pub(super) fn string<'t>(text: &'t str, side: Option<&'t Side>, slot: Slot) -> Option<&'t str> {
    let (start, end) = (slot.start as usize, slot.end as usize);
    match slot.kind {
        Kind::Plain => text.get(start..end),
        Kind::Quoted => text.get(start + 1..end.saturating_sub(1)),
        Kind::Text => side.map(|side| side.text(slot.data)),
        _ => None,
    }
}

/// Offsets as slots keep them; texts beyond 4 GiB are refused before.
pub(super) fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
