//! The findings of one document: bounded in number, completed with the resource once its name is read.

use super::template;
use super::text::Chunk;
use crate::diagnostic::{Code, Diagnostic, Place, Report, ResourceRef, Severity};
use crate::document::{Node, Span};

/// Findings kept per document: a broken generator must not bury the rest.
pub(super) const NOTES_MAX: usize = 100;

/// A finding that was just added, if it was kept.
pub(super) struct Noted<'n>(Option<&'n mut Diagnostic>);

impl Noted<'_> {
    /// One that is only counted.
    #[cfg(feature = "yaml")]
    pub(super) fn dropped() -> Self {
        Self(None)
    }

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
    /// Parts of rare YAML that were read, some of them more than once.
    rare_parts: usize,
}

impl<'a> Problems<'a> {
    pub(super) fn new(file: &'a str) -> Self {
        Self { file, notes: Vec::new(), dropped: 0, errors: 0, rare_parts: 0 }
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
        if self.is_full(severity) {
            self.dropped += 1;
            return Noted(None);
        }
        #[cfg(feature = "yaml")]
        self.count_rare(super::rare::FINDING_PARTS);
        let at = Place { field: path.to_owned(), ..Place::in_file(self.file, span) };
        self.notes.push(Diagnostic::new(code, at, message).severity(severity));
        Noted(self.notes.last_mut())
    }

    /// Where it is, to come back to.
    #[cfg(feature = "yaml")]
    pub(super) fn mark(&self) -> (usize, usize, usize) {
        (self.notes.len(), self.dropped, self.errors)
    }

    /// Forgets what was found since.
    #[cfg(feature = "yaml")]
    pub(super) fn back_to(&mut self, (notes, dropped, errors): (usize, usize, usize)) {
        self.notes.truncate(notes);
        (self.dropped, self.errors) = (dropped, errors);
    }

    /// Parts of rare YAML so far.
    pub(super) fn rare_parts(&self) -> usize {
        self.rare_parts
    }

    /// Counts parts of rare YAML; gives their number so far.
    #[cfg(feature = "yaml")]
    pub(super) fn count_rare(&mut self, parts: usize) -> usize {
        self.rare_parts += parts;
        self.rare_parts
    }

    /// Whether a finding more would not be kept.
    pub(super) fn is_full(&self, severity: Severity) -> bool {
        let most = if severity == Severity::Error { 2 * NOTES_MAX } else { NOTES_MAX };
        self.notes.len() >= most
    }

    /// Counts a finding that is not kept.
    #[cfg(feature = "yaml")]
    pub(super) fn drop_one(&mut self, severity: Severity) {
        self.errors += usize::from(severity == Severity::Error);
        self.dropped += 1;
    }

    /// Adds the name of the resource to the findings of its document, and hides what is secret.
    pub(super) fn name_resource(&mut self, root: Node<'_>) {
        let mut nameless =
            self.notes.iter_mut().filter(|note| note.at.resource == ResourceRef::default()).peekable();
        if nameless.peek().is_none() {
            return;
        }
        // Roots may have a hundred thousand keys: each item is asked once for all of its findings in a row.
        let kind = root.get("kind").and_then(Node::as_str).unwrap_or_default();
        let (is_list, is_typed_list) = (kind.ends_with("List"), kind == "SecretList");
        let mut last = None;
        for note in nameless {
            let (item, field) = if is_list { item_of(root, &note.at.field) } else { (root, &*note.at.field) };
            let position = item.position();
            let resource = match last.take() {
                Some((at, resource)) if at == position => resource,
                _ => resource_of(item),
            };
            note.at.resource = ResourceRef::clone(&resource);
            if (resource.kind == "Secret" || is_typed_list) && !field.starts_with("metadata") {
                hide(note);
            }
            last = Some((position, resource));
        }
    }

    /// For a document that ended early: its kind, if that much is known. Without it, everything may be secret.
    #[cfg(feature = "yaml")]
    pub(super) fn name_kind(&mut self, kind: Option<&str>) {
        for note in self.notes.iter_mut().filter(|note| note.at.resource == ResourceRef::default()) {
            note.at.resource.kind = kind.unwrap_or_default().to_owned();
            if kind.is_none_or(|kind| kind == "Secret" || kind.ends_with("List")) {
                hide(note);
            }
        }
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

/// What an item says it is.
fn resource_of(item: Node<'_>) -> ResourceRef {
    let text = |node: Option<Node<'_>>| node.and_then(Node::as_str).unwrap_or_default().to_owned();
    let meta = item.get("metadata");
    let field = |name| text(meta.and_then(|meta| meta.get(name)));
    ResourceRef { kind: text(item.get("kind")), namespace: field("namespace"), name: field("name") }
}

/// Messages that repeat the text begin with it; so does their help.
fn hide(note: &mut Diagnostic) {
    let repeated = note.message.strip_prefix('`').and_then(|rest| rest.split('`').next());
    // A single mark (`[`, `"`) is the grammar's, not the writer's.
    if repeated.is_some_and(|text| text.len() > 1 || text.chars().any(char::is_alphanumeric)) {
        note.message = "a value that cannot stand like this, not shown since it may be secret".to_owned();
        note.help = Some("write it in quotes, as plain text".to_owned());
        note.replacement = None;
    }
}

/// The item of a list that a field belongs to, and the rest of the field; lists may hold lists.
fn item_of<'t, 'f>(root: Node<'t>, field: &'f str) -> (Node<'t>, &'f str) {
    let (mut item, mut field) = (root, field);
    while item.get("kind").and_then(Node::as_str).is_some_and(|kind| kind.ends_with("List"))
        && let Some((index, rest)) = field.strip_prefix("items[").and_then(|field| field.split_once(']'))
        && let Some(inner) = index.parse().ok().and_then(|index| item.get("items")?.item(index))
    {
        item = inner;
        field = rest.strip_prefix('.').unwrap_or(rest);
    }
    (item, field)
}
