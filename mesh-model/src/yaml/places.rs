//! What the tree builder says about a problem, and where: spans in the file, field paths, the parser's words.

use granit_parser::{ErrorKind, ScanError, Span as Marks, Tag};

use super::advice;
use super::events::{Builder, FrameKind, Key};
use super::problems::Noted;
use super::text::{narrow, place_after};
use crate::diagnostic::{Code, Severity};
use crate::document::Span;

impl Builder<'_, '_, '_> {
    pub(super) fn duplicate(&mut self, key: &Key, first: Span) {
        let severity = if self.options.strict { Severity::Error } else { Severity::Warning };
        let name = shorten(&key.text);
        let message = format!(
            "the key `{name}` stands at line {}, column {} already; the last one is used",
            first.line, first.column
        );
        let path = crate::document::join_key(&self.path(), &name);
        let help = format!("keep one `{name}`; lists need `- ` before each element");
        self.problems.note(Code::DuplicateKey, severity, key.span, &path, message).help(help);
    }

    pub(super) fn unusual_tag(&mut self, tag: &Tag, marks: &Marks) {
        let severity = if self.options.strict { Severity::Error } else { Severity::Warning };
        let message =
            format!("the tag `{}` is not part of the JSON model and is dropped", shorten(&tag.original()));
        let (span, path) = (self.span(marks), self.path());
        self.problems.note(Code::UnusualScalar, severity, span, &path, message).help("remove the tag");
    }

    pub(super) fn report(&mut self, code: Code, marks: &Marks, message: String) -> Noted<'_> {
        let (path, span) = (self.path(), self.span(marks));
        self.problems.note(code, code.severity(), span, &path, message).or_help(advice::of(code))
    }

    /// `read_until`: the offset in the chunk up to which it was understood.
    pub(super) fn syntax(&mut self, error: &ScanError, read_until: usize) {
        let (code, message, help) = match error.kind() {
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
        if let Some(span) = self.opening(error.kind(), read_until) {
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
                return is_open.then_some(Span { end: frame.span.start + 1, ..frame.span });
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
                FrameKind::List(items) => path.push_str(&format!("[{}]", items.len())),
                FrameKind::Map { key: Some(key), .. } => {
                    path = crate::document::join_key(&path, &shorten(&key.text));
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
