use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const LETTERS: [&str; 4] = ["a", "b", "a.b", "b.a"];

/// Domains of a few shapes that meet each other often.
fn domain() -> impl Strategy<Value = String> {
    (0..LETTERS.len(), 0..LETTERS.len(), 0..5_u8).prop_map(|(one, other, shape)| {
        let (one, other) = (LETTERS[one], LETTERS[other]);
        match shape {
            0 => format!("*.{one}"),
            1 => format!("{one}.*"),
            2 => one.to_owned(),
            3 => format!("{one}.{other}"),
            _ => "*".to_owned(),
        }
    })
}

/// Virtual hosts with their domains, each domain given once, and which of the exact ones are apart.
fn hosts() -> impl Strategy<Value = Vec<(Vec<String>, Vec<bool>)>> {
    proptest::collection::vec(
        (proptest::collection::vec(domain(), 0..5), proptest::collection::vec(any::<bool>(), 5)),
        1..6,
    )
    .prop_map(|hosts| {
        let mut seen = BTreeSet::new();
        let once = |domains: Vec<String>, seen: &mut BTreeSet<String>| -> Vec<String> {
            domains.into_iter().filter(|domain| seen.insert(domain.clone())).collect()
        };
        hosts.into_iter().map(|(domains, apart)| (once(domains, &mut seen), apart)).collect()
    })
}

type Made = (Vec<Arc<VirtualHost>>, Vec<(u32, Arc<str>)>);

fn made(hosts: &[(Vec<String>, Vec<bool>)]) -> Made {
    let mut apart = Vec::new();
    let mut all = Vec::new();
    for (at, (domains, is_apart)) in (0_u32..).zip(hosts) {
        let texts: Vec<&str> = domains.iter().map(String::as_str).collect();
        all.push(Arc::new(host(&at.to_string(), &texts, Vec::new())));
        let exact =
            domains.iter().zip(is_apart).filter(|(domain, is_apart)| **is_apart && !domain.contains('*'));
        apart.extend(exact.map(|(domain, _)| (at, Arc::from(domain.as_str()))));
    }
    (all, apart)
}

fn check(table: &RouteTable, domains: &[String]) -> Result<(), TestCaseError> {
    let asked = domains.iter().cloned().chain(LETTERS.iter().flat_map(|one| {
        LETTERS.iter().flat_map(move |other| {
            [(*one).to_owned(), format!("{one}.{other}"), format!("{}:80", one.to_uppercase())]
        })
    }));
    for authority in asked {
        let found = table.virtual_host(&authority).map(|host| &host.name);
        let expected = linear::virtual_host(table, &authority).map(|host| &host.name);
        prop_assert_eq!(found, expected, "{}", authority);
    }
    Ok(())
}

proptest! {
    #[test]
    fn domains_apart_are_found_as_if_they_were_not(hosts in hosts(), others in hosts()) {
        let (all, apart) = made(&hosts);
        let table = RouteTable::with_apart("80", all, apart);
        let domains: Vec<String> = hosts.iter().chain(&others).flat_map(|(domains, _)| domains.clone()).collect();
        check(&table, &domains)?;
        // Other domains at every second position; those that stay elsewhere are not given twice.
        let kept: BTreeSet<&String> = hosts.iter().skip(1).step_by(2).flat_map(|(domains, _)| domains).collect();
        let free: Vec<_> = others.iter().map(|(domains, apart)| {
            (domains.iter().filter(|domain| !kept.contains(domain)).cloned().collect::<Vec<_>>(), apart.clone())
        }).collect();
        let renamed = hosts.iter().enumerate().step_by(2).map(|(at, (before, is_apart))| {
            let (after, flags) = free.get(at).cloned().unwrap_or_else(|| {
                (before.iter().filter(|it| !free.iter().any(|(domains, _)| domains.contains(it))).cloned().collect(), is_apart.clone())
            });
            let texts: Vec<&str> = after.iter().map(String::as_str).collect();
            let own = after.iter().zip(&flags).filter(|(domain, is_apart)| **is_apart && !domain.contains('*'));
            (at, Arc::new(host(&at.to_string(), &texts, Vec::new())), own.map(|(domain, _)| Arc::from(domain.as_str())).collect())
        });
        check(&table.with_renamed(renamed.collect()), &domains)?;
    }
}

#[test]
fn tables_that_differ_in_names_apart_share_their_index() {
    let hosts = |first: &[&str]| -> Vec<Arc<VirtualHost>> {
        vec![Arc::new(host("web", first, Vec::new())), Arc::new(host("db", &["db.b"], Vec::new()))]
    };
    let table = RouteTable::with_apart("80", hosts(&["web.a", "web"]), vec![(0, "web".into())]);
    let other = table.with_renamed(vec![
        (0, Arc::new(host("web", &["web.a"], Vec::new())), Vec::new()),
        (1, Arc::new(host("db", &["db", "db.b"], Vec::new())), vec!["db".into()]),
    ]);
    assert!(other.shares_index_with(&table));
    let found = |table: &RouteTable, name: &str| table.virtual_host(name).map(|host| host.name.to_string());
    assert_eq!((found(&table, "web").as_deref(), found(&table, "db")), (Some("web"), None));
    assert_eq!((found(&other, "web"), found(&other, "DB:80").as_deref()), (None, Some("db")));
    let another = table.with_renamed(vec![(1, Arc::new(host("db", &["db.c"], Vec::new())), Vec::new())]);
    assert!(!another.shares_index_with(&table));
    assert_eq!(
        (found(&another, "db.c").as_deref(), found(&another, "web").as_deref()),
        (Some("db"), Some("web"))
    );
}
