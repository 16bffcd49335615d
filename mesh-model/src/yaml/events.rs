//! Parser events to trees. Nothing here recurses: depth, nodes and expansion are checked as events come in.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span as Marks, StructureStyle, Tag};

use super::LoadOptions;
use super::merge::MapBuilder;
use super::places::shorten;
use super::problems::Problems;
use super::scalar::{self, Resolved};
use super::text::Chunk;
use crate::diagnostic::Code;
use crate::document::{Node, Span, Value};

/// The trees of a chunk (normally one); a document with an error is left out.
pub(super) fn read(
    text: &str,
    chunk: &Chunk<'_>,
    options: &LoadOptions,
    problems: &mut Problems<'_>,
) -> Vec<Node> {
    let mut settings = Options::default();
    settings.emit_comments = false;
    settings.emit_unresolved_aliases = true;
    // One more than allowed, so that the tree builder reports the depth with its own words.
    settings.flow_nesting_limit = options.budget.depth_limit() + 1;
    settings.block_nesting_limit = options.budget.depth_limit() + 1;
    let mut parser = Parser::new_from_str_with_options(text, settings);
    let mut trees = Vec::new();
    let mut builder = Builder::new(text, chunk, options, problems);
    let mut read_until = 0;
    while let Some(next) = parser.next_event() {
        match next {
            Ok((Event::StreamEnd, _)) => break,
            Ok((Event::DocumentStart(..), _)) => builder.start(),
            Ok((Event::DocumentEnd, _)) => trees.extend(builder.finish()),
            Ok((event, marks)) => {
                read_until = marks.end.byte_offset().unwrap_or(read_until);
                if builder.event(event, &marks).is_none() {
                    // Over budget: the rest of the chunk is not worth its memory.
                    builder.finish();
                    break;
                }
            }
            Err(error) => {
                builder.syntax(&error, read_until);
                // What follows a complete value may be what is wrong with it.
                trees.clear();
                break;
            }
        }
    }
    trees
}

/// A value and what it costs, for aliases.
struct Anchor {
    node: Node,
    nodes: usize,
    bytes: usize,
}

/// A collection being read.
pub(super) struct Frame {
    pub(super) span: Span,
    pub(super) anchor: usize,
    pub(super) flow: bool,
    /// A pair without braces in a flow list whose colon belongs to its key: a string after all (`[2001:db8::]`).
    pub(super) pair_is_string: bool,
    /// Nodes and bytes read before it: the difference at its end is what it costs.
    pub(super) before: (usize, usize),
    pub(super) kind: FrameKind,
}

pub(super) enum FrameKind {
    List(Vec<Node>),
    Map { map: MapBuilder, key: Option<Key> },
}

/// A key that waits for its value.
pub(super) struct Key {
    pub(super) text: Box<str>,
    pub(super) span: Span,
    pub(super) merge: bool,
}

/// What a scalar was, for keys.
enum Role {
    Merge,
    Key(Option<Box<str>>),
}

pub(super) struct Builder<'a, 'p, 'r> {
    pub(super) text: &'a str,
    pub(super) chunk: &'a Chunk<'a>,
    pub(super) options: &'a LoadOptions,
    pub(super) problems: &'p mut Problems<'r>,
    pub(super) has_aliases: bool,
    pub(super) frames: Vec<Frame>,
    anchors: HashMap<usize, Anchor>,
    pub(super) root: Option<Node>,
    pub(super) nodes: usize,
    pub(super) bytes: usize,
    pub(super) expanded: (usize, usize),
    pub(super) errors_before: usize,
}

impl<'a, 'p, 'r> Builder<'a, 'p, 'r> {
    fn new(
        text: &'a str,
        chunk: &'a Chunk<'a>,
        options: &'a LoadOptions,
        problems: &'p mut Problems<'r>,
    ) -> Self {
        let errors_before = problems.errors();
        Self {
            text,
            chunk,
            options,
            problems,
            has_aliases: text.contains('*'),
            frames: Vec::new(),
            anchors: HashMap::new(),
            root: None,
            nodes: 0,
            bytes: 0,
            expanded: (0, 0),
            errors_before,
        }
    }

    fn start(&mut self) {
        self.frames.clear();
        self.anchors.clear();
        self.root = None;
        self.nodes = 0;
        self.bytes = 0;
        self.errors_before = self.problems.errors();
    }

    /// The tree of the document that ends here.
    fn finish(&mut self) -> Option<Node> {
        self.frames.clear();
        let root = self.root.take();
        let failed = self.problems.errors() > self.errors_before;
        let root = self.problems.name_resource(root)?;
        (!failed).then_some(root)
    }

