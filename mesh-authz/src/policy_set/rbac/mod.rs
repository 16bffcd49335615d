//! Policies as the filters that Istio's control plane would send: names, permissions and principals, as JSON.
//! The order of the filters is that of S-077 and S-079.
//!
//! Nothing here takes part in a decision. It is for people who compare with, or feed, a proxy that speaks Envoy's
//! configuration. `rule` turns one rule into permissions and principals, `matcher` has their leaves, `ext_authz` the
//! filters of external authorizers.

pub mod ext_authz;
mod matcher;
mod rule;

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::diagnostic::Report;
use mesh_model::object::Object;
use mesh_model::security::authorization_policy::AuthorizationPolicy;
use mesh_model::security::authorization_policy::spec::Action;
use serde_json::{Map, Value, json};

use self::ext_authz::ExtAuthz;
use self::rule::RuleWriter;
use super::Protocol;
use super::compile::dry_run;
use super::trust_domain::TrustDomains;

const EXT_AUTHZ_STAT_PREFIX: &str = "istio_ext_authz_";

/// What the mesh says about policies (S-106, S-146).
#[derive(Debug, Clone, Default)]
pub struct RbacOptions<'a> {
    /// `MeshConfig.trustDomain`.
    pub trust_domain: &'a str,
    /// `MeshConfig.trustDomainAliases`.
    pub trust_domain_aliases: &'a [String],
    /// External authorizers by name, see [`ext_authz::all`]; `Err`: why one cannot be used.
    pub providers: BTreeMap<String, Result<ExtAuthz, String>>,
    /// `PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS`; off by default (S-106).
    pub multiple_custom_providers: bool,
}

/// The filters of one workload, each with `name` and `typedConfig` (S-077, S-079).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RbacFilters {
    /// CUSTOM: before tokens are looked at (S-078).
    pub external: Vec<Value>,
    /// AUDIT, DENY, ALLOW: after it.
    pub enforced: Vec<Value>,
}

/// The filters for the policies that apply to a workload.
pub fn filters(
    policies: &[&Arc<Object<AuthorizationPolicy>>],
    protocol: Protocol,
    options: &RbacOptions<'_>,
) -> RbacFilters {
    let writer = FilterWriter { protocol, options };
    let of_action = |action| -> Vec<&Object<AuthorizationPolicy>> {
        policies.iter().map(|policy| &***policy).filter(|policy| policy.spec.action == action).collect()
    };
    let enforced = [Action::Audit, Action::Deny, Action::Allow];
    RbacFilters {
        external: writer.custom(&of_action(Action::Custom)),
        enforced: enforced
            .into_iter()
            .map(|action| (action, of_action(action)))
            .filter(|(_, policies)| !policies.is_empty())
            .map(|(action, policies)| writer.action(action, &policies))
            .collect(),
    }
}

struct FilterWriter<'a> {
    protocol: Protocol,
    options: &'a RbacOptions<'a>,
}

/// `Rules` or `ShadowRules` of a filter.
#[derive(Default)]
struct Rules {
    /// Whether any policy belongs here, even one that left nothing.
    is_present: bool,
    policies: Map<String, Value>,
}

impl Rules {
    fn to_json(&self, action: &str) -> Value {
        let mut rules = Map::new();
        if action != "ALLOW" {
            rules.insert("action".to_owned(), action.into());
        }
        if !self.policies.is_empty() {
            rules.insert("policies".to_owned(), self.policies.clone().into());
        }
        rules.into()
    }
}

