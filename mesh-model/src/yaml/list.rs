//! `kind: List` and the typed lists of Kubernetes (`ServiceList`), taken apart into their items.

use crate::document::{Entry, Node, Span, Value};

/// The documents a tree stands for: its items for a list, itself otherwise.
pub(super) fn expand(root: Node, out: &mut Vec<Node>) {
    let Some((kind, api_version)) = list_header(&root) else {
        out.push(root);
        return;
    };
    let Value::Map(entries) = root.value else { return };
    let Some(items) = entries.into_iter().find(|entry| &*entry.key == "items") else { return };
    let header_span = items.key_span;
    let Value::List(items) = items.value.value else { return };
    for mut item in items {
        // Items of typed lists may leave out what the list says already.
        if !kind.is_empty() {
            fill(&mut item, "kind", &kind, header_span);
            fill(&mut item, "apiVersion", &api_version, header_span);
        }
        // Lists may hold lists: the depth budget bounds the recursion.
        expand(item, out);
    }
}

/// The kind and version of a list's items, kind empty for `List`; `None`: it is no list.
fn list_header(root: &Node) -> Option<(String, String)> {
    let kind = root.get("kind")?.as_str()?.strip_suffix("List")?;
    let api_version = root.get("apiVersion")?.as_str()?;
    // A resource's own kind may end in `List`; lists have items, and no name or spec.
    let is_list = matches!(root.get("items")?.value, Value::List(_) | Value::Null)
        && root.get("spec").is_none()
        && root.get("metadata").is_none_or(|meta| meta.get("name").is_none());
    is_list.then(|| (kind.to_owned(), api_version.to_owned()))
}

fn fill(item: &mut Node, key: &str, text: &str, span: Span) {
    if item.get(key).is_none()
        && let Value::Map(entries) = &mut item.value
    {
        let value = Node { value: Value::String(text.into()), span };
        entries.push(Entry { key: key.into(), key_span: span, value });
    }
}
