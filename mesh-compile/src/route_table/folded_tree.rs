//! Paths whose case does not count, as a radix tree over lower case: one walk along a request's path meets every one of its
//! beginnings.

use super::Route;
use super::bucket::Bucket;

/// Routes that hang on one node.
#[derive(Debug, Clone, Default)]
pub(super) struct Entries {
    /// Fit when the path ends here.
    pub(super) whole: Bucket,
    /// Fit whatever follows.
    pub(super) open: Bucket,
}

/// The tree; node 0 is the root.
#[derive(Debug, Clone)]
pub(super) struct FoldedTree {
    nodes: Vec<Node>,
}

impl Default for FoldedTree {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// The bytes between the parent and this node.
    label: Box<[u8]>,
    /// First byte of the label and position of the node, sorted.
    children: Vec<(u8, u32)>,
    /// Most nodes have none: they are where paths part.
    entries: Option<Box<Entries>>,
}

impl FoldedTree {
    /// Whether nothing was inserted.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.first().is_none_or(|root| root.children.is_empty() && root.entries.is_none())
    }

    /// The entries at a key, made where there are none yet.
    pub(super) fn entries_at(&mut self, key: &str) -> Option<&mut Entries> {
        let node = self.node_at(key.to_ascii_lowercase().as_bytes())?;
        Some(&mut **self.nodes.get_mut(node as usize)?.entries.get_or_insert_default())
    }

    /// To be called once, after the last insertion.
    pub(super) fn seal(&mut self, routes: &[Route]) {
        self.nodes.shrink_to_fit();
        for node in &mut self.nodes {
            node.children.shrink_to_fit();
            let Some(entries) = &mut node.entries else { continue };
            entries.whole.seal(routes);
            entries.open.seal(routes);
        }
    }

    /// Visits the entries of every key that `path` starts with, shortest first, with what remains of the path.
    pub(super) fn walk<'i>(&'i self, path: &[u8], mut visit: impl FnMut(&'i Entries, &[u8])) {
        let mut node = self.nodes.first();
        let mut rest = path;
        while let Some(here) = node {
            if let Some(entries) = &here.entries {
                visit(entries, rest);
            }
            node = rest.first().and_then(|byte| self.child(here, byte.to_ascii_lowercase()));
            if let Some(child) = node {
                let Some((start, after)) = rest.split_at_checked(child.label.len()) else { return };
                if !start.eq_ignore_ascii_case(&child.label) {
                    return;
                }
                rest = after;
            }
        }
    }

    fn child(&self, node: &Node, byte: u8) -> Option<&Node> {
        let slot = node.children.binary_search_by_key(&byte, |(first, _)| *first).ok()?;
        let (_, position) = node.children.get(slot)?;
        self.nodes.get(*position as usize)
    }

    fn node_at(&mut self, key: &[u8]) -> Option<u32> {
        let mut here = 0_u32;
        let mut rest = key;
        while let Some(first) = rest.first() {
            let children = &self.nodes.get(here as usize)?.children;
            let slot = match children.binary_search_by_key(first, |(byte, _)| *byte) {
                Ok(slot) => slot,
                Err(slot) => return self.add_leaf(here, slot, rest),
            };
            let (_, child) = *children.get(slot)?;
            let label = &self.nodes.get(child as usize)?.label;
            let shared = label.iter().zip(rest).take_while(|(a, b)| a == b).count();
            here = if shared == label.len() { child } else { self.split(here, slot, child, shared)? };
            rest = rest.get(shared..)?;
        }
        Some(here)
    }

    fn add_leaf(&mut self, parent: u32, slot: usize, label: &[u8]) -> Option<u32> {
        let leaf = u32::try_from(self.nodes.len()).ok()?;
        self.nodes.push(Node { label: label.into(), ..Node::default() });
        self.nodes.get_mut(parent as usize)?.children.insert(slot, (*label.first()?, leaf));
        Some(leaf)
    }

    /// Puts a node between `parent` and `child`, after the first `shared` bytes of the child's label.
    fn split(&mut self, parent: u32, slot: usize, child: u32, shared: usize) -> Option<u32> {
        let middle = u32::try_from(self.nodes.len()).ok()?;
        let lower = self.nodes.get_mut(child as usize)?;
        let label = std::mem::take(&mut lower.label);
        let (above, below) = label.split_at_checked(shared)?;
        lower.label = below.into();
        let children = vec![(*below.first()?, child)];
        self.nodes.push(Node { label: above.into(), children, entries: None });
        self.nodes.get_mut(parent as usize)?.children.get_mut(slot)?.1 = middle;
        Some(middle)
    }
}
