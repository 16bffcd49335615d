//! The table of actions: CUSTOM, then DENY, then ALLOW; AUDIT decides nothing. Its properties are in `property`.

use super::*;

/// An action whose policy has no rules, no list of rules, or one rule that fits everything or this path.
fn policies(action: &str) -> [(&'static str, Value); 4] {
    let of = |rules: Value| json!({ "action": action, "rules": rules, "provider": { "name": "web" } });
    let mut absent = of(json!([]));
    absent.as_object_mut().unwrap().remove("rules");
    let path = operation(json!({ "paths": ["/a"] }));
    [("absent", absent), ("[]", of(json!([]))), ("[{}]", of(json!([{}]))), ("path", of(json!([path])))]
}

/// Whether a policy of this kind has a rule for a path.
fn fits(rules: &str, path: &str) -> bool {
    rules == "[{}]" || rules == "path" && path == "/a"
}

#[test]
fn k04_the_table_of_actions_and_rules_is_exact() {
    for path in ["/a", "/b"] {
        let call = get(path);
        for (denied, deny) in policies("DENY") {
            assert_eq!(call.passes(std::slice::from_ref(&deny)), !fits(denied, path), "DENY {denied} {path}");
            for (allowed, allow) in policies("ALLOW") {
                // An ALLOW policy without rules allows nothing, and so nothing passes (S-080).
                assert_eq!(
                    call.passes(std::slice::from_ref(&allow)),
                    fits(allowed, path),
                    "ALLOW {allowed} {path}"
                );
                let wanted = !fits(denied, path) && fits(allowed, path);
                for (audited, audit) in policies("AUDIT") {
                    for order in [[&deny, &allow, &audit], [&audit, &allow, &deny], [&allow, &deny, &audit]] {
                        let specs: Vec<_> = order.into_iter().cloned().collect();
                        assert_eq!(
                            call.passes(&specs),
                            wanted,
                            "DENY {denied}, ALLOW {allowed}, AUDIT {audited}, {path}"
                        );
                    }
                }
            }
        }
        for (audited, audit) in policies("AUDIT") {
            assert!(call.passes(&[audit]), "AUDIT {audited} {path}");
        }
    }
}

#[test]
fn k04_custom_asks_first_and_what_it_cannot_ask_it_refuses() {
    for (kind, custom) in policies("CUSTOM") {
        for path in ["/a", "/b"] {
            let verdict = |custom: &Value, rest: &[Value]| {
                let specs = std::iter::once(custom).chain(rest).enumerate();
                let policies: Vec<_> =
                    specs.map(|(at, spec)| named("shop", &format!("p{at}"), spec.clone())).collect();
                get(path).ask(&super::compile(&policies, Protocol::Http))
            };
            let asks = usize::from(fits(kind, path));
            let open = verdict(&custom, &[]);
            assert_eq!((open.allowed, open.external.len()), (true, asks), "{kind} {path}");
            // Whatever the provider says, a DENY holds.
            assert!(!verdict(&custom, &[deny(json!({}))]).allowed, "{kind} {path}");
            // A provider that nobody defines cannot be asked: what it should have judged is refused.
            let mut unknown = custom.clone();
            unknown["provider"]["name"] = json!("nobody");
            assert_eq!(verdict(&unknown, &[allow(json!({}))]).allowed, asks == 0, "{kind} {path}");
        }
    }
}
