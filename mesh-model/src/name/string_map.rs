//! Labels and annotations: a few short texts by name, in one piece of memory.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Texts by name, in order of their names. API: meta/v1 `ObjectMeta.labels` and `ObjectMeta.annotations`.
///
/// It reads like a `BTreeMap<String, String>` and takes a sixth of its room: all texts stand in one run of memory. Adding a
/// single entry copies the map; many are better collected at once.
///
/// ```
/// # use mesh_model::name::StringMap;
/// let labels: StringMap = [("version", "v1"), ("app", "web")].into();
/// assert_eq!(labels.get("app"), Some("web"));
/// assert_eq!(labels.iter().next(), Some(("app", "web")));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct StringMap {
    /// `None`: empty.
    packed: Option<Packed>,
}

/// The number of entries, where names and texts end in turn, and then these one after the other. Numbers are written in
/// digits of seven bits, which are text themselves.
/// INVARIANT: names are distinct and in order; every name is followed by its text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Packed(Box<str>);

/// Digits of a number: enough for 32 GiB of text.
const DIGITS: usize = 5;

impl Packed {
    /// Of entries in order, without doubles; `length`: of their texts together.
    fn of<'e>(entries: impl ExactSizeIterator<Item = (&'e str, &'e str)> + Clone, length: usize) -> Self {
        let mut packed = String::with_capacity(DIGITS * (1 + 2 * entries.len()) + length);
        let mut end = 0;
        push_number(&mut packed, entries.len());
        for (key, value) in entries.clone() {
            for text in [key, value] {
                end += text.len();
                push_number(&mut packed, end);
            }
        }
        for (key, value) in entries {
            packed.push_str(key);
            packed.push_str(value);
        }
        Self(packed.into_boxed_str())
    }

    fn number(&self, index: usize) -> Option<usize> {
        let digits = self.0.as_bytes().get(index.checked_mul(DIGITS)?..)?.first_chunk::<DIGITS>()?;
        Some(digits.iter().fold(0, |number, digit| number << 7 | usize::from(*digit)))
    }

    fn len(&self) -> usize {
        self.number(0).unwrap_or_default()
    }

    fn pair(&self, index: usize) -> Option<(&str, &str)> {
        let texts = self.0.get(DIGITS * (1 + 2 * self.len())..)?;
        let start = if index == 0 { 0 } else { self.number(2 * index)? };
        let (middle, end) = (self.number(2 * index + 1)?, self.number(2 * index + 2)?);
        Some((texts.get(start..middle)?, texts.get(middle..end)?))
    }
}

fn push_number(text: &mut String, number: usize) {
    for digit in (0..DIGITS).rev() {
        // Seven bits are a character of one byte.
        text.push(char::from((number >> (7 * digit)) as u8 & 0x7f));
    }
}

impl StringMap {
    /// A map that is read piece by piece.
    pub(crate) fn builder() -> Builder {
        Builder::default()
    }

    /// An empty map.
    pub const fn new() -> Self {
        Self { packed: None }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.packed.as_ref().map_or(0, Packed::len)
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.packed.is_none()
    }

    /// The text under a name.
    pub fn get<Q: AsRef<str> + ?Sized>(&self, key: &Q) -> Option<&str> {
        let (packed, key) = (self.packed.as_ref()?, key.as_ref());
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let (found, value) = packed.pair(middle)?;
            match found.cmp(key) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Some(value),
            }
        }
        None
    }

    /// Whether there is a text under a name.
    pub fn contains_key<Q: AsRef<str> + ?Sized>(&self, key: &Q) -> bool {
        self.get(key).is_some()
    }

    /// Names and texts, in order of the names.
    pub fn iter(&self) -> Iter<'_> {
        Iter { packed: self.packed.as_ref(), next: 0, end: self.len() }
    }

    /// The names, in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.iter().map(|(key, _)| key)
    }

    /// The texts, in order of their names.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.iter().map(|(_, value)| value)
    }

    /// Puts a text under a name in place of the one that was there. Copies the map.
    pub fn insert(&mut self, key: impl AsRef<str>, value: impl AsRef<str>) {
        self.extend([(key, value)]);
    }

    /// Takes a text out. Copies the map.
    pub fn remove<Q: AsRef<str> + ?Sized>(&mut self, key: &Q) -> Option<String> {
        let removed = self.get(key)?.to_owned();
        self.retain(|name, _| name != key.as_ref());
        Some(removed)
    }

    /// Keeps the entries of which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        *self = self.iter().filter(|(key, value)| keep(key, value)).collect();
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for StringMap {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut builder = Builder::default();
        entries.into_iter().for_each(|(key, value)| builder.add(key.as_ref(), value.as_ref()));
        builder.finish()
    }
}

