//! Maps that many have in common: what they shared when they parted, and what became different since.

use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// A map over one that is shared.
#[derive(Debug)]
pub(super) struct Layered<K, V> {
    base: Option<Arc<Entries<K, V>>>,
    /// What is other than in `base`.
    own: Entries<K, V>,
}

/// Entries; `None`: not there, whatever is below.
type Entries<K, V> = HashMap<K, Option<V>, RandomState>;

impl<K, V> Default for Layered<K, V> {
    fn default() -> Self {
        Self { base: None, own: HashMap::default() }
    }
}

/// What became different is taken into the shared part, which is copied, when it is more than a part of this size of it.
pub(super) const PART: usize = 4;

impl<K: Eq + Hash + Clone, V: Clone> Layered<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.own.get(key).or_else(|| self.base.as_ref()?.get(key))?.as_ref()
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        self.own.insert(key, Some(value));
    }

    pub(super) fn remove(&mut self, key: &K) {
        if self.base.as_ref().is_some_and(|base| base.contains_key(key)) {
            self.own.insert(key.clone(), None);
        } else {
            self.own.remove(key);
        }
    }

    /// Entries in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let base = self.base.iter().flat_map(|base| base.iter());
        let base = base.filter(|(key, _)| !self.own.contains_key(*key));
        base.chain(&self.own).filter_map(|(key, value)| Some((key, value.as_ref()?)))
    }

    /// Another map with the same entries. Both share what they have in common from now on.
    pub(super) fn fork(&mut self) -> Self {
        let shared = self.base.as_ref().map_or(0, |base| base.len());
        if self.base.is_none() || self.own.len() > shared / PART {
            let own = std::mem::take(&mut self.own);
            let base = match self.base.take().map(Arc::unwrap_or_clone) {
                None => own,
                Some(mut base) => {
                    base.extend(own);
                    base.retain(|_, value| value.is_some());
                    base
                }
            };
            self.base = Some(Arc::new(base));
        }
        Self { base: self.base.clone(), own: self.own.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn forks_are_maps_of_their_own(steps in proptest::collection::vec((0_usize..4, 0_u8..4, 0_u8..12, any::<u8>()), 0..300)) {
            let mut maps = vec![(Layered::default(), BTreeMap::new())];
            for (at, act, key, value) in steps {
                let at = at % maps.len();
                let (map, oracle) = &mut maps[at];
                match act {
                    0 | 1 => {
                        map.insert(key, value);
                        oracle.insert(key, value);
                    }
                    2 => {
                        map.remove(&key);
                        oracle.remove(&key);
                    }
                    _ => {
                        let fork = (map.fork(), oracle.clone());
                        maps.push(fork);
                    }
                }
            }
            for (map, oracle) in &maps {
                prop_assert!((0..12).all(|key| map.get(&key) == oracle.get(&key)));
                prop_assert_eq!(&map.iter().map(|(key, value)| (*key, *value)).collect::<BTreeMap<_, _>>(), oracle);
            }
        }
    }
}
