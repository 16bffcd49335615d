//! The topology preference of a service (T-259): the field, else its annotation, else that of its namespace.

use super::service::TrafficDistribution;

use mesh_model::name::StringMap;

const ANNOTATION: &str = "networking.istio.io/traffic-distribution";

/// The preference in force. An unknown word in the field falls through; one in an annotation ends the search.
pub(super) fn read(
    field: &str,
    annotations: &StringMap,
    namespace_annotations: &StringMap,
) -> TrafficDistribution {
    match field {
        "PreferClose" | "PreferSameZone" => return TrafficDistribution::PreferClose,
        "PreferSameNode" => return TrafficDistribution::PreferSameNode,
        _ => {}
    }
    [annotations, namespace_annotations]
        .into_iter()
        .find_map(|annotations| annotations.get(ANNOTATION).filter(|word| !word.is_empty()))
        .map_or(TrafficDistribution::Any, |word| match word.to_ascii_lowercase().as_str() {
            "preferclose" | "prefersamezone" => TrafficDistribution::PreferClose,
            "prefersamenode" => TrafficDistribution::PreferSameNode,
            _ => TrafficDistribution::Any,
        })
}
