//! One rule as permissions and principals (S-113 to S-153).

use mesh_model::security::authorization_policy::spec::{self, Action};
use serde_json::{Value, json};

use super::matcher::{self, Case, message};
use crate::policy_set::Protocol;
use crate::policy_set::attribute::Attribute;
use crate::policy_set::compile::port;
use crate::policy_set::request_principal::RequestPrincipal;
use crate::policy_set::trust_domain::TrustDomains;
use crate::policy_set::written::{Reading, Written, operation_fields, source_fields, when_key};

/// Writes the rules of one policy.
pub(super) struct RuleWriter<'p> {
    pub(super) namespace: &'p str,
    pub(super) protocol: Protocol,
    pub(super) action: Action,
    pub(super) trust_domains: TrustDomains<'p>,
}

/// A value that cannot be written: an ALLOW rule goes with it, others do without it (S-122 to S-128).
struct Unusable;

/// The two trees of a policy: operations are permissions, sources are principals.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tree {
    Permissions,
    Principals,
}

impl Tree {
    fn all(self, members: &[Value]) -> Value {
        match self {
            Self::Permissions => json!({ "andRules": { "rules": members } }),
            Self::Principals => json!({ "andIds": { "ids": members } }),
        }
    }

    fn any(self, members: &[Value]) -> Value {
        match self {
            Self::Permissions => json!({ "orRules": { "rules": members } }),
            Self::Principals => json!({ "orIds": { "ids": members } }),
        }
    }

    fn not(self, member: Value) -> Value {
        message(if self == Self::Permissions { "notRule" } else { "notId" }, member)
    }
}

/// A field to be written.
struct Field<'s> {
    key: &'s str,
    reading: Reading,
    /// `None`: the brackets of the key are wrong.
    attribute: Option<Attribute>,
    values: &'s [String],
    not_values: &'s [String],
}

impl<'s> From<Written<'s>> for Field<'s> {
    fn from(written: Written<'s>) -> Self {
        let Written { name, place: _, reading, attribute, values, not_values } = written;
        Self { key: name, reading, attribute: Some(attribute), values, not_values }
    }
}

impl Field<'_> {
    fn tree(&self) -> Tree {
        let is_permission = match &self.attribute {
            None => self.key.starts_with("experimental.envoy.filters."),
            Some(
                Attribute::DestinationIp
                | Attribute::DestinationPort
                | Attribute::Sni
                | Attribute::FilterMetadata
                | Attribute::Host
                | Attribute::Method
                | Attribute::Path,
            ) => true,
            Some(_) => false,
        };
        if is_permission { Tree::Permissions } else { Tree::Principals }
    }
}

