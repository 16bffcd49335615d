//! Services by what they select.

use hashbrown::HashMap;
use mesh_model::kubernetes::Service;
use mesh_model::name::StringMap;
use mesh_model::name::labels_subset_of;
use mesh_model::object::Object;

/// Services, found by the labels of a Pod without looking at each.
#[derive(Default)]
pub(super) struct Services<'a> {
    by_name: HashMap<(&'a str, &'a str), &'a Object<Service>>,
    /// Under the first label of the selector.
    by_label: HashMap<(&'a str, &'a str, &'a str), Vec<&'a Object<Service>>>,
    without_selector: HashMap<&'a str, Vec<&'a Object<Service>>>,
}

impl<'a> Services<'a> {
    /// Indexes services.
    pub(super) fn new(all: impl Iterator<Item = &'a Object<Service>>) -> Self {
        let mut services = Self::default();
        for service in all {
            let namespace = &*service.meta.namespace;
            services.by_name.insert((namespace, &service.meta.name), service);
            match service.spec.spec.selector.iter().next() {
                Some((key, value)) => {
                    services.by_label.entry((namespace, key, value)).or_default().push(service);
                }
                None => services.without_selector.entry(namespace).or_default().push(service),
            }
        }
        services
    }

    /// The service of a name.
    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<&'a Object<Service>> {
        self.by_name.get(&(namespace, name)).copied()
    }

    /// Services of a namespace whose selector, which is not empty, takes these labels; by name.
    pub(super) fn selecting(&self, namespace: &str, labels: &StringMap) -> Vec<&'a Object<Service>> {
        let mut found: Vec<_> = labels
            .iter()
            .filter_map(|(key, value)| self.by_label.get(&(namespace, key, value)))
            .flatten()
            .copied()
            .filter(|service| labels_subset_of(&service.spec.spec.selector, labels))
            .collect();
        found.sort_by(|a, b| a.meta.name.cmp(&b.meta.name));
        found
    }

    /// Services of a namespace without a selector.
    pub(super) fn without_selector(&self, namespace: &str) -> &[&'a Object<Service>] {
        self.without_selector.get(namespace).map_or(&[], Vec::as_slice)
    }
}
