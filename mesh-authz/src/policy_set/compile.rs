//! From written policies to rules for one kind of chain (S-113 to S-153).

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Report};
use mesh_model::object::Object;
use mesh_model::security::authorization_policy::AuthorizationPolicy;
use mesh_model::security::authorization_policy::spec::{self, Action};
use mesh_model::value::{IpBlock, PathTemplate};

use super::attribute::Pattern;
use super::identity::IdentityPattern;
use super::request_principal::RequestPrincipal;
use super::rule::{Condition, Field, Rule};
use super::rule_list::RuleList;

use super::enforced::Enforced;
use super::source::{Recipe, Source};
use super::trust_domain::TrustDomains;
use super::written::{Place, Reading, Written, operation_fields, source_fields, when_key};
use super::{Answer, External, PolicyOptions, PolicySet, Protocol};
use crate::pattern::StringPattern;
use crate::profile::Profile;

/// Compiles all policies of a workload.
pub(super) fn policies(
    policies: &[&Arc<Object<AuthorizationPolicy>>],
    protocol: Protocol,
    options: &PolicyOptions<'_>,
) -> (PolicySet, Report) {
    let recipe = Arc::new(Recipe::new(protocol, options));
    let mut lists: BTreeMap<(Action, bool), Vec<Source>> = BTreeMap::new();
    let mut by_provider: BTreeMap<Arc<str>, Vec<Source>> = BTreeMap::new();
    let mut reports: Vec<Report> = Vec::with_capacity(policies.len());
    for (position, &policy) in policies.iter().enumerate() {
        let mut report = Report::new();
        let source = source(policy, position, &recipe, options.profile, &mut report);
        reports.push(report);
        match source.place() {
            (Action::Custom, _) => by_provider.entry(source.provider().into()).or_default().push(source),
            place => lists.entry(place).or_default().push(source),
        }
    }
    // An AUDIT policy in dry-run mode is neither enforced nor reported anywhere, but what is wrong in it is.
    lists.remove(&(Action::Audit, true)).map(|sources| RuleList::new(sources, &recipe, &mut reports));
    let mut enforced = lists.remove(&(Action::Deny, false)).unwrap_or_default();
    enforced.extend(lists.remove(&(Action::Allow, false)).unwrap_or_default());
    let enforced = Enforced::new(enforced, &recipe, &mut reports);
    let mut list = |action, dry_run| {
        lists.remove(&(action, dry_run)).map(|sources| RuleList::new(sources, &recipe, &mut reports))
    };
    let set = PolicySet {
        audit: list(Action::Audit, false).unwrap_or_default(),
        dry_run_deny: list(Action::Deny, true).unwrap_or_default(),
        dry_run_allow: list(Action::Allow, true),
        external: external(by_provider, &recipe, options, &mut reports),
        enforced,
    };
    // Problems come out in the order of the policies, whatever list they went to.
    let mut report = Report::new();
    reports.into_iter().for_each(|found| report.merge(found));
    (set, report)
}

/// A policy and how it counts.
pub(super) fn source(
    policy: &Arc<Object<AuthorizationPolicy>>,
    position: usize,
    recipe: &Recipe,
    profile: Profile,
    report: &mut Report,
) -> Source {
    let mut source = Source::new(policy, position, dry_run(policy, report));
    if profile == Profile::Hardened && !source.dry_run && policy.spec.action.refuses() {
        let mut problems = Report::new();
        Compiler::new(&source, recipe).rules(&mut problems);
        if !problems.is_empty() || policy.spec.rules.is_empty() {
            // What cannot be understood may have been meant to refuse anything.
            report.merge(problems);
            report.push(refusal(policy));
            source.denies_all = true;
        }
    }
    source
}

/// CUSTOM policies by the provider that they name.
pub(super) fn external(
    by_provider: BTreeMap<Arc<str>, Vec<Source>>,
    recipe: &Arc<Recipe>,
    options: &PolicyOptions<'_>,
    reports: &mut [Report],
) -> Vec<External> {
    // S-106: two providers on a workload are one too many unless the control plane allows it.
    let too_many = by_provider.len() > 1 && !options.multiple_custom_providers;
    let answer = |provider: &str| match options.authorizers.get(provider) {
        _ if too_many => Answer::Refuse("several external authorizers on one workload (S-106)".into()),
        None => Answer::Refuse("the mesh has no such external authorizer (S-106)".into()),
        Some(Err(why)) => {
            Answer::Refuse(format!("the authorizer's settings are not valid (S-106): {why}").into())
        }
        // S-108: there is nothing to ask an HTTP service about a connection.
        Some(Ok(authorizer)) if recipe.protocol == Protocol::Tcp && !authorizer.takes_connections() => {
            Answer::Skip
        }
        Some(Ok(authorizer)) => Answer::Ask(authorizer.clone()),
    };
    let of_provider = |(provider, sources): (Arc<str>, Vec<Source>)| External {
        answer: answer(&provider),
        rules: RuleList::new(sources, recipe, reports),
        provider,
    };
    by_provider.into_iter().map(of_provider).collect()
}

