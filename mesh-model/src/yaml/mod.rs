//! Text to documents: YAML or JSON in, span-carrying trees out, problems as data.
//!
//! The only module that names a YAML library. Scalars follow Kubernetes' rules, every bound is in [`Budget`], and
//! one bad document never sinks the others of its file.

mod advice;
mod budget;
#[cfg(feature = "yaml")]
mod events;
#[cfg(not(feature = "yaml"))]
mod json;
mod list;
#[cfg(feature = "yaml")]
mod merge;
#[cfg(feature = "yaml")]
mod places;
#[cfg(feature = "yaml")]
mod print;
mod problems;
#[cfg(feature = "yaml")]
mod reading;
#[cfg(feature = "yaml")]
mod scalar;
mod template;
mod text;

#[cfg(all(test, feature = "yaml"))]
mod tests;

pub use budget::Budget;
#[cfg(feature = "yaml")]
pub use print::{PrintError, to_yaml};

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Place, Report};
use crate::document::{Document, Node, Source, Span, Value};
use problems::Problems;

/// How to read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadOptions {
    /// The cluster the configuration comes from; `Kubernetes` unless set.
    pub cluster: Arc<str>,
    /// The bounds.
    pub budget: Budget,
    /// Duplicate keys and foreign tags are errors, not warnings.
    pub strict: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { cluster: "Kubernetes".into(), budget: Budget::default(), strict: false }
    }
}

impl LoadOptions {
    /// Sets the cluster.
    #[must_use]
    pub fn with_cluster(mut self, cluster: impl Into<Arc<str>>) -> Self {
        self.cluster = cluster.into();
        self
    }

    /// Sets the bounds.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Sets strict or lenient reading.
    #[must_use]
    pub fn with_strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }
}

/// What a text held.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Loaded {
    /// The documents without errors, in file order; items of lists stand alone.
    pub documents: Vec<Arc<Document>>,
    /// Every problem found.
    pub report: Report,
}

/// Reads a file's text. `file` is the label that findings carry.
///
/// ```
/// # use mesh_model::yaml::{LoadOptions, load};
/// let loaded = load("a.yaml", "kind: A\n---\nkind: [B\n---\nkind: C\n", &LoadOptions::default());
/// assert_eq!(loaded.documents.len(), 2);
/// assert_eq!(loaded.report.len(), 1);
/// ```
pub fn load(file: &str, text: impl AsRef<[u8]>, options: &LoadOptions) -> Loaded {
    let mut loaded = Loaded::default();
    read(file, text.as_ref(), options, &mut loaded);
    loaded
}

fn read(file: &str, bytes: &[u8], options: &LoadOptions, loaded: &mut Loaded) {
    let start = Span { line: 1, column: 1, ..Span::default() };
    let limit = options.budget.input_bytes.min(u32::MAX as usize);
    if bytes.len() > limit {
        let message = format!("the text has {} bytes, more than the {limit} allowed", bytes.len());
        let finding = Diagnostic::new(Code::BudgetExceeded, Place::in_file(file, start), message);
        loaded.report.push(finding.help(advice::of(Code::BudgetExceeded)));
        return;
    }
    if let Some(message) = text::refused_encoding(bytes) {
        let finding = Diagnostic::new(Code::Encoding, Place::in_file(file, start), message);
        loaded.report.push(finding.help("save the file as UTF-8 text"));
        return;
    }
    let source = Source { file: file.into(), cluster: Arc::clone(&options.cluster) };
    let mut is_template = false;
    for chunk in text::split(bytes) {
        let mut problems = Problems::new(file);
        let trees = read_chunk(&chunk, options, &mut problems);
        match problems.template(&chunk) {
            // Said once: what else is wrong with a template comes of its being one.
            Some(finding) if !is_template => {
                loaded.report.push(finding);
                is_template = true;
            }
            Some(_) => {}
            None => problems.into_report(&mut loaded.report),
        }
        for root in trees {
            if !add(root, &source, options, loaded) {
                return;
            }
        }
    }
    if loaded.documents.is_empty() && !loaded.report.has_errors() {
        let message = "the text holds no document";
        let finding = Diagnostic::new(Code::NoDocuments, Place::in_file(file, start), message);
        loaded.report.push(finding.help(advice::of(Code::NoDocuments)));
    }
}

fn read_chunk(chunk: &text::Chunk<'_>, options: &LoadOptions, problems: &mut Problems<'_>) -> Vec<Node> {
    let place = Span { line: text::narrow(chunk.line), column: 1, ..Span::default() };
    let limit = options.budget.document_bytes;
    if chunk.bytes.len() > limit {
        let message = format!("the document has {} bytes, more than the {limit} allowed", chunk.bytes.len());
        let code = Code::BudgetExceeded;
        problems.note(code, code.severity(), place, "", message).help(advice::of(code));
        return Vec::new();
    }
    let (bom, rest) = match chunk.bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) if chunk.offset == 0 => (3, rest),
        _ => (0, chunk.bytes),
    };
    let chunk = text::Chunk { bytes: rest, offset: chunk.offset + bom, line: chunk.line };
    match text::decode(&chunk) {
        Ok(text) => parse(text, &chunk, options, problems),
        Err((message, span)) => {
            let code = Code::Encoding;
            problems.note(code, code.severity(), span, "", message).help(advice::of(code));
            Vec::new()
        }
    }
}

#[cfg(feature = "yaml")]
fn parse(
    text: &str,
    chunk: &text::Chunk<'_>,
    options: &LoadOptions,
    problems: &mut Problems<'_>,
) -> Vec<Node> {
    events::read(text, chunk, options, problems)
}

#[cfg(not(feature = "yaml"))]
fn parse(
    text: &str,
    chunk: &text::Chunk<'_>,
    options: &LoadOptions,
    problems: &mut Problems<'_>,
) -> Vec<Node> {
    json::read(text, chunk, options, problems)
}

/// Adds a tree's documents. `false`: the file has too many.
fn add(root: Node, source: &Source, options: &LoadOptions, loaded: &mut Loaded) -> bool {
    let mut parts = Vec::new();
    list::expand(root, &mut parts);
    for root in parts {
        if root.value == Value::Null {
            continue;
        }
        let limit = options.budget.documents;
        if loaded.documents.len() >= limit {
            let message = format!("more than {limit} documents");
            let at = Place::in_file(&source.file, root.span);
            let finding = Diagnostic::new(Code::BudgetExceeded, at, message);
            loaded.report.push(finding.help(advice::of(Code::BudgetExceeded)));
            return false;
        }
        let index = loaded.documents.len();
        loaded.documents.push(Arc::new(Document { source: source.clone(), index, root }));
    }
    true
}
