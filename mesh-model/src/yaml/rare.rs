//! Rare YAML: what the library alone can read, and how much of it a text may have.
//!
//! Reading it costs many times as much as ordinary lines, so a text of nothing else is refused before its end.

use granit_parser::{Event, Span as Marks};

use super::advice;
use super::events::Builder;
use crate::diagnostic::{Code, Severity};

/// What it costs to begin a document, in parts of rare YAML: this and the next are measured, roughly.
pub(super) const DOCUMENT_PARTS: usize = 20;

/// What a finding costs.
pub(super) const FINDING_PARTS: usize = 4;

/// What a value with an anchor or a tag costs.
const MARKED_PARTS: usize = 2;

/// What a value costs.
pub(super) fn parts(event: &Event<'_>) -> usize {
    let is_marked = match event {
        Event::Scalar(_, _, anchor, tag)
        | Event::SequenceStart(_, anchor, tag)
        | Event::MappingStart(_, anchor, tag) => *anchor > 0 || tag.is_some(),
        _ => false,
    };
    if is_marked { MARKED_PARTS } else { 1 }
}

impl Builder<'_, '_, '_> {
    /// Counts parts of rare YAML. `None`: the text has too many, which is said.
    pub(super) fn count_rare(&mut self, parts: usize, marks: &Marks) -> Option<()> {
        let most = self.options.budget.rare_limit(self.text.len());
        if self.problems.count_rare(parts) <= most {
            return Some(());
        }
        let (path, span) = (self.path(), self.span(marks));
        let message = too_rare(self.text.len());
        self.problems
            .note(Code::BudgetExceeded, Severity::Error, span, &path, message)
            .help(advice::PLAIN_LINES);
        None
    }
}

/// What is said of a text with too many parts of rare YAML.
pub(super) fn too_rare(bytes: usize) -> String {
    format!("too much that is rare or wrong YAML for a text of {bytes} bytes")
}
