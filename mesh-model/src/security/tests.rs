use serde_json::{Value, json};

use super::authorization_policy::AuthorizationPolicy;
use super::authorization_policy::spec::Action;
use super::peer_authentication::PeerAuthentication;
use super::peer_authentication::spec::{MutualTls, MutualTlsMode};
use super::request_authentication::RequestAuthentication;

fn round_trip<T: serde::de::DeserializeOwned + serde::Serialize>(spec: &Value) -> T {
    let read: T = serde_json::from_value(spec.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), *spec);
    read
}

#[test]
fn no_rules_and_an_empty_rule_stay_apart() {
    let nothing: AuthorizationPolicy = round_trip(&json!({}));
    let everything: AuthorizationPolicy = round_trip(&json!({"rules": [{}]}));
    assert!(nothing.rules.is_empty());
    assert_eq!(everything.rules.len(), 1);
    assert_ne!(nothing, everything);
}

#[test]
fn empty_messages_keep_their_presence() {
    let policy: AuthorizationPolicy = round_trip(
        &json!({"selector": {}, "rules": [{"from": [{"source": {}}, {}], "to": [{"operation": {}}]}]}),
    );
    assert!(policy.selector.is_some());
    assert!(policy.rules[0].from[0].source.is_some());
    assert!(policy.rules[0].from[1].source.is_none());
}

#[test]
fn an_action_is_read_by_name_or_number() {
    let deny: AuthorizationPolicy = serde_json::from_value(json!({"action": "DENY"})).unwrap();
    let custom: AuthorizationPolicy = serde_json::from_value(json!({"action": 3})).unwrap();
    assert_eq!((deny.action, custom.action), (Action::Deny, Action::Custom));
}

#[test]
fn port_levels_are_keyed_by_number() {
    let peer: PeerAuthentication =
        round_trip(&json!({"mtls": {}, "portLevelMtls": {"8080": {"mode": "DISABLE"}, "443": {}}}));
    let modes: Vec<_> = peer.port_level_mtls.iter().map(|(port, mtls)| (*port, mtls.mode)).collect();
    assert_eq!(modes, [(443, MutualTlsMode::Unset), (8080, MutualTlsMode::Disable)]);
    assert_eq!(peer.mtls, Some(MutualTls::default()));
    for bad in [json!({"http": {}}), json!({"-1": {}}), json!({"4294967296": {}})] {
        assert!(serde_json::from_value::<PeerAuthentication>(json!({"portLevelMtls": bad})).is_err());
    }
    let unset: PeerAuthentication = serde_json::from_value(json!({"portLevelMtls": null})).unwrap();
    assert!(unset.port_level_mtls.is_empty());
}

#[cfg(feature = "yaml")]
#[test]
fn yaml_ports_may_be_numbers() {
    let peer: PeerAuthentication = serde_yaml::from_str("portLevelMtls: {8080: {mode: STRICT}}").unwrap();
    assert_eq!(peer.port_level_mtls.keys().copied().collect::<Vec<_>>(), [8080]);
}

#[test]
fn a_jwt_rule_round_trips() {
    let read: RequestAuthentication = round_trip(&json!({"jwtRules": [{
        "issuer": "i", "audiences": ["a"], "jwksUri": "https://x", "fromHeaders": [{"name": "h", "prefix": "p "}],
        "outputClaimToHeaders": [{"header": "x", "claim": "sub"}], "timeout": "5s", "forwardOriginalToken": true,
    }]}));
    assert_eq!(read.jwt_rules.len(), 1);
}

#[cfg(feature = "yaml")]
#[test]
fn full_documents_lose_nothing() {
    use crate::conformance_test::{assert_kept, documents, shared};

    fn check<T: serde::de::DeserializeOwned + serde::Serialize>(kind: &str) {
        let Some(text) = shared(&format!("conformance/full/{kind}.yaml")) else { return };
        for document in documents(&text) {
            let spec = document.get("spec").cloned().unwrap();
            let read: T = serde_json::from_value(spec.clone()).unwrap();
            assert_kept(&spec, &serde_json::to_value(&read).unwrap(), &[], kind);
        }
    }
    check::<AuthorizationPolicy>("AuthorizationPolicy");
    check::<PeerAuthentication>("PeerAuthentication");
    check::<RequestAuthentication>("RequestAuthentication");
}
