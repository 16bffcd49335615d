//! A place in a tree, and what stands there.

use std::fmt;

use super::Span;
use super::tree::{Kind, Origin, Slot, Tree};

/// A value with its place. Ours: a value without its place could not be found again by whoever has to mend it.
#[derive(Clone, Copy)]
pub struct Node<'t> {
    tree: &'t Tree,
    at: u32,
}

/// The JSON data model. Numbers, texts, lists and maps are those of RFC 8259, whole numbers exact.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'t> {
    /// `null`, `~`, or nothing.
    Null,
    /// A Boolean, after the Kubernetes scalar rules (`yes`, `on` are true).
    Bool(bool),
    /// A whole number, exact.
    Integer(i128),
    /// A number with a fraction or an exponent, or one too large to be exact.
    Float(f64),
    /// A string.
    String(&'t str),
    /// A list.
    List(Items<'t>),
    /// A map, in document order. INVARIANT: keys are distinct.
    Map(Entries<'t>),
}

impl Value<'_> {
    /// What a person would call this kind of value.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

impl<'t> Node<'t> {
    pub(super) fn at(tree: &'t Tree, at: u32) -> Self {
        Self { tree, at }
    }

    /// Keys and values in it, itself included.
    pub(crate) fn slots(self) -> usize {
        self.tree.size(self.at) as usize
    }

    /// Its slot, to come back to it.
    pub(crate) fn position(self) -> u32 {
        self.at
    }

    /// The value.
    #[inline]
    pub fn value(self) -> Value<'t> {
        let slot = self.tree.slot(self.at);
        let side = self.tree.side.as_deref();
        match slot.kind {
            Kind::Null => Value::Null,
            Kind::False => Value::Bool(false),
            Kind::True => Value::Bool(true),
            Kind::Small => Value::Integer(slot.data.into()),
            Kind::Number => {
                let number = side.and_then(|side| side.numbers.get(slot.data as usize));
                Value::Integer(number.copied().unwrap_or_default())
            }
            Kind::Float => {
                let number = side.and_then(|side| side.floats.get(slot.data as usize));
                Value::Float(number.copied().unwrap_or_default())
            }
            Kind::Plain | Kind::Quoted | Kind::Text => {
                Value::String(self.tree.string(slot).unwrap_or_default())
            }
            Kind::List => Value::List(self.items()),
            Kind::Map => Value::Map(self.entries()),
        }
    }

    /// Where it stands. Counts lines: for findings and answers, not for every node.
    pub fn span(self) -> Span {
        self.tree.span(self.tree.slot(self.at))
    }

    /// Whether it is `null`.
    #[inline]
    pub fn is_null(self) -> bool {
        self.tree.slot(self.at).kind == Kind::Null
    }

    /// Whether it is a map.
    pub fn is_map(self) -> bool {
        self.tree.slot(self.at).kind == Kind::Map
    }

    /// Whether it is a list.
    pub fn is_list(self) -> bool {
        self.tree.slot(self.at).kind == Kind::List
    }

    /// The entry of a map under `key`; `None` for other values.
    pub fn entry(self, key: &str) -> Option<Entry<'t>> {
        let mut entries = self.entries();
        let (key_at, slot) =
            std::iter::from_fn(|| entries.step()).find(|(_, slot)| self.tree.reads(*slot, key))?;
        Some(entries.entry(key_at, slot))
    }

    /// The value of a map under `key`.
    pub fn get(self, key: &str) -> Option<Self> {
        self.entry(key).map(|entry| entry.value)
    }

    /// The text, for a string.
    #[inline]
    pub fn as_str(self) -> Option<&'t str> {
        self.tree.string(self.tree.slot(self.at))
    }

    /// The lines of a literal block scalar (`|`) as they stand in the text, with the byte and the line of the file where
    /// they start.
    pub(crate) fn literal_lines(self) -> Option<(&'t str, u32, u32)> {
        let slot = self.tree.slot(self.at);
        let Origin::Text { offset, line, .. } = self.tree.origin else { return None };
        let (text, start) = (&*self.tree.text, slot.start as usize);
        let written = text.get(start..slot.end as usize)?;
        let first = if written.starts_with('|') {
            start + written.find('\n')? + 1
        } else {
            let first = text.get(..start)?.rfind('\n')? + 1;
            let above = text.get(..first - 1)?.lines().next_back()?;
            let above = above.split_once(" #").map_or(above, |(above, _)| above);
            above.split(' ').rfind(|word| !word.is_empty())?.starts_with('|').then_some(first)?
        };
        let lines = text.get(first..slot.end as usize)?;
        let before = text.get(..first)?.matches('\n').count();
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Some((lines, offset.saturating_add(narrow(first)), line.saturating_add(narrow(before))))
    }

    /// The elements, for a list; nothing otherwise.
    #[inline]
    pub fn items(self) -> Items<'t> {
        let end = if self.is_list() { self.end() } else { self.at };
        Items { tree: self.tree, at: self.at + 1, end }
    }

    /// The element at `index` of a list, without stepping over all before it.
    pub fn item(self, index: usize) -> Option<Self> {
        let mut items = self.items();
        let (at, steps) = self.tree.stride(self.at, index);
        items.at = at;
        items.nth(steps)
    }

    /// The entries, for a map; nothing otherwise.
    #[inline]
    pub fn entries(self) -> Entries<'t> {
        let end = if self.is_map() { self.end() } else { self.at };
        Entries { tree: self.tree, at: self.at + 1, end }
    }

    #[inline]
    fn end(self) -> u32 {
        self.at.saturating_add(self.tree.size(self.at))
    }
}

