//! Pods, or what makes Pods, by their labels.

use hashbrown::HashMap;
use mesh_model::kubernetes::Pod;
use mesh_model::name::StringMap;
use mesh_model::name::labels_subset_of;
use mesh_model::object::Object;

/// Pods, found by selector without looking at each; or other objects with the labels of Pods.
pub(super) struct Pods<'a, S = Pod> {
    /// The labels of one.
    labels: fn(&'a Object<S>) -> &'a StringMap,
    all: Vec<&'a Object<S>>,
    by_label: HashMap<(&'a str, &'a str), Vec<&'a Object<S>>>,
    by_namespace: HashMap<&'a str, Vec<&'a Object<S>>>,
    by_namespaced_label: HashMap<(&'a str, &'a str, &'a str), Vec<&'a Object<S>>>,
}

impl<'a> Pods<'a> {
    /// Indexes Pods.
    pub(super) fn new(all: Vec<&'a Object<Pod>>) -> Self {
        Self::by(all, |pod| &pod.meta.labels)
    }
}

impl<'a, S> Pods<'a, S> {
    /// Indexes objects by labels of theirs.
    pub(super) fn by(all: Vec<&'a Object<S>>, labels: fn(&'a Object<S>) -> &'a StringMap) -> Self {
        let (mut by_label, mut by_namespace, mut by_namespaced_label) =
            (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for &pod in &all {
            let namespace = &*pod.meta.namespace;
            by_namespace.entry(namespace).or_default().push(pod);
            for (key, value) in labels(pod) {
                by_label.entry((key, value)).or_default().push(pod);
                by_namespaced_label.entry((namespace, key, value)).or_default().push(pod);
            }
        }
        Self { labels, all, by_label, by_namespace, by_namespaced_label }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All of them, by namespace and name.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a Object<S>> {
        self.all.iter().copied()
    }

    /// Those of a namespace.
    pub(super) fn of(&self, namespace: &str) -> &[&'a Object<S>] {
        self.by_namespace.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// Those of all namespaces that have all labels of a selector; an empty one takes all.
    pub(super) fn matching<'s>(
        &'s self,
        selector: &'s StringMap,
    ) -> impl Iterator<Item = &'a Object<S>> + use<'s, 'a, S> {
        let rarest = selector
            .iter()
            .map(|(key, value)| self.by_label.get(&(key, value)).map_or(&[][..], Vec::as_slice))
            .min_by_key(|pods| pods.len());
        self.having(rarest.unwrap_or(&self.all), selector)
    }

    /// Those of one namespace that have all labels of a selector; an empty one takes all.
    pub(super) fn matching_in<'s>(
        &'s self,
        namespace: &'s str,
        selector: &'s StringMap,
    ) -> impl Iterator<Item = &'a Object<S>> + use<'s, 'a, S> {
        let rarest: Option<&'s [&'a Object<S>]> = selector
            .iter()
            .map(|(key, value)| {
                let key = (namespace, key, value);
                self.by_namespaced_label.get(&key).map_or(&[][..], Vec::as_slice)
            })
            .min_by_key(|pods| pods.len());
        self.having(rarest.unwrap_or_else(|| self.of(namespace)), selector)
    }

    fn having<'s>(
        &self,
        pods: &'s [&'a Object<S>],
        selector: &'s StringMap,
    ) -> impl Iterator<Item = &'a Object<S>> + use<'s, 'a, S> {
        let labels = self.labels;
        pods.iter().copied().filter(move |pod| labels_subset_of(selector, labels(pod)))
    }
}