/// S-099, S-100: Go's spelling of booleans; anything else counts as false, so the policy is enforced.
pub(super) fn dry_run(policy: &Object<AuthorizationPolicy>, report: &mut Report) -> bool {
    const ANNOTATION: &str = "istio.io/dry-run";
    match policy.meta.annotations.get(ANNOTATION) {
        Some("1" | "t" | "T" | "TRUE" | "true" | "True") => true,
        None | Some("0" | "f" | "F" | "FALSE" | "false" | "False") => false,
        Some(other) => {
            let place = policy.origin(format!("metadata.annotations[\"{ANNOTATION}\"]"));
            report.push(
                Diagnostic::new(Code::InvalidValue, &place, format!("`{other}` is not a boolean"))
                    .help("the policy is enforced; write `true` or `false`"),
            );
            false
        }
    }
}

/// Reads the rules of one policy.
pub(super) struct Compiler<'p> {
    policy: &'p Object<AuthorizationPolicy>,
    protocol: Protocol,
    action: Action,
    /// A CUSTOM policy whose answer does not count.
    dry_run: bool,
    denies_all: bool,
    trust_domains: TrustDomains<'p>,
}

/// Why a rule cannot be used at all.
struct Unusable(String);

/// Whether a policy that is not understood could have refused something that passes without it.
trait Refuses {
    fn refuses(self) -> bool;
}

impl Refuses for Action {
    fn refuses(self) -> bool {
        matches!(self, Self::Deny | Self::Custom)
    }
}

fn refusal(policy: &Object<AuthorizationPolicy>) -> Diagnostic {
    let place = policy.origin("spec");
    Diagnostic::new(
        Code::InvalidValue,
        &place,
        "the policy is not understood, so everything in its scope is denied",
    )
    .help("repair what was found in it; the `istio` profile leaves out what it cannot use")
}

impl<'p> Compiler<'p> {
    pub(super) fn new(source: &'p Source, recipe: &'p Recipe) -> Self {
        let action = source.policy.spec.action;
        Self {
            policy: &source.policy,
            protocol: recipe.protocol,
            action,
            dry_run: source.dry_run && action == Action::Custom,
            denies_all: source.denies_all,
            trust_domains: TrustDomains::new(&recipe.trust_domain, &recipe.trust_domain_aliases),
        }
    }

