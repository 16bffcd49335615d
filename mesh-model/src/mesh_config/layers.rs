//! The documents that a MeshConfig was put together from, so that a setting can be traced to where it was written.

use std::sync::Arc;

use super::MeshConfig;
use crate::origin::{Origin, Provenance};
use crate::resolved::{Layer, Level, Resolved};

/// The documents of a [`MeshConfig`], lowest first. It is no setting: all values are equal, and it is not written
/// (T-471).
#[derive(Debug, Clone, Default)]
pub struct MeshLayers {
    documents: Vec<(Arc<Provenance>, Arc<MeshConfig>)>,
}

impl PartialEq for MeshLayers {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl MeshLayers {
    /// Each document with what it says, the lowest first.
    pub fn documents(&self) -> impl Iterator<Item = (&Arc<Provenance>, &Arc<MeshConfig>)> {
        self.documents.iter().map(|(place, written)| (place, written))
    }

    pub(super) fn over(mut self, above: Self) -> Self {
        self.documents.extend(above.documents);
        self
    }
}

impl MeshConfig {
    /// The same settings, which were read from this document.
    #[must_use]
    pub(super) fn read_from(mut self, document: &Arc<Provenance>) -> Self {
        let written = Arc::new(self.clone());
        self.layers.documents.push((Arc::clone(document), written));
        self
    }

    /// A setting with what it shadows: `value` of every document that sets it, the last one first, above `default`,
    /// which holds where none does. `field` is its path (`defaultProviders.tracing`).
    pub fn resolve<T>(
        &self,
        field: &str,
        value: impl Fn(&Self) -> Option<T>,
        default: (T, &'static str),
    ) -> Resolved<T> {
        let (unwritten, name) = default;
        let mut resolved = Resolved::built_in(unwritten, name);
        for (document, written) in &self.layers.documents {
            if let Some(value) = value(written) {
                resolved.lay(Layer::new(value, Level::Mesh, Origin::written(document, field)));
            }
        }
        // Settings that no document is known of were made by a program.
        if self.layers.documents.is_empty()
            && let Some(value) = value(self)
        {
            resolved.lay(Layer::new(value, Level::Mesh, Origin::built_in("MeshConfig")));
        }
        resolved
    }

    /// Where the setting `field` was written last, as `is_set` tells; else what stands for Istio's defaults.
    pub fn origin_of(&self, field: &str, is_set: impl Fn(&Self) -> bool) -> Origin {
        let mut documents = self.layers.documents.iter().rev();
        let found = documents.find(|(_, written)| is_set(written));
        found.map_or_else(|| Origin::built_in("MeshConfig"), |(document, _)| Origin::written(document, field))
    }
}
