//! AuthorizationPolicy: the compiled policies of one workload (S-067 to S-185).
//!
//! `compile` reads written policies as rules (`rule`) once for each kind of chain; `evaluate` asks them, action by action.
//! What is asked are `packed` rules: many have an `index`, few are walked. A trace hears every rule from the policies
//! themselves (`linear`), and tests compare the two.
//! What a field looks at is an `attribute`; the odd languages of its values are files of their own.
//!
//! The table of [the crate](crate) says what each field and `when` key looks at, and by which rule. Of all of them: none of
//! the values of a `not` field fits, and an absent attribute fits nothing (S-115, S-117, S-154 to S-160); fields of
//! requests mean nothing on TCP (S-122 to S-130). Dry runs are told of in [`Verdict::dry_run`](crate::verdict::Verdict).

mod attribute;
mod change;
mod compile;
mod enforced;
mod evaluate;
mod identity;
mod index;
mod linear;
mod many_values;
mod packed;
pub mod rbac;
mod request_principal;
mod rule;
mod rule_list;
mod run;
mod source;
#[cfg(test)]
mod tests;
mod trust_domain;
mod written;

use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::object::Object;
use mesh_model::security::authorization_policy::AuthorizationPolicy;
use mesh_model::trace::Observer;

pub use crate::selection::applicable;

use crate::external_authorizer::{Authorizers, ExternalAuthorizer};
use crate::profile::Profile;
use crate::verdict::{Facts, NearMiss, RuleRef, Verdict};
use enforced::Enforced;
use rule_list::RuleList;
use source::Source;

/// The kind of filter chain that policies are compiled for; fields of requests mean nothing on TCP (S-122 to S-130).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Each request is asked about.
    Http,
    /// The connection is asked about, once.
    Tcp,
}

/// What the mesh says about policies.
/// API: mesh/v1alpha1 `MeshConfig.trustDomain`, `MeshConfig.trustDomainAliases` and `MeshConfig.extensionProviders`.
#[derive(Debug, Clone, Default)]
pub struct PolicyOptions<'a> {
    /// `MeshConfig.trustDomain` (S-338).
    pub trust_domain: &'a str,
    /// `MeshConfig.trustDomainAliases` (S-338).
    pub trust_domain_aliases: &'a [String],
    /// External authorizers, as [`ExternalAuthorizer::all`](crate::external_authorizer::ExternalAuthorizer::all)
    /// reads them.
    pub authorizers: Authorizers,
    /// `PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS`; off by default (S-106).
    pub multiple_custom_providers: bool,
    /// Whose reading is taken where there are two.
    pub profile: Profile,
}

/// The compiled policies of one workload, for HTTP or for TCP (S-080..S-083).
#[derive(Debug, Clone, Default)]
pub struct PolicySet {
    /// CUSTOM, by provider name.
    external: Vec<External>,
    audit: RuleList,
    enforced: Enforced,
    dry_run_deny: RuleList,
    dry_run_allow: Option<RuleList>,
}

/// The CUSTOM rules of one provider.
#[derive(Debug, Clone)]
struct External {
    provider: Arc<str>,
    answer: Answer,
    rules: RuleList,
}

/// What becomes of a request that matches a CUSTOM rule.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// The provider is asked.
    Ask(Arc<ExternalAuthorizer>),
    /// It is not checked (S-108).
    Skip,
    /// It is denied, for this reason (S-106).
    Refuse(Arc<str>),
}

impl PolicySet {
    /// Compiles the policies that apply to a workload; `None`: there are none, everything is allowed.
    ///
    /// Every problem is reported, and none stops the others: what cannot be used makes an ALLOW rule match nothing, and
    /// drops out of rules of other actions (S-122 to S-128).
    pub fn compile(
        policies: &[&Arc<Object<AuthorizationPolicy>>],
        protocol: Protocol,
        options: &PolicyOptions<'_>,
    ) -> (Option<Self>, Report) {
        if policies.is_empty() {
            return (None, Report::new());
        }
        let (set, report) = compile::policies(policies, protocol, options);
        (Some(set), report)
    }

    /// The same policies with this one in the place of the one with its namespace and name, or added. The others stay as
    /// they were packed and are shared, so that the work is that of the one policy. `protocol` and `options` are those
    /// that the set was compiled with; problems are those of the new policy.
    ///
    /// Decisions are those of a set that is compiled anew.
    #[must_use]
    pub fn with(
        &self,
        policy: &Arc<Object<AuthorizationPolicy>>,
        protocol: Protocol,
        options: &PolicyOptions<'_>,
    ) -> (Self, Report) {
        let name = (&*policy.meta.namespace, &*policy.meta.name);
        change::changed(self, name, Some(policy), protocol, options)
    }

