//! `kind: List` and the typed lists of Kubernetes (`ServiceList`), taken apart into their items.

use std::sync::Arc;

use crate::document::{Node, Tree, TreeBuilder};

/// A document's tree: a whole one, or the part of one that starts at a slot.
pub(super) struct Part {
    pub(super) tree: Arc<Tree>,
    pub(super) at: u32,
}

/// The documents a tree stands for: its items for a list, itself otherwise.
pub(super) fn expand(tree: Tree, out: &mut Vec<Part>) {
    let tree = Arc::new(tree);
    expand_node(&tree, tree.root(), out);
}

fn expand_node(tree: &Arc<Tree>, node: Node<'_>, out: &mut Vec<Part>) {
    let Some((kind, api_version)) = list_header(node) else {
        out.push(Part { tree: Arc::clone(tree), at: node.position() });
        return;
    };
    let Some(items) = node.entry("items") else { return };
    for item in items.value.items() {
        // Items of typed lists may leave out what the list says already.
        let missing: Vec<(&str, &str)> = [("kind", kind), ("apiVersion", api_version)]
            .into_iter()
            .filter(|(key, _)| !kind.is_empty() && item.is_map() && item.get(key).is_none())
            .collect();
        if missing.is_empty() {
            // Lists may hold lists: the depth budget bounds the recursion.
            expand_node(tree, item, out);
        } else {
            expand(completed(tree, item, items.position(), &missing), out);
        }
    }
}

/// The kind and version of a list's items, kind empty for `List`; `None`: it is no list.
fn list_header(root: Node<'_>) -> Option<(&str, &str)> {
    let kind = root.get("kind")?.as_str()?.strip_suffix("List")?;
    let api_version = root.get("apiVersion")?.as_str()?;
    // A resource's own kind may end in `List`; lists have items, and no name or spec.
    let items = root.get("items")?;
    let is_list = (items.is_list() || items.is_null())
        && root.get("spec").is_none()
        && root.get("metadata").is_none_or(|meta| meta.get("name").is_none());
    is_list.then_some((kind, api_version))
}

/// A copy of an item with entries added, which stand where the key at `place` stands.
fn completed(tree: &Tree, item: Node<'_>, place: u32, missing: &[(&str, &str)]) -> Tree {
    let mut builder = TreeBuilder::default();
    builder.copy(tree, item.position());
    let (range, end) = (tree.range(place), tree.range(item.position()).end);
    for (key, text) in missing {
        builder.text(key, range.clone());
        builder.text(text, range.clone());
    }
    builder.close(0, end);
    builder.finish_like(tree)
}
