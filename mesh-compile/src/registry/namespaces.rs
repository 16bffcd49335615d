//! What is known of namespaces: labels, annotations, and which of them are looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::config_set::ConfigSet;
use mesh_model::mesh_config::MeshConfig;
use mesh_model::name::LabelSelector;
use mesh_model::name::StringMap;
use mesh_model::part;

static NOTHING: StringMap = StringMap::new();

/// Namespaces by cluster and name.
/// API: core/v1 `Namespace`; mesh/v1alpha1 `MeshConfig.discoverySelectors` says which are looked at.
#[derive(Debug, Clone, Default)]
pub struct Namespaces {
    metadata: BTreeMap<(Arc<str>, Arc<str>), Metadata>,
    /// `None`: every namespace is looked at.
    discovered: Option<Vec<LabelSelector>>,
    root: Arc<str>,
}

#[derive(Debug, Clone)]
struct Metadata {
    labels: StringMap,
    annotations: StringMap,
}

impl Namespaces {
    /// Reads the Namespace objects, and from the mesh configuration which of them are discovered.
    pub fn read(config: &ConfigSet, mesh: &MeshConfig) -> Self {
        let metadata = config
            .namespaces
            .iter()
            .map(|object| {
                let meta = &object.meta;
                let key = (Arc::clone(&meta.cluster), Arc::clone(&meta.name));
                (key, Metadata { labels: meta.labels.clone(), annotations: meta.annotations.clone() })
            })
            .collect();
        let written = &mesh.discovery_selectors;
        // A selector that cannot be read takes no namespace, and the others stay in force.
        let discovered =
            (!written.is_empty()).then(|| written.iter().filter_map(part::LabelSelector::compiled).collect());
        Self { metadata, discovered, root: mesh.root_namespace().into() }
    }

    /// Whether objects of a namespace are seen at all (`discoverySelectors`): one selector is enough, and a namespace
    /// whose labels are not known has none.
    pub fn is_discovered(&self, cluster: &Arc<str>, namespace: &Arc<str>) -> bool {
        match &self.discovered {
            None => true,
            Some(_) if namespace.is_empty() => true,
            Some(selectors) => self
                .get(cluster, namespace)
                .is_some_and(|metadata| selectors.iter().any(|selector| selector.matches(&metadata.labels))),
        }
    }

    /// Labels of a namespace; none where it is not known.
    pub fn labels(&self, cluster: &Arc<str>, namespace: &Arc<str>) -> &StringMap {
        self.get(cluster, namespace).map_or(&NOTHING, |metadata| &metadata.labels)
    }

    /// Annotations of a namespace; none where it is not known.
    pub fn annotations(&self, cluster: &Arc<str>, namespace: &Arc<str>) -> &StringMap {
        self.get(cluster, namespace).map_or(&NOTHING, |metadata| &metadata.annotations)
    }

    /// The network of a cluster: a label on its root namespace (T-314); empty: unknown.
    pub fn network(&self, cluster: &Arc<str>) -> &str {
        self.labels(cluster, &self.root).get(super::locality::NETWORK_LABEL).unwrap_or_default()
    }

    fn get(&self, cluster: &Arc<str>, namespace: &Arc<str>) -> Option<&Metadata> {
        self.metadata.get(&(Arc::clone(cluster), Arc::clone(namespace)))
    }
}
