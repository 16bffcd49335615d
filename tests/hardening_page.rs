//! `docs/hardening.md` names a test for every row of faults and attacks that the running proxy must survive, or says that
//! there is none. A test that is renamed or removed is missed here.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

/// The rows: a letter and numbers, as the page has them.
fn wanted() -> Vec<String> {
    let ranges =
        [("M", 1..=17), ("H", 1..=8), ("T", 1..=9), ("U", 1..=10), ("X", 1..=8), ("Q", 1..=6), ("L", 1..=3)];
    let mut rows: Vec<String> = ranges
        .into_iter()
        .flat_map(|(letter, numbers)| numbers.map(move |number| format!("{letter}{number:02}")))
        .collect();
    rows.extend(
        [
            "C02", "C03", "C04", "C05", "C06", "C08", "C09", "S01", "S02", "W01", "W02", "W03", "W04", "W05",
            "Z01", "Z02", "JK01", "JK02", "JK03", "JK04", "A01",
        ]
        .map(str::to_owned),
    );
    // Published vulnerabilities of the classes HTTP, TLS and other, by their number in the corpus.
    let classes = [
        18, 19, 21, 22, 23, 24, 25, 26, 27, 31, 32, 34, 36, 37, 47, 48, 58, 59, 60, 61, 62, 63, 64, 65, 66,
        67, 68, 69, 70, 71, 72, 74, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93,
        94, 95, 96, 97, 99, 100,
    ];
    rows.extend(classes.map(|number| format!("#{number}")));
    rows
}

fn page() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/hardening.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let mut cells = line.trim_matches('|').splitn(2, '|').map(str::trim);
        let (Some(row), Some(rest)) = (cells.next(), cells.next()) else { continue };
        if row == "row" || row.starts_with('-') {
            continue;
        }
        let before = rows.insert(row.to_owned(), rest.to_owned());
        assert!(before.is_none(), "{row} is there twice");
    }
    rows
}

#[test]
fn every_row_has_a_test_that_exists_or_says_that_it_has_none() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = page();
    let missing: Vec<String> = wanted().into_iter().filter(|row| !page.contains_key(row)).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
    let unknown: Vec<&String> = page.keys().filter(|row| !wanted().contains(row)).collect();
    assert!(unknown.is_empty(), "rows that nobody knows: {unknown:?}");
    for (row, cells) in &page {
        let tests: Vec<(&str, &str)> =
            cells.split('`').skip(1).step_by(2).filter_map(|name| name.split_once("::")).collect();
        assert!(
            !tests.is_empty() || cells.contains("not done") || cells.contains("not here"),
            "{row}: {cells}"
        );
        for (file, test) in tests {
            let path =
                if file.contains('/') { file.to_owned() } else { format!("tests/running_proxy/{file}.rs") };
            let text = std::fs::read_to_string(root.join(&path))
                .unwrap_or_else(|error| panic!("{row}: {path}: {error}"));
            let at =
                text.find(&format!("fn {test}(")).unwrap_or_else(|| panic!("{row}: no `{test}` in {path}"));
            let before = text.get(..at).unwrap_or_default();
            let attributes = before.rsplit("\n\n").next().unwrap_or_default();
            assert!(
                attributes.contains("#[test]") || attributes.contains("#[tokio::test"),
                "{row}: `{test}` is no test"
            );
        }
    }
}

#[test]
fn every_test_named_after_a_row_is_on_the_page() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/running_proxy");
    let page = page();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let module = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        for name in text.lines().filter_map(|line| {
            line.strip_prefix("async fn ")
                .or(line.strip_prefix("fn "))
                .and_then(|rest| rest.split('(').next())
        }) {
            let row = name.split('_').next().unwrap_or_default().to_ascii_uppercase();
            let Some(cells) = page.get(&row) else { continue };
            assert!(
                cells.contains(&format!("`{module}::{name}`")),
                "{row}: `{module}::{name}` is not on the page"
            );
        }
    }
}
