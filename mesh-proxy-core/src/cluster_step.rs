//! What is told of the clusters of a decision.

use std::sync::Arc;

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::route_table::action::Destination;
use mesh_model::trace::{Because, Observer, Outcome, Stage, Step};

/// A destination's cluster, and where each of the cluster's settings came from.
pub(crate) fn note<O: Observer>(
    config: &ProxyConfig,
    destination: &Destination,
    name: &Arc<str>,
    observer: &mut O,
) {
    let cluster = config.clusters.get(name);
    observer.note(|| {
        let step = Step::new(
            Stage::Cluster,
            if cluster.is_some() { Outcome::Won } else { Outcome::Lost },
            format!("cluster {name} weight {}", destination.weight),
        );
        let step = step.origin(&destination.origin);
        if cluster.is_some() {
            step
        } else {
            step.because(Because::new("cluster", &**name, "does not exist"))
        }
    });
    if !O::EXHAUSTIVE {
        return;
    }
    for (setting, origin) in cluster.iter().flat_map(|cluster| cluster.origins.iter()) {
        observer
            .note(|| Step::new(Stage::Cluster, Outcome::Won, format!("{setting} of {name}")).origin(origin));
    }
}