impl FilterWriter<'_> {
    fn action(&self, action: Action, policies: &[&Object<AuthorizationPolicy>]) -> Value {
        let (enforced, shadow) = self.rules(action, "", policies);
        let (name, shadow_prefix) = match action {
            Action::Deny => ("DENY", "istio_dry_run_deny_"),
            Action::Audit => ("LOG", ""),
            Action::Allow | Action::Custom => ("ALLOW", "istio_dry_run_allow_"),
        };
        // Without shadow rules the control plane reads the action of nothing, which is ALLOW.
        let shadow_prefix = if shadow.is_present { shadow_prefix } else { "istio_dry_run_allow_" };
        let mut config = Map::new();
        if enforced.is_present {
            config.insert("rules".to_owned(), enforced.to_json(name));
        }
        if shadow.is_present {
            config.insert("shadowRules".to_owned(), shadow.to_json(name));
        }
        if !shadow_prefix.is_empty() {
            config.insert("shadowRulesStatPrefix".to_owned(), shadow_prefix.into());
        }
        self.rbac(config)
    }

    /// A pair of filters for each provider, or one that denies where it cannot be asked (S-104 to S-108).
    fn custom(&self, policies: &[&Object<AuthorizationPolicy>]) -> Vec<Value> {
        let mut by_provider: BTreeMap<&str, Vec<&Object<AuthorizationPolicy>>> = BTreeMap::new();
        for policy in policies {
            let provider = policy.spec.provider.as_ref().map_or("", |provider| provider.name.as_str());
            by_provider.entry(provider).or_default().push(policy);
        }
        let too_many = by_provider.len() > 1 && !self.options.multiple_custom_providers;
        let mut filters = Vec::new();
        for (provider, policies) in by_provider {
            let prefix = match provider {
                "" => "istio-ext-authz-".to_owned(),
                _ => format!("istio-ext-authz-{provider}-"),
            };
            let (enforced, dry_run) = self.rules(Action::Custom, &prefix, &policies);
            match self.options.providers.get(provider) {
                Some(Ok(authorizer)) if !too_many => {
                    let Some(check) = authorizer.filter(self.protocol, provider) else { continue };
                    let mut config = Map::new();
                    if !dry_run.policies.is_empty() {
                        config.insert("rules".to_owned(), dry_run.to_json("DENY"));
                    }
                    config.insert("shadowRules".to_owned(), enforced.to_json("DENY"));
                    config.insert("shadowRulesStatPrefix".to_owned(), EXT_AUTHZ_STAT_PREFIX.into());
                    filters.extend([self.rbac(config), check]);
                }
                _ => {
                    let renamed = |(name, policy)| (format!("{name}-deny-due-to-bad-CUSTOM-action"), policy);
                    let policies = enforced.policies.into_iter().map(renamed).collect();
                    let rules = Rules { is_present: true, policies }.to_json("DENY");
                    filters.push(self.rbac(Map::from_iter([("rules".to_owned(), rules)])));
                }
            }
        }
        filters
    }

    /// The enforced and the dry-run rules of policies of one action.
    fn rules(
        &self,
        action: Action,
        prefix: &str,
        policies: &[&Object<AuthorizationPolicy>],
    ) -> (Rules, Rules) {
        let (mut enforced, mut shadow) = (Rules::default(), Rules::default());
        for policy in policies {
            // The annotation's problems are the compiler's to report.
            let rules = if dry_run(policy, &mut Report::new()) { &mut shadow } else { &mut enforced };
            rules.is_present = true;
            let (namespace, name) = (&policy.meta.namespace, &policy.meta.name);
            let id = |index: usize| format!("{prefix}ns[{namespace}]-policy[{name}]-rule[{index}]");
            let writer = RuleWriter {
                namespace,
                protocol: self.protocol,
                action,
                trust_domains: TrustDomains::new(
                    self.options.trust_domain,
                    self.options.trust_domain_aliases,
                ),
            };
            for (index, rule) in policy.spec.rules.iter().enumerate() {
                if let Some(written) = writer.policy(rule) {
                    rules.policies.insert(id(index), written);
                }
            }
            if policy.spec.rules.is_empty() {
                rules.policies.insert(id(0), never());
            }
        }
        (enforced, shadow)
    }

    fn rbac(&self, mut config: Map<String, Value>) -> Value {
        let name = match self.protocol {
            Protocol::Http => "envoy.filters.http.rbac",
            Protocol::Tcp => {
                config.insert("statPrefix".to_owned(), "tcp.".into());
                "envoy.filters.network.rbac"
            }
        };
        filter(name, "RBAC", config)
    }
}

/// A filter, with the type that its name tells.
fn filter(name: &str, message: &str, mut config: Map<String, Value>) -> Value {
    let package = name.replacen("envoy.", "envoy.extensions.", 1);
    config.insert("@type".to_owned(), format!("type.googleapis.com/{package}.v3.{message}").into());
    json!({ "name": name, "typedConfig": config })
}

/// S-087: a policy without rules matches nothing.
fn never() -> Value {
    json!({ "permissions": [{ "notRule": { "any": true } }], "principals": [{ "notId": { "any": true } }] })
}
