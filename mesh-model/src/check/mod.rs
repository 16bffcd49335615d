//! What the validation of every kind shares: a checker that places problems, and the checks of common parts.
//!
//! Checks of single values are pure functions that answer with a [`Checked`]; checks of messages take a [`Checker`]
//! and the [`Path`] of the message, and go on after a problem. Both follow what Istio's webhook and the schema of
//! the API refuse or warn about.

pub(crate) mod annotations;
pub(crate) mod connection_pool;
pub(crate) mod export_to;
pub(crate) mod header;
pub(crate) mod host;
pub(crate) mod label;
pub(crate) mod load_balancer;
pub(crate) mod locality;
pub(crate) mod port;
pub(crate) mod retry;
pub(crate) mod selector;
pub(crate) mod target_reference;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub(crate) mod tls;
pub(crate) mod traffic_policy;
pub(crate) mod url;
pub(crate) mod value;

use std::fmt;

pub(crate) use crate::decode::path::Path;
use crate::diagnostic::{Code, Diagnostic, Place, Report, Severity};
use crate::document::{Node, Value};
use crate::object::Object;
use crate::origin::Provenance;

/// The annotation that makes a policy a rehearsal (S-101).
pub(crate) const DRY_RUN: &str = "istio.io/dry-run";

/// Findings of validation kept per object; one error is kept in any case, so that none passes for good.
const FINDINGS_MAX: usize = 256;

/// What is wrong with one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Its code.
    pub(crate) code: Code,
    /// One line, user text in backticks.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) help: Option<String>,
    /// See [`relative`](Self::relative).
    pub(crate) is_relative: bool,
}

/// The answer of a check of one value.
pub(crate) type Checked = Result<(), Problem>;

impl Problem {
    /// A problem without help.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None, is_relative: false }
    }

    /// A value that is refused.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidValue, message)
    }

    /// A field that must be written.
    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self::new(Code::MissingField, message)
    }

    /// Fields that exclude each other.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(Code::Conflict, message)
    }

    /// What Istio accepts without a word and is hardly meant.
    pub(crate) fn doubtful(message: impl Into<String>) -> Self {
        Self::new(Code::Doubtful, message)
    }

    /// What Istio only warns about.
    pub(crate) fn suspicious(message: impl Into<String>) -> Self {
        Self::new(Code::Suspicious, message)
    }

    /// Adds what to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// It is one only because of what other fields say, or do not say: where one of them cannot be read, nobody knows.
    pub(crate) fn relative(mut self) -> Self {
        self.is_relative = true;
        self
    }
}

/// What of a part of an object Istio would refuse or warn about; the later, the less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hearing {
    /// Errors and warnings.
    All,
    /// Errors: warnings are lost on the way.
    Errors,
    /// Nothing: the part is not looked at.
    Nothing,
}

/// Places the problems of one document.
pub(crate) struct Checker<'c> {
    object: &'c Provenance,
    report: &'c mut Report,
    hearing: Hearing,
}

impl<'c> Checker<'c> {
    /// For an object.
    pub(crate) fn new<S>(object: &'c Object<S>, report: &'c mut Report) -> Self {
        Self { object: &object.provenance, report, hearing: Hearing::All }
    }

