//! A map whose copies share what they have in common: a new revision costs what changed, not what there is.
//!
//! Names are spread over shards, each an ordered map behind an `Arc`. Changing an entry copies its shard alone.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use foldhash::fast::FixedState;

/// Entries of one shard, about, when a map is made.
const SHARD_ENTRIES: usize = 64;
/// More shards than this are not made: copying the list of them costs too.
const SHARDS_MAX: usize = 1024;

type Shard<V> = Arc<BTreeMap<Arc<str>, V>>;

/// A map by name with cheap copies; listed in order of name.
/// Ours: a revision of a large mesh must not copy what did not change.
#[derive(Debug, Clone)]
pub struct SharedMap<V> {
    /// INVARIANT: not empty, a power of two.
    shards: Vec<Shard<V>>,
    len: usize,
}

impl<V> Default for SharedMap<V> {
    fn default() -> Self {
        Self { shards: vec![Arc::default()], len: 0 }
    }
}

impl<V: Clone> SharedMap<V> {
    /// An empty map with shards for about `entries`.
    pub fn with_room(entries: usize) -> Self {
        let shards = (entries / SHARD_ENTRIES).next_power_of_two().clamp(1, SHARDS_MAX);
        Self { shards: (0..shards).map(|_| Arc::default()).collect(), len: 0 }
    }

    /// The entry of this name.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.shards.get(self.shard_of(name))?.get(name)
    }

    /// Whether there is an entry of this name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts an entry in, in place of an earlier one of its name, which is returned.
    pub fn insert(&mut self, name: Arc<str>, value: V) -> Option<V> {
        let shard = self.shard_of(&name);
        let before = Arc::make_mut(self.shards.get_mut(shard)?).insert(name, value);
        self.len += usize::from(before.is_none());
        before
    }

    /// Puts an entry in unless there is one of its name.
    pub fn insert_first(&mut self, name: Arc<str>, value: V) {
        let shard = self.shard_of(&name);
        let Some(shard) = self.shards.get_mut(shard) else { return };
        // A shard that others have too is copied only where there is something to put in.
        if Arc::get_mut(shard).is_none() && shard.contains_key(&name) {
            return;
        }
        if let Entry::Vacant(place) = Arc::make_mut(shard).entry(name) {
            place.insert(value);
            self.len += 1;
        }
    }

    /// Takes an entry out.
    pub fn remove(&mut self, name: &str) -> Option<V> {
        let shard = self.shard_of(name);
        let before = Arc::make_mut(self.shards.get_mut(shard)?).remove(name);
        self.len -= usize::from(before.is_some());
        before
    }

    /// Whether both have the same names with values that are alike. Shards in common are not looked into.
    pub fn is_alike(&self, other: &Self, alike: impl Fn(&V, &V) -> bool) -> bool {
        if self.len != other.len {
            return false;
        }
        if self.shards.len() != other.shards.len() {
            return self.iter().all(|(name, value)| other.get(name).is_some_and(|it| alike(value, it)));
        }
        self.shards.iter().zip(&other.shards).all(|(own, other)| {
            Arc::ptr_eq(own, other)
                || (own.len() == other.len()
                    && own.iter().zip(other.iter()).all(|(a, b)| a.0 == b.0 && alike(a.1, b.1)))
        })
    }

    /// Entries in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &V)> {
        let mut all: Vec<_> = self.shards.iter().flat_map(|shard| shard.iter()).collect();
        all.sort_unstable_by_key(|(name, _)| *name);
        all.into_iter()
    }

    /// Names in order.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.iter().map(|(name, _)| name)
    }

    /// Values in order of name.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    fn shard_of(&self, name: &str) -> usize {
        if self.shards.len() == 1 {
            return 0;
        }
        // Fixed, so that copies agree. Names that were chosen to meet in one shard make it an ordinary ordered map.
        let mut hasher = std::hash::BuildHasher::build_hasher(&FixedState::default());
        name.hash(&mut hasher);
        // The remainder of a division by a length is below the length.
        usize::try_from(hasher.finish() % self.shards.len() as u64).unwrap_or(0)
    }
}

impl<V: Clone> FromIterator<(Arc<str>, V)> for SharedMap<V> {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, V)>>(entries: I) -> Self {
        let entries: Vec<_> = entries.into_iter().collect();
        let mut map = Self::with_room(entries.len());
        for (name, value) in entries {
            map.insert(name, value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_an_ordered_map(steps in proptest::collection::vec((any::<bool>(), 0_u8..40, any::<u8>()), 0..200), room in 0_usize..1000) {
            let mut map = SharedMap::with_room(room);
            let mut oracle = BTreeMap::new();
            for (inserts, key, value) in steps {
                let name: Arc<str> = format!("k{key}").into();
                let before = map.clone();
                let (found, expected) = if inserts {
                    (map.insert(Arc::clone(&name), value), oracle.insert(name, value))
                } else {
                    (map.remove(&name), oracle.remove(&name))
                };
                prop_assert_eq!(found, expected);
                prop_assert_eq!(before.len(), before.iter().count());
            }
            prop_assert_eq!(map.len(), oracle.len());
            let own: Vec<_> = map.iter().collect();
            prop_assert_eq!(own, oracle.iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn copies_share_the_shards_that_did_not_change() {
        let names = (0..1000).map(|n| (Arc::from(format!("n{n}")), n));
        let first: SharedMap<i32> = names.collect();
        let mut second = first.clone();
        second.insert("n7".into(), -1);
        let shared = first.shards.iter().zip(&second.shards).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert_eq!(shared, first.shards.len() - 1);
        assert_eq!((first.get("n7"), second.get("n7")), (Some(&7), Some(&-1)));
    }
}
