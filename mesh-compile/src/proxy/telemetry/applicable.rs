//! Which Telemetry resources are for a proxy.

use std::sync::Arc;

use mesh_authz::selection::{applies, references};
use mesh_model::name::StringMap;
use mesh_model::object::Object;
use mesh_model::resolved::Level;
use mesh_model::telemetry::Telemetry;

use crate::view::View;

/// A resource that counts.
pub(super) struct Found<'s> {
    pub(super) level: Level,
    pub(super) object: &'s Arc<Object<Telemetry>>,
}

/// The oldest of the root namespace and the oldest of the proxy's that select nothing, then all of the proxy's namespace
/// that select it, oldest first: of these the newest has the last word.
pub(super) fn of<'s>(view: &View<'s>) -> Vec<Found<'s>> {
    let (proxy, root) = (view.proxy(), view.mesh().root_namespace());
    let of_namespace = |namespace: &str| {
        let namespace = namespace.to_owned();
        view.telemetries().iter().filter(move |it| *it.meta.namespace == *namespace)
    };
    let mut found = Vec::new();
    if !root.is_empty() {
        let whole = of_namespace(root).find(|it| is_for_all(&it.spec));
        found.extend(whole.map(|object| Found { level: Level::RootNamespace, object }));
    }
    if *proxy.namespace != *root {
        let whole = of_namespace(&proxy.namespace).find(|it| is_for_all(&it.spec));
        found.extend(whole.map(|object| Found { level: Level::Namespace, object }));
    }
    let selects = |it: &&Arc<Object<Telemetry>>| {
        !is_for_all(&it.spec) && applies(it, root, &proxy.namespace, &proxy.labels)
    };
    let of_workload = of_namespace(&proxy.namespace).filter(selects);
    found.extend(of_workload.map(|object| Found { level: Level::Workload, object }));
    found
}

/// Neither labels nor references: then it is for a namespace.
fn is_for_all(spec: &Telemetry) -> bool {
    let labels = spec.selector.as_ref().map(|selector| &selector.match_labels);
    labels.is_none_or(StringMap::is_empty) && references(spec).is_empty()
}
