//! Tables in which virtual hosts come and go find what tables made anew find.

use std::sync::Arc;

use mesh_model::origin::Origin;
use proptest::prelude::*;

use crate::route_table::{RouteTable, VirtualHost};

fn host(name: &str, domains: &[String]) -> Arc<VirtualHost> {
    let domains = domains.iter().map(|domain| Arc::from(domain.as_str())).collect();
    Arc::new(VirtualHost::new(name, domains, false, Vec::new(), Origin::built_in("test")))
}

/// Domains of host `number`: its own names, for a few a wildcard as well.
fn own_host(number: u16) -> Arc<VirtualHost> {
    let mut domains = vec![format!("h{number}.x"), format!("h{number}.x."), format!("10.0.0.{number}")];
    if number.is_multiple_of(16) {
        domains.push(format!("*.h{number}.x"));
    }
    host(&format!("h{number:04}"), &domains)
}

fn rest(domain: &str) -> Arc<VirtualHost> {
    host("~rest", &[domain.to_owned()])
}

proptest! {
    #[test]
    fn exchanged_tables_are_as_new_ones(
        first in prop::collection::btree_set(0_u16..200, 0..60),
        steps in prop::collection::vec(prop::collection::btree_set(0_u16..200, 1..4), 1..40),
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
            let has_wildcard = step.iter().any(|number| number.is_multiple_of(16));
            match table.with_exchanged(&gone, come) {
                Some(next) => {
                    prop_assert!(!has_wildcard);
                    prop_assert!(next.shares_index_with(&table));
                    table = next;
                }
                None => table = RouteTable::of_shared("t", all(&present)),
            }
            let fresh = RouteTable::of_shared("t", all(&present));
            let names = |table: &RouteTable| table.virtual_hosts.iter().map(|it| Arc::clone(&it.name)).collect::<Vec<_>>();
            prop_assert_eq!(names(&table), names(&fresh));
            for number in 0..200 {
                for asked in [format!("h{number}.x"), format!("H{number}.x:80"), format!("10.0.0.{number}"), format!("a.h{number}.x")] {
                    let found = |table: &RouteTable| table.virtual_host(&asked).map(|it| Arc::clone(&it.name));
                    prop_assert_eq!(found(&table), found(&fresh), "{}", asked);
                }
            }
        }
    }
}

#[test]
fn after_many_changes_the_index_is_made_anew() {
    let hosts = |numbers: std::ops::Range<u16>| numbers.map(own_host).chain([rest("*")]).collect::<Vec<_>>();
    let mut table = RouteTable::of_shared("t", hosts(0..1));
    let mut exchanged = 0;
    for number in (1_u16..200).filter(|number| !number.is_multiple_of(16)) {
        let at = table.virtual_hosts.len() - 1;
        let Some(next) = table.with_exchanged(&[], vec![(at, own_host(number))]) else { break };
        table = next;
        exchanged += 1;
    }
    assert!((10..60).contains(&exchanged), "{exchanged}");
}
