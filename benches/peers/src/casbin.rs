//! casbin: one line for each combination of values, compared by a native function.

use ::casbin::function_map::OperatorFunction;
use ::casbin::{CoreApi, DefaultModel, Enforcer, MemoryAdapter, MgmtApi};
use mesh_benches::workloads::authz::{Call, Profile, RULES_PER_POLICY, is_deny, rule};
use mesh_model::security::authorization_policy::spec::Rule;

const MODEL: &str = "
[request_definition]
r = peer, ip, port, method, path, tenant

[policy_definition]
p = peer, ip, port, method, path, tenant, eft

[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))

[matchers]
m = fits(r.peer, p.peer) && (p.ip == \"*\" || ipMatch(r.ip, p.ip)) && fits(r.port, p.port) && \
fits(r.method, p.method) && fits(r.path, p.path) && fits(r.tenant, p.tenant)
";

/// The engine with its lines.
pub struct Casbin {
    enforcer: Enforcer,
    /// How many there are.
    pub lines: usize,
}

impl std::fmt::Debug for Casbin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Casbin").field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl Casbin {
    /// `count` policies of the workload.
    pub fn new(profile: Profile, count: usize) -> Self {
        let lines: Vec<_> = (0..count * RULES_PER_POLICY)
            .flat_map(|n| {
                let effect = if is_deny(n / RULES_PER_POLICY) { "deny" } else { "allow" };
                lines(&rule(profile, n), effect)
            })
            .collect();
        let count = lines.len();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let enforcer = runtime.block_on(async {
            let model = DefaultModel::from_str(MODEL).await.expect("a model");
            let mut enforcer = Enforcer::new(model, MemoryAdapter::default()).await.expect("an enforcer");
            enforcer.add_function(
                "fits",
                OperatorFunction::Arg2(|value, wanted| {
                    let (value, wanted) = (value.into_immutable_string(), wanted.into_immutable_string());
                    value.and_then(|value| Ok(fits(&value, &wanted?))).unwrap_or(false).into()
                }),
            );
            enforcer.add_policies(lines).await.expect("lines");
            enforcer
        });
        Self { enforcer, lines: count }
    }

    /// What it is asked with.
    pub fn request(call: &Call) -> Vec<String> {
        let request = call.request.as_ref();
        let of = |value: Option<String>| value.unwrap_or_default();
        vec![
            call.peer.trim_start_matches("spiffe://").to_owned(),
            call.ip.to_string(),
            call.port.to_string(),
            of(request.map(|request| request.method.to_string())),
            of(request.map(|request| request.path.to_string())),
            of(request.and_then(|request| {
                let tenant = request.headers.values("x-tenant").next()?;
                Some(String::from_utf8_lossy(tenant).into_owned())
            })),
        ]
    }

    /// Whether it may pass.
    pub fn allows(&self, request: &[String]) -> bool {
        self.enforcer.enforce(request.to_vec()).expect("an answer")
    }
}

fn fits(value: &str, wanted: &str) -> bool {
    if wanted == "*" {
        true
    } else if let Some(end) = wanted.strip_prefix('*') {
        value.ends_with(end)
    } else if let Some(start) = wanted.strip_suffix('*') {
        value.starts_with(start)
    } else {
        value == wanted
    }
}

fn lines(rule: &Rule, effect: &str) -> Vec<Vec<String>> {
    let source = rule.from.first().and_then(|from| from.source.clone()).unwrap_or_default();
    let operation = rule.to.first().and_then(|to| to.operation.clone()).unwrap_or_default();
    let tenants = rule.when.first().map(|condition| condition.values.clone()).unwrap_or_default();
    let mut peers = source.principals;
    peers.extend(source.namespaces.iter().map(|name| format!("cluster.local/ns/{name}/*")));
    let columns = [
        peers,
        source.ip_blocks,
        operation.ports,
        operation.methods,
        operation.paths,
        tenants,
        vec![effect.to_owned()],
    ];
    let mut lines = vec![Vec::new()];
    for mut column in columns {
        if column.is_empty() {
            column.push("*".to_owned());
        }
        lines = lines
            .iter()
            .flat_map(|line| {
                column.iter().map(|value| [line.as_slice(), std::slice::from_ref(value)].concat())
            })
            .collect();
    }
    lines
}
