//! Two public suites, read by the loader: the YAML test suite (github.com/yaml/yaml-test-suite, MIT, Ingy döt Net) and
//! JSONTestSuite (github.com/nst/JSONTestSuite, MIT, Nicolas Seriot), as JSON lines in `suites/`.
//!
//! Nothing of either may panic or hang. Where the suites and Kubernetes' reader want different things, Kubernetes'
//! reader wins; each such case is listed with its reason.
#![cfg(feature = "yaml")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use mesh_model::yaml::{LoadOptions, Loaded, load};
use serde_json::Value;

fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn read(text: &[u8]) -> Loaded {
    load("suite", text, &LoadOptions::default())
}

fn documents(loaded: &Loaded) -> Vec<Value> {
    loaded.documents.iter().map(|document| document.root().to_json()).collect()
}

/// Numbers as numbers, whatever their spelling; documents that hold nothing are none.
fn normal(values: &[Value]) -> Vec<Value> {
    fn one(value: &Value) -> Value {
        match value {
            Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
            Value::Array(items) => items.iter().map(one).collect(),
            Value::Object(fields) => {
                Value::Object(fields.iter().map(|(key, value)| (key.clone(), one(value))).collect())
            }
            other => other.clone(),
        }
    }
    values.iter().filter(|value| !value.is_null()).map(one).collect()
}

/// Cases with another outcome here, and why.
const YAML_EXCEPTIONS: &[(&str, &str)] = &[
    ("565N", "`!!binary` is decoded, as Kubernetes' reader does"),
    ("58MP", "a plain word that starts with a colon is refused in flow collections, as by Go"),
    ("5T43", "so it is"),
    ("DBG4", "so it is"),
    ("HM87/00", "so it is"),
    ("9C9N", "less indentation inside of brackets is read, as by Go"),
    ("C4HZ", "the key `y` is a Boolean"),
    ("JEF9/02", "a block scalar at the end of the text has no line break that is not written"),
    ("L24T/01", "so it is"),
    ("SM9W/01", "null cannot be a key"),
    ("UKK6/02", "`!` makes a string"),
    ("ZYU8/02", "a directive with two versions is refused"),
];

#[test]
fn y22_the_yaml_test_suite_is_read_as_it_says() {
    let mut wrong = Vec::new();
    let rows = rows(include_str!("suites/yaml_test_suite.jsonl"));
    assert!(rows.len() > 390);
    for row in &rows {
        let (id, text) = (row["id"].as_str().unwrap(), row["yaml"].as_str().unwrap());
        let loaded = read(text.as_bytes());
        let outcome = if loaded.report.has_errors() { None } else { Some(normal(&documents(&loaded))) };
        let fits = match (row["fail"].as_bool(), row["json"].as_array(), &outcome) {
            (Some(true), _, outcome) => outcome.is_none(),
            (_, Some(json), Some(read)) => normal(json) == *read,
            (_, Some(_), None) => false,
            // No JSON: anything but a panic will do.
            (_, None, _) => true,
        };
        let is_exception = YAML_EXCEPTIONS.iter().any(|(exception, _)| *exception == id);
        if fits == is_exception {
            wrong.push(format!(
                "{id}: {text:?}\n  wanted {} / {}\n  found {outcome:?} {:?}",
                row["fail"],
                row["json"],
                loaded.report.iter().next().map(|found| &found.message)
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

/// JSON that is refused by the suite and read here, since YAML is laxer.
fn json_rows() -> Vec<(String, Vec<u8>)> {
    let mut rows: Vec<(String, Vec<u8>)> = rows(include_str!("suites/json_test_suite.jsonl"))
        .iter()
        .map(|row| (row["id"].as_str().unwrap().to_owned(), base64(row["base64"].as_str().unwrap())))
        .collect();
    rows.push(("n_structure_100000_opening_arrays".to_owned(), b"[".repeat(100_000)));
    rows.push(("n_structure_open_array_object".to_owned(), b"[{\"\":".repeat(50_000)));
    rows
}

fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<u32> = text
        .bytes()
        .filter_map(|byte| LETTERS.iter().position(|letter| *letter == byte))
        .map(|digit| u32::try_from(digit).unwrap())
        .collect();
    let bits: Vec<u32> =
        digits.iter().flat_map(|digit| (0..6).rev().map(move |bit| digit >> bit & 1)).collect();
    bits.chunks_exact(8)
        .map(|byte| u8::try_from(byte.iter().fold(0, |sum, bit| sum * 2 + bit)).unwrap())
        .collect()
}

/// What the suite accepts and is refused here, and why.
const JSON_REFUSED: &[(&str, &str)] = &[
    ("y_object_escaped_null_in_key", "a NUL may not stand in a string"),
    ("y_string_null_escape", "so it is"),
    ("y_string_nonCharacterInUTF-8_U+FFFF", "outside of YAML's characters, as for Go's reader"),
    ("y_string_unescaped_char_delete", "so it is"),
    ("y_string_with_del_character", "so it is"),
];

#[test]
fn y22_json_that_must_be_read_is_read_as_json_readers_read_it() {
    let mut wrong = Vec::new();
    for (id, bytes) in json_rows() {
        let loaded = read(&bytes);
        if !id.starts_with("y_") {
            continue;
        }
        let wanted: Value = serde_json::from_slice(&bytes).unwrap();
        let found = documents(&loaded);
        let fits = !loaded.report.has_errors() && normal(&found) == normal(std::slice::from_ref(&wanted));
        if fits == JSON_REFUSED.iter().any(|(refused, _)| *refused == id) {
            wrong.push(format!("{id}: {:?}: {found:?} {:?}", String::from_utf8_lossy(&bytes), loaded.report));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}
