#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::*;
use crate::document::TextAtRest;
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

#[test]
fn packed_texts_come_to_what_plain_ones_come_to() {
    let text: Vec<_> = (0..40).map(|number| service_entry(&format!("x{number}"), 1, "80")).collect();
    let text =
        text.join("---\n").replace("name: x7,", "name: x6,").replace("hosts: [x9.", "hostz: 1, hosts: [x9.");
    let json = r#"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "j"}, "spec": {"ports": [{"port": 80}]}}"#;
    let apply = |texts| {
        let mut set = ConfigSet::new();
        let mut told = Vec::new();
        for text in [&text, &text, &text.replace("x3.example", "x3.exampel"), json] {
            let applied = set.apply_with(upserts(text), ApplyOptions { texts, ..ApplyOptions::default() });
            told.push(format!("{applied:?}"));
        }
        let mut places = Vec::new();
        set.each_object(&mut |object, meta| {
            let span = object.document.root().locate("metadata.name");
            places.push((meta.name.clone(), span, object.document.root().to_json()));
        });
        (told, places)
    };
    let (plain, packed) = (apply(TextAtRest::Plain), apply(TextAtRest::Packed));
    assert_eq!(plain, packed);
    assert!(
        plain.0[1].contains("unchanged: 38") && plain.1.iter().any(|place| place.1.line > 100),
        "{plain:?}"
    );
}

fn policy(spec: &str) -> Vec<Change> {
    upserts(&format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: x, namespace: a}}\nspec: {spec}\n"
    ))
}

#[test]
fn a_policy_that_was_never_good_has_something_that_refuses_in_its_place() {
    let mut set = ConfigSet::new();
    let stand_in = |set: &ConfigSet| set.authorization_policies.stand_ins().next().cloned();
    let is_told = |applied: &Applied, code| applied.report.iter().any(|found| found.code == code);
    let bad = "{selector: {matchLabels: {app: web}}, rules: 5}";
    let applied = set.apply(policy(bad));
    let key = applied.changed.first().unwrap().clone();
    assert!(is_told(&applied, Code::FailsClosed) && applied.accepted == 0);
    assert!(set.authorization_policies.is_empty(), "nothing that was written is in force");
    let first = stand_in(&set).unwrap();
    assert_eq!(first.spec.action.as_str(), "DENY");
    assert_eq!(first.refused_at().unwrap().field(), "spec.rules");
    assert!(set.provenance(&key).is_some());
    // The same again is no change, but it is told of.
    let again = set.apply(policy(bad));
    assert!(again.changed.is_empty() && is_told(&again, Code::FailsClosed));
    assert!(Arc::ptr_eq(&first, &stand_in(&set).unwrap()));
    // Another bad one has another scope; one that only audits has none.
    assert_eq!(set.apply(policy("{rules: 5}")).changed.len(), 1);
    assert!(stand_in(&set).unwrap().spec.selector.is_none());
    let audit = set.apply(policy("{action: AUDIT, rules: 5}"));
    assert!(audit.changed.len() == 1 && stand_in(&set).is_none() && !is_told(&audit, Code::FailsClosed));
    assert!(set.apply(policy("{action: AUDIT, rules: 6}")).changed.is_empty());
    // A good version takes its place, and stays when the next is bad.
    set.apply(policy(bad));
    assert_eq!(set.apply(policy("{rules: [{}]}")).changed.len(), 1);
    assert!(stand_in(&set).is_none());
    let kept = set.apply(policy(bad));
    assert!(kept.changed.is_empty() && stand_in(&set).is_none() && is_told(&kept, Code::KeptLastGood));
    // What is removed has no good version any more.
    assert_eq!(set.apply([Change::Remove(key.clone())]).changed.len(), 1);
    assert_eq!(set.apply(policy(bad)).changed.len(), 1);
    assert_eq!(set.apply([Change::Remove(key.clone())]).changed.len(), 1);
    assert!(stand_in(&set).is_none() && set.apply([Change::Remove(key)]).changed.is_empty());
}

#[test]
fn policies_with_a_bad_head_refuse_too_and_other_kinds_do_not() {
    for (head, name) in [
        ("metadata: {name: x, namespace: a, labels: {v: 1}}", "x"),
        ("metadata: {name: X Y, namespace: a}", "X Y"),
        ("metadata: {name: 5, namespace: a}", "5"),
        ("metadata: {namespace: a}", "(document 1 of a.yaml)"),
    ] {
        for (kind, refuses) in
            [("security.istio.io/v1\nkind: RequestAuthentication", true), ("v1\nkind: Service", false)]
        {
            for threads in [1, 2] {
                let mut set = ConfigSet::new();
                let options = ApplyOptions { threads, ..ApplyOptions::default() };
                let applied = set.apply_with(upserts(&format!("apiVersion: {kind}\n{head}\n")), options);
                let told: Vec<_> = applied.changed.iter().map(|key| (&*key.namespace, &*key.name)).collect();
                assert_eq!(told, if refuses { vec![("a", name)] } else { vec![] }, "{head} {kind}");
                assert_eq!(set.request_authentications.stand_ins().count(), usize::from(refuses));
                assert!(applied.report.has_errors());
            }
        }
    }
    // What is good stays good.
    let good =
        "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: x, namespace: a}\n";
    let mut set = ConfigSet::new();
    set.apply(upserts(good));
    let applied = set.apply(upserts(&good.replace("namespace: a", "namespace: a, labels: 5")));
    assert!(applied.report.iter().any(|found| found.code == Code::KeptLastGood));
    assert_eq!((set.peer_authentications.len(), set.peer_authentications.stand_ins().count()), (1, 0));
}

#[test]
fn of_an_object_that_is_there_twice_the_findings_agree_on_which_is_in_force() {
    let (good, bad) = (service_entry("x", 1, "80"), service_entry("x", 1, "0"));
    let told = |texts: &[&String]| {
        let text = texts.iter().map(|text| text.as_str()).collect::<Vec<_>>().join("---\n");
        let mut set = ConfigSet::new();
        let report = set.apply(upserts(&text)).report;
        let of = |code| {
            let found = report.iter().filter(move |found| found.code == code);
            found.map(|found| format!("{} / {}", found.message, found.help.clone().unwrap_or_default()))
        };
        let mut all: Vec<_> = of(Code::DuplicateResource).collect();
        all.extend(of(Code::KeptLastGood));
        (
            all,
            set.service_entries.iter().next().map(|object| Place::from(&object.origin("metadata.name")).line),
        )
    };
    let already = |line| format!("`x` is already defined at a.yaml:{line} / remove one of the two; ");
    let kept = "`x` has errors: its last good version, at a.yaml:3, stays in force / correct the errors of the newer version";
    assert_eq!(told(&[&good, &good]), (vec![already(3) + "the later one is in force here"], Some(8)));
    assert_eq!(
        told(&[&good, &bad]),
        (
            vec![
                already(3) + "this one has errors, so the one at a.yaml:3 is in force here",
                kept.to_owned()
            ],
            Some(3)
        )
    );
    assert_eq!(told(&[&bad, &good]), (vec![already(3) + "the later one is in force here"], Some(8)));
    assert_eq!(
        told(&[&bad, &bad]),
        (vec![already(3) + "both have errors, so neither is in force here"], None)
    );
    let (three, in_force) = told(&[&good, &bad, &bad]);
    assert_eq!(in_force, Some(3));
    assert!(
        three.iter().take(2).all(|found| found.ends_with("the one at a.yaml:3 is in force here")),
        "{three:?}"
    );
}