    /// The same policies without the one of this namespace and name; see [`with`](Self::with).
    #[must_use]
    pub fn without(
        &self,
        namespace: &str,
        name: &str,
        protocol: Protocol,
        options: &PolicyOptions<'_>,
    ) -> Self {
        change::changed(self, (namespace, name), None, protocol, options).0
    }

    /// Every rule with what it does, in the order in which they are asked: `CUSTOM`, `AUDIT`, `DENY`, `ALLOW`, then
    /// those in dry-run mode. For people; decisions do not go through it.
    pub fn rules(&self) -> impl Iterator<Item = (&'static str, RuleRef)> {
        let mut told = Vec::new();
        let mut tell = |action: &'static str, list: &RuleList, policies: Vec<&Source>| {
            let Some(recipe) = list.recipe() else { return };
            for source in policies {
                let rules = source.rules(recipe, &mut Report::new());
                told.extend(rules.iter().map(|rule| (action, source.at(rule.index).to_owned())));
            }
        };
        for External { rules, .. } in &self.external {
            tell("CUSTOM", rules, rules.sources());
        }
        tell("AUDIT", &self.audit, self.audit.sources());
        tell("DENY", self.enforced.rules(), self.enforced.denying());
        tell("ALLOW", self.enforced.rules(), self.enforced.allowing());
        tell("DENY (dry run)", &self.dry_run_deny, self.dry_run_deny.sources());
        if let Some(rules) = &self.dry_run_allow {
            tell("ALLOW (dry run)", rules, rules.sources());
        }
        told.into_iter()
    }

    /// The whole decision: CUSTOM, AUDIT, DENY, ALLOW (S-080).
    ///
    /// Envoy looks at CUSTOM policies before tokens are verified (S-078). Callers that verify tokens ask
    /// [`external`](Self::external) first, with the request as it came, and [`enforce`](Self::enforce) after.
    pub fn decide<O: Observer>(&self, facts: &Facts<'_>, observer: &mut O) -> Verdict<'_> {
        if self.external.is_empty() {
            return self.enforce(facts, observer);
        }
        match self.external(facts, observer) {
            Verdict { allowed: true, external, .. } => Verdict { external, ..self.enforce(facts, observer) },
            refused => refused,
        }
    }

    /// CUSTOM policies alone: who is to be asked. Not allowed: one of them cannot be (S-106).
    pub fn external<O: Observer>(&self, facts: &Facts<'_>, observer: &mut O) -> Verdict<'_> {
        // S-078: CUSTOM rules never see what a token says.
        let facts = Facts { claims: None, ..facts.clone() };
        let (external, refused) = evaluate::ask(&self.external, &facts, observer);
        Verdict {
            allowed: refused.is_none(),
            decided_by: refused,
            external,
            dry_run: Vec::new(),
            audited: Vec::new(),
        }
    }

    /// AUDIT, DENY and ALLOW policies alone.
    pub fn enforce<O: Observer>(&self, facts: &Facts<'_>, observer: &mut O) -> Verdict<'_> {
        evaluate::enforce(self, facts, observer)
    }

    /// For what no ALLOW rule lets pass: the rule that came nearest, and what it lacked. `None`: a rule allows it, or
    /// none ever could. Looks at every rule: for people, not for the request path. A trace hears the same.
    pub fn nearest_allow(&self, facts: &Facts<'_>) -> Option<NearMiss> {
        self.enforced.nearest(facts)
    }

    /// The same policies without their index: every rule in turn. The slow readable twin that the index is compared
    /// with; verdicts are the same.
    #[must_use]
    pub fn without_index(mut self) -> Self {
        self.lists().for_each(RuleList::drop_index);
        self
    }

    /// Whether there are neither AUDIT rules nor any in dry-run mode.
    fn is_only_enforced(&self) -> bool {
        self.audit.is_empty() && self.dry_run_deny.is_empty() && self.dry_run_allow.is_none()
    }

    fn lists(&mut self) -> impl Iterator<Item = &mut RuleList> {
        let enforced = [&mut self.audit, self.enforced.list(), &mut self.dry_run_deny];
        let external = self.external.iter_mut().map(|external| &mut external.rules);
        enforced.into_iter().chain(&mut self.dry_run_allow).chain(external)
    }

    /// Indexes every list of rules, however short.
    #[cfg(test)]
    fn force_index(&mut self) {
        self.lists().for_each(RuleList::force_index);
    }
}
