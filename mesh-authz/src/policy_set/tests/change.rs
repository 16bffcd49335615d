//! Policies put in, exchanged and taken away one by one decide as a set that is compiled anew.

use proptest::prelude::*;

use super::vocabulary::{call, policies, policy};
use super::*;

/// Put policy `usize` in with this content; `None`: take it away.
type Change = (usize, Option<(Value, bool)>);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec((0usize..6, prop::option::weighted(0.8, policy())), 1..14)
}

/// What counts after each change, and the set that grew so.
fn grown(
    start: &[(Value, bool)],
    changes: &[Change],
    protocol: Protocol,
    mut each: impl FnMut(&PolicySet, &PolicySet),
) {
    let options = PolicyOptions { multiple_custom_providers: true, ..options() };
    let mut current: Vec<Option<Arc<Object<AuthorizationPolicy>>>> = vec![None; 6];
    policies(start).into_iter().zip(&mut current).for_each(|(policy, place)| *place = Some(policy));
    let compiled = |current: &[Option<Arc<Object<AuthorizationPolicy>>>]| {
        let all: Vec<_> = current.iter().flatten().collect();
        PolicySet::compile(&all, protocol, &options).0.unwrap_or_default()
    };
    let mut set = compiled(&current);
    for (at, change) in changes {
        let name = format!("p{at}");
        let padding = vec![(json!({}), false); *at];
        let new =
            change.as_ref().map(|spec| policies(&[padding, vec![spec.clone()]].concat()).pop().unwrap());
        set = match &new {
            Some(policy) => set.with(policy, protocol, &options).0,
            None => set.without("a", &name, protocol, &options),
        };
        current[*at] = new;
        each(&set, &compiled(&current));
    }
}

proptest! {
    #![proptest_config(super::property::cases(600))]

    #[test]
    fn a_changed_set_decides_as_one_compiled_anew(
        start in prop::collection::vec(policy(), 0..6), changes in changes(),
        calls in prop::collection::vec(call(), 4), walked in any::<bool>(),
    ) {
        for protocol in [Protocol::Http, Protocol::Tcp] {
            grown(&start, &changes, protocol, |grown, anew| {
                let mut grown = grown.clone();
                if !walked {
                    grown.force_index();
                }
                for call in calls.iter().filter(|call| call.request.is_some() == (protocol == Protocol::Http)) {
                    assert_eq!(call.ask(&grown), call.ask(anew));
                    let nearest = |set: &PolicySet| call.with_facts(|facts| set.nearest_allow(facts));
                    assert_eq!(nearest(&grown), nearest(anew));
                }
                assert_eq!(grown.rules().collect::<Vec<_>>(), anew.rules().collect::<Vec<_>>());
            });
        }
    }
}

fn path_policy(n: usize, action: &str, path: &str) -> Arc<Object<AuthorizationPolicy>> {
    let rule = operation(json!({ "paths": [path] }));
    named("shop", &format!("p{n:04}"), json!({ "action": action, "rules": [rule] }))
}

#[test]
fn a_change_leaves_most_rules_where_they_are() {
    let mut current: Vec<_> = (0..1_000).map(|n| path_policy(n, "ALLOW", &format!("/{n}"))).collect();
    let mut set = compile(&current, Protocol::Http);
    for n in (0..1_000).map(|n| n * 7 % 1_000) {
        current[n] = path_policy(n, if n % 3 == 0 { "DENY" } else { "ALLOW" }, &format!("/new/{n}"));
        set = set.with(&current[n], Protocol::Http, &options()).0;
        assert!(set.enforced.rules().runs() <= 5, "{n}");
    }
    for n in 0..1_000 {
        let path: &'static str = format!("/new/{n}").leak();
        assert_eq!(get(path).ask(&set).allowed, n % 3 != 0, "{n}");
    }
    assert!(!get("/5").ask(&set).allowed);
}

#[test]
fn a_rule_that_was_spared_a_place_comes_back_when_the_other_goes() {
    let both = [path_policy(1, "DENY", "/a"), path_policy(2, "ALLOW", "/a"), path_policy(3, "ALLOW", "/a")];
    let more: Vec<_> = (10..200).map(|n| path_policy(n, "ALLOW", &format!("/{n}"))).collect();
    let mut set = compile(&[both.to_vec(), more].concat(), Protocol::Http);
    assert!(!get("/a").ask(&set).allowed);
    for (gone, decided_by) in [("p0001", Some("shop/p0002")), ("p0002", Some("shop/p0003")), ("p0003", None)]
    {
        set = set.without("shop", gone, Protocol::Http, &options());
        let heard = get("/a").ask(&set);
        assert_eq!(heard.decided_by.as_ref().map(|rule| &*rule.policy), decided_by);
        assert_eq!(heard.allowed, decided_by.is_some());
    }
}

#[test]
fn without_its_last_policy_everything_is_allowed_and_the_first_one_closes() {
    let one = path_policy(1, "ALLOW", "/a");
    let set = compile(std::slice::from_ref(&one), Protocol::Http);
    let empty = set.without("shop", "p0001", Protocol::Http, &options());
    assert!(get("/b").ask(&empty).allowed && !get("/b").ask(&set).allowed);
    let again = empty.with(&one, Protocol::Http, &options()).0;
    assert!(!get("/b").ask(&again).allowed && get("/a").ask(&again).allowed);
}
