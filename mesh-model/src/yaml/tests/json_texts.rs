//! JSON Lines and several JSON texts in one.

use super::*;

fn kinds(text: &str) -> (Vec<String>, Vec<(&'static str, u32)>) {
    let loaded = lenient(text);
    let kind = |document: &Arc<Document>| document.root().to_json()["kind"].as_str().unwrap().to_owned();
    (loaded.documents.iter().map(kind).collect(), codes(&loaded))
}

fn named(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn each_line_is_a_document_with_its_own_places() {
    let text = "{\"kind\":\"A\"}\n{\"kind\":\"B\",\"x\":1,\"x\":2}\r\n\n{\"kind\":\"C\"}";
    assert_eq!(kinds(text), (named(&["A", "B", "C"]), vec![("duplicate-key", 2)]));
    let last = lenient(text).documents[2].root().span();
    assert_eq!((last.line, &text[last.start as usize..last.end as usize]), (4, "{\"kind\":\"C\"}"));
}

#[test]
fn texts_over_many_lines_follow_each_other_with_or_without_a_break() {
    let text = "{\n  \"kind\": \"A\"\n}\n{\n  \"kind\": \"List\",\n  \"apiVersion\": \"v1\",\n  \"items\": [{\"kind\": \"B\"}]\n}{\"kind\":\"C\"}\n";
    assert_eq!(kinds(text), (named(&["A", "B", "C"]), vec![]));
}

#[test]
fn a_broken_line_costs_itself_alone() {
    let (kinds, codes) = kinds("{\"kind\":\"A\"}\n{\"kind\":\n{\"kind\":\"C\"}\nnone\n{\"kind\":\"D\"}\n");
    assert_eq!(kinds, ["A", "C", "D"]);
    assert_eq!(codes.iter().map(|(_, line)| *line).collect::<Vec<_>>(), [2, 4], "{codes:?}");
}

#[test]
fn flow_yaml_that_is_no_json_stays_an_error() {
    for text in ["{a: '}'}{b: 1}", "{a: b}\n{c: d}", "{\"a\": 1}\nb: 2"] {
        assert!(lenient(text).report.has_errors(), "{text}");
    }
    assert_eq!(as_json("{a: '} {'}"), Some(json!({"a": "} {"})));
}

#[test]
fn a_hundred_thousand_lines_are_read_in_linear_time() {
    let text = "{\"kind\":\"A\",\"v\":[1]}\n".repeat(9_000);
    assert_eq!(lenient(&text).documents.len(), 9_000);
}
