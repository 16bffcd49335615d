//! What the tree builder says about a problem, and where: spans in the file, field paths, the parser's words.

use granit_parser::{ErrorKind, ScanError, Span as Marks, Tag};

use super::advice;
use super::events::{Builder, FrameKind};
use super::problems::{Noted, Problems};
use super::text::{Chunk, narrow, place_after};
use crate::diagnostic::{Code, Severity};
use crate::document::{Span, TreeBuilder};

impl Builder<'_, '_, '_> {
    pub(super) fn duplicate(&mut self, first: usize, key: usize) {
        let severity = if self.options.strict { Severity::Error } else { Severity::Warning };
        // Counting lines back to a place costs more than a finding that is not kept.
        if self.problems.is_full(severity) {
            return self.problems.drop_one(severity);
        }
        let path = self.path();
        note_doubled(self.problems, severity, self.text, self.chunk, self.tree, (first, key), &path);
    }

    /// The place of a key or value that is read already.
    pub(super) fn place(&self, at: usize) -> Span {
        place_of(self.text, self.chunk, self.tree, at)
    }

    /// The bytes of the chunk's text.
    pub(super) fn range(&self, marks: &Marks) -> std::ops::Range<u32> {
        let start = narrow(marks.start.byte_offset().unwrap_or_default());
        start..narrow(marks.end.byte_offset().unwrap_or_default()).max(start)
    }

    pub(super) fn unusual_tag(&mut self, tag: &Tag, marks: &Marks) {
        let severity = if self.options.strict { Severity::Error } else { Severity::Warning };
        if self.problems.is_full(severity) {
            return self.problems.drop_one(severity);
        }
        let message =
            format!("the tag `{}` is not part of the JSON model and is dropped", shorten(&tag.original()));
        let (span, path) = (self.span(marks), self.path());
        self.problems.note(Code::UnusualScalar, severity, span, &path, message).help("remove the tag");
    }

    /// `message` is asked for only where the finding is kept.
    pub(super) fn report(
        &mut self,
        code: Code,
        marks: &Marks,
        message: impl FnOnce() -> String,
    ) -> Noted<'_> {
        if self.problems.is_full(code.severity()) {
            self.problems.drop_one(code.severity());
            return Noted::dropped();
        }
        let (path, span) = (self.path(), self.span(marks));
        self.problems.note(code, code.severity(), span, &path, message()).or_help(advice::of(code))
    }

    /// The colon that an error is about, when it ends a plain word in a flow collection.
    pub(super) fn colon_of_word(&self, spelt: &str, error: &ScanError) -> Option<usize> {
        if !self.frames.last().is_some_and(|frame| frame.flow) {
            return None;
        }
        let at = error.marker().byte_offset()?;
        let bytes = spelt.as_bytes();
        let is_it = |colon: &usize| {
            let ends = matches!(bytes.get(colon + 1), Some(b',' | b']' | b'}'));
            let follows = colon.checked_sub(1).and_then(|before| bytes.get(before)) == Some(&b':');
            bytes.get(*colon) == Some(&b':') && ends && follows && colon + 1 >= self.last_end
        };
        (at.saturating_sub(2)..=at + 1).find(is_it)
    }

    /// `read_until`: the offset in the chunk up to which it was understood.
    pub(super) fn syntax(&mut self, error: &ScanError, read_until: usize) {
        let unclosed = self.unclosed_before(error).map(|open| ErrorKind::UnclosedFlowCollection { open });
        let kind = unclosed.as_ref().unwrap_or_else(|| error.kind());
        let (code, message, help) = match kind {
            ErrorKind::RecursionLimitExceeded => {
                let limit = self.options.budget.depth_limit();
                let code = Code::BudgetExceeded;
                (code, format!("more than {limit} levels of nesting"), advice::of(code))
            }
            ErrorKind::BomInsideDocument => {
                let message = "a byte order mark may only stand at the start of the text".to_owned();
                (Code::Encoding, message, "remove it: it is an invisible character U+FEFF")
            }
            kind => {
                let (message, help) = advice::syntax(kind);
                (Code::Syntax, message.map_or_else(|| sentence(&error.info()), str::to_owned), help)
            }
        };
        if let Some(span) = self.opening(kind, read_until) {
            self.problems.note(code, Severity::Error, span, "", message).help(help);
            return;
        }
        let marker = error.marker();
        let start = self.offset(marker.byte_offset());
        let span = Span {
            start,
            end: start,
            line: narrow(marker.line() + self.chunk.line - 1),
            column: narrow(marker.col() + 1),
        };
        self.problems.note(code, Severity::Error, span, "", message).help(help);
    }

    /// The bracket of an earlier line that is still open where a line begins like a field of a block: it was forgotten
    /// to close it.
    fn unclosed_before(&self, error: &ScanError) -> Option<char> {
        use ErrorKind::{InvalidColonPlacement, InvalidMappingValueWhitespace, MappingValueNotAllowed};
        let is_of_colon = matches!(
            error.kind(),
            MappingValueNotAllowed | InvalidColonPlacement | InvalidMappingValueWhitespace
        );
        let frame = self.frames.last().filter(|frame| frame.flow && is_of_colon)?;
        let open = self.tree.range(frame.at).start as usize;
        let before = self.text.get(..error.marker().byte_offset()?)?;
        let (above, name) = before.rsplit_once('\n')?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        let name = name.trim();
        (open < above.len() && !name.is_empty() && name.bytes().all(is_name))
            .then(|| self.text.get(open..)?.chars().next())
            .flatten()
    }

    /// Where a quote or bracket stands that is never closed: far more use than where the text ends.
    fn opening(&self, kind: &ErrorKind, read_until: usize) -> Option<Span> {
        let rest = self.text.get(read_until..)?;
        let at = match kind {
            ErrorKind::UnclosedQuotedScalar
            | ErrorKind::DocumentIndicatorInQuotedScalar
            | ErrorKind::InvalidQuotedScalarIndent => read_until + rest.find(['"', '\''])?,
            _ => {
                let frame = self.frames.iter().rev().find(|frame| frame.flow)?;
                let is_open = matches!(
                    kind,
                    ErrorKind::UnclosedFlowCollection { .. }
                        | ErrorKind::UnexpectedEofFlowSequence
                        | ErrorKind::UnexpectedEofFlowMapping
                        | ErrorKind::UnexpectedEofImplicitFlowMapping
                );
                if !is_open {
                    return None;
                }
                self.tree.range(frame.at).start as usize
            }
        };
        let span = place_after(self.text.get(..at)?, self.chunk);
        Some(Span { end: span.start + 1, ..span })
    }

    /// The field path of what is being read.
    pub(super) fn path(&self) -> String {
        let mut path = String::new();
        for frame in &self.frames {
            match &frame.kind {
                FrameKind::List(elements) => path.push_str(&format!("[{elements}]")),
                FrameKind::Map { key: Some(key), .. } => {
                    let key = self.tree.string(self.text, *key).unwrap_or_default();
                    path = crate::document::join_key(&path, &shorten(key));
                }
                FrameKind::Map { key: None, .. } => {}
            }
        }
        path
    }

    pub(super) fn span(&self, marks: &Marks) -> Span {
        Span {
            start: self.offset(marks.start.byte_offset()),
            end: self.offset(marks.end.byte_offset()),
            line: narrow(marks.start.line() + self.chunk.line - 1),
            column: narrow(marks.start.col() + 1),
        }
    }

    pub(super) fn offset(&self, in_chunk: Option<usize>) -> u32 {
        narrow(self.chunk.offset + in_chunk.unwrap_or_default())
    }
}

