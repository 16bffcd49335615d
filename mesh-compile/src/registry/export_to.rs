//! Where services may be seen from (T-025, T-026, T-302, T-330).

use std::collections::BTreeSet;

use mesh_model::mesh_config::{MeshConfig, Visibility, VisibilityPolicy};
use mesh_model::name::StringMap;
use mesh_model::part::LabelSelector;

/// What was written, or the mesh's default where nothing was.
pub(super) fn or_default(written: BTreeSet<String>, mesh: &MeshConfig) -> BTreeSet<String> {
    if written.is_empty() { mesh.default_service_export_to().iter().cloned().collect() } else { written }
}

/// Narrows the visibility of a ServiceEntry to what the mesh grants its namespace (T-330). Sidecars obey only
/// where they are told to; nothing is ever widened.
pub(super) fn narrow(
    export_to: BTreeSet<String>,
    namespace: &str,
    namespace_labels: &StringMap,
    mesh: &MeshConfig,
) -> BTreeSet<String> {
    let Some(rules) = mesh.service_entry_visibility.as_ref().filter(|rules| rules.apply_to_sidecars) else {
        return export_to;
    };
    if export_to.len() == 1 && export_to.contains("~") {
        return export_to;
    }
    let granted = rules
        .policies
        .iter()
        .find(|policy| applies(policy, namespace_labels))
        .map_or(rules.default_visibility, |policy| policy.visibility);
    let only = |value: &str| BTreeSet::from([value.to_owned()]);
    match granted {
        Visibility::None => only("~"),
        Visibility::Namespace if ["*", ".", namespace].iter().any(|own| export_to.contains(*own)) => {
            only(".")
        }
        Visibility::Namespace => only("~"),
        Visibility::Unspecified | Visibility::Public => export_to,
    }
}

/// Whether every rule of a policy takes the namespace; a rule without a readable selector takes none.
fn applies(policy: &VisibilityPolicy, labels: &StringMap) -> bool {
    policy.matching_rules.iter().all(|rule| {
        let selector = rule.namespace_selector.as_ref().and_then(LabelSelector::compiled);
        selector.is_some_and(|selector| selector.matches(labels))
    })
}
