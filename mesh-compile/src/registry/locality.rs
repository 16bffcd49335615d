//! Where a workload runs: locality, and the topology labels that endpoints get (T-314).

use std::sync::Arc;

use mesh_model::name::StringMap;

/// Label that names a workload's network, and on the root namespace that of its cluster.
pub const NETWORK_LABEL: &str = "topology.istio.io/network";
const LOCALITY_LABEL: &str = "topology.istio.io/locality";
const OLD_LOCALITY_LABEL: &str = "istio-locality";
const REGION_LABEL: &str = "topology.kubernetes.io/region";
const OLD_REGION_LABEL: &str = "failure-domain.beta.kubernetes.io/region";
const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
const OLD_ZONE_LABEL: &str = "failure-domain.beta.kubernetes.io/zone";
const SUBZONE_LABEL: &str = "topology.istio.io/subzone";
const CLUSTER_LABEL: &str = "topology.istio.io/cluster";
const HOSTNAME_LABEL: &str = "kubernetes.io/hostname";

/// The locality that a workload's own labels name, `.` read as `/` where there is no `/`; `None`: no such label.
pub fn from_workload_labels(labels: &StringMap) -> Option<Arc<str>> {
    let label = labels.get(LOCALITY_LABEL).or_else(|| labels.get(OLD_LOCALITY_LABEL))?;
    match label {
        "" => None,
        written if written.contains('/') => Some(tidy(written)),
        written => Some(tidy(&written.replace('.', "/"))),
    }
}

/// The locality that a node's labels name; empty: none.
pub fn from_node_labels(labels: &StringMap) -> Arc<str> {
    let label = |name: &str, old: &str| {
        [name, old]
            .iter()
            .find_map(|key| labels.get(*key).filter(|value| !value.is_empty()))
            .unwrap_or_default()
    };
    let region = label(REGION_LABEL, OLD_REGION_LABEL);
    let zone = label(ZONE_LABEL, OLD_ZONE_LABEL);
    tidy(&format!("{region}/{zone}/{}", label(SUBZONE_LABEL, "")))
}

/// `region/zone/subzone` without empty parts at the end and without parts beyond the third.
pub fn tidy(locality: &str) -> Arc<str> {
    let end = locality.match_indices('/').nth(2).map_or(locality.len(), |(position, _)| position);
    locality.get(..end).unwrap_or(locality).trim_end_matches('/').into()
}

/// Where one workload runs (T-314).
#[derive(Debug, Clone, Copy)]
pub struct Whereabouts<'a> {
    /// `region/zone/subzone`; empty: unknown.
    pub locality: &'a str,
    /// The cluster it was found in.
    pub cluster: &'a str,
    /// Kubernetes node; empty: unknown.
    pub node: &'a str,
    /// Network; empty: unknown.
    pub network: &'a str,
}

/// A workload's labels with what is known of its place added: known parts replace labels of that name, but a
/// network label stays.
pub fn augment(labels: &StringMap, place: Whereabouts<'_>) -> StringMap {
    let mut parts = place.locality.split('/');
    let mut part = || parts.next().unwrap_or_default();
    let own_network = labels.get(NETWORK_LABEL).filter(|network| !network.is_empty());
    let known = [
        (REGION_LABEL, part()),
        (ZONE_LABEL, part()),
        (SUBZONE_LABEL, part()),
        (CLUSTER_LABEL, place.cluster),
        (HOSTNAME_LABEL, place.node),
        (NETWORK_LABEL, own_network.unwrap_or(place.network)),
    ];
    labels.iter().chain(known.into_iter().filter(|(_, value)| !value.is_empty())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> StringMap {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn dots_of_the_label_are_slashes_unless_it_has_slashes() {
        let read = |value| from_workload_labels(&labels(&[("istio-locality", value)]));
        assert_eq!(read("east.east-1.a").as_deref(), Some("east/east-1/a"));
        assert_eq!(read("east/e.1").as_deref(), Some("east/e.1"));
        assert_eq!(read(""), None);
    }

    #[test]
    fn a_missing_subzone_leaves_no_slash() {
        let node = labels(&[("topology.kubernetes.io/region", "r"), ("topology.kubernetes.io/zone", "z")]);
        assert_eq!(&*from_node_labels(&node), "r/z");
        assert_eq!(&*from_node_labels(&labels(&[])), "");
        assert_eq!(&*from_node_labels(&labels(&[("topology.kubernetes.io/zone", "z")])), "/z");
    }

    #[test]
    fn known_places_replace_labels_but_a_network_label_stays() {
        let written = labels(&[(ZONE_LABEL, "old"), (NETWORK_LABEL, "mine")]);
        let place = Whereabouts { locality: "r/z", cluster: "c", node: "n", network: "other" };
        let out = augment(&written, place);
        assert_eq!(out.get(ZONE_LABEL), Some("z"));
        assert_eq!(out.get(NETWORK_LABEL), Some("mine"));
        assert_eq!(out.get(HOSTNAME_LABEL), Some("n"));
        assert!(!out.contains_key(SUBZONE_LABEL));
    }
}
