//! Problems as data: every one of them, each with a code, a place and, where possible, help.

mod code;
mod look_alike;
mod missing;
mod page;
mod suggest;
#[cfg(test)]
mod tests;

pub use code::{Code, Stage};
pub use look_alike::plain as without_look_alikes;
pub use missing::Missing;
pub use page::{Page, index};
pub use suggest::{did_you_mean, nearest, nearest_reference};

use std::sync::Arc;
use std::{fmt, iter, slice, vec};

use serde::Serialize;

use crate::document::{Document, Span};
use crate::origin::{Origin, Provenance};

/// How bad it is. API: analysis/v1alpha1 `AnalysisMessageBase.Level`, without its unknown one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Istio rejects it, or it cannot be read.
    Error,
    /// Istio warns about it.
    Warning,
    /// A remark of ours.
    Info,
}

/// The resource a diagnostic is about, as far as it is known (T-003).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct ResourceRef {
    /// `VirtualService`; empty: unknown.
    pub kind: String,
    /// Empty: cluster-scoped or unknown.
    pub namespace: String,
    /// Empty: unknown.
    pub name: String,
}

/// Where a problem stands. Ours: people look for a line, editors for a column, tools that mend a text for bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
pub struct Place {
    /// The resource.
    pub resource: ResourceRef,
    /// File as the user named it.
    pub file: String,
    /// From 1; 0: unknown.
    pub line: u32,
    /// From 1, in characters; 0: unknown.
    pub column: u32,
    /// `spec.http[0].timeout`; empty: the whole document.
    pub field: String,
    /// Byte offset in the file of the first byte of what is wrong, `end` that after its last; both 0: unknown.
    pub start: u32,
    /// See `start`.
    pub end: u32,
}

impl Place {
    /// A place in a text that is not (yet) a resource.
    pub fn in_file(file: &str, span: Span) -> Self {
        Self { file: file.to_owned(), ..Self::default() }.at(span)
    }

    /// The same field, standing at `span`.
    #[must_use]
    pub fn at(self, span: Span) -> Self {
        Self { line: span.line, column: span.column, start: span.start, end: span.end, ..self }
    }

    /// Where it stands.
    pub(crate) fn span(&self) -> Span {
        Span { start: self.start, end: self.end, line: self.line, column: self.column }
    }

    /// The field `path` of an object.
    pub fn of(object: &Provenance, path: &str) -> Self {
        Self::standing(object, path, object.document.root().locate(path))
    }

    /// The field `path` of an object, which is known to stand at `span`.
    pub(crate) fn standing(object: &Provenance, path: &str, span: Span) -> Self {
        Self {
            resource: ResourceRef {
                kind: object.kind.to_owned(),
                namespace: object.namespace.to_string(),
                name: object.name.to_string(),
            },
            file: object.document.source.file.to_string(),
            field: path.to_owned(),
            ..Self::default()
        }
        .at(span)
    }

    /// The field `path` of a document whose resource is known by reference only.
    pub fn in_document(document: &Arc<Document>, resource: ResourceRef, path: &str) -> Self {
        let span = document.root().locate(path);
        Self { resource, file: document.source.file.to_string(), field: path.to_owned(), ..Self::default() }
            .at(span)
    }
}

impl From<&Origin> for Place {
    fn from(origin: &Origin) -> Self {
        origin.object().map_or_else(
            || Self { field: origin.field().to_owned(), ..Self::default() },
            |object| Self::of(object, origin.field()),
        )
    }
}

/// One problem. Ours: problems are data, so that a terminal, an editor and a build show the same ones.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnostic {
    /// Stable code.
    pub code: Code,
    /// How bad it is; normally the code's own severity.
    pub severity: Severity,
    /// Where.
    pub at: Place,
    /// One line, lower case, no full stop, user text in backticks.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The text that, written in place of what stands from `at.start` to `at.end`, is most likely meant.
    pub replacement: Option<String>,
    /// What it says that there is none of, where it is about a reference.
    pub missing: Option<Box<Missing>>,
    /// Whether it holds only because of what other fields than the one at `at` say, or do not say.
    pub(crate) is_relative: bool,
}

