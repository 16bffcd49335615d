//! Aliases while a tree is built: what they repeat, what they may cost, and what cannot stand where they do.

use granit_parser::Span as Marks;

use super::events::{Anchor, Builder};
use super::scalar;
use crate::diagnostic::Code;
use crate::document::Plain;

impl Builder<'_, '_, '_> {
    pub(super) fn alias(&mut self, id: usize, marks: &Marks) -> Option<()> {
        let Some(anchor) = self.anchors.get(&id) else {
            self.report(Code::AliasProblem, marks, || "an alias inside of what it refers to".to_owned());
            return self.placeholder(marks);
        };
        let (nodes, bytes, from) = (anchor.nodes, anchor.bytes, anchor.at);
        self.expand(nodes, bytes, marks)?;
        self.count(marks, nodes, bytes)?;
        let limit = self.options.budget.depth_limit();
        if self.tree.is_collection(from) && self.tree.depth(from) + self.frames.len() > limit {
            self.report(Code::BudgetExceeded, marks, || format!("more than {limit} levels of nesting"));
            return None;
        }
        let (at, range) = (self.tree.len(), self.range(marks));
        if self.expects_key() {
            match self.tree.plain(from) {
                Some(Plain::Null) => return self.bad_key_of("null", at, marks),
                Some(value) => self.tree.text(&scalar::key_text(value), range),
                None => self.tree.repeat(self.text, from, range),
            }
            if self.tree.is_collection(at) {
                return self.bad_key(at, marks);
            }
        } else {
            self.tree.repeat(self.text, from, range);
        }
        self.attach(at, false);
        Some(())
    }

    /// Something in the place of what cannot be had; the document has an error already.
    pub(super) fn placeholder(&mut self, marks: &Marks) -> Option<()> {
        self.count(marks, 1, 0)?;
        let at = self.tree.len();
        self.tree.text("", self.range(marks));
        self.attach(at, false);
        Some(())
    }

    /// A collection that stands where a key must.
    pub(super) fn bad_key(&mut self, at: usize, marks: &Marks) -> Option<()> {
        let kind = if self.tree.is_map(at) { "a map" } else { "a list" };
        self.bad_key_of(kind, at, marks)
    }

    pub(super) fn bad_key_of(&mut self, kind: &str, at: usize, marks: &Marks) -> Option<()> {
        self.report(Code::BadKey, marks, || format!("{kind} cannot be a map key"));
        self.truncate(at);
        self.tree.text("", self.range(marks));
        self.attach(at, false);
        Some(())
    }

    /// Keeps the place of an anchored value.
    pub(super) fn remember(&mut self, anchor: usize, at: usize, before: (usize, usize)) {
        if anchor > 0 {
            let (nodes, bytes) = (self.nodes - before.0, self.bytes - before.1);
            self.anchors.insert(anchor, Anchor { at, nodes, bytes });
            self.anchored.push(anchor);
        }
    }

    pub(super) fn expand(&mut self, nodes: usize, bytes: usize, marks: &Marks) -> Option<()> {
        self.expanded.0 = self.expanded.0.saturating_add(nodes);
        // A node costs memory even when it is empty.
        self.expanded.1 = self.expanded.1.saturating_add(bytes.saturating_add(nodes));
        let budget = &self.options.budget;
        if self.expanded.0 > budget.alias_nodes || self.expanded.1 > budget.expansion_limit(self.text.len()) {
            self.report(Code::BudgetExceeded, marks, || {
                "aliases repeat more text than is allowed".to_owned()
            });
            return None;
        }
        Some(())
    }

    pub(super) fn count(&mut self, marks: &Marks, nodes: usize, bytes: usize) -> Option<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.nodes > self.options.budget.nodes {
            let most = self.options.budget.nodes;
            self.report(Code::BudgetExceeded, marks, || too_many(most));
            return None;
        }
        Some(())
    }
}

/// What is said of a document with more keys and values than it may have.
pub(super) fn too_many(most: usize) -> String {
    format!("more than {most} keys and values in one document")
}
