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
                    assert!(text.contains(&format!("fn {test}(")), "{row}: {file} has no test {test}");
                }
            } else {
                assert!(answers.contains("elsewhere: "), "{row}: {answer}");
            }
        }
    }
    assert!(missing.is_empty(), "rows without a test: {missing:?}");
}

/// A planted bug names the row that it belongs to: the table says the same, and which rows have none.
#[test]
fn rows_with_a_planted_bug_say_so() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("mesh-authz/src");
    let files = [
        "policy_set/tests/mutants.rs",
        "policy_set/tests/mutants/identities.rs",
        "request_authn/tests/mutants.rs",
    ];
    let text: String = files.iter().map(|file| fs::read_to_string(root.join(file)).unwrap()).collect();
    let mut without = Vec::new();
    for line in include_str!("attacks.tsv").lines().skip(1) {
        let [row, what, answers] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let is_planted = text.contains(&format!("\"{row}\","));
        assert_eq!(answers.contains("mutants.rs"), is_planted, "{row}");
        if !is_planted && !answers.starts_with("elsewhere") {
            without.push(format!("{row} ({what})"));
        }
    }
    println!("rows whose tests have no planted bug: {}", without.join(", "));
    assert!(without.len() <= 39, "{without:?}");
}