impl<K: AsRef<str>, V: AsRef<str>, const N: usize> From<[(K, V); N]> for StringMap {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Extend<(K, V)> for StringMap {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        let mut builder = Builder::default();
        self.iter().for_each(|(key, value)| builder.add(key, value));
        entries.into_iter().for_each(|(key, value)| builder.add(key.as_ref(), value.as_ref()));
        *self = builder.finish();
    }
}

/// Entries on their way into a map, in any order; of two with one name the later stays.
pub(crate) struct Builder {
    text: String,
    /// Where names and texts end, in turn.
    ends: Ends,
    /// Where the last name stands.
    last: Range<usize>,
    is_unsorted: bool,
}

/// Most maps have a few entries: their ends need no memory of their own.
#[derive(Default)]
struct Ends {
    few: [usize; 16],
    count: usize,
    more: Vec<usize>,
}

impl Ends {
    fn push(&mut self, end: usize) {
        match self.few.get_mut(self.count) {
            Some(place) => *place = end,
            None => self.more.push(end),
        }
        self.count += 1;
    }

    fn get(&self, index: usize) -> Option<usize> {
        self.few.get(index).or_else(|| self.more.get(index - self.few.len())).copied()
    }
}

impl Default for Builder {
    /// With room for a few labels.
    fn default() -> Self {
        Self { text: String::with_capacity(128), ends: Ends::default(), last: 0..0, is_unsorted: false }
    }
}

impl Builder {
    pub(crate) fn add(&mut self, key: &str, value: &str) {
        self.key(key);
        self.part(value);
    }

    fn key(&mut self, key: &str) {
        let start = self.text.len();
        self.is_unsorted |= self.ends.count > 0 && self.text.get(self.last.clone()) >= Some(key);
        self.part(key);
        self.last = start..self.text.len();
    }

    fn part(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
    }

    fn pair(&self, index: usize) -> (&str, &str) {
        let end = |index| self.ends.get(index).unwrap_or_default();
        let start = if index == 0 { 0 } else { end(2 * index - 1) };
        let (middle, end) = (end(2 * index), end(2 * index + 1));
        (self.text.get(start..middle).unwrap_or_default(), self.text.get(middle..end).unwrap_or_default())
    }

    pub(crate) fn finish(self) -> StringMap {
        let count = self.ends.count / 2;
        if count == 0 {
            return StringMap::default();
        }
        if !self.is_unsorted {
            return StringMap {
                packed: Some(Packed::of((0..count).map(|index| self.pair(index)), self.text.len())),
            };
        }
        let mut entries: Vec<_> = (0..count).map(|index| (index, self.pair(index))).collect();
        entries.sort_unstable_by(|(a, (left, _)), (b, (right, _))| left.cmp(right).then(b.cmp(a)));
        entries.dedup_by(|(_, (later, _)), (_, (kept, _))| later == kept);
        let length = entries.iter().map(|(_, (key, value))| key.len() + value.len()).sum();
        StringMap { packed: Some(Packed::of(entries.iter().map(|(_, entry)| *entry), length)) }
    }
}

