//! From written policies to rules for one kind of chain (S-113 to S-153).

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Report};
use mesh_model::object::Object;
use mesh_model::security::authorization_policy::AuthorizationPolicy;
use mesh_model::security::authorization_policy::spec::{self, Action};
use mesh_model::value::{IpBlock, PathTemplate};

use super::attribute::{Attribute, Pattern};
use super::identity::IdentityPattern;
use super::request_principal::RequestPrincipal;
use super::rule::{Condition, Field, Rule};
use super::rule_list::RuleList;

use super::enforced::Enforced;
use super::trust_domain::TrustDomains;
use super::written::{Reading, Written, operation_fields, source_fields, when_key};
use super::{Answer, External, PolicyOptions, PolicySet, Protocol};
use crate::pattern::StringPattern;
use crate::profile::Profile;
use crate::verdict::RuleRef;

/// Compiles all policies of a workload.
pub(super) fn policies(
    policies: &[&Arc<Object<AuthorizationPolicy>>],
    protocol: Protocol,
    options: &PolicyOptions<'_>,
) -> (PolicySet, Report) {
    let mut lists: BTreeMap<(Action, bool), Vec<Rule>> = BTreeMap::new();
    let mut external: BTreeMap<&str, Vec<Rule>> = BTreeMap::new();
    let mut report = Report::new();
    for &policy in policies {
        let action = policy.spec.action;
        let dry_run = dry_run(policy, &mut report);
        let compiler = Compiler {
            policy,
            protocol,
            action,
            dry_run: dry_run && action == Action::Custom,
            trust_domains: TrustDomains::new(options.trust_domain, options.trust_domain_aliases),
        };
        let mut problems = Report::new();
        let rules = compiler.rules(&mut problems);
        let is_understood = problems.is_empty() && compiler.has_rules();
        report.merge(problems);
        if options.profile == Profile::Hardened && !is_understood && !dry_run && action.refuses() {
            // What cannot be understood may have been meant to refuse anything.
            report.push(compiler.refusal());
            lists.entry((Action::Deny, false)).or_default().push(compiler.deny_all());
        } else if action == Action::Custom {
            let name = policy.spec.provider.as_ref().map_or("", |provider| provider.name.as_str());
            external.entry(name).or_default().extend(rules);
        } else {
            lists.entry((action, dry_run)).or_default().extend(rules);
        }
    }
    // An AUDIT policy in dry-run mode is neither enforced nor reported anywhere.
    let enforced = Enforced::new(
        lists.remove(&(Action::Deny, false)).unwrap_or_default(),
        lists.remove(&(Action::Allow, false)),
    );
    let mut list = |action, dry_run| lists.remove(&(action, dry_run)).map(RuleList::new);
    let mut set = PolicySet {
        external: Vec::new(),
        audit: list(Action::Audit, false).unwrap_or_default(),
        dry_run_deny: list(Action::Deny, true).unwrap_or_default(),
        dry_run_allow: list(Action::Allow, true),
        enforced,
    };
    // S-106: two providers on a workload are one too many unless the control plane allows it.
    let too_many = external.len() > 1 && !options.multiple_custom_providers;
    set.external = external
        .into_iter()
        .map(|(provider, rules)| {
            let answer = match options.authorizers.get(provider) {
                _ if too_many => {
                    Answer::Refuse("several external authorizers on one workload (S-106)".into())
                }
                None => Answer::Refuse("the mesh has no such external authorizer (S-106)".into()),
                Some(Err(why)) => {
                    Answer::Refuse(format!("the authorizer's settings are not valid (S-106): {why}").into())
                }
                // S-108: there is nothing to ask an HTTP service about a connection.
                Some(Ok(authorizer)) if protocol == Protocol::Tcp && !authorizer.takes_connections() => {
                    Answer::Skip
                }
                Some(Ok(authorizer)) => Answer::Ask(authorizer.clone()),
            };
            External { provider: provider.into(), answer, rules: RuleList::new(rules) }
        })
        .collect();
    (set, report)
}

