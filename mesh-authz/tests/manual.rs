//! The manual names every field and `when` key, and the functions that it sends its reader to are there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

struct Row {
    fields: Vec<String>,
    rules: String,
    file: String,
    function: String,
}

fn rows() -> Vec<Row> {
    let in_ticks =
        |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let lines = include_str!("../src/fields.md").lines().filter(|line| line.starts_with("| `"));
    lines
        .map(|line| {
            let [_, fields, _, _, rules, kept, _] = line.split('|').collect::<Vec<_>>().try_into().unwrap();
            let [file, function] = in_ticks(kept).try_into().unwrap();
            Row { fields: in_ticks(fields), rules: rules.trim().to_owned(), file, function }
        })
        .collect()
}

fn source(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// `not_ip_blocks` as the API writes it.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at(1);
        name + &initial.to_uppercase() + rest
    })
}

/// The public fields of the structs in some source, from the line that begins with `from` on.
fn fields(text: &str, from: &str) -> BTreeSet<String> {
    let text = text.get(text.find(from).unwrap()..).unwrap();
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "));
    names.map(|(name, _)| camel(name.trim_start_matches("r#"))).filter(|name| !name.contains(' ')).collect()
}

/// As the API has them: fields of the three kinds and of external authorizers, and the keys of `when`.
fn known() -> BTreeSet<String> {
    let spec =
        |kind: &str| fields(&source(&format!("../mesh-model/src/security/{kind}/spec.rs")), "pub struct");
    let providers = source("../mesh-model/src/mesh_config/provider.rs");
    let end = providers.find("pub struct PrometheusProvider").unwrap();
    let providers = fields(providers.get(..end).unwrap(), "pub struct ExtAuthzHttpProvider");
    let written = source("src/policy_set/written.rs");
    let keys = written.split('"').skip(1).step_by(2).filter(|text| text.contains('.')).map(|key| match key {
        "experimental.envoy.filters." => "experimental.envoy.filters.*".to_owned(),
        "request.headers" => "request.headers[name]".to_owned(),
        "request.auth.claims" => "request.auth.claims[a][b]".to_owned(),
        key => key.to_owned(),
    });
    let keys: BTreeSet<String> = keys.filter(|key| !key.contains(['{', ' '])).collect();
    [
        spec("authorization_policy"),
        spec("request_authentication"),
        spec("peer_authentication"),
        providers,
        keys,
    ]
    .into_iter()
    .flatten()
    .chain(["annotations[\"istio.io/dry-run\"]".to_owned()])
    .collect()
}

#[test]
fn every_field_and_key_has_its_row_and_no_other() {
    let named: Vec<String> = rows().into_iter().flat_map(|row| row.fields).collect();
    let all: BTreeSet<String> = named.iter().cloned().collect();
    assert_eq!(named.len(), all.len(), "a field has two rows");
    assert_eq!(all, known());
}

#[test]
fn rows_are_sorted_and_lead_to_functions_that_are_there() {
    let rows = rows();
    let names: Vec<String> = rows.iter().map(|row| row.fields[0].clone()).collect();
    assert!(names.is_sorted(), "{names:?}");
    for Row { fields, rules, file, function } in &rows {
        let text = source(&format!("src/{file}"));
        let is_there =
            [format!("fn {function}("), format!("fn {function}<")].iter().any(|one| text.contains(one));
        assert!(is_there, "{fields:?}: {file} has no {function}");
        let is_rule = |rule: &str| {
            rule.strip_prefix("S-").or(rule.strip_prefix("E-")).is_some_and(|number| number.len() == 3)
        };
        assert!(rules.split(", ").all(|range| range.split(" to ").all(is_rule)), "{fields:?}: {rules}");
    }
}