impl RuleWriter<'_> {
    /// The policy that the rule is; `None`: it is left out.
    pub(super) fn policy(&self, rule: &spec::Rule) -> Option<Value> {
        let mut when = Vec::new();
        for condition in &rule.when {
            // S-118: an unknown key makes the rule unusable for every action.
            let (reading, attribute) = when_key(&condition.key)?;
            when.push(Field {
                key: &condition.key,
                reading,
                attribute: attribute.ok(),
                values: &condition.values,
                not_values: &condition.not_values,
            });
        }
        let to = rule.to.iter().map(|to| to.operation.as_ref().map(|what| operation_fields(what, 0)));
        let from = rule.from.iter().map(|from| from.source.as_ref().map(|who| source_fields(who, 0)));
        let permissions = self.alternatives(Tree::Permissions, to, &when).ok()?;
        let principals = self.alternatives(Tree::Principals, from, &when).ok()?;
        Some(json!({ "permissions": permissions, "principals": principals }))
    }

    /// One member for each entry of `to` or `from`, with the conditions that belong to its tree.
    fn alternatives<'s, const N: usize>(
        &self,
        tree: Tree,
        entries: impl ExactSizeIterator<Item = Option<[Written<'s>; N]>>,
        when: &[Field<'_>],
    ) -> Result<Vec<Value>, Unusable> {
        let none = (entries.len() == 0).then_some(None);
        let mut alternatives = Vec::new();
        for entry in entries.chain(none) {
            let fields: Vec<Field<'_>> = entry.into_iter().flatten().map(Field::from).collect();
            let conditions = when.iter().filter(|field| field.tree() == tree);
            let mut members = Vec::new();
            for field in fields.iter().chain(conditions) {
                members.extend(self.values(tree, field, field.values)?);
                members.extend(self.values(tree, field, field.not_values)?.map(|member| tree.not(member)));
            }
            if members.is_empty() {
                members.push(json!({ "any": true }));
            }
            alternatives.push(tree.all(&members));
        }
        Ok(alternatives)
    }

    /// Any of the values of a field; `None`: nothing is left of them.
    fn values(&self, tree: Tree, field: &Field<'_>, values: &[String]) -> Result<Option<Value>, Unusable> {
        if values.is_empty() {
            return Ok(None);
        }
        let usable = field.attribute.as_ref();
        let usable = usable.filter(|attribute| self.protocol == Protocol::Http || !attribute.is_http_only());
        let Some(attribute) = usable else { return self.unusable(None) };
        match attribute {
            Attribute::RequestPrincipal => {
                let mut members: Vec<Value> = values.iter().map(|value| request_principal(value)).collect();
                let only = if members.len() == 1 { members.pop() } else { None };
                return Ok(only.or_else(|| Some(tree.any(&members))));
            }
            Attribute::Claim(path) => return Ok(Some(matcher::claim(path, values))),
            Attribute::FilterMetadata => return Ok(filter_metadata(field.key, values)),
            _ => {}
        }
        let mut members = Vec::new();
        for value in self.expanded(field.reading, values) {
            match self.value(field, attribute, &value) {
                Some(member) => members.push(member),
                None => {
                    self.unusable(None)?;
                }
            }
        }
        Ok((!members.is_empty()).then(|| tree.any(&members)))
    }

    fn unusable(&self, rest: Option<Value>) -> Result<Option<Value>, Unusable> {
        if self.action == Action::Allow { Err(Unusable) } else { Ok(rest) }
    }

    /// The values with their copies for the other trust domains (S-146, S-161 to S-172).
    fn expanded(&self, reading: Reading, values: &[String]) -> Vec<String> {
        match reading {
            Reading::Principal => {
                values.iter().flat_map(|value| self.trust_domains.principals(value)).collect()
            }
            Reading::TrustDomain => {
                let mut found = Vec::new();
                for value in values.iter().flat_map(|value| self.trust_domains.trust_domains(value)) {
                    if !found.contains(&value) {
                        found.push(value);
                    }
                }
                found
            }
            _ => values.to_vec(),
        }
    }

    /// One value; `None`: it cannot be used.
    fn value(&self, field: &Field<'_>, attribute: &Attribute, value: &str) -> Option<Value> {
        Some(match attribute {
            Attribute::SourceIp => message("directRemoteIp", matcher::cidr(value)?),
            Attribute::RemoteIp => message("remoteIp", matcher::cidr(value)?),
            Attribute::DestinationIp => message("destinationIp", matcher::cidr(value)?),
            Attribute::DestinationPort => message("destinationPort", port(value).ok()?.into()),
            Attribute::Sni => message("requestedServerName", matcher::string(value)),
            Attribute::Identity => {
                let name = match field.reading {
                    Reading::Namespace => matcher::namespace(value),
                    Reading::ServiceAccount => matcher::service_account(value, self.namespace),
                    Reading::TrustDomain => matcher::trust_domain(value),
                    _ => matcher::principal(value),
                };
                json!({ "authenticated": { "principalName": name } })
            }
            // The letters of the name stay as they are written.
            Attribute::Header(_) => {
                let name = field.key.strip_prefix("request.headers[")?.strip_suffix(']')?;
                matcher::header(name, value, Case::Sensitive)
            }
            Attribute::Host => matcher::header(":authority", value, Case::Ignored),
            Attribute::Method => matcher::header(":method", value, Case::Sensitive),
            Attribute::Path => matcher::path(value),
            Attribute::RequestPrincipal | Attribute::Claim(_) | Attribute::FilterMetadata => return None,
        })
    }
}

fn request_principal(value: &str) -> Value {
    let RequestPrincipal { issuer, subject } = RequestPrincipal::parse(value);
    let texts = [matcher::token_text("iss", &issuer), matcher::token_text("sub", &subject)];
    Tree::Principals.all(&texts)
}

/// `experimental.envoy.filters.NAME[KEY]`
fn filter_metadata(key: &str, values: &[String]) -> Option<Value> {
    let name = key.strip_prefix("experimental.")?;
    let (filter, key) = name.strip_suffix(']').unwrap_or(name).split_once('[')?;
    let value = matcher::any_value(values.iter().map(|value| matcher::filter_value(value)).collect());
    Some(matcher::metadata(filter, [key], &value))
}