/// S-099, S-100: Go's spelling of booleans; anything else counts as false, so the policy is enforced.
pub(super) fn dry_run(policy: &Object<AuthorizationPolicy>, report: &mut Report) -> bool {
    const ANNOTATION: &str = "istio.io/dry-run";
    match policy.meta.annotations.get(ANNOTATION).map(String::as_str) {
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

struct Compiler<'p> {
    policy: &'p Object<AuthorizationPolicy>,
    protocol: Protocol,
    action: Action,
    /// A CUSTOM policy whose answer does not count.
    dry_run: bool,
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

impl Compiler<'_> {
    /// S-091, S-092: without rules a policy that refuses has no effect, which nobody can have meant.
    fn has_rules(&self) -> bool {
        !self.policy.spec.rules.is_empty()
    }

    /// Denies everything in the policy's scope.
    fn deny_all(&self) -> Rule {
        self.rule(None, Condition::When { from: Vec::new(), to: Vec::new(), when: Vec::new() })
    }

    fn refusal(&self) -> Diagnostic {
        let place = self.policy.origin("spec");
        Diagnostic::new(
            Code::InvalidValue,
            &place,
            "the policy is not understood, so everything in its scope is denied",
        )
        .help("repair what was found in it; the `istio` profile leaves out what it cannot use")
    }

    fn rules(&self, report: &mut Report) -> Vec<Rule> {
        let spec = &self.policy.spec;
        if spec.rules.is_empty() {
            // S-087, S-088: it never matches, and an ALLOW policy still closes everything else.
            let never = Condition::Never("the policy has no rules".into());
            return vec![self.rule(None, never)];
        }
        let rules = spec.rules.iter().enumerate();
        rules
            .map(|(index, written)| {
                let condition = self
                    .condition(index, written, report)
                    .unwrap_or_else(|Unusable(why)| Condition::Never(why.into()));
                self.rule(Some(index), condition)
            })
            .collect()
    }

    fn rule(&self, index: Option<usize>, condition: Condition) -> Rule {
        let meta = &self.policy.meta;
        let (namespace, name) = (&meta.namespace, &meta.name);
        Rule {
            id: format!("ns[{namespace}]-policy[{name}]-rule[{}]", index.unwrap_or(0)),
            reference: Arc::new(RuleRef {
                policy: format!("{namespace}/{name}").into(),
                rule: index,
                origin: match index {
                    Some(index) => self.policy.origin(format!("spec.rules[{index}]")),
                    None => self.policy.origin("spec"),
                },
            }),
            dry_run: self.dry_run,
            condition,
        }
    }

    fn condition(&self, index: usize, rule: &spec::Rule, report: &mut Report) -> Result<Condition, Unusable> {
        let place = format!("spec.rules[{index}]");
        let compile = |fields: Vec<Written<'_>>, report: &mut Report| {
            let mut compiled = Vec::new();
            for field in fields {
                compiled.extend(self.field(field, report)?);
            }
            Ok(compiled)
        };
        let mut when = Vec::new();
        for (at, condition) in rule.when.iter().enumerate() {
            let place = format!("{place}.when[{at}]");
            let field = self.written_condition(condition, place, report)?;
            when.extend(compile(vec![field], report)?);
        }
        let mut from = Vec::new();
        for (at, entry) in rule.from.iter().enumerate() {
            let fields =
                entry.source.as_ref().map_or_else(Vec::new, |source| source_fields(source, &place, at));
            from.push(compile(fields, report)?);
        }
        let mut to = Vec::new();
        for (at, entry) in rule.to.iter().enumerate() {
            let fields =
                entry.operation.as_ref().map_or_else(Vec::new, |what| operation_fields(what, &place, at));
            to.push(compile(fields, report)?);
        }
        Ok(Condition::When { from, to, when })
    }

    /// One field; `None`: nothing is left of it.
    ///
    /// What cannot be used makes an ALLOW rule unusable, and drops out of the others, which get wider by it
    /// (S-122 to S-128).
    fn field(&self, field: Written<'_>, report: &mut Report) -> Result<Option<Field>, Unusable> {
        if field.values.is_empty() && field.not_values.is_empty() {
            return Ok(None);
        }
        if self.protocol == Protocol::Tcp && field.attribute.is_http_only() {
            if self.action == Action::Allow {
                return Err(Unusable(format!("`{}` is for HTTP only, and this is a TCP chain", field.name)));
            }
            return Ok(None);
        }
        let mut compiled = Field {
            attribute: field.attribute,
            name: field.name.into(),
            wanted: wanted(field.values, field.not_values).into(),
            any: Vec::new(),
            none: Vec::new(),
        };
        for (values, patterns) in [(field.values, &mut compiled.any), (field.not_values, &mut compiled.none)]
        {
            for value in values {
                match self.patterns(field.reading, value) {
                    Ok(found) => patterns.extend(found),
                    Err(why) => {
                        let place = self.policy.origin(field.place.clone());
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
        let empty = compiled.any.is_empty() && compiled.none.is_empty();
        Ok((!empty).then_some(compiled))
    }

    /// The patterns of one value; several where it stands for several trust domains.
    fn patterns(&self, reading: Reading, value: &str) -> Result<Vec<Pattern>, String> {
        let one = |pattern| Ok(vec![pattern]);
        match reading {
            Reading::Ip => value
                .parse::<IpBlock>()
                .map(|block| vec![Pattern::Ip(block)])
                .map_err(|_| "not an IP address or CIDR block".to_owned()),
            Reading::Port => Ok(vec![Pattern::Port(port(value)?)]),
            Reading::Text => one(Pattern::Text(StringPattern::parse(value))),
            Reading::Header if value == "*" => one(Pattern::Present),
            Reading::Header => one(Pattern::Text(StringPattern::parse(value))),
            Reading::Principal => Ok(self
                .trust_domains
                .principals(value)
                .iter()
                .map(|principal| Pattern::Identity(IdentityPattern::principal(principal)))
                .collect()),
            Reading::Namespace => one(Pattern::Identity(IdentityPattern::namespace(value))),
            Reading::ServiceAccount => {
                let namespace = &self.policy.meta.namespace;
                one(Pattern::Identity(IdentityPattern::service_account(value, namespace)))
            }
            Reading::TrustDomain => Ok(self
                .trust_domains
                .trust_domains(value)
                .iter()
                .map(|domain| Pattern::Identity(IdentityPattern::trust_domain(domain)))
                .collect()),
            Reading::RequestPrincipal => one(Pattern::RequestPrincipal(RequestPrincipal::parse(value))),
            Reading::Path if PathTemplate::is_template(value) => PathTemplate::parse(value)
                .map(|template| vec![Pattern::Template(template)])
                .map_err(|why| why.to_string()),
            Reading::Path => one(Pattern::Text(StringPattern::parse(value))),
        }
    }

    /// The attribute that a `when` key names. An unknown key makes the whole rule unusable, for every action (S-118).
    fn written_condition<'s>(
        &self,
        condition: &'s spec::Condition,
        place: String,
        report: &mut Report,
    ) -> Result<Written<'s>, Unusable> {
        let key = condition.key.as_str();
        let Some((reading, attribute)) = when_key(key) else {
            let at = self.policy.origin(format!("{place}.key"));
            report.push(
                Diagnostic::new(Code::InvalidValue, &at, format!("`{key}` is not an attribute"))
                    .help("the rule is left out"),
            );
            return Err(Unusable(format!("`{key}` is not an attribute")));
        };
        let attribute = match attribute {
            Ok(attribute) => attribute,
            Err(malformed) => {
                let at = self.policy.origin(format!("{place}.key"));
                let message = format!("`{key}` does not name {malformed} in brackets");
                report.push(
                    Diagnostic::new(Code::InvalidValue, &at, message.clone())
                        .help("write it as `request.headers[x-user]` is written"),
                );
                if self.action == Action::Allow {
                    return Err(Unusable(message));
                }
                // A field without values drops out.
                let nothing: &[String] = &[];
                return Ok(Written {
                    name: key,
                    place,
                    reading,
                    attribute: Attribute::FilterMetadata,
                    values: nothing,
                    not_values: nothing,
                });
            }
        };
        let (values, not_values) = (condition.values.as_slice(), condition.not_values.as_slice());
        Ok(Written { name: key, place, reading, attribute, values, not_values })
    }
}

/// S-143, S-181: decimal and exact.
pub(super) fn port(value: &str) -> Result<u16, &'static str> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { value.parse::<u32>().ok() } else { None };
    number.and_then(|number| u16::try_from(number).ok()).ok_or("not a port from 0 to 65535")
}

fn wanted(values: &[String], not_values: &[String]) -> String {
    match (values, not_values) {
        (values, []) => values.join(", "),
        ([], not_values) => format!("none of {}", not_values.join(", ")),
        (values, not_values) => format!("{}, and none of {}", values.join(", "), not_values.join(", ")),
    }
}
