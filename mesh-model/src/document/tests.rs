#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

fn tree(json: &serde_json::Value) -> Tree {
    Tree::from_json(json, Span { line: 1, column: 1, ..Span::default() })
}

#[test]
fn json_comes_back_as_it_was() {
    for value in [
        json!(null),
        json!({"a": [1, -1, 1.5, true, false, null, "x", "", {"b": {}}, []], "é": u64::MAX, "z": i64::MIN}),
        json!([[[]], {}, "x"]),
    ] {
        assert_eq!(tree(&value).root().to_json(), value);
    }
    assert_eq!(tree(&json!([1.0, 1e3, 1e22])).root().to_json(), json!([1, 1000, 1e22]));
}

#[test]
fn paths_lead_to_what_is_written() {
    let tree = tree(&json!({"spec": {"http_routes": [{"a.b": 1}]}}));
    let root = tree.root();
    assert_eq!(root.get("spec").unwrap().get("http_routes").unwrap().items().len(), 1);
    assert_eq!(root.locate("spec.httpRoutes[0][\"a.b\"]").line, 1);
    assert!(root.get("nope").is_none() && root.items().is_empty() && root.as_str().is_none());
}

#[test]
fn a_slot_is_sixteen_bytes_and_most_take_eight() {
    assert_eq!((size_of::<tree::Slot>(), size_of::<tree::ShortSlot>()), (16, 8));
}

#[test]
fn numbers_and_texts_of_any_size_fit() {
    let long = "x".repeat(70_000);
    for value in [json!([65_535, 65_536, u32::MAX, u64::MAX]), json!({"a": long, "b": [65_536, "c"]})] {
        assert_eq!(tree(&value).root().to_json(), value);
    }
}

#[test]
fn elements_of_long_lists_are_found() {
    let items: Vec<_> = (0..1_000).map(|number| json!([number, {"a": [number]}])).collect();
    let tree = tree(&json!({"list": items, "short": [1, 2]}));
    let list = tree.root().get("list").unwrap();
    for (index, item) in list.items().enumerate() {
        assert_eq!(list.item(index).map(Node::to_json), Some(item.to_json()));
    }
    assert!(list.item(1_000).is_none() && list.item(usize::MAX).is_none());
    let short = tree.root().get("short").unwrap();
    assert_eq!(short.item(1).map(Node::to_json), Some(json!(2)));
    assert!(short.item(2).is_none() && tree.root().item(0).is_none());
}

fn proto_names() -> Vec<(&'static str, &'static str)> {
    let rows = include_str!("../../testdata/proto_names.tsv").lines();
    rows.filter_map(|row| row.split_once('\t')).collect()
}

#[test]
fn every_field_of_the_istio_api_has_the_name_of_its_proto_file() {
    let names = proto_names();
    assert!(names.len() > 500);
    for (json, proto) in names {
        // Two messages call this one field differently; the one of Kubernetes' selectors has no second spelling.
        if (json, proto) != ("matchLabels", "matchLabels") {
            assert_eq!(snake_case(json), proto, "{json}");
        }
    }
}

#[test]
fn every_field_of_the_ledger_is_among_them() {
    let Some(ledger) = crate::conformance_test::shared("ledger/fields.tsv") else { return };
    let known: std::collections::BTreeSet<&str> = proto_names().into_iter().map(|(json, _)| json).collect();
    for row in ledger.lines().skip(1) {
        let path = row.split('\t').nth(3).unwrap_or_default().replace("[]", "").replace("{}", "");
        for name in path.split('.').filter(|name| *name != "spec") {
            // Two aliases of the schema are in the `.proto` spelling already.
            assert!(known.contains(name) || ["mirror_percent", "jwks_uri"].contains(&name), "{path}");
        }
    }
}