    /// The rules in the order in which they are asked: Envoy keeps them by name, and a name ends with the rule's position
    /// in digits (S-083).
    pub(super) fn rules(&self, report: &mut Report) -> Vec<Rule<'p>> {
        let spec = &self.policy.spec;
        if self.denies_all {
            return vec![
                self.rule(None, Condition::When { from: Vec::new(), to: Vec::new(), when: Vec::new() }),
            ];
        }
        if spec.rules.is_empty() {
            // S-087, S-088: it never matches, and an ALLOW policy still closes everything else.
            let never = Condition::Never("the policy has no rules".into());
            return vec![self.rule(None, never)];
        }
        let written = spec.rules.iter().enumerate();
        let mut rules: Vec<_> = written
            .map(|(index, written)| {
                let condition = self
                    .condition(index, written, report)
                    .unwrap_or_else(|Unusable(why)| Condition::Never(why.into()));
                self.rule(Some(index), condition)
            })
            .collect();
        if rules.len() > 10 {
            rules.sort_by_cached_key(|rule| rule.index.unwrap_or(0).to_string());
        }
        rules
    }

    fn rule(&self, index: Option<usize>, condition: Condition<'p>) -> Rule<'p> {
        Rule { index, dry_run: self.dry_run, condition }
    }

    fn condition(
        &self,
        index: usize,
        rule: &'p spec::Rule,
        report: &mut Report,
    ) -> Result<Condition<'p>, Unusable> {
        let mut when = Vec::with_capacity(rule.when.len());
        for (at, condition) in rule.when.iter().enumerate() {
            if let Some(field) = self.written_condition(index, at, condition, report)? {
                when.extend(self.field(index, field, report)?);
            }
        }
        let mut from = Vec::with_capacity(rule.from.len());
        for (at, entry) in rule.from.iter().enumerate() {
            let fields = entry.source.as_ref().map(|source| source_fields(source, at));
            from.push(self.fields(index, fields, report)?);
        }
        let mut to = Vec::with_capacity(rule.to.len());
        for (at, entry) in rule.to.iter().enumerate() {
            let fields = entry.operation.as_ref().map(|what| operation_fields(what, at));
            to.push(self.fields(index, fields, report)?);
        }
        Ok(Condition::When { from, to, when })
    }

    fn fields<const N: usize>(
        &self,
        rule: usize,
        written: Option<[Written<'p>; N]>,
        report: &mut Report,
    ) -> Result<Vec<Field<'p>>, Unusable> {
        let mut compiled = Vec::new();
        for field in written.into_iter().flatten() {
            compiled.extend(self.field(rule, field, report)?);
        }
        Ok(compiled)
    }

    /// One field; `None`: nothing is left of it.
    ///
    /// What cannot be used makes an ALLOW rule unusable, and drops out of the others, which get wider by it
    /// (S-122 to S-128).
    fn field(
        &self,
        rule: usize,
        field: Written<'p>,
        report: &mut Report,
    ) -> Result<Option<Field<'p>>, Unusable> {
        if field.values.is_empty() && field.not_values.is_empty() {
            return Ok(None);
        }
        if self.protocol == Protocol::Tcp && field.attribute.is_http_only() {
            if self.action == Action::Allow {
                return Err(Unusable(format!("`{}` is for HTTP only, and this is a TCP chain", field.name)));
            }
            return Ok(None);
        }
        let (mut any, mut none) =
            (Vec::with_capacity(field.values.len()), Vec::with_capacity(field.not_values.len()));
        for (values, patterns) in [(field.values, &mut any), (field.not_values, &mut none)] {
            for value in values {
                match self.patterns(field.reading, value, patterns) {
                    Ok(()) => {}
                    Err(why) => {
                        let place = self.policy.origin(field.path(rule));
                        let message = format!("`{value}`: {why}");
                        report.push(
                            Diagnostic::new(Code::InvalidValue, &place, message)
                                .help("correct the value: it matches nothing as it is"),
                        );
                        if self.action == Action::Allow {
                            return Err(Unusable(format!("`{}` has the value `{value}`: {why}", field.name)));
                        }
                    }
                }
            }
        }
        let Written { name, attribute, values, not_values, .. } = field;
        let empty = any.is_empty() && none.is_empty();
        Ok((!empty).then_some(Field { attribute, name, values, not_values, any, none }))
    }

    /// Adds the patterns of one value; several where it stands for several trust domains.
    fn patterns(&self, reading: Reading, value: &str, patterns: &mut Vec<Pattern>) -> Result<(), String> {
        let pattern = match reading {
            Reading::Ip => {
                Pattern::Ip(value.parse::<IpBlock>().map_err(|_| "not an IP address or CIDR block")?)
            }
            Reading::Port => Pattern::Port(port(value)?),
            Reading::Text => Pattern::Text(StringPattern::parse(value)),
            Reading::Header if value == "*" => Pattern::Present,
            Reading::Header => Pattern::Text(StringPattern::parse(value)),
            Reading::Principal => {
                let of = |principal: &str| Pattern::Identity(IdentityPattern::principal(principal));
                self.trust_domains.each_principal(value, |principal| patterns.push(of(principal)));
                return Ok(());
            }
            Reading::Namespace => Pattern::Identity(IdentityPattern::namespace(value)),
            Reading::ServiceAccount => {
                Pattern::Identity(IdentityPattern::service_account(value, &self.policy.meta.namespace))
            }
            Reading::TrustDomain => {
                let domains = self.trust_domains.trust_domains(value);
                let of = |domain: &String| Pattern::Identity(IdentityPattern::trust_domain(domain));
                patterns.extend(domains.iter().map(of));
                return Ok(());
            }
            Reading::RequestPrincipal => Pattern::RequestPrincipal(RequestPrincipal::parse(value)),
            Reading::Path if PathTemplate::is_template(value) => {
                Pattern::Template(PathTemplate::parse(value).map_err(|why| why.to_string())?)
            }
            Reading::Path => Pattern::Text(StringPattern::parse(value)),
        };
        patterns.push(pattern);
        Ok(())
    }

    /// The attribute that a `when` key names. An unknown key makes the whole rule unusable, for every action (S-118).
    fn written_condition(
        &self,
        rule: usize,
        at: usize,
        condition: &'p spec::Condition,
        report: &mut Report,
    ) -> Result<Option<Written<'p>>, Unusable> {
        let key = condition.key.as_str();
        let place = || self.policy.origin(format!("spec.rules[{rule}].when[{at}].key"));
        let Some((reading, attribute)) = when_key(key) else {
            report.push(
                Diagnostic::new(Code::InvalidValue, &place(), format!("`{key}` is not an attribute"))
                    .help("the rule is left out"),
            );
            return Err(Unusable(format!("`{key}` is not an attribute")));
        };
        let attribute = match attribute {
            Ok(attribute) => attribute,
            Err(malformed) => {
                let message = format!("`{key}` does not name {malformed} in brackets");
                report.push(
                    Diagnostic::new(Code::InvalidValue, &place(), message.clone())
                        .help("write it as `request.headers[x-user]` is written"),
                );
                // A field that is left out widens a rule that refuses, and an ALLOW rule must not get wider.
                return if self.action == Action::Allow { Err(Unusable(message)) } else { Ok(None) };
            }
        };
        let (values, not_values) = (condition.values.as_slice(), condition.not_values.as_slice());
        Ok(Some(Written { name: key, place: Place::Condition(at), reading, attribute, values, not_values }))
    }
}

/// S-143, S-181: decimal and exact.
pub(super) fn port(value: &str) -> Result<u16, &'static str> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { value.parse::<u32>().ok() } else { None };
    number.and_then(|number| u16::try_from(number).ok()).ok_or("not a port from 0 to 65535")
}
