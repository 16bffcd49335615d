//! `attacks.tsv` says which test answers which known attack on decisions: every row is there, and so is every test.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Rows of the list of attacks that concern decisions: paths and hosts, tokens, keys, identity, and of the regression
/// corpus the classes A, P, J, T and C.
fn rows() -> BTreeSet<String> {
    let several = |prefix: &str, last: usize, width: usize| {
        (1..=last).map(|n| format!("{prefix}{n:0width$}")).collect::<Vec<_>>()
    };
    let corpus = [
        20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 33, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47,
        49, 50, 51, 52, 53, 54, 55, 56, 57, 73, 75, 86, 87,
    ];
    [several("P", 13, 2), several("J", 11, 2), several("JK", 4, 2), several("T", 9, 2), several("", 17, 1)]
        .concat()
        .into_iter()
        .chain(corpus.iter().map(ToString::to_string))
        .collect()
}

/// Whether a text has a test of this name: a function with the attribute, that nobody has to ask for.
fn is_run(text: &str, test: &str) -> bool {
    let Some(at) = text.find(&format!("fn {test}(")) else { return false };
    let before = text.get(..at).unwrap().trim_end_matches("async ").trim_end();
    let attributes: Vec<&str> =
        before.lines().rev().map(str::trim).take_while(|line| line.starts_with("#[")).collect();
    let has = |start: &str| attributes.iter().any(|line| line.starts_with(start));
    (has("#[test]") || has("#[tokio::test")) && !has("#[ignore")
}

#[test]
fn a_test_is_a_function_that_is_run() {
    assert!(is_run("#[test]\nfn a() {}", "a") && is_run("    #[tokio::test(x)]\n    async fn a() {}", "a"));
    for text in ["fn a() {}", "#[test]\n#[ignore = \"x\"]\nfn a() {}", "#[test]\nfn ab() {}", "// fn a()"] {
        assert!(!is_run(text, "a"), "{text}");
    }
}

#[test]
fn every_row_has_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = rows();
    for line in include_str!("attacks.tsv").lines().skip(1) {
        let [row, _, answers] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        assert!(missing.remove(row), "row {row} is unknown, or comes twice");
        for answer in answers.split("; ").filter(|answer| !answer.starts_with("elsewhere: ")) {
            if let Some(case) = answer.strip_prefix("case ") {
                assert!(root.join("testdata").join(case).join("expect.jsonl").is_file(), "{row}: {case}");
            } else if let Some((file, tests)) = answer.split_once(".rs:") {
                let file = format!("{file}.rs");
                let text = fs::read_to_string(root.join(&file)).unwrap_or_else(|why| panic!("{file}: {why}"));
                for test in tests.split(',') {
                    assert!(is_run(&text, test), "{row}: {file} has no test {test} that is run");
                }
            } else {
                assert!(answers.contains("elsewhere: "), "{row}: {answer}");
            }
        }
    }
    assert!(missing.is_empty(), "rows without a test: {missing:?}");
}

/// Where bugs are planted, and by which test each is told from ours.
const PLANTED: &[(&str, &str)] = &[
    (
        "mesh-authz/src/external_authorizer/tests/mutants.rs",
        "mesh-authz/src/external_authorizer/tests/mutants.rs:",
    ),
    ("mesh-authz/src/jwks_store/tests/mutants.rs", "mesh-authz/src/jwks_store/tests/mutants.rs:"),
    ("mesh-authz/src/jwt/tests/vectors.rs", "j02_a_check_left_out_is_seen"),
    ("mesh-authz/src/policy_set/tests/mutants.rs", "mesh-authz/src/policy_set/tests/mutants.rs:"),
    ("mesh-authz/src/policy_set/tests/mutants/identities.rs", "mesh-authz/src/policy_set/tests/mutants.rs:"),
    ("mesh-authz/src/request_authn/tests/mutants.rs", "mesh-authz/src/request_authn/tests/mutants.rs:"),
    (
        "mesh-authz/src/request_authn/tests/mutants/keys.rs",
        "mesh-authz/src/request_authn/tests/mutants/keys.rs:",
    ),
    (
        "mesh-authz/src/request_authn/tests/mutants/outputs.rs",
        "mesh-authz/src/request_authn/tests/mutants/outputs.rs:",
    ),
    ("mesh-compile/tests/mutants.rs", "mesh-compile/tests/mutants.rs:"),
    ("mesh-proxy-core/src/canonical/tests/mutants.rs", "mesh-proxy-core/src/canonical/tests/mutants.rs:"),
    ("mesh-proxy-core/src/canonical/tests/slow.rs", "mesh-proxy-core/src/canonical/tests/paths.rs:p0"),
    ("mesh-proxy-core/src/decide/tests/mutants.rs", "mesh-proxy-core/src/decide/tests/mutants.rs:"),
];

/// Rows of class C on what reading and matching may cost: bounds, which no decision is made by.
const BOUNDS: &[&str] = &["49", "50", "51", "52", "53", "54", "55", "56"];

/// A planted bug names the row that it belongs to, and the table says the same: every row on decisions has one, and
/// every other row says where it is answered.
#[test]
fn every_row_on_decisions_has_a_planted_bug() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let texts: Vec<(String, &str)> =
        PLANTED.iter().map(|(file, test)| (fs::read_to_string(root.join(file)).unwrap(), *test)).collect();
    let mut without = Vec::new();
    for line in include_str!("attacks.tsv").lines().skip(1) {
        let [row, what, answers] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let names = |text: &str| [',', ']', ';'].iter().any(|end| text.contains(&format!("\"{row}\"{end}")));
        let planted: Vec<&str> =
            texts.iter().filter(|(text, _)| names(text)).map(|(_, test)| *test).collect();
        for test in &planted {
            assert!(
                answers.contains(test),
                "row {row} has a planted bug that the table does not tell of: {test}"
            );
        }
        let is_elsewhere = answers.starts_with("elsewhere: ") || BOUNDS.contains(&row);
        if planted.is_empty() && !is_elsewhere {
            without.push(format!("{row} ({what})"));
        }
    }
    assert!(without.is_empty(), "rows whose tests have no planted bug: {}", without.join(", "));
}
