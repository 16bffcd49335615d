//! Numbers, durations, shares and choices: taken exactly as written, or refused with their field.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

use mesh::model::config_set::{Change, ConfigSet};
use mesh::model::diagnostic::{Diagnostic, Report, Severity};
use mesh::model::yaml::{LoadOptions, load};
use proptest::prelude::*;

const VIRTUAL_SERVICE: &str =
    "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: x, namespace: shop}\nspec:\n";

/// What reading and validating a text finds.
fn findings(text: &str) -> Report {
    let mut loaded = load("bad.yaml", text, &LoadOptions::default());
    loaded.report.merge(ConfigSet::new().apply(loaded.documents.into_iter().map(Change::Upsert)).report);
    loaded.report
}

/// Whether an object with one odd value has an error, and whether its field is the one expected.
fn error_at(kind: &str, spec: &str, field: &str) -> Option<bool> {
    let text = format!(
        "apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: odd, namespace: shop}}\nspec: {spec}\n"
    );
    let report = findings(&text);
    let errors: Vec<_> = report.iter().filter(|finding| finding.severity == Severity::Error).collect();
    // A number that JSON cannot write is refused before its document has fields.
    let fits = |finding: &Diagnostic| finding.at.field == field || finding.at.line == 4 && field.is_empty();
    (!errors.is_empty()).then(|| errors.iter().any(|finding| fits(finding)))
}

#[test]
fn y10_ports_are_whole_and_in_range() {
    let error = |port: &str| {
        let spec = format!("{{hosts: [a.example], ports: [{{number: {port}, name: http, protocol: HTTP}}]}}");
        error_at("ServiceEntry", &spec, "spec.ports[0].number")
    };
    for port in ["0", "-1", "65536", "80.5", "4294967376", "18446744073709551696", "1e44", "eighty", "[80]"] {
        assert_eq!(error(port), Some(true), "{port}");
    }
    for port in ["80", "80.0", "8e1", "0x50", "0120", "\"80\"", "65535", "1"] {
        assert_eq!(error(port), None, "{port}");
    }
}

#[test]
fn y11_durations_and_shares_out_of_range_are_errors() {
    for time in ["-1s", "1ns", "1", "''", "1e9h", "9223372036854775808ns", "1d", "s", "1 s"] {
        let spec =
            format!("{{hosts: [a], http: [{{timeout: {time}, route: [{{destination: {{host: a}}}}]}}]}}");
        assert_eq!(error_at("VirtualService", &spec, "spec.http[0].timeout"), Some(true), "{time}");
    }
    for share in ["101", "-1", "abc", "[1]"] {
        let spec = format!(
            "{{hosts: [a], http: [{{fault: {{abort: {{httpStatus: 500, percentage: {{value: {share}}}}}}}, route: [{{destination: {{host: a}}}}]}}]}}"
        );
        let field = "spec.http[0].fault.abort.percentage.value";
        assert_eq!(error_at("VirtualService", &spec, field), Some(true), "{share}");
    }
}

#[test]
fn y17_choices_exclude_each_other() {
    let to_a = "route: [{destination: {host: a}}]";
    for (action, field) in [
        (format!("{to_a}, redirect: {{uri: /}}"), "spec.http[0].route"),
        (format!("{to_a}, directResponse: {{status: 200}}"), "spec.http[0].route"),
        (
            format!(
                "{to_a}, fault: {{abort: {{httpStatus: 500, grpcStatus: NOT_FOUND, percentage: {{value: 1}}}}}}"
            ),
            "spec.http[0].fault.abort.grpcStatus",
        ),
    ] {
        let spec = format!("{{hosts: [a], http: [{{{action}}}]}}");
        assert_eq!(error_at("VirtualService", &spec, field), Some(true), "{action}");
    }
    for (balancer, field) in [
        ("simple: RANDOM, consistentHash: {useSourceIp: true}", "consistentHash"),
        ("consistentHash: {useSourceIp: true, httpHeaderName: a}", "consistentHash.useSourceIp"),
    ] {
        let spec = format!("{{host: a, trafficPolicy: {{loadBalancer: {{{balancer}}}}}}}");
        let field = format!("spec.trafficPolicy.loadBalancer.{field}");
        assert_eq!(error_at("DestinationRule", &spec, &field), Some(true), "{balancer}");
    }
}

#[test]
fn y17_of_several_ways_to_say_it_one_is_taken() {
    let with = |uri: &str| format!("{VIRTUAL_SERVICE}  http: [{{match: [{{uri: {{{uri}}}}}]}}]\n");
    let told = |text: &str| -> Vec<Severity> {
        let report = findings(text);
        let is_told = |finding: &&Diagnostic| finding.at.field.starts_with("spec.http[0].match[0].uri");
        report.iter().filter(is_told).map(|finding| finding.severity).collect()
    };
    let ways = ["exact: /a", "prefix: /a", "regex: a"];
    for (number, one) in ways.iter().enumerate() {
        assert_eq!(told(&with(one)), [], "{one}");
        for other in &ways[number + 1..] {
            assert_eq!(told(&with(&format!("{one}, {other}"))), [Severity::Error], "{one}, {other}");
        }
    }
    // Null is none of them, which an API server does not know.
    assert_eq!(told(&with("exact: /a, prefix: null")), [Severity::Warning]);
}

/// What lenient reading only warns of fills what is told of a document, and the error after it is told all the same.
#[test]
fn y16_many_nulls_hide_no_wrong_type() {
    let nulls = "  - {timeout: null, route: [{destination: {host: a}}]}\n".repeat(1000);
    let wrong = "  - {timeout: [7], route: [{destination: {host: a}}]}\n".repeat(3);
    let report = findings(&format!("{VIRTUAL_SERVICE}  hosts: [a.example]\n  http:\n{nulls}{wrong}"));
    let errors = report.iter().filter(|finding| finding.severity == Severity::Error);
    let fields: Vec<_> = errors.map(|finding| finding.at.field.as_str()).collect();
    assert_eq!(fields, ["spec.http[1000].timeout", "spec.http[1001].timeout", "spec.http[1002].timeout"]);
}