impl Diagnostic {
    /// A problem with the severity its code has.
    ///
    /// A message that quotes letters of another script which look like ASCII says so.
    pub fn new(code: Code, at: impl Into<Place>, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if let Some(remark) = look_alike::remark(&message) {
            message.push_str("; ");
            message.push_str(&remark);
        }
        Self {
            code,
            severity: code.severity(),
            at: at.into(),
            message,
            help: None,
            replacement: None,
            missing: None,
            is_relative: false,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the text that is most likely meant in place of the one at fault.
    #[must_use]
    pub fn replacement(mut self, text: impl Into<String>) -> Self {
        self.replacement = Some(text.into());
        self
    }

    /// Adds what it says that there is none of.
    #[must_use]
    pub fn missing(mut self, missing: Missing) -> Self {
        self.missing = Some(Box::new(missing));
        self
    }

    /// Overrides the severity (lenient and strict modes differ for some codes).
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}

/// `error[code] ns/name field (file:line:column)`, the message and the help on lines of their own.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        write!(f, "{severity}[{}]", self.code.as_str())?;
        let resource = &self.at.resource;
        if !resource.kind.is_empty() {
            write!(f, " {}", resource.kind)?;
        }
        if !resource.namespace.is_empty() && !resource.name.is_empty() {
            write!(f, " {}/{}", resource.namespace, resource.name)?;
        } else if !resource.name.is_empty() {
            write!(f, " {}", resource.name)?;
        }
        if !self.at.field.is_empty() {
            write!(f, " {}", self.at.field)?;
        }
        if self.at.line > 0 {
            write!(f, " ({}:{}:{})", self.at.file, self.at.line, self.at.column)?;
        } else if !self.at.file.is_empty() {
            write!(f, " ({})", self.at.file)?;
        }
        write!(f, "\n  {}", self.message)?;
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

/// All problems of a piece of work. Ours: all of them are told, since each that is held back costs one more round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Shared: what was found in an object is told, and kept beside it to be told again.
    diagnostics: Vec<Arc<Diagnostic>>,
    /// Worst severity and number of findings that are only counted, until that is said.
    unsaid: Option<(Severity, usize)>,
}

impl Report {
    /// Nothing to say yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(Arc::new(diagnostic));
    }

    /// Adds all of another report.
    pub fn merge(&mut self, other: Self) {
        if let Some((severity, count)) = other.unsaid {
            self.leave_unsaid(severity, count);
        }
        self.diagnostics.extend(other.diagnostics);
    }

    /// Puts what `amend` makes of a problem in its place; `None`: the problem goes.
    pub fn amend(&mut self, amend: impl FnMut(Diagnostic) -> Option<Diagnostic>) {
        let before = std::mem::take(self);
        self.unsaid = before.unsaid;
        self.diagnostics = before.into_iter().filter_map(amend).map(Arc::new).collect();
    }

    /// Keeps the first `most`; of the others only their number and worst severity, which [`take_unsaid`](Self::take_unsaid) tells.
    pub(crate) fn shorten_to(&mut self, most: usize) {
        for gone in self.diagnostics.split_off(most.min(self.diagnostics.len())) {
            self.leave_unsaid(gone.severity, 1);
        }
    }

    /// Counts findings that are not kept.
    pub(crate) fn leave_unsaid(&mut self, severity: Severity, count: usize) {
        let (worst, before) = self.unsaid.unwrap_or((severity, 0));
        self.unsaid = Some((worst.min(severity), before + count));
    }

    /// Takes the worst severity and the number of findings that were not kept.
    pub(crate) fn take_unsaid(&mut self) -> Option<(Severity, usize)> {
        self.unsaid.take()
    }

    /// In the order of discovery.
    pub fn iter(&self) -> Iter<'_> {
        self.diagnostics.iter().map(Arc::as_ref)
    }

    /// Number of problems.
    pub fn len(&self) -> usize {
        self.diagnostics.len()
    }

    /// Nothing was found.
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// At least one error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Sorts by file, line, column, code: the order in which people read.
    pub fn sort(&mut self) {
        fn key(found: &Diagnostic) -> (&str, u32, u32, &str, &str, &Place) {
            let at = &found.at;
            (&at.file, at.line, at.column, found.code.as_str(), &found.message, at)
        }
        self.diagnostics.sort_by(|a, b| key(a).cmp(&key(b)));
    }
}

/// The problems of a [`Report`]. Ours: they are shared with who else tells them, and lent one by one.
pub type Iter<'a> = iter::Map<slice::Iter<'a, Arc<Diagnostic>>, fn(&Arc<Diagnostic>) -> &Diagnostic>;

impl IntoIterator for Report {
    type Item = Diagnostic;
    type IntoIter = iter::Map<vec::IntoIter<Arc<Diagnostic>>, fn(Arc<Diagnostic>) -> Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.diagnostics.into_iter().map(Arc::unwrap_or_clone)
    }
}

impl<'a> IntoIterator for &'a Report {
    type Item = &'a Diagnostic;
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A finding of the decision format (FORMAT.md).
impl Serialize for Diagnostic {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out = serializer.serialize_struct("Finding", 11)?;
        out.serialize_field("code", self.code.as_str())?;
        out.serialize_field("istio_code", &self.code.istio_code())?;
        out.serialize_field("stage", self.code.stage().as_str())?;
        out.serialize_field("severity", &self.severity)?;
        out.serialize_field("resource", &self.at.resource)?;
        out.serialize_field("file", &self.at.file)?;
        out.serialize_field("line", &self.at.line)?;
        out.serialize_field("column", &self.at.column)?;
        out.serialize_field("field", &self.at.field)?;
        out.serialize_field("message", &self.message)?;
        out.serialize_field("help", &self.help)?;
        out.end()
    }
}
