//! Paths: a table that a real Envoy 1.40 answered, row for row, and random ones, against the slow twin.
//!
//! The table's targets are those of Istio's tests of normalisation, of policies on paths, every escape, every printable
//! character, and dot segments in every writing; `=` stands for the target itself. It follows CVE-2026-73551
//! (`/..;/admin` is `/admin`), which Istio's own table does not yet.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::slow::{self, BUGS, Bug};
use super::*;

const MODES: [PathNormalization; 4] = [
    PathNormalization::None,
    PathNormalization::Base,
    PathNormalization::MergeSlashes,
    PathNormalization::DecodeAndMergeSlashes,
];

/// A target, and what comes of it in the four modes; `400`: it is refused.
fn table() -> Vec<(String, [String; 4])> {
    let rows = include_str!("../testdata/paths.jsonl").lines();
    rows.map(|line| {
        let [target, forms @ ..]: [String; 5] = serde_json::from_str(line).unwrap();
        (target.clone(), forms.map(|form| if form == "=" { target.clone() } else { form }))
    })
    .collect()
}

/// The path that everybody sees, or the status.
fn ours(target: &str, mode: PathNormalization) -> String {
    let request = RequestFacts { path: Cow::Borrowed(target), ..request(&[]) };
    let manager = HttpManager { normalization: mode, ..manager() };
    match canonicalize(&manager, &connection(), Terminated::No, &request) {
        Ok(canonical) => canonical.request.path.into_owned(),
        Err(rejection) => rejection.status.to_string(),
    }
}

fn theirs(target: &str, mode: PathNormalization, bug: Option<Bug>) -> String {
    slow::normalize(target, mode, bug).unwrap_or_else(|| "400".to_owned())
}

#[test]
fn p01_every_row_of_the_table_has_its_form_in_every_mode() {
    let table = table();
    assert!(table.len() >= 700, "{} rows", table.len());
    for (target, forms) in &table {
        for (mode, form) in MODES.into_iter().zip(forms) {
            let found = (ours(target, mode), theirs(target, mode, None));
            assert_eq!((&*found.0, &*found.1), (&**form, &**form), "{target:?} {mode:?}");
        }
    }
}

#[test]
fn p01_a_step_left_out_is_seen_in_the_table() {
    let table = table();
    for (bug, rows) in BUGS {
        let is_seen = table.iter().any(|(target, forms)| {
            MODES.into_iter().zip(forms).any(|(mode, form)| theirs(target, mode, Some(*bug)) != *form)
        });
        assert!(is_seen, "rows {rows:?}: nobody would see {bug:?}");
    }
}

/// Of what paths are attacked with, and any byte.
fn target() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        20 => prop::sample::select(vec![
            "/", "/", "/", ".", ".", "%", "2", "e", "f", "5", "c", "\\", ";", "?", "#", "a", "A", "..", "/../", "/./",
            "//", "..;", ".;", "%2e", "%2E", "%2f", "%2F", "%5c", "%5C", "%25", "%00", "%41",
        ])
        .prop_map(str::to_owned),
        1 => any::<u8>().prop_map(|byte| char::from(byte).to_string()),
    ];
    prop::collection::vec(part, 0..14).prop_map(|parts| format!("/{}", parts.concat()))
}

fn cases(usual: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|number| number.parse().ok());
    ProptestConfig::with_cases(asked.unwrap_or(usual))
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn p02_random_paths_have_the_form_that_plain_steps_give(target in target()) {
        for mode in MODES {
            prop_assert_eq!(ours(&target, mode), theirs(&target, mode, None), "{:?}", mode);
        }
    }
}

#[test]
fn p02_a_step_left_out_is_seen_among_random_paths() {
    for (bug, rows) in BUGS.iter().filter(|(_, rows)| rows.contains(&"P02")) {
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) };
        let random = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
        let found = TestRunner::new_with_rng(config, random).run(&target(), |target| {
            for mode in MODES {
                prop_assert_eq!(ours(&target, mode), theirs(&target, mode, Some(*bug)));
            }
            Ok(())
        });
        assert!(found.is_err(), "rows {rows:?}: nobody would see {bug:?}");
    }
}

/// Answers of a real Envoy to random paths, where a file of them is named: rows as in the table.
#[test]
fn p02_random_paths_have_the_form_that_envoy_gave() {
    let Ok(file) = std::env::var("MESH_ENVOY_PATHS") else { return };
    let rows = std::fs::read_to_string(file).unwrap();
    for line in rows.lines() {
        let [target, forms @ ..]: [String; 5] = serde_json::from_str(line).unwrap();
        for (mode, form) in MODES.into_iter().zip(&forms) {
            let wanted = if form == "=" { &target } else { form };
            assert_eq!(&ours(&target, mode), wanted, "{target:?} {mode:?}");
        }
    }
    println!("{} paths", rows.lines().count());
}
