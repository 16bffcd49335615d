//! Fetched keys: which ones a proxy wants, and its configuration with those that are there.

use std::sync::Arc;

use mesh_authz::request_authn::{KeySource, RemoteKeys, RequestAuthn};
use mesh_model::diagnostic::Report;

use super::ProxyConfig;
use super::listener::{FilterChain, Listener, Network};

impl ProxyConfig {
    /// Keys that its token rules want fetched; without them the tokens of those rules are refused (S-291).
    pub fn remote_keys(&self) -> impl Iterator<Item = &RemoteKeys> {
        let chains = self.listeners.iter().flat_map(|listener| chains(listener));
        chains.filter_map(authn).flat_map(|authn| authn.remote_keys())
    }

    /// The same configuration with the keys that `source` has now. Listeners without fetched keys are shared; tokens that
    /// were verified with the old keys are forgotten.
    pub fn with_keys(&self, source: &dyn KeySource) -> (Self, Report) {
        let mut report = Report::new();
        let mut config = self.clone();
        // Chains of one workload share their rules; each set is made once.
        let mut made: Vec<(Arc<RequestAuthn>, Arc<RequestAuthn>)> = Vec::new();
        let mut renew = |old: &mut Arc<RequestAuthn>| {
            let known = made.iter().find(|(before, _)| Arc::ptr_eq(before, old));
            let new = known.map(|(_, new)| Arc::clone(new)).unwrap_or_else(|| {
                let (authn, problems) = old.with_keys(source);
                report.merge(problems);
                let new = Arc::new(authn);
                made.push((Arc::clone(old), Arc::clone(&new)));
                new
            });
            *old = new;
        };
        for listener in &mut config.listeners {
            let wants_keys = |authn: &Arc<RequestAuthn>| authn.remote_keys().next().is_some();
            if !chains(listener).filter_map(authn).any(wants_keys) {
                continue;
            }
            let listener = Arc::make_mut(listener);
            for chain in listener.filter_chains.iter_mut().chain(&mut listener.default_chain) {
                if let Network::Http(manager) = &mut chain.network
                    && let Some(authn) = &mut manager.authn
                {
                    renew(authn);
                }
            }
        }
        (config, report)
    }
}

fn chains(listener: &Listener) -> impl Iterator<Item = &FilterChain> {
    listener.filter_chains.iter().chain(&listener.default_chain)
}

fn authn(chain: &FilterChain) -> Option<&Arc<RequestAuthn>> {
    match &chain.network {
        Network::Http(manager) => manager.authn.as_ref(),
        Network::Tcp(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use mesh_authz::jwks_store::{Answered, JwksStore};
    use mesh_authz::request_authn::Authenticated;
    use mesh_model::facts::{Headers, HttpVersion, RequestFacts};

    use super::*;
    use crate::proxy::inbound;
    use crate::proxy::test_mesh::with_view;

    const RULES: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  clusterIP: 10.0.0.9
  selector: {app: web}
  ports:
  - {name: http, port: 80}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: jwt, namespace: default}
spec:
  jwtRules:
  - {issuer: 'https://login.example.com', jwksUri: 'https://keys.example.com/jwks', timeout: 2s}
";

    /// What each chain says of the token. This crate alone checks no signatures, so the text tells which keys are there.
    fn answers(config: &ProxyConfig, token: &str) -> Vec<&'static str> {
        let mut headers = Headers::default();
        headers.push("authorization", format!("Bearer {token}").into_bytes());
        let request = RequestFacts {
            version: HttpVersion::Http11,
            method: "GET".into(),
            scheme: "http".into(),
            authority: "reviews".into(),
            path: "/".into(),
            headers,
        };
        let rules = config.listeners.iter().flat_map(|listener| chains(listener)).filter_map(authn);
        let answer = |authn: &Arc<RequestAuthn>| match authn.authenticate(&request, 1_700_000_000, &mut ()) {
            Authenticated::Passed { .. } => "passed",
            Authenticated::Rejected { body, .. } => body,
        };
        rules.map(answer).collect()
    }

    #[test]
    fn fetched_keys_come_into_a_compiled_configuration_and_go_again() {
        let config = with_view(RULES, "{}", |view| {
            let (fragment, report) = inbound::compile(view);
            assert!(report.is_empty());
            ProxyConfig {
                listeners: fragment.listeners.into_iter().map(Arc::new).collect(),
                ..ProxyConfig::default()
            }
        });
        let tokens = include_str!("../../../mesh-authz/src/jwt/testdata/tokens.json");
        let tokens: serde_json::Value = serde_json::from_str(tokens).unwrap();
        let token = tokens["by_algorithm"]["RS256"].as_str().unwrap();
        let no_match = "Jwks doesn't have key to match kid or alg from Jwt";
        assert!(!answers(&config, token).is_empty());
        let refused = answers(&config, token).iter().all(|answer| *answer == "Jwt verification fails");
        assert!(refused, "without keys nobody passes");

        let mut store = JwksStore::default();
        let fetch = |store: &mut JwksStore, key: &str, now| {
            let due = store.due(now);
            let keys = serde_json::json!({ "keys": [tokens["keys"][key]] }).to_string();
            let answer = store.answered(&due[0].issuer, &due[0].jwks_uri, Ok(keys.as_bytes()), now);
            (due[0].url.clone(), due[0].timeout_ms, answer)
        };
        store.want(config.remote_keys(), 0);
        let address = "https://keys.example.com/jwks".to_owned();
        assert_eq!(fetch(&mut store, "P-256", 0), (address.clone(), 2_000, Answered::Changed));
        let (keyed, report) = config.with_keys(&store);
        assert!(report.is_empty());
        assert!(answers(&keyed, token).iter().all(|answer| *answer == no_match));
        assert_eq!(fetch(&mut store, "RSA", 2_000_000), (address, 2_000, Answered::Changed));
        let (rotated, _) = keyed.with_keys(&store);
        assert!(answers(&rotated, token).iter().all(|answer| *answer != no_match));
    }
}
