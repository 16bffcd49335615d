//! Which security resources are in force where. Ours: what is compiled can be read without knowing the types.

use mesh_authz::policy_set::PolicySet;
use mesh_authz::request_authn::RequestAuthn;
use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::listener::{Direction, FilterChain, Listener, Network};
use serde_json::{Value, json};

/// Per listener and chain that serves others: what a client must present, and which rules judge it. What a sidecar's own
/// application sends is judged where it arrives.
pub fn policies(config: &ProxyConfig) -> Value {
    let serving = config.listeners.iter().filter(|listener| listener.direction != Direction::Outbound);
    serving.map(|listener| listener_policies(listener)).collect()
}

fn listener_policies(listener: &Listener) -> Value {
    let chains = listener.filter_chains.iter().chain(&listener.default_chain).map(chain).collect::<Vec<_>>();
    json!({"listener": &*listener.name, "chains": chains})
}

fn chain(chain: &FilterChain) -> Value {
    let (authn, authz) = match &chain.network {
        Network::Http(manager) => (manager.authn.as_deref(), manager.authz.as_deref()),
        Network::Tcp(proxy) => (None, proxy.authz.as_deref()),
    };
    json!({
        "chain": &*chain.name,
        "port": chain.matches.destination_port,
        "mtls": chain.tls.is_some(),
        "origin": chain.origin,
        "request_authentication": authn.map(token_rules),
        "removed_headers": authn.map(|rules| rules.removed_headers().collect::<Vec<_>>()),
        "authorization": authz.map(policy_rules),
    })
}

/// Each rule with what it does to a request whose token it accepts.
fn token_rules(rules: &RequestAuthn) -> Vec<Value> {
    let refused = rules.refused().map(|origin| json!({"refused": true, "origin": origin}));
    let rules = rules.effects().map(|rule| {
        let headers = rule.headers.iter().map(|(name, claim, origin)| {
            let from = claim.map_or_else(|| "payload".to_owned(), |claim| format!("claim {claim}"));
            json!({"header": name, "from": from, "origin": origin})
        });
        json!({
            "issuer": rule.issuer,
            "origin": rule.origin,
            "token": if rule.forwards_token { "forwarded" } else { "removed" },
            "sets": headers.collect::<Vec<_>>(),
        })
    });
    refused.chain(rules).collect()
}

fn policy_rules(policies: &PolicySet) -> Vec<Value> {
    policies
        .rules()
        .map(|(action, rule)| json!({"action": action, "policy": &*rule.policy, "origin": rule.origin}))
        .collect()
}