/// The entries of a [`StringMap`]. Ours: the map is one text, so that there are no entries to lend.
#[derive(Debug, Clone)]
pub struct Iter<'m> {
    packed: Option<&'m Packed>,
    next: usize,
    end: usize,
}

impl<'m> Iterator for Iter<'m> {
    type Item = (&'m str, &'m str);

    fn next(&mut self) -> Option<Self::Item> {
        let pair = self.packed.filter(|_| self.next < self.end)?.pair(self.next)?;
        self.next += 1;
        Some(pair)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end - self.next;
        (left, Some(left))
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let packed = self.packed.filter(|_| self.next < self.end)?;
        self.end -= 1;
        packed.pair(self.end)
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl<'m> IntoIterator for &'m StringMap {
    type Item = (&'m str, &'m str);
    type IntoIter = Iter<'m>;

    fn into_iter(self) -> Iter<'m> {
        self.iter()
    }
}

impl Ord for StringMap {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other)
    }
}

impl PartialOrd for StringMap {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for StringMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl Serialize for StringMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de> Deserialize<'de> for StringMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = StringMap;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StringMap, A::Error> {
        let mut builder = Builder::default();
        while map.next_key_seed(Part { builder: &mut builder, add: Builder::key })?.is_some() {
            map.next_value_seed(Part { builder: &mut builder, add: Builder::part })?;
        }
        Ok(builder.finish())
    }
}

/// A name or a text, read straight to its place.
struct Part<'b> {
    builder: &'b mut Builder,
    add: fn(&mut Builder, &str),
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Part<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        (self.add)(self.builder, text);
        Ok(())
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for StringMap {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StringMap".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        <std::collections::BTreeMap<String, String>>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_reads_like_a_tree(entries in prop::collection::vec(("[a-c]{0,3}", "[a-c]{0,2}"), 0..12), key in "[a-c]{0,3}") {
            let tree: BTreeMap<String, String> = entries.iter().cloned().collect();
            let map: StringMap = entries.iter().cloned().collect();
            let pairs = |tree: &BTreeMap<String, String>| -> Vec<(String, String)> { tree.clone().into_iter().collect() };
            let owned = |map: &StringMap| -> Vec<(String, String)> {
                map.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
            };
            prop_assert_eq!(owned(&map), pairs(&tree));
            prop_assert_eq!((map.len(), map.is_empty()), (tree.len(), tree.is_empty()));
            prop_assert_eq!(map.get(&key), tree.get(&key).map(String::as_str));
            prop_assert!(map.iter().rev().eq(tree.iter().rev().map(|(key, value)| (key.as_str(), value.as_str()))));
            let json = serde_json::to_string(&tree).unwrap();
            prop_assert_eq!(serde_json::to_string(&map).unwrap(), json.clone());
            prop_assert_eq!(&serde_json::from_str::<StringMap>(&json).unwrap(), &map);
            // One after the other comes to the same, and so does taking away.
            let mut grown = StringMap::new();
            entries.iter().for_each(|(key, value)| grown.insert(key, value));
            prop_assert_eq!(&grown, &map);
            let mut rest = tree;
            prop_assert_eq!(grown.remove(&key), rest.remove(&key));
            prop_assert_eq!(owned(&grown), pairs(&rest));
        }
    }

    #[test]
    fn only_texts_are_read() {
        assert!(serde_json::from_str::<StringMap>(r#"{"a": 1}"#).is_err());
        assert!(serde_json::from_str::<StringMap>(r#"["a"]"#).is_err());
        assert_eq!(size_of::<StringMap>(), size_of::<&str>());
    }

    #[test]
    fn many_and_long_entries_fit() {
        let long = "x".repeat(20_000);
        let entries =
            (0..1_000).map(|number| (format!("{:03}", (number * 7) % 1_000), format!("{long}{number}")));
        let map: StringMap = entries.collect();
        assert_eq!(map.len(), 1_000);
        assert!(map.get("007").is_some_and(|text| text.len() == 20_001 && text.ends_with('1')));
        assert!(map.keys().is_sorted());
    }
}
