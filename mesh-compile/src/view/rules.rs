//! Which of the rules that were found applies to a proxy (T-224).

use std::sync::Arc;

use mesh_model::name::labels_subset_of;
use mesh_model::origin::Origin;
use mesh_model::resolved::{Layer, Level, Resolved};

use crate::merge::destination_rule::{MergedDestinationRule, Rules};
use crate::proxy_identity::Proxy;

/// The same with everything that was passed over: rules of a pool that is asked first, and in it those that
/// [`for_client`] takes first, are nearer. Rules whose selector does not take the proxy are not for it.
pub(super) fn layers(pools: &[(Level, Rules)], proxy: &Proxy) -> Option<Resolved<String>> {
    let mut layers = Vec::new();
    for (level, rules) in pools {
        let selecting = rules.iter().filter(|rule| selects(rule, proxy));
        let plain = rules.iter().rev().filter(|rule| !rule.has_selector());
        let own_level = |rule: &MergedDestinationRule| match level {
            Level::Namespace if rule.has_selector() => Level::Workload,
            level => *level,
        };
        layers.extend(selecting.chain(plain).filter_map(|rule| {
            let origin = Origin::written(rule.from.first()?, "spec");
            Some(Layer::new(format!("{}/{}", rule.namespace, rule.name), own_level(rule), origin))
        }));
    }
    Resolved::of(layers)
}

fn selects(rule: &MergedDestinationRule, proxy: &Proxy) -> bool {
    let selector = rule.spec.workload_selector.as_ref().filter(|_| rule.namespace == proxy.namespace);
    selector.is_some_and(|selector| labels_subset_of(&selector.match_labels, &proxy.labels))
}

/// The first rule of the proxy's own namespace whose selector takes it, else the last without a selector.
pub(super) fn for_client<'r>(
    rules: &'r [Arc<MergedDestinationRule>],
    proxy: &Proxy,
) -> Option<&'r Arc<MergedDestinationRule>> {
    rules.iter().find(|rule| selects(rule, proxy)).or_else(|| for_server(rules))
}

/// The last rule without a selector.
pub(super) fn for_server(rules: &[Arc<MergedDestinationRule>]) -> Option<&Arc<MergedDestinationRule>> {
    rules.iter().rfind(|rule| !rule.has_selector())
}
