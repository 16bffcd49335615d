//! Where the settings of a cluster come from, in a list that clusters share.
//!
//! The clusters of a service and of its subsets mostly have their settings from the same places: they hold one list, and
//! each has for itself only where the cluster as a whole comes from. Changing the list of one copies it first.

use std::fmt;
use std::sync::Arc;

use mesh_model::origin::Origin;
use serde::{Serialize, Serializer};

/// The setting that stands for the cluster as a whole.
pub(super) const CLUSTER: &str = "cluster";

type Entry = (&'static str, Origin);

/// Settings (`connect_timeout_ms`, `lb`, `tls`, `endpoints`, ...) with their origins, in order of name.
/// Ours: most clusters of a service share one list.
#[derive(Clone, Default, PartialEq)]
pub struct Origins {
    cluster: Option<Origin>,
    /// INVARIANT: sorted by name, each name once, [`CLUSTER`] not among them.
    shared: Arc<Vec<Entry>>,
}

impl Origins {
    /// The origin of a setting.
    pub fn get(&self, setting: &str) -> Option<&Origin> {
        if setting == CLUSTER {
            return self.cluster.as_ref();
        }
        let position = self.position(setting).ok()?;
        self.shared.get(position).map(|(_, origin)| origin)
    }

    /// Says where a setting comes from, in place of what was said before.
    pub fn insert(&mut self, setting: &'static str, origin: Origin) {
        if setting == CLUSTER {
            self.cluster = Some(origin);
            return;
        }
        let position = self.position(setting);
        let list = Arc::make_mut(&mut self.shared);
        match position {
            Ok(position) => {
                if let Some(entry) = list.get_mut(position) {
                    entry.1 = origin;
                }
            }
            Err(position) => {
                if list.capacity() == 0 {
                    // What most clusters come to: growing by steps would copy the list several times.
                    list.reserve_exact(12);
                }
                list.insert(position, (setting, origin));
            }
        }
    }

    /// Says where a setting comes from, unless that is said already.
    pub fn insert_first(&mut self, setting: &'static str, origin: impl FnOnce() -> Origin) {
        if self.get(setting).is_none() {
            self.insert(setting, origin());
        }
    }

    /// Forgets a setting.
    pub fn remove(&mut self, setting: &str) {
        if setting == CLUSTER {
            self.cluster = None;
        } else if let Ok(position) = self.position(setting) {
            Arc::make_mut(&mut self.shared).remove(position);
        }
    }

    /// Keeps the settings that `keep` wants.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.cluster.take_if(|_| !keep(CLUSTER));
        Arc::make_mut(&mut self.shared).retain(|(setting, _)| keep(setting));
    }

    /// Settings with their origins, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Origin)> {
        let before = self.shared.partition_point(|(setting, _)| *setting < CLUSTER);
        let own = self.cluster.iter().map(|origin| (CLUSTER, origin));
        let shared = || self.shared.iter().map(|(setting, origin)| (*setting, origin));
        shared().take(before).chain(own).chain(shared().skip(before))
    }

    /// Whether both say the same, of one version of each object.
    pub fn are_same_places(&self, other: &Self) -> bool {
        let same = |a: &Origin, b: &Origin| a.is_same_place(b);
        let same_cluster = match (&self.cluster, &other.cluster) {
            (Some(own), Some(other)) => same(own, other),
            (own, other) => own.is_none() && other.is_none(),
        };
        let same_entry = |(a, b): (&Entry, &Entry)| a.0 == b.0 && same(&a.1, &b.1);
        same_cluster
            && (Arc::ptr_eq(&self.shared, &other.shared)
                || (self.shared.len() == other.shared.len()
                    && self.shared.iter().zip(&*other.shared).all(same_entry)))
    }

    fn position(&self, setting: &str) -> Result<usize, usize> {
        self.shared.binary_search_by(|(own, _)| (*own).cmp(setting))
    }
}

impl FromIterator<(&'static str, Origin)> for Origins {
    fn from_iter<I: IntoIterator<Item = (&'static str, Origin)>>(settings: I) -> Self {
        let mut origins = Self::default();
        settings.into_iter().for_each(|(setting, origin)| origins.insert(setting, origin));
        origins
    }
}

impl fmt::Debug for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A map by setting.
impl Serialize for Origins {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 6] = ["b", "cluster", "a", "http.protocol", "lb", "cl"];
    const PLACES: [&str; 3] = ["one", "two", "three"];

    proptest! {
        #[test]
        fn they_are_an_ordered_map(steps in proptest::collection::vec((0..4, 0_usize..6, 0_usize..3), 0..40)) {
            let mut origins = Origins::default();
            let mut oracle: BTreeMap<&'static str, Origin> = BTreeMap::new();
            for (what, name, place) in steps {
                let (name, origin) = (NAMES[name], Origin::built_in(PLACES[place]));
                let before = origins.clone();
                let listed: Vec<_> = before.iter().map(|(setting, origin)| (setting, origin.clone())).collect();
                match what {
                    0 => {
                        origins.insert(name, origin.clone());
                        oracle.insert(name, origin);
                    }
                    1 => {
                        origins.insert_first(name, || origin.clone());
                        oracle.entry(name).or_insert(origin);
                    }
                    2 => {
                        origins.remove(name);
                        oracle.remove(name);
                    }
                    _ => {
                        origins.retain(|setting| setting != name);
                        oracle.retain(|setting, _| *setting != name);
                    }
                }
                prop_assert!(before.iter().eq(listed.iter().map(|(setting, origin)| (*setting, origin))));
                prop_assert!(origins.iter().eq(oracle.iter().map(|(setting, origin)| (*setting, origin))));
                for name in NAMES {
                    prop_assert_eq!(origins.get(name), oracle.get(name));
                }
                prop_assert!(origins.are_same_places(&origins.clone()));
            }
            prop_assert_eq!(serde_json::to_string(&origins).unwrap(), serde_json::to_string(&oracle).unwrap());
        }
    }
}
