//! The policies that a list of rules was made from: rules are told about from them, and only then read again.

use std::cmp::Ordering;
use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::object::Object;
use mesh_model::security::authorization_policy::AuthorizationPolicy;
use mesh_model::security::authorization_policy::spec::Action;

use super::compile::Compiler;
use super::rule::Rule;
use super::{PolicyOptions, Protocol};
use crate::verdict::RuleAt;

/// A policy and how it counts.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) policy: Arc<Object<AuthorizationPolicy>>,
    /// `namespace/name`
    pub(super) name: Arc<str>,
    /// Which of the policies given it is.
    pub(super) position: usize,
    /// Written so (S-099).
    pub(super) dry_run: bool,
    /// It was not understood and refuses everything in its scope.
    pub(super) denies_all: bool,
}

/// What all policies of a set are read with.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) protocol: Protocol,
    pub(super) trust_domain: String,
    pub(super) trust_domain_aliases: Vec<String>,
}

impl Recipe {
    pub(super) fn new(protocol: Protocol, options: &PolicyOptions<'_>) -> Self {
        Self {
            protocol,
            trust_domain: options.trust_domain.to_owned(),
            trust_domain_aliases: options.trust_domain_aliases.to_vec(),
        }
    }
}

impl Source {
    pub(super) fn new(policy: &Arc<Object<AuthorizationPolicy>>, position: usize, dry_run: bool) -> Self {
        let name = [&*policy.meta.namespace, &*policy.meta.name].join("/").into();
        Self { policy: Arc::clone(policy), name, position, dry_run, denies_all: false }
    }

    /// Its rules, in order.
    pub(super) fn rules<'p>(&'p self, recipe: &'p Recipe, report: &mut Report) -> Vec<Rule<'p>> {
        Compiler::new(self, recipe).rules(report)
    }

    /// One of its rules, for a verdict.
    pub(super) fn at(&self, rule: Option<usize>) -> RuleAt<'_> {
        RuleAt { object: &self.policy, name: &self.name, rule }
    }

    /// The same policy, whose problems were told before.
    pub(super) fn known(&self) -> Self {
        Self { position: usize::MAX, ..self.clone() }
    }

    /// Namespace and name.
    pub(super) fn names(&self) -> (&str, &str) {
        (&self.policy.meta.namespace, &self.policy.meta.name)
    }

    /// The provider that a CUSTOM policy names.
    pub(super) fn provider(&self) -> &str {
        self.policy.spec.provider.as_ref().map_or("", |provider| provider.name.as_str())
    }

    /// Whether its rules let pass.
    pub(super) fn allows(&self) -> bool {
        self.policy.spec.action == Action::Allow && !self.denies_all
    }

    /// The list that it belongs to: as which action it counts, and whether in dry-run mode.
    pub(super) fn place(&self) -> (Action, bool) {
        if self.denies_all { (Action::Deny, false) } else { (self.policy.spec.action, self.dry_run) }
    }

    /// What lets pass comes last (S-080); else the order of `ns[NAMESPACE]-policy[NAME]-rule[N]`, byte by byte (S-083).
    pub(super) fn in_order(&self, other: &Self) -> Ordering {
        self.order_to(other.allows(), other.names())
    }

    /// The same, beside a policy that lets pass or not, with this namespace and name.
    pub(super) fn order_to(&self, allows: bool, (namespace, name): (&str, &str)) -> Ordering {
        let closed = |a: &str, b: &str| a.bytes().chain([b']']).cmp(b.bytes().chain([b']']));
        let (own_namespace, own_name) = self.names();
        let by_action = self.allows().cmp(&allows);
        by_action.then_with(|| closed(own_namespace, namespace)).then_with(|| closed(own_name, name))
    }
}
