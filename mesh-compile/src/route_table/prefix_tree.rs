//! A radix tree over paths: one walk along a request's path meets every configured prefix of it.

use super::Route;
use super::bucket::Bucket;

/// Routes that hang on one node.
#[derive(Debug, Clone, Default)]
pub(super) struct Entries {
    /// Fit when the path ends here.
    pub(super) whole: Bucket,
    /// Fit whatever follows.
    pub(super) open: Bucket,
    /// Fit when the path ends here or goes on with `/`.
    pub(super) segment: Bucket,
    /// Regexes whose matches all start like this; to be tested.
    pub(super) maybe: Bucket,
}

/// Whether letters are compared with their case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folding {
    /// As they are.
    None,
    /// Keys are lower case, ASCII letters of the path are taken as lower case.
    Ascii,
}

/// The tree; node 0 is the root.
#[derive(Debug, Clone)]
pub(super) struct PrefixTree {
    folding: Folding,
    nodes: Vec<Node>,
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

impl PrefixTree {
    pub(super) fn new(folding: Folding) -> Self {
        Self { folding, nodes: vec![Node::default()] }
    }

    /// Whether nothing was inserted.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.first().is_none_or(|root| root.children.is_empty() && root.entries.is_none())
    }

    /// The entries at a key (lower case if the tree folds), made where there are none yet.
    pub(super) fn entries_at(&mut self, key: &[u8]) -> Option<&mut Entries> {
        let node = self.node_at(key)?;
        Some(&mut **self.nodes.get_mut(node as usize)?.entries.get_or_insert_default())
    }

    /// To be called once, after the last insertion.
    pub(super) fn seal(&mut self, routes: &[Route]) {
        self.nodes.shrink_to_fit();
        for node in &mut self.nodes {
            node.children.shrink_to_fit();
            let Some(entries) = &mut node.entries else { continue };
            for bucket in [&mut entries.whole, &mut entries.open, &mut entries.segment, &mut entries.maybe] {
                bucket.seal(routes);
            }
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
            node = rest.first().and_then(|byte| self.child(here, self.fold(*byte)));
            if let Some(child) = node {
                let Some((start, after)) = rest.split_at_checked(child.label.len()) else { return };
                if !self.equal(start, &child.label) {
                    return;
                }
                rest = after;
            }
        }
    }

    fn fold(&self, byte: u8) -> u8 {
        match self.folding {
            Folding::None => byte,
            Folding::Ascii => byte.to_ascii_lowercase(),
        }
    }

    fn equal(&self, text: &[u8], label: &[u8]) -> bool {
        match self.folding {
            Folding::None => text == label,
            Folding::Ascii => text.eq_ignore_ascii_case(label),
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
