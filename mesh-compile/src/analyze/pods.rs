//! Pods by their labels.

use hashbrown::HashMap;
use mesh_model::kubernetes::Pod;
use mesh_model::name::StringMap;
use mesh_model::name::labels_subset_of;
use mesh_model::object::Object;

/// Pods, found by selector without looking at each.
#[derive(Default)]
pub(super) struct Pods<'a> {
    all: Vec<&'a Object<Pod>>,
    by_label: HashMap<(&'a str, &'a str), Vec<&'a Object<Pod>>>,
    by_namespace: HashMap<&'a str, Vec<&'a Object<Pod>>>,
    by_namespaced_label: HashMap<(&'a str, &'a str, &'a str), Vec<&'a Object<Pod>>>,
}

impl<'a> Pods<'a> {
    /// Indexes Pods.
    pub(super) fn new(all: Vec<&'a Object<Pod>>) -> Self {
        let mut pods = Self::default();
        for pod in &all {
            let namespace = &*pod.meta.namespace;
            pods.by_namespace.entry(namespace).or_default().push(pod);
            for (key, value) in &pod.meta.labels {
                pods.by_label.entry((key, value)).or_default().push(pod);
                pods.by_namespaced_label.entry((namespace, key, value)).or_default().push(pod);
            }
        }
        Self { all, ..pods }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All of them, by namespace and name.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a Object<Pod>> {
        self.all.iter().copied()
    }

    /// Those of a namespace.
    pub(super) fn of(&self, namespace: &str) -> &[&'a Object<Pod>] {
        self.by_namespace.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// Those of all namespaces that have all labels of a selector; an empty one takes all.
    pub(super) fn matching<'s>(
        &'s self,
        selector: &'s StringMap,
    ) -> impl Iterator<Item = &'a Object<Pod>> + use<'s, 'a> {
        let rarest = selector
            .iter()
            .map(|(key, value)| self.by_label.get(&(key, value)).map_or(&[][..], Vec::as_slice))
            .min_by_key(|pods| pods.len());
        having(rarest.unwrap_or(&self.all), selector)
    }

    /// Those of one namespace that have all labels of a selector; an empty one takes all.
    pub(super) fn matching_in<'s>(
        &'s self,
        namespace: &'s str,
        selector: &'s StringMap,
    ) -> impl Iterator<Item = &'a Object<Pod>> + use<'s, 'a> {
        let rarest: Option<&'s [&'a Object<Pod>]> = selector
            .iter()
            .map(|(key, value)| {
                let key = (namespace, key, value);
                self.by_namespaced_label.get(&key).map_or(&[][..], Vec::as_slice)
            })
            .min_by_key(|pods| pods.len());
        having(rarest.unwrap_or_else(|| self.of(namespace)), selector)
    }
}

fn having<'s, 'a>(
    pods: &'s [&'a Object<Pod>],
    selector: &'s StringMap,
) -> impl Iterator<Item = &'a Object<Pod>> + use<'s, 'a> {
    pods.iter().copied().filter(|pod| labels_subset_of(selector, &pod.meta.labels))
}
