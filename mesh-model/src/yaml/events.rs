//! Parser events to trees. Nothing here recurses: depth, nodes and expansion are checked as events come in.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span as Marks, StructureStyle, Tag};

use super::LoadOptions;
use super::places::shorten;
use super::problems::Problems;
use super::rare;
use super::scalar::{self, Resolved};
use super::text::{Chunk, narrow};
use crate::diagnostic::{Code, Severity};
use crate::document::{Plain, Tree, TreeBuilder};

/// The trees of a chunk (normally one); a document with an error is left out.
pub(super) fn read(
    text: &str,
    chunk: &Chunk<'_>,
    options: &LoadOptions,
    tree: &mut TreeBuilder,
    problems: &mut Problems<'_>,
) -> Vec<Tree> {
    let mark = problems.mark();
    let mut spelt = Cow::Borrowed(text);
    // In flow collections Go reads a plain scalar on over a colon (`{a: 2001:db8::}`) where YAML 1.2 sees the start of
    // a value. Such a colon is put under another name, and the text is read again.
    for _ in 0..COLONS_MAX {
        match read_spelt(&spelt, text, chunk, options, tree, problems) {
            Ok(trees) => return trees,
            Err(colon) => {
                problems.back_to(mark);
                spelt.to_mut().replace_range(colon..=colon, ";");
            }
        }
    }
    let message = "too many colons at the ends of words between brackets: quote them";
    let place = super::text::place_after("", chunk);
    let noted = problems.note(Code::BudgetExceeded, Severity::Error, place, "", message.to_owned());
    noted.help("write them in quotes");
    Vec::new()
}

/// How often a text is read again for a colon; the bound of the work that one text can ask for.
const COLONS_MAX: usize = 8;

/// Reads `spelt`, which is `text` but for colons that belong to words. `Err`: there is one more at this offset.
fn read_spelt(
    spelt: &str,
    text: &str,
    chunk: &Chunk<'_>,
    options: &LoadOptions,
    tree: &mut TreeBuilder,
    problems: &mut Problems<'_>,
) -> Result<Vec<Tree>, usize> {
    let mut settings = Options::default();
    settings.emit_comments = false;
    settings.emit_unresolved_aliases = true;
    // One more than allowed, so that the tree builder reports the depth with its own words.
    settings.flow_nesting_limit = options.budget.depth_limit() + 1;
    settings.block_nesting_limit = options.budget.depth_limit() + 1;
    let mut parser = Parser::new_from_str_with_options(spelt, settings);
    let mut trees = Vec::new();
    let mut builder = Builder::new(text, chunk, options, tree, problems);
    builder.is_respelt = spelt != text;
    let mut read_until = 0;
    while let Some(next) = parser.next_event() {
        match next {
            Ok((Event::StreamEnd, _)) => break,
            Ok((Event::DocumentStart(..), marks)) => {
                if builder.count_rare(rare::DOCUMENT_PARTS, &marks).is_none() {
                    builder.abandon();
                    return Ok(trees);
                }
                builder.start();
            }
            Ok((Event::DocumentEnd, _)) => trees.extend(builder.finish()),
            Ok((event, marks)) => {
                read_until = marks.end.byte_offset().unwrap_or(read_until);
                let counted = builder.count_rare(rare::parts(&event), &marks);
                if counted.and_then(|()| builder.event(event, &marks)).is_none() {
                    // Over budget: the rest of the chunk is not worth its memory.
                    builder.abandon();
                    return Ok(trees);
                }
            }
            Err(error) => {
                if let Some(colon) = builder.colon_of_word(spelt, &error) {
                    return Err(colon);
                }
                builder.syntax(&error, read_until);
                builder.abandon();
                // What follows a complete value may be what is wrong with it.
                return Ok(Vec::new());
            }
        }
    }
    Ok(trees)
}

/// A value and what it costs, for aliases.
pub(super) struct Anchor {
    pub(super) at: usize,
    pub(super) nodes: usize,
    pub(super) bytes: usize,
}

/// A collection being read.
pub(super) struct Frame {
    /// Its slot.
    pub(super) at: usize,
    pub(super) anchor: usize,
    pub(super) flow: bool,
    /// A pair without braces in a flow list whose colon belongs to its key: a string after all (`[2001:db8::]`).
    pub(super) pair_is_string: bool,
    /// Nodes and bytes read before it: the difference at its end is what it costs.
    pub(super) before: (usize, usize),
    pub(super) kind: FrameKind,
}

