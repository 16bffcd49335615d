#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::*;
use crate::kind_table::{ApplyOptions, Versions};
use crate::store::Stamp;
use crate::yaml::{LoadOptions, load};

fn upserts(text: &str) -> Vec<Change> {
    let loaded = load("a.yaml", text, &LoadOptions::default());
    loaded.documents.into_iter().map(Change::Upsert).collect()
}

fn service_entry(name: &str, version: u64, port: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}, namespace: a, resourceVersion: \"{version}\"}}\n\
         spec: {{hosts: [{name}.example], ports: [{{number: {port}, name: http, protocol: HTTP}}], resolution: DNS}}\n"
    )
}

fn at(now: i64) -> ApplyOptions {
    ApplyOptions { now: Some(now), ..ApplyOptions::default() }
}

fn only_port(set: &ConfigSet) -> u32 {
    set.service_entries.iter().next().unwrap().spec.ports.first().unwrap().number
}

#[test]
fn a_bad_version_is_kept_out_and_its_age_and_reason_are_told() {
    let mut set = ConfigSet::new();
    let applied = set.apply_with(upserts(&service_entry("x", 1, "80")), at(100));
    let key = applied.changed.first().unwrap().clone();
    let good = Stamp { revision: 1, at: Some(100) };
    assert_eq!(set.service_entries.status(&key).unwrap().in_force_since, Some(good));
    for (now, version) in [(200, 2), (300, 3)] {
        let applied = set.apply_with(upserts(&service_entry("x", version, "0")), at(now));
        assert!(applied.changed.is_empty() && applied.report.has_errors());
        assert_eq!(only_port(&set), 80);
        let status = set.service_entries.status(&key).unwrap();
        let refused = status.refused.unwrap();
        assert_eq!(status.in_force_since, Some(good));
        assert_eq!(refused.since, Stamp { revision: 2, at: Some(200) }, "the first bad version counts");
        assert!(refused.reasons.iter().any(|found| found.at.field == "spec.ports[0].number"));
    }
    let told: Vec<_> = set.refusals().map(|(key, _)| key.clone()).collect();
    assert_eq!(told, std::slice::from_ref(&key));
    let applied = set.apply_with(upserts(&service_entry("x", 4, "81")), at(400));
    assert_eq!((applied.changed.len(), only_port(&set), set.revision()), (1, 81, 4));
    assert!(set.refusals().next().is_none() && !set.service_entries.is_stale(&key));
}

#[test]
fn the_same_document_again_changes_nothing_and_tells_its_findings_again() {
    let text = service_entry("x", 1, "80").replace("hosts:", "hostz: 1, hosts:");
    let mut set = ConfigSet::new();
    let first = set.apply(upserts(&text));
    assert!(!first.report.is_empty());
    let again = set.apply(upserts(&text));
    assert_eq!((again.unchanged, again.accepted, again.changed.len()), (1, 1, 0));
    assert_eq!(again.report, first.report);
    // Another place is another origin, another mode another outcome.
    assert_eq!(set.apply(upserts(&format!("\n{text}"))).changed.len(), 1);
    let strict = set.apply_with(upserts(&format!("\n{text}")), Strictness::Strict);
    assert_eq!((strict.unchanged, strict.accepted), (0, 0), "an unknown field is an error then");
}

#[test]
fn c07_older_versions_are_left_out_on_request() {
    let watch = ApplyOptions { versions: Versions::SkipOlder, ..ApplyOptions::default() };
    let mut set = ConfigSet::new();
    set.apply_with(upserts(&service_entry("x", 9, "80")), watch);
    let late = set.apply_with(upserts(&service_entry("x", 7, "81")), watch);
    assert_eq!((late.outdated, late.changed.len(), only_port(&set)), (1, 0, 80));
    // Refused versions count as seen.
    set.apply_with(upserts(&service_entry("x", 12, "0")), watch);
    assert_eq!(set.apply_with(upserts(&service_entry("x", 11, "82")), watch).outdated, 1);
    assert_eq!(set.apply_with(upserts(&service_entry("x", 12, "83")), watch).changed.len(), 1);
    assert_eq!(only_port(&set), 83);
    // Files say what they mean in their order.
    assert_eq!(set.apply(upserts(&service_entry("x", 1, "84"))).changed.len(), 1);
}

#[test]
fn c07_the_order_of_arrival_of_versions_does_not_matter() {
    let watch = ApplyOptions { versions: Versions::SkipOlder, ..ApplyOptions::default() };
    let texts: Vec<String> =
        (1..=4).map(|version| service_entry("x", version, &(80 + version).to_string())).collect();
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
        let mut set = ConfigSet::new();
        for at in order {
            set.apply_with(upserts(texts.get::<usize>(at).unwrap()), watch);
        }
        assert_eq!(only_port(&set), 84, "{order:?}");
    }
}

#[test]
fn removals_and_order() {
    let mut set = ConfigSet::new();
    let text = ["c", "a", "b"].map(|name| service_entry(name, 1, "80")).join("---\n");
    let applied = set.apply(upserts(&text));
    let names = |set: &ConfigSet| {
        set.service_entries.iter().map(|object| object.meta.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&set), ["a", "b", "c"]);
    let key = applied.changed.iter().nth(1).unwrap().clone();
    assert_eq!(set.apply([Change::Remove(key.clone())]).changed.len(), 1);
    assert_eq!(names(&set), ["a", "c"]);
    assert!(set.apply([Change::Remove(key.clone())]).changed.is_empty());
    assert!(set.service_entries.status(&key).is_none());
    let copy = set.clone();
    set.apply(upserts(&service_entry("a", 2, "90")));
    assert!(Arc::ptr_eq(
        copy.service_entries.iter().nth(1).unwrap(),
        set.service_entries.iter().nth(1).unwrap()
    ));
}

#[test]
fn several_threads_come_to_what_one_comes_to() {
    let service = |name: usize, port: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: a{name}}}\nspec: {{ports: [{{port: {port}}}]}}\n"
        )
    };
    // Doubled names, bad values, bad names, unknown kinds, and what is no resource.
    let mut texts: Vec<String> =
        (0..300).map(|number| service(number * 7 % 200, if number % 11 == 0 { "x" } else { "80" })).collect();
    texts.insert(50, service(1, "80").replace("a1", "A B"));
    texts.insert(100, service(2, "80").replace("Service", "Servce"));
    texts.insert(150, "[1]\n".to_owned());
    let loaded = load("t", texts.join("---\n"), &LoadOptions::default());
    let later = load("t", texts.join("---\n").replace("a5}", "b5}"), &LoadOptions::default());
    let apply = |threads| {
        let mut set = ConfigSet::new();
        let options = ApplyOptions { threads, ..ApplyOptions::default() };
        let of = |loaded: &crate::yaml::Loaded| {
            loaded.documents.iter().cloned().map(Change::Upsert).collect::<Vec<_>>()
        };
        let (first, second) = (set.apply_with(of(&loaded), options), set.apply_with(of(&later), options));
        let told = |applied: &Applied| {
            (format!("{:?} {:?}", applied.report, applied.changed), applied.accepted, applied.unchanged)
        };
        let services: Vec<_> = set.services.iter().cloned().collect();
        (told(&first), told(&second), services)
    };
    let one = apply(1);
    assert!(one.0.1 > 200 && one.1.2 > 50 && one.0.0.contains("already defined"), "{:?}", one.0);
    for threads in [2, 3, 8] {
        assert!(apply(threads) == one);
    }
}