/// Says that the key at the second slot stands at the first already, in the map at `path`.
pub(super) fn note_doubled(
    problems: &mut Problems<'_>,
    severity: Severity,
    text: &str,
    chunk: &Chunk<'_>,
    tree: &TreeBuilder,
    (first, key): (usize, usize),
    path: &str,
) {
    let name = shorten(tree.string(text, key).unwrap_or_default());
    let (first, span) = (place_of(text, chunk, tree, first), place_of(text, chunk, tree, key));
    let message = format!(
        "the key `{name}` stands at line {}, column {} already; the last one is used",
        first.line, first.column
    );
    let path = crate::document::join_key(path, &name);
    let help = format!("keep one `{name}`; lists need `- ` before each element");
    problems.note(Code::DuplicateKey, severity, span, &path, message).help(help);
}

/// The place of the key or value at a slot.
fn place_of(text: &str, chunk: &Chunk<'_>, tree: &TreeBuilder, at: usize) -> Span {
    let range = tree.range(at);
    let mut span = place_after(text.get(..range.start as usize).unwrap_or_default(), chunk);
    span.end = narrow(chunk.offset + range.end as usize);
    span
}

/// User text for a message: one line, not too long.
pub(super) fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        short.push('…');
    }
    short
}

/// The parser's words in our grammar: lower case, no full stop.
fn sentence(info: &str) -> String {
    let mut letters = info.trim_end_matches('.').chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => "the text is not YAML".to_owned(),
    }
}
