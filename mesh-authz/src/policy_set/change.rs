//! One policy put in, exchanged or taken away; all others stay as they were packed.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::object::Object;
use mesh_model::security::authorization_policy::AuthorizationPolicy;
use mesh_model::security::authorization_policy::spec::Action;

use super::rule_list::RuleList;
use super::source::{Recipe, Source};
use super::{PolicyOptions, PolicySet, Protocol, compile};

/// The set without the policy of this namespace and name, and with the new one, which has the same name.
pub(super) fn changed(
    set: &PolicySet,
    name: (&str, &str),
    new: Option<&Arc<Object<AuthorizationPolicy>>>,
    protocol: Protocol,
    options: &PolicyOptions<'_>,
) -> (PolicySet, Report) {
    let recipe = Arc::new(Recipe::new(protocol, options));
    let mut report = Report::new();
    let new = new.map(|policy| compile::source(policy, 0, &recipe, options.profile, &mut report));
    let mut reports = [report];
    let place = new.as_ref().map(Source::place);
    let new_for =
        |wanted: &[(Action, bool)]| new.clone().filter(|_| place.is_some_and(|at| wanted.contains(&at)));
    let mut list = |list: &RuleList, wanted: (Action, bool)| {
        list.changed(name, new_for(&[wanted]), &recipe, &mut reports).unwrap_or_else(|| list.clone())
    };
    let audit = list(&set.audit, (Action::Audit, false));
    let dry_run_deny = list(&set.dry_run_deny, (Action::Deny, true));
    let none = RuleList::default();
    let dry_run_allow = list(set.dry_run_allow.as_ref().unwrap_or(&none), (Action::Allow, true));
    // Neither enforced nor reported anywhere, but what is wrong in it is.
    list(&none, (Action::Audit, true));
    let enforced = set.enforced.changed(
        name,
        new_for(&[(Action::Deny, false), (Action::Allow, false)]),
        &recipe,
        &mut reports,
    );
    let custom = new_for(&[(Action::Custom, false), (Action::Custom, true)]);
    let had_custom = set.external.iter().any(|external| external.rules.named(name).is_some());
    let external = if custom.is_some() || had_custom {
        // They are few, and one more provider can change what becomes of all.
        let known = set.external.iter().flat_map(|external| external.rules.sources());
        let others = known.filter(|source| source.names() != name).map(Source::known);
        let mut by_provider: BTreeMap<Arc<str>, Vec<Source>> = BTreeMap::new();
        for source in others.chain(custom) {
            by_provider.entry(source.provider().into()).or_default().push(source);
        }
        compile::external(by_provider, &recipe, options, &mut reports)
    } else {
        set.external.clone()
    };
    let dry_run_allow = (!dry_run_allow.is_empty()).then_some(dry_run_allow);
    let [report] = reports;
    (PolicySet { external, audit, enforced, dry_run_deny, dry_run_allow }, report)
}