#[test]
fn y16_empty_rules_are_not_one_empty_rule() {
    let rules = |rules: &str| {
        let text = format!(
            "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: p, namespace: shop}}\nspec: {{{rules}}}\n"
        );
        let mut set = ConfigSet::new();
        set.apply(load("t", &text, &LoadOptions::default()).documents.into_iter().map(Change::Upsert));
        set.authorization_policies.iter().next().map(|policy| policy.spec.rules.len())
    };
    assert_eq!((rules("rules: []"), rules(""), rules("rules: null")), (Some(0), Some(0), Some(0)));
    assert_eq!(rules("rules: [{}]"), Some(1));
}

#[test]
fn y19_look_alikes_are_not_the_names_they_look_like() {
    for name in [
        "\u{440}eviews",
        "rev\u{200b}iews",
        "reviews\u{202e}",
        "ＲＥＶ",
        "rev\u{131}ews",
        "e\u{301}",
        "a\u{ad}b",
    ] {
        let text = format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: \"{name}\", namespace: shop}}\nspec: {{hosts: [a]}}\n"
        );
        let report = findings(&text);
        let finding = report.iter().find(|finding| finding.code.as_str() == "invalid-name");
        let finding = finding.unwrap_or_else(|| panic!("{name:?}: {report:?}"));
        assert_eq!(finding.at.field, "metadata.name");
        // What cannot be seen is spelled out.
        assert!(!finding.message.contains(['\u{200b}', '\u{202e}', '\u{ad}']), "{finding}");
    }
}

#[test]
fn y23_lists_indices_and_words_are_no_messages_enums_or_booleans() {
    for (spec, field) in [
        ("{hosts: [a], http: [{route: [[a, 1]]}]}", "spec.http[0].route[0]"),
        (
            "{hosts: [a], http: [{timeout: {seconds: 1}, route: [{destination: {host: a}}]}]}",
            "spec.http[0].timeout",
        ),
        ("{hosts: [a], http: [{match: [{ignoreUriCase: \"true\"}]}]}", "spec.http[0].match[0].ignoreUriCase"),
        ("{hosts: {a: b}}", "spec.hosts"),
        ("{hosts: [[a]]}", "spec.hosts[0]"),
        ("[]", "spec"),
    ] {
        assert_eq!(error_at("VirtualService", spec, field), Some(true), "{spec}");
    }
    for mode in ["NOPE", "99", "[SIMPLE]", "{SIMPLE: 1}", "true"] {
        let spec = format!("{{host: a, trafficPolicy: {{tls: {{mode: {mode}}}}}}}");
        assert_eq!(error_at("DestinationRule", &spec, "spec.trafficPolicy.tls.mode"), Some(true), "{mode}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn y10_whole_numbers_are_exact_or_refused(number in prop_oneof![any::<i128>(), -2_i128..70_000, (u32::MAX as i128 - 2)..(u32::MAX as i128 + 3)], form in 0..4) {
        let written = match form {
            0 => number.to_string(),
            1 if number >= 0 => format!("0x{number:x}"),
            2 if number >= 0 => format!("0o{number:o}"),
            _ => format!("\"{number}\""),
        };
        let text = format!("{VIRTUAL_SERVICE}  hosts: [a]\n  http: [{{match: [{{port: {written}}}], route: [{{destination: {{host: a}}}}]}}]\n");
        let loaded = load("bad.yaml", &text, &LoadOptions::default());
        let mut set = ConfigSet::new();
        let report = set.apply(loaded.documents.into_iter().map(Change::Upsert)).report;
        match set.virtual_services.iter().next() {
            Some(object) => prop_assert_eq!(i128::from(object.spec.http[0].r#match[0].port), number, "{}", written),
            None => prop_assert!(report.has_errors() || loaded.report.has_errors(), "{} vanished", written),
        }
        if u16::try_from(number).is_ok_and(|port| port > 0) {
            prop_assert!(!set.virtual_services.is_empty(), "{} refused: {:?}", written, report);
        }
    }

    #[test]
    fn y11_durations_are_exact_or_refused(parts in prop::collection::vec((0_u64..5_000_000, prop::sample::select(vec![("h", 3_600_000_000_000_i128), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)])), 1..5)) {
        let written: String = parts.iter().map(|(count, (unit, _))| format!("{count}{unit}")).collect();
        let nanos: i128 = parts.iter().map(|(count, (_, nanos))| i128::from(*count) * nanos).sum();
        let text = format!("{VIRTUAL_SERVICE}  hosts: [a]\n  http: [{{timeout: {written}, route: [{{destination: {{host: a}}}}]}}]\n");
        let mut set = ConfigSet::new();
        let report = set.apply(load("bad.yaml", &text, &LoadOptions::default()).documents.into_iter().map(Change::Upsert)).report;
        match set.virtual_services.iter().next() {
            Some(object) => prop_assert_eq!(i128::from(object.spec.http[0].timeout.unwrap().as_nanos()), nanos),
            None => prop_assert!(report.iter().any(|finding| finding.at.field == "spec.http[0].timeout"), "{:?}", report),
        }
        if i64::try_from(nanos).is_ok() && nanos >= 1_000_000 && nanos % 1_000_000 == 0 {
            prop_assert!(!set.virtual_services.is_empty(), "{} refused: {:?}", written, report);
        }
    }
}
