//! Tables in which virtual hosts come and go find what tables made anew find.

use std::sync::Arc;

use mesh_model::origin::Origin;
use proptest::prelude::*;

use crate::route_table::{RouteTable, VirtualHost, linear};

fn host(name: &str, domains: &[String]) -> Arc<VirtualHost> {
    let domains = domains.iter().map(|domain| Arc::from(domain.as_str())).collect();
    Arc::new(VirtualHost::new(name, domains, false, Vec::new(), Origin::built_in("test")))
}

/// Domains of host `number`: its own names, for most a wildcard as well, at either end; those of many cover hosts of others.
fn own_host(number: u16) -> Arc<VirtualHost> {
    let mut domains = vec![format!("h{number}.x"), format!("h{number}.x."), format!("10.0.0.{number}")];
    let (depth, root) = (usize::from(number / 4 % 5), number / 20);
    match number % 4 {
        0 => domains.push(format!("*.{}r{root}", "a.".repeat(depth))),
        1 => domains.push(format!("r{root}{}.*", ".a".repeat(depth))),
        2 => domains.push(format!("*.h{number}.x")),
        _ => {}
    }
    host(&format!("h{number:04}"), &domains)
}

/// What is asked of tables that hold some of these.
fn asked(number: u16) -> Vec<String> {
    let (deep, root) = (usize::from(number % 7), number / 20);
    vec![
        format!("h{number}.x"),
        format!("H{number}.x:80"),
        format!("10.0.0.{number}"),
        format!("a.h{number}.x"),
        format!("b.{}r{root}", "a.".repeat(deep)),
        format!("r{root}{}.B:80", ".a".repeat(deep)),
        format!("r{root}.a.a.r{root}"),
    ]
}

fn rest(domain: &str) -> Arc<VirtualHost> {
    host("~rest", &[domain.to_owned()])
}

proptest! {
    #![proptest_config(match std::env::var("PROPTEST_CASES") {
        Ok(_) => ProptestConfig::default(),
        Err(_) => ProptestConfig::with_cases(48),
    })]

    #[test]
    fn exchanged_tables_are_as_new_ones(
        first in prop::collection::btree_set(0_u16..80, 0..40),
        steps in prop::collection::vec(prop::collection::btree_set(0_u16..80, 1..4), 1..30),
        rest_domain in prop_oneof![Just("*"), Just("*.x"), Just("nobody")],
    ) {
        let mut present = first;
        let all = |present: &std::collections::BTreeSet<u16>| -> Vec<_> {
            present.iter().map(|number| own_host(*number)).chain([rest(rest_domain)]).collect()
        };
        let mut table = RouteTable::of_shared("t", all(&present));
        for step in steps {
            let before: Vec<u16> = present.iter().copied().collect();
            let gone: Vec<usize> = (0..before.len()).filter(|at| step.contains(&before[*at])).collect();
            for number in &step {
                if !present.remove(number) {
                    present.insert(*number);
                }
            }
            let come = present.iter().enumerate().filter(|(_, number)| step.contains(number));
            let come: Vec<_> = come.map(|(at, number)| (at, own_host(*number))).collect();
            match table.with_exchanged(&gone, come) {
                Some(next) => {
                    prop_assert!(next.shares_index_with(&table));
                    table = next;
                }
                None => table = RouteTable::of_shared("t", all(&present)),
            }
            let fresh = RouteTable::of_shared("t", all(&present));
            let names = |table: &RouteTable| table.virtual_hosts.iter().map(|it| Arc::clone(&it.name)).collect::<Vec<_>>();
            prop_assert_eq!(names(&table), names(&fresh));
            for number in 0..80 {
                check(&table, number)?;
                for domain in &own_host(number).domains {
                    let wanted = present.iter().position(|it| *it == number);
                    prop_assert_eq!(table.holder(domain), wanted, "{}", domain);
                }
            }
            // Another proxy knows one of them by one name more.
            if let Some((at, number)) = present.iter().enumerate().find(|(_, number)| step.contains(number)) {
                let near: Arc<str> = format!("near{number}").into();
                let known = VirtualHost::clone(&own_host(*number));
                let domains = known.domains.iter().chain([&near]).cloned().collect();
                let renamed = (at, Arc::new(VirtualHost { domains, ..known }), vec![Arc::clone(&near)]);
                let renamed = table.with_renamed(vec![renamed]);
                prop_assert_eq!(renamed.holder(&near), Some(at));
                (0..80).try_for_each(|number| check(&renamed, number))?;
            }
        }
    }
}

/// What is asked of this number is answered as the slow way answers it.
fn check(table: &RouteTable, number: u16) -> Result<(), TestCaseError> {
    for asked in asked(number) {
        let found = table.virtual_host(&asked).map(|it| &it.name);
        prop_assert_eq!(found, linear::virtual_host(table, &asked).map(|it| &it.name), "{}", asked);
    }
    Ok(())
}

#[test]
fn after_many_changes_the_index_is_made_anew() {
    let hosts = |numbers: std::ops::Range<u16>| numbers.map(own_host).chain([rest("*")]).collect::<Vec<_>>();
    let mut table = RouteTable::of_shared("t", hosts(0..1));
    let mut exchanged = 0;
    for number in 1_u16..200 {
        let at = table.virtual_hosts.len() - 1;
        let Some(next) = table.with_exchanged(&[], vec![(at, own_host(number))]) else { break };
        table = next;
        exchanged += 1;
    }
    assert!((10..60).contains(&exchanged), "{exchanged}");
}
