//! Items of JSON lists: each stands alone, where it stands in the file.

use super::*;
use crate::document::{Node, Span, TextAtRest};

/// Line and column by counting from the start of the file.
fn counted(text: &str, at: u32) -> (u32, u32) {
    let before = &text[..at as usize];
    let line = before.rsplit('\n').next().unwrap_or_default();
    let number = |count: usize| u32::try_from(count).unwrap() + 1;
    (number(before.matches('\n').count()), number(line.chars().count()))
}

fn spans(node: Node<'_>, out: &mut Vec<Span>) {
    out.push(node.span());
    node.items().for_each(|item| spans(item, out));
    for entry in node.entries() {
        out.push(entry.key_span());
        spans(entry.value, out);
    }
}

/// Whether every place in the documents is where a plain count finds it; the kinds of the documents.
fn checked(text: &str) -> Vec<String> {
    let loaded = lenient(text);
    assert_eq!(codes(&loaded), [], "{text}");
    let mut kinds = Vec::new();
    for document in &loaded.documents {
        let mut all = Vec::new();
        spans(document.root(), &mut all);
        for span in all {
            assert_eq!((span.line, span.column), counted(text, span.start), "{text}");
        }
        let root = document.root();
        let (own, json) = (root.span(), root.to_json());
        assert_eq!(as_json(&text[own.start as usize..own.end as usize]), Some(json.clone()), "{text}");
        // At rest it is the same, whether or not it is read again.
        for rest in
            [TextAtRest::Plain, TextAtRest::Packed].into_iter().filter_map(|keep| document.at_rest(keep))
        {
            assert!(rest.is_same_text(document) && document.is_same_text(&rest));
            assert!(rest.root() == root && rest.root().to_json() == json);
        }
        kinds.push(json["kind"].as_str().unwrap().to_owned());
    }
    kinds
}

#[test]
fn items_stand_where_they_stand_in_the_file() {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "A", "metadata": {"name": "ä", "labels": {"x": "é\n"}}},
        {"apiVersion": "v1", "kind": "List", "items": [{"kind": "B", "n": [1, 2.5, true]}, {"kind": "C"}]},
        {"kind": "D", "status": {}},
    ]});
    for text in [list.to_string(), serde_json::to_string_pretty(&list).unwrap()] {
        assert_eq!(checked(&text), ["A", "B", "C", "D"]);
        assert_eq!(checked(&format!("---\n{text}\n---\n\n{text}")), ["A", "B", "C", "D", "A", "B", "C", "D"]);
    }
}

#[test]
fn an_item_keeps_its_own_text_only() {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [{"kind": "A"}, {"kind": "B", "c": "x".repeat(100)}]});
    let loaded = lenient(list.to_string());
    let longer = lenient(list.to_string().replace("xxx", "xxxx"));
    // What stands before it may not change, what stands behind it may.
    assert!(loaded.documents[0].is_same_text(&longer.documents[0]));
    assert!(!loaded.documents[1].is_same_text(&longer.documents[1]));
}