    /// `None`: over budget.
    fn event(&mut self, event: Event<'_>, marks: &Marks) -> Option<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(text, style, anchor, tag.as_deref(), marks)
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.open(style, anchor, tag.as_deref(), marks, FrameKind::List(Vec::new()))
            }
            Event::MappingStart(style, anchor, tag) => {
                let kind = FrameKind::Map { map: MapBuilder::default(), key: None };
                self.open(style, anchor, tag.as_deref(), marks, kind)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(marks),
            Event::Alias(id) => self.alias(id, marks),
            Event::UnresolvedAlias(name) => {
                let message = format!("the alias `{}` has no anchor before it", shorten(&name));
                self.report(Code::AliasProblem, marks, message);
                self.place(Value::Null, 0, marks)
            }
            _ => Some(()),
        }
    }

    fn open(
        &mut self,
        style: StructureStyle,
        anchor: usize,
        tag: Option<&Tag>,
        marks: &Marks,
        kind: FrameKind,
    ) -> Option<()> {
        let limit = self.options.budget.depth_limit();
        if self.frames.len() >= limit {
            self.report(Code::BudgetExceeded, marks, format!("more than {limit} levels of nesting"));
            return None;
        }
        if let Some(tag) = tag
            && !matches!(tag.core_suffix(), Some("map" | "seq"))
        {
            self.unusual_tag(tag, marks);
        }
        let before = (self.nodes, self.bytes);
        self.count(marks, 1, 0)?;
        let flow = style == StructureStyle::Flow;
        self.frames.push(Frame { span: self.span(marks), anchor, flow, pair_is_string: false, before, kind });
        Some(())
    }

    fn close(&mut self, marks: &Marks) -> Option<()> {
        let frame = self.frames.pop()?;
        let value = match frame.kind {
            FrameKind::List(mut items) => {
                items.shrink_to_fit();
                Value::List(items)
            }
            FrameKind::Map { map, .. } => {
                let entries = map.finish();
                match (entries.first(), frame.pair_is_string) {
                    (Some(entry), true) => Value::String(entry.key.clone()),
                    _ => Value::Map(entries),
                }
            }
        };
        let mut span = frame.span;
        span.end = self.offset(marks.end.byte_offset()).max(span.start);
        let node = Node { value, span };
        self.remember(frame.anchor, &node, frame.before, marks)?;
        let role = matches!(node.value, Value::String(_)).then_some(Role::Key(None));
        self.attach(node, role, marks)
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        marks: &Marks,
    ) -> Option<()> {
        let budget = &self.options.budget;
        if text.len() > budget.scalar_bytes {
            let message = format!("a scalar of more than {} bytes", budget.scalar_bytes);
            self.report(Code::BudgetExceeded, marks, message);
            return None;
        }
        if text.contains('\0') {
            self.report(Code::Encoding, marks, "an escaped NUL may not stand in a string".to_owned());
        }
        let text = self.as_go_reads(text, style, marks);
        let plain = style == ScalarStyle::Plain;
        if plain && tag.is_none() && &*text == "<<" {
            return self.scalar_node(Value::String("<<".into()), Role::Merge, anchor, marks);
        }
        let resolved = self.resolve(&text, plain, tag, marks);
        if self.expects_key() {
            let value = if let Resolved::Value(value) = &resolved { value.clone() } else { Value::Null };
            return self.scalar_node(value, Role::Key(scalar::key_text(resolved)), anchor, marks);
        }
        let value = match resolved {
            Resolved::Value(value) => value,
            Resolved::NotJson(_) => {
                self.report(
                    Code::BadNumber,
                    marks,
                    format!("`{}` is a number that JSON cannot write", shorten(&text)),
                );
                Value::Null
            }
        };
        self.scalar_node(value, Role::Key(None), anchor, marks)
    }

    fn scalar_node(&mut self, value: Value, role: Role, anchor: usize, marks: &Marks) -> Option<()> {
        let before = (self.nodes, self.bytes);
        let bytes = if let Value::String(text) = &value { text.len() } else { 0 };
        self.count(marks, 1, bytes)?;
        let node = Node { value, span: self.span(marks) };
        self.remember(anchor, &node, before, marks)?;
        self.attach(node, Some(role), marks)
    }

    fn alias(&mut self, id: usize, marks: &Marks) -> Option<()> {
        let Some(anchor) = self.anchors.get(&id) else {
            self.report(Code::AliasProblem, marks, "an alias inside of what it refers to".to_owned());
            return self.place(Value::Null, 0, marks);
        };
        let (nodes, bytes) = (anchor.nodes, anchor.bytes);
        self.expand(nodes, bytes, marks)?;
        self.count(marks, nodes, bytes)?;
        // The repeated value stands where the alias does; what is inside of it, where it was written.
        let node = Node { value: self.anchors.get(&id)?.node.value.clone(), span: self.span(marks) };
        if depth(&node) + self.frames.len() > self.options.budget.depth_limit() {
            let limit = self.options.budget.depth_limit();
            self.report(Code::BudgetExceeded, marks, format!("more than {limit} levels of nesting"));
            return None;
        }
        let role = match &node.value {
            value if self.expects_key() => match value {
                Value::List(_) | Value::Map(_) => None,
                scalar => Some(Role::Key(scalar::key_text(Resolved::Value(scalar.clone())))),
            },
            _ => Some(Role::Key(None)),
        };
        self.attach(node, role, marks)
    }

    fn place(&mut self, value: Value, anchor: usize, marks: &Marks) -> Option<()> {
        let role = Role::Key(Some("".into()));
        self.scalar_node(value, role, anchor, marks)
    }

    /// Keeps a copy of an anchored value. Copies count as expansion: nested anchors would multiply memory otherwise.
    fn remember(&mut self, anchor: usize, node: &Node, before: (usize, usize), marks: &Marks) -> Option<()> {
        if anchor == 0 || !self.has_aliases {
            return Some(());
        }
        let (nodes, bytes) = (self.nodes - before.0, self.bytes - before.1);
        self.expand(nodes, bytes, marks)?;
        self.anchors.insert(anchor, Anchor { node: node.clone(), nodes, bytes });
        Some(())
    }

    fn expand(&mut self, nodes: usize, bytes: usize, marks: &Marks) -> Option<()> {
        self.expanded.0 = self.expanded.0.saturating_add(nodes);
        // A node costs memory even when it is empty.
        self.expanded.1 = self.expanded.1.saturating_add(bytes.saturating_add(nodes));
        let budget = &self.options.budget;
        if self.expanded.0 > budget.alias_nodes || self.expanded.1 > budget.expansion_limit(self.text.len()) {
            self.report(Code::BudgetExceeded, marks, "aliases repeat more text than is allowed".to_owned());
            return None;
        }
        Some(())
    }

    fn count(&mut self, marks: &Marks, nodes: usize, bytes: usize) -> Option<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.nodes > self.options.budget.nodes {
            let message = format!("more than {} values in one document", self.options.budget.nodes);
            self.report(Code::BudgetExceeded, marks, message);
            return None;
        }
        Some(())
    }

    fn expects_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { kind: FrameKind::Map { key: None, .. }, .. }))
    }

    /// Puts a finished value where it belongs. `role` is `None` for collections.
    fn attach(&mut self, node: Node, role: Option<Role>, marks: &Marks) -> Option<()> {
        if self.expects_key() {
            return self.attach_key(&node, role, marks);
        }
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return Some(());
        };
        match &mut frame.kind {
            FrameKind::List(items) => items.push(node),
            FrameKind::Map { map, key } => {
                let key = key.take()?;
                if key.merge {
                    if !map.merge(node) {
                        let message = "the value of `<<` is neither a map nor a list of maps".to_owned();
                        self.report(Code::BadKey, marks, message);
                    }
                } else if let Some(first) = map.insert(key.text.clone(), key.span, node) {
                    self.duplicate(&key, first);
                }
            }
        }
        Some(())
    }

    fn attach_key(&mut self, node: &Node, role: Option<Role>, marks: &Marks) -> Option<()> {
        let (text, merge) = match role {
            Some(Role::Merge) => ("<<".into(), true),
            Some(Role::Key(Some(text))) => (text, false),
            Some(Role::Key(None)) | None => {
                self.report(Code::BadKey, marks, format!("{} cannot be a map key", node.value.kind()));
                ("".into(), false)
            }
        };
        let span = node.span;
        if let Some(Frame { kind: FrameKind::Map { key, .. }, .. }) = self.frames.last_mut() {
            *key = Some(Key { text, span, merge });
        }
        Some(())
    }
}

/// Levels below a node. Trees in hand are within the depth budget, so recursion is safe.
fn depth(node: &Node) -> usize {
    match &node.value {
        Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Map(entries) => 1 + entries.iter().map(|entry| depth(&entry.value)).max().unwrap_or(0),
        _ => 0,
    }
}