pub(super) enum FrameKind {
    /// Elements so far.
    List(usize),
    Map {
        /// The slot of a key that waits for its value.
        key: Option<usize>,
        /// Entries so far.
        entries: usize,
        /// The keys that are merge keys (`<<`).
        merges: Vec<usize>,
    },
}

pub(super) struct Builder<'a, 'p, 'r> {
    pub(super) text: &'a str,
    /// Whether the parser reads another spelling of the text.
    is_respelt: bool,
    /// Where the last scalar ends.
    pub(super) last_end: usize,
    pub(super) chunk: &'a Chunk<'a>,
    pub(super) options: &'a LoadOptions,
    pub(super) problems: &'p mut Problems<'r>,
    pub(super) tree: &'p mut TreeBuilder,
    pub(super) frames: Vec<Frame>,
    pub(super) anchors: HashMap<usize, Anchor>,
    /// Anchors in the order in which their values ended.
    pub(super) anchored: Vec<usize>,
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
        tree: &'p mut TreeBuilder,
        problems: &'p mut Problems<'r>,
    ) -> Self {
        let errors_before = problems.errors();
        tree.clear();
        Self {
            text,
            is_respelt: false,
            last_end: 0,
            chunk,
            options,
            problems,
            tree,
            frames: Vec::new(),
            anchors: HashMap::new(),
            anchored: Vec::new(),
            nodes: 0,
            bytes: 0,
            expanded: (0, 0),
            errors_before,
        }
    }

    fn start(&mut self) {
        self.frames.clear();
        self.anchors.clear();
        self.anchored.clear();
        self.tree.clear();
        self.nodes = 0;
        self.bytes = 0;
        self.errors_before = self.problems.errors();
    }

    /// The tree of the document that ends here.
    fn finish(&mut self) -> Option<Tree> {
        self.frames.clear();
        if self.tree.len() == 0 {
            return None;
        }
        let line = narrow(self.chunk.line);
        let tree = self.tree.finish(self.text.into(), narrow(self.chunk.offset), line);
        self.problems.name_resource(tree.root());
        (self.problems.errors() == self.errors_before).then_some(tree)
    }

    /// The document stops here and has no tree.
    fn abandon(&mut self) {
        let kind = self.kind_so_far();
        self.problems.name_kind(kind.as_deref());
        self.frames.clear();
        self.tree.clear();
    }

    /// `kind` of the document as far as it was read.
    fn kind_so_far(&self) -> Option<String> {
        if !self.tree.is_map(0) {
            return None;
        }
        // What is inside of an open value is not the document's own.
        let until = self.frames.get(1).map_or(self.tree.len(), |frame| frame.at);
        let mut keys = self.tree.open_keys(0, until);
        let key = keys.find(|key| self.tree.string(self.text, *key) == Some("kind"))?;
        self.tree.string(self.text, key + 1).map(str::to_owned)
    }

    /// `None`: over budget.
    fn event(&mut self, event: Event<'_>, marks: &Marks) -> Option<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(text, style, anchor, tag.as_deref(), marks)
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.open(style, anchor, tag.as_deref(), marks, FrameKind::List(0))
            }
            Event::MappingStart(style, anchor, tag) => {
                let kind = FrameKind::Map { key: None, entries: 0, merges: Vec::new() };
                self.open(style, anchor, tag.as_deref(), marks, kind)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(marks),
            Event::Alias(id) => self.alias(id, marks),
            Event::UnresolvedAlias(name) => {
                let message = || format!("the alias `{}` has no anchor before it", shorten(&name));
                let noted = self.report(Code::AliasProblem, marks, message);
                // No anchor is called so, but the rest of a host or a path after its star.
                if name.starts_with(['.', '/', '*']) || name.contains(['/', '*']) {
                    noted.help(format!("text that starts with `*` needs quotes: `\"*{}\"`", shorten(&name)));
                }
                self.placeholder(marks)
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
            self.report(Code::BudgetExceeded, marks, || format!("more than {limit} levels of nesting"));
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
        let (at, start) = (self.tree.len(), self.range(marks).start);
        match kind {
            FrameKind::List(_) => self.tree.list(start),
            FrameKind::Map { .. } => self.tree.map(start),
        }
        self.frames.push(Frame { at, anchor, flow, pair_is_string: false, before, kind });
        Some(())
    }

    fn close(&mut self, marks: &Marks) -> Option<()> {
        let frame = self.frames.pop()?;
        let end = self.range(marks).end;
        self.tree.close(frame.at, end);
        if let FrameKind::Map { entries, merges, .. } = &frame.kind {
            if frame.pair_is_string {
                self.unpair(frame.at);
            } else if !merges.is_empty() {
                self.merge(frame.at, merges);
                self.tree.close(frame.at, end);
            } else if *entries > 1 {
                self.find_duplicates(frame.at);
            }
        }
        self.remember(frame.anchor, frame.at, frame.before);
        if self.expects_key() && self.tree.is_collection(frame.at) {
            return self.bad_key(frame.at, marks);
        }
        self.attach(frame.at, false);
        Some(())
    }

    /// Puts the key of a pair in the place of the pair.
    fn unpair(&mut self, at: usize) {
        let key = self.tree.string(self.text, at + 1).unwrap_or_default().to_owned();
        let range = self.tree.range(at + 1);
        self.truncate(at);
        self.tree.text(&key, range);
    }

    /// Forgets the slots from `at` on; what had an anchor there is what comes to stand at `at`.
    pub(super) fn truncate(&mut self, at: usize) {
        self.tree.truncate(at);
        // What ended before `at` came to stand has a smaller slot: it need not be looked at.
        for id in self.anchored.iter().rev() {
            match self.anchors.get_mut(id) {
                Some(anchor) if anchor.at < at => break,
                Some(anchor) => anchor.at = at,
                None => {}
            }
        }
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
            let most = budget.scalar_bytes;
            self.report(Code::BudgetExceeded, marks, || format!("a scalar of more than {most} bytes"));
            return None;
        }
        let plain = style == ScalarStyle::Plain;
        if !plain && text.contains('\0') {
            self.report(Code::Encoding, marks, || "an escaped NUL may not stand in a string".to_owned());
        }
        let mut range = self.range(marks);
        let written = self.text.get(range.start as usize..range.end as usize);
        let text = match written.filter(|written| self.is_respelt && plain && written.len() == text.len()) {
            Some(written) => Cow::Borrowed(written),
            None => text,
        };
        let text = self.as_go_reads(text, style, &mut range, marks);
        self.last_end = range.end as usize;
        let before = (self.nodes, self.bytes);
        let is_key = self.expects_key();
        let merge = is_key && plain && tag.is_none() && &*text == "<<";
        let resolved = if merge { Resolved::String } else { self.resolve(&text, plain, tag, marks) };
        let at = self.tree.len();
        let bytes = match &resolved {
            Resolved::String => text.len(),
            Resolved::Other(text) => text.len(),
            Resolved::Plain(_) | Resolved::NotJson(_) => 0,
        };
        self.count(marks, 1, bytes)?;
        match resolved {
            Resolved::String => self.string(&text, style, range),
            Resolved::Other(other) => self.tree.text(&other, range),
            Resolved::Plain(Plain::Null) if is_key => return self.bad_key_of("null", at, marks),
            Resolved::Plain(value) if is_key => self.tree.text(&scalar::key_text(value), range),
            Resolved::NotJson(text) if is_key => self.tree.text(text, range),
            Resolved::Plain(value) => self.tree.scalar(value, range),
            Resolved::NotJson(_) => {
                let message = || format!("`{}` is a number that JSON cannot write", shorten(&text));
                self.report(Code::BadNumber, marks, message);
                self.tree.scalar(Plain::Null, range);
            }
        }
        self.remember(anchor, at, before);
        self.attach(at, merge);
        Some(())
    }

    /// A string: a range of the text where it is written as it reads.
    fn string(&mut self, text: &str, style: ScalarStyle, range: Range<u32>) {
        let quote = u32::from(matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted));
        let inner = (range.start + quote) as usize..(range.end.saturating_sub(quote)) as usize;
        if self.text.get(inner) == Some(text) {
            self.tree.written(range, quote);
        } else {
            self.tree.text(text, range);
        }
    }

    pub(super) fn expects_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { kind: FrameKind::Map { key: None, .. }, .. }))
    }

    /// Says that a finished key or value stands at `at`.
    pub(super) fn attach(&mut self, at: usize, merge: bool) {
        match self.frames.last_mut().map(|frame| &mut frame.kind) {
            Some(FrameKind::List(elements)) => *elements += 1,
            Some(FrameKind::Map { key: Some(_), entries, .. }) if !merge => {
                *entries += 1;
                if let Some(FrameKind::Map { key, .. }) = self.frames.last_mut().map(|frame| &mut frame.kind)
                {
                    *key = None;
                }
            }
            Some(FrameKind::Map { key, merges, .. }) => {
                *key = Some(at);
                if merge {
                    merges.push(at);
                }
            }
            None => {}
        }
    }
}
