//! Which of the rules that were found applies to a proxy (T-224).

use std::sync::Arc;

use mesh_model::name::labels_subset_of;

use crate::merge::destination_rule::MergedDestinationRule;
use crate::proxy_identity::Proxy;

/// The first rule of the proxy's own namespace whose selector takes it, else the last without a selector.
pub(super) fn for_client<'r>(
    rules: &'r [Arc<MergedDestinationRule>],
    proxy: &Proxy,
) -> Option<&'r Arc<MergedDestinationRule>> {
    let selects = |rule: &&Arc<MergedDestinationRule>| {
        let selector = rule.spec.workload_selector.as_ref().filter(|_| rule.namespace == proxy.namespace);
        selector.is_some_and(|selector| labels_subset_of(&selector.match_labels, &proxy.labels))
    };
    rules.iter().find(selects).or_else(|| for_server(rules))
}

/// The last rule without a selector.
pub(super) fn for_server(rules: &[Arc<MergedDestinationRule>]) -> Option<&Arc<MergedDestinationRule>> {
    rules.iter().rfind(|rule| !rule.has_selector())
}