/// Same value and same place, all the way down.
impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.span() == other.span() && self.value() == other.value()
    }
}

/// Never the content, which may be a secret.
impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({} at {:?})", self.value().kind(), self.span())
    }
}

/// The elements of a list.
/// Ours: elements are found as they are stepped over, so that a list costs no memory of its own.
#[derive(Clone)]
pub struct Items<'t> {
    tree: &'t Tree,
    at: u32,
    end: u32,
}

impl Items<'_> {
    /// How many are left; counts them.
    pub fn len(&self) -> usize {
        self.clone().count()
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.at >= self.end
    }
}

impl<'t> Iterator for Items<'t> {
    type Item = Node<'t>;

    #[inline]
    fn next(&mut self) -> Option<Node<'t>> {
        if self.at >= self.end {
            return None;
        }
        let node = Node { tree: self.tree, at: self.at };
        self.at = node.end();
        Some(node)
    }
}

impl PartialEq for Items<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.clone().eq(other.clone())
    }
}

impl fmt::Debug for Items<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// A key and its value. Ours: findings about a key stand at the key, not at its value.
#[derive(Clone, Copy, PartialEq)]
pub struct Entry<'t> {
    /// The key as text.
    pub key: &'t str,
    /// The value.
    pub value: Node<'t>,
    key_at: u32,
}

impl Entry<'_> {
    /// The slot of its key.
    pub(crate) fn position(&self) -> u32 {
        self.key_at
    }

    /// Where the key stands.
    pub fn key_span(&self) -> Span {
        self.value.tree.span(self.value.tree.slot(self.key_at))
    }
}

/// Never the value, which may be a secret.
impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("key", &self.key).field("value", &self.value).finish()
    }
}

/// The entries of a map. Ours: entries are found as they are stepped over, so that a map costs no memory of its own.
#[derive(Clone)]
pub struct Entries<'t> {
    tree: &'t Tree,
    at: u32,
    end: u32,
}

impl<'t> Entries<'t> {
    /// The next key that was not replaced: where it stands.
    #[inline]
    fn step(&mut self) -> Option<(u32, Slot)> {
        while self.at < self.end {
            let key_at = self.at;
            self.at = Node { tree: self.tree, at: key_at + 1 }.end();
            let slot = self.tree.slot(key_at);
            if !slot.dead {
                return Some((key_at, slot));
            }
        }
        None
    }

    #[inline]
    fn entry(&self, key_at: u32, slot: Slot) -> Entry<'t> {
        let value = Node { tree: self.tree, at: key_at + 1 };
        Entry { key: self.tree.string(slot).unwrap_or_default(), value, key_at }
    }

    /// How many are left; counts them.
    pub fn len(&self) -> usize {
        self.clone().count()
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.clone().next().is_none()
    }
}

impl<'t> Iterator for Entries<'t> {
    type Item = Entry<'t>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'t>> {
        let (key_at, slot) = self.step()?;
        Some(self.entry(key_at, slot))
    }
}

impl PartialEq for Entries<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.clone().eq(other.clone())
    }
}

impl fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
