//! The findings of one document: bounded in number, completed with the resource once its name is read.

use super::template;
use super::text::Chunk;
use crate::diagnostic::{Code, Diagnostic, Place, Report, ResourceRef, Severity};
use crate::document::{Node, Span};

/// Findings kept per document: a broken generator must not bury the rest.
const NOTES_MAX: usize = 100;

/// A finding that was just added, if it was kept.
pub(super) struct Noted<'n>(Option<&'n mut Diagnostic>);

impl Noted<'_> {
    /// Adds what to do about it.
    pub(super) fn help(self, help: impl Into<String>) {
        if let Some(note) = self.0 {
            note.help = Some(help.into());
        }
    }

    /// Adds help that a more exact one may replace.
    pub(super) fn or_help(self, help: &str) -> Self {
        if let Some(note) = self.0 {
            note.help = Some(help.to_owned());
            return Self(Some(note));
        }
        self
    }
}

/// Collects the findings of one chunk.
#[derive(Debug)]
pub(super) struct Problems<'a> {
    file: &'a str,
    notes: Vec<Diagnostic>,
    dropped: usize,
    errors: usize,
}

impl<'a> Problems<'a> {
    pub(super) fn new(file: &'a str) -> Self {
        Self { file, notes: Vec::new(), dropped: 0, errors: 0 }
    }

    #[cfg(feature = "yaml")]
    /// Errors so far, those not kept included.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// Adds a finding; what is done about it can be said with [`Noted::help`].
    pub(super) fn note(
        &mut self,
        code: Code,
        severity: Severity,
        span: Span,
        path: &str,
        message: String,
    ) -> Noted<'_> {
        if severity == Severity::Error {
            self.errors += 1;
        }
        if self.notes.len() >= NOTES_MAX && severity != Severity::Error || self.notes.len() >= 2 * NOTES_MAX {
            self.dropped += 1;
            return Noted(None);
        }
        let at = Place { field: path.to_owned(), ..Place::in_file(self.file, span) };
        self.notes.push(Diagnostic::new(code, at, message).severity(severity));
        Noted(self.notes.last_mut())
    }

    /// Adds the name of the resource to the findings of its document.
    pub(super) fn name_resource(&mut self, root: Option<Node>) -> Option<Node> {
        let root = root?;
        if !self.notes.is_empty() {
            let text = |node: Option<&Node>| node.and_then(Node::as_str).unwrap_or_default().to_owned();
            let meta = root.get("metadata");
            let resource = ResourceRef {
                kind: text(root.get("kind")),
                namespace: text(meta.and_then(|meta| meta.get("namespace"))),
                name: text(meta.and_then(|meta| meta.get("name"))),
            };
            for note in &mut self.notes {
                if note.at.resource == ResourceRef::default() {
                    note.at.resource = resource.clone();
                }
                // Messages that repeat the text begin with it.
                let is_secret = resource.kind == "Secret" && !note.at.field.starts_with("metadata");
                if is_secret && note.message.starts_with('`') {
                    note.message =
                        "a value that cannot stand like this, not shown since it is secret".to_owned();
                }
            }
        }
        Some(root)
    }

    /// What is said instead, where the text cannot be read because it is a template.
    pub(super) fn template(&self, chunk: &Chunk<'_>) -> Option<Diagnostic> {
        let is_broken = self
            .notes
            .iter()
            .any(|note| matches!(note.code, Code::Syntax | Code::BadKey) && note.severity == Severity::Error);
        let text = std::str::from_utf8(chunk.bytes).ok().filter(|_| is_broken)?;
        template::finding(self.file, text, chunk)
    }

    /// Hands the findings over.
    pub(super) fn into_report(mut self, report: &mut Report) {
        if self.dropped > 0
            && let Some(last) = self.notes.last()
        {
            let message = format!("{} more findings of this document are not shown", self.dropped);
            let severity = last.severity;
            let more = Diagnostic::new(last.code, last.at.clone(), message).severity(severity);
            self.notes.push(more);
        }
        for note in self.notes {
            report.push(note);
        }
    }
}
