//! Cedar: one policy for each rule, everything that is looked at in the context.

use std::str::FromStr;

use ::cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request, RestrictedExpression,
};
use mesh_benches::workloads::authz::{Call, Profile, RULES_PER_POLICY, is_deny, rule};
use mesh_model::security::authorization_policy::spec::Rule;

/// The engine with its policies.
#[derive(Debug)]
pub struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
}

impl Cedar {
    /// `count` policies of the workload.
    pub fn new(profile: Profile, count: usize) -> Self {
        let mut text = String::new();
        for n in 0..count * RULES_PER_POLICY {
            let effect = if is_deny(n / RULES_PER_POLICY) { "forbid" } else { "permit" };
            let condition = condition(&rule(profile, n));
            text += &format!("{effect}(principal, action, resource) when {{ {condition} }};\n");
        }
        let policies = PolicySet::from_str(&text).expect("policies as Cedar reads them");
        Self { authorizer: Authorizer::new(), policies, entities: Entities::empty() }
    }

    /// What it is asked with.
    pub fn request(call: &Call) -> Request {
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let peer = call.peer.trim_start_matches("spiffe://");
        let mut pairs = vec![
            ("peer".to_owned(), text(peer)),
            ("namespace".to_owned(), text(peer.split('/').nth(2).unwrap_or_default())),
            ("ip".to_owned(), RestrictedExpression::new_ip(call.ip.to_string())),
            ("port".to_owned(), RestrictedExpression::new_long(call.port.into())),
        ];
        if let Some(request) = &call.request {
            pairs.push(("method".to_owned(), text(&request.method)));
            pairs.push(("path".to_owned(), text(&request.path)));
            let tenant = request.headers.values("x-tenant").next().unwrap_or_default();
            pairs.push(("tenant".to_owned(), text(&String::from_utf8_lossy(tenant))));
        }
        let context = Context::from_pairs(pairs).expect("names come once");
        let uid = |text| EntityUid::from_str(text).expect("a name");
        let names = (uid(r#"User::"peer""#), uid(r#"Action::"call""#), uid(r#"Service::"orders""#));
        Request::new(names.0, names.1, names.2, context, None).expect("there is no schema")
    }

    /// Whether it may pass.
    pub fn allows(&self, request: &Request) -> bool {
        self.authorizer.is_authorized(request, &self.policies, &self.entities).decision() == Decision::Allow
    }
}

fn condition(rule: &Rule) -> String {
    let mut all = Vec::new();
    for source in rule.from.iter().filter_map(|from| from.source.as_ref()) {
        all.extend(texts("peer", &source.principals));
        all.extend(texts("namespace", &source.namespaces));
        let blocks: Vec<_> =
            source.ip_blocks.iter().map(|block| format!("context.ip.isInRange(ip(\"{block}\"))")).collect();
        all.extend(any(&blocks));
    }
    for operation in rule.to.iter().filter_map(|to| to.operation.as_ref()) {
        if !operation.ports.is_empty() {
            all.push(format!("[{}].contains(context.port)", operation.ports.join(", ")));
        }
        all.extend(texts("method", &operation.methods));
        all.extend(texts("path", &operation.paths));
    }
    for condition in &rule.when {
        all.extend(texts("tenant", &condition.values));
    }
    all.join(" && ")
}

/// A set where all are whole texts, else one comparison after the other.
fn texts(name: &str, values: &[String]) -> Option<String> {
    if values.iter().all(|value| !value.contains('*')) && values.len() > 1 {
        return Some(format!("{values:?}.contains(context.{name})"));
    }
    let one = |value: &String| match value.contains('*') {
        true => format!("context.{name} like {value:?}"),
        false => format!("context.{name} == {value:?}"),
    };
    any(&values.iter().map(one).collect::<Vec<_>>())
}

fn any(conditions: &[String]) -> Option<String> {
    (!conditions.is_empty()).then(|| format!("({})", conditions.join(" || ")))
}
