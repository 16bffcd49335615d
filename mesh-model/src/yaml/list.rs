//! `kind: List` and the typed lists of Kubernetes (`ServiceList`), taken apart into their items.

use std::sync::Arc;

use super::text::narrow;
use crate::document::{Node, Tree, TreeBuilder};

/// A document's tree: a whole one, or the part of one that starts at a slot.
pub(super) struct Part {
    pub(super) tree: Arc<Tree>,
    pub(super) at: u32,
}

/// The documents a tree stands for: its items for a list, itself otherwise. No more than `most` are given.
pub(super) fn expand(tree: Tree, most: usize) -> Vec<Part> {
    let mut out = Vec::new();
    expand_into(tree, most, &mut out);
    out
}

fn expand_into(tree: Tree, most: usize, out: &mut Vec<Part>) {
    let tree = Arc::new(tree);
    expand_node(&tree, tree.root(), most, out);
}

fn expand_node(tree: &Arc<Tree>, node: Node<'_>, most: usize, out: &mut Vec<Part>) {
    let Some((kind, api_version)) = list_header(node) else {
        // `null` is no document.
        if !node.is_null() {
            out.push(Part { tree: Arc::clone(tree), at: node.position() });
        }
        return;
    };
    let Some(items) = node.entry("items") else { return };
    let mut cutter = Cutter::new(tree);
    for item in items.value.items() {
        if out.len() >= most {
            return;
        }
        // Items of typed lists may leave out what the list says already.
        let missing: Vec<(&str, &str)> = [("kind", kind), ("apiVersion", api_version)]
            .into_iter()
            .filter(|(key, _)| !kind.is_empty() && item.is_map() && item.get(key).is_none())
            .collect();
        // Lists may hold lists: the depth budget bounds the recursion.
        if !missing.is_empty() {
            expand_into(completed(tree, item, items.position(), &missing), most, out);
        } else if let Some(own) = cutter.cut(item) {
            expand_into(own, most, out);
        } else {
            expand_node(tree, item, most, out);
        }
    }
}

/// Gives the items of a JSON list, which can be read without the rest of the list, a text and a tree of their own: then
/// one of them that is kept does not keep all.
struct Cutter<'t> {
    tree: &'t Tree,
    builder: TreeBuilder,
    /// How far the text is counted, and what that came to.
    at: usize,
    line: u32,
    column: u32,
}

impl<'t> Cutter<'t> {
    fn new(tree: &'t Tree) -> Self {
        let (line, column) = tree.start();
        Self { tree, builder: TreeBuilder::default(), at: 0, line, column }
    }

    fn cut(&mut self, item: Node<'_>) -> Option<Tree> {
        let text = self.tree.quick_text().filter(|text| text.trim_start().starts_with(['{', '[']))?;
        let start = self.tree.range(item.position()).start as usize;
        let passed = text.get(self.at..start)?;
        let rest = match passed.rsplit_once('\n') {
            Some((lines, rest)) => {
                self.line = self.line.saturating_add(narrow(lines.matches('\n').count() + 1));
                self.column = 0;
                rest
            }
            None => passed,
        };
        self.column = self.column.saturating_add(narrow(rest.chars().count()));
        self.at = start;
        self.builder.cut(self.tree, item.position(), self.line, self.column).filter(|_| item.is_map())
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

/// Whether a document is taken apart.
#[cfg(feature = "yaml")]
pub(super) fn is_list_of_any(root: Node<'_>) -> bool {
    list_header(root).is_some()
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