    /// The namespace of the object.
    pub(crate) fn namespace(&self) -> &'c str {
        &self.object.namespace
    }

    /// Checks a part of which Istio hears less: what it would not say becomes [`Code::Doubtful`]. Within a part of which it
    /// hears little it hears no more of a smaller one.
    pub(crate) fn hearing(&mut self, hearing: Hearing, check: impl FnOnce(&mut Self)) {
        let before = self.hearing;
        self.hearing = before.max(hearing);
        check(self);
        self.hearing = before;
    }

    /// Whether a problem of this severity would still be kept: words for it need not be looked for otherwise.
    pub(crate) fn keeps(&self, severity: Severity) -> bool {
        self.report.len() < FINDINGS_MAX || severity == Severity::Error && !self.report.has_errors()
    }

    /// Adds a problem of the field at `at`.
    pub(crate) fn find(&mut self, at: &Path<'_>, mut problem: Problem) {
        let is_heard = match problem.code.severity() {
            Severity::Error => self.hearing != Hearing::Nothing,
            Severity::Warning => self.hearing == Hearing::All,
            Severity::Info => true,
        };
        if !is_heard {
            problem.code = Code::Doubtful;
        }
        // A document with a hundred thousand bad routes is no better told by a hundred thousand findings.
        if !self.keeps(problem.code.severity()) {
            return;
        }
        let mut found =
            Diagnostic::new(problem.code, Place::of(self.object, &at.to_string()), problem.message);
        (found.help, found.is_relative) = (problem.help, problem.is_relative);
        self.report.push(found);
    }

    /// Adds the problem of a check, if it found one.
    pub(crate) fn check(&mut self, at: &Path<'_>, checked: Checked) {
        if let Err(problem) = checked {
            self.find(at, problem);
        }
    }

    /// Adds the problem of a condition that should hold.
    pub(crate) fn require(&mut self, holds: bool, at: &Path<'_>, problem: impl FnOnce() -> Problem) {
        if !holds {
            self.find(at, problem());
        }
    }

    /// Checks every element of a list.
    pub(crate) fn each(&mut self, at: &Path<'_>, values: &[String], check: impl Fn(&str) -> Checked) {
        for (index, value) in values.iter().enumerate() {
            self.check(&at.index(index), check(value));
        }
    }

    /// Refuses a list or map with more than `max` entries.
    pub(crate) fn at_most(&mut self, at: &Path<'_>, length: usize, max: usize) {
        self.require(length <= max, at, || {
            Problem::invalid(format!("{length} entries, at most {max} are allowed"))
                .help("remove some, or split the object")
        });
    }

    /// Refuses a text of more than `max` characters.
    pub(crate) fn no_longer_than(&mut self, at: &Path<'_>, text: &str, max: usize) {
        self.require(text.chars().count() <= max, at, || {
            Problem::invalid(format!("longer than {max} characters")).help("shorten it")
        });
    }

    /// Refuses a second one of fields that exclude each other, at the second.
    pub(crate) fn at_most_one(&mut self, at: &Path<'_>, fields: &[(&str, bool)]) {
        let mut written = fields.iter().filter(|(_, is_written)| *is_written).map(|(name, _)| *name);
        let Some(first) = written.next() else { return };
        for other in written {
            let problem = Problem::conflict(format!("`{first}` and `{other}` exclude each other"));
            self.find(&at.field(other), problem.help(format!("remove `{first}` or `{other}`")));
        }
    }

    /// The value written at `path` of the document, also where the type cannot tell it from an absent one.
    pub(crate) fn written(&self, path: &Path<'_>) -> Option<Node<'c>> {
        find(self.object.document.root(), path)
    }

    /// Whether anything but null is written at `path`, be it empty: rules of the schema (`has(..)`) ask that.
    pub(crate) fn is_written(&self, path: &Path<'_>) -> bool {
        self.written(path).is_some_and(|node| !node.is_null())
    }

    /// Whether an empty list or map is written at `path`.
    pub(crate) fn is_written_empty(&self, path: &Path<'_>) -> bool {
        self.written(path).is_some_and(|node| match node.value() {
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.is_empty(),
            _ => false,
        })
    }
}

impl fmt::Debug for Checker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checker").field("object", &self.object.name).finish_non_exhaustive()
    }
}

/// Both spellings of a field are found, as the decoder takes both.
fn find<'n>(root: Node<'n>, path: &Path<'_>) -> Option<Node<'n>> {
    match path {
        Path::Root("") => Some(root),
        Path::Root(name) => root.get(name),
        Path::Key(parent, name, _) => {
            let parent = find(root, parent)?;
            let is_other = |key: &str| key.contains('_') && key == crate::document::snake_case(name);
            parent.get(name).or_else(|| {
                // Few documents are written in the other spelling: it is made up only where it may be found.
                parent.entries().find(|entry| is_other(entry.key)).map(|entry| entry.value)
            })
        }
        Path::Index(parent, index) => find(root, parent)?.item(*index),
    }
}

/// User text for a message: one line, not too long.
pub(crate) fn short(text: &str) -> String {
    let cut: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() { format!("{cut}...") } else { cut }
}
