//! What is said of texts that ask for more than they may, and findings that are only counted.

use super::advice;
use super::{LoadOptions, Source};
use crate::diagnostic::{Code, Diagnostic, Place, Report};
use crate::document::Span;

/// Findings kept per text, those of one document more: a hundred thousand broken documents must not bury the rest.
pub(super) const FINDINGS_MAX: usize = 10_000;

/// Findings that are only counted.
#[derive(Default)]
pub(super) struct Unsaid {
    count: usize,
    worst: Option<Diagnostic>,
}

impl Unsaid {
    pub(super) fn add(&mut self, report: Report) {
        self.count += report.len();
        for found in report {
            if self.worst.as_ref().is_none_or(|worst| found.severity < worst.severity) {
                self.worst = Some(found);
            }
        }
    }

    pub(super) fn tell(self, report: &mut Report) {
        if let Some(mut worst) = self.worst {
            worst.message =
                format!("{}; {} findings of this text are not shown", worst.message, self.count - 1);
            report.push(worst);
        }
    }
}

pub(super) fn too_many(source: &Source, options: &LoadOptions, span: Span) -> Diagnostic {
    let message = format!("more than {} documents", options.budget.documents);
    let finding = Diagnostic::new(Code::BudgetExceeded, Place::in_file(&source.file, span), message);
    finding.help(advice::of(Code::BudgetExceeded))
}

pub(super) fn too_strange(source: &Source, options: &LoadOptions, span: Span) -> Diagnostic {
    let most = options.budget.strange_documents;
    let message = format!("more than {most} documents that are broken or no resources: the rest is not read");
    let finding = Diagnostic::new(Code::BudgetExceeded, Place::in_file(&source.file, span), message);
    finding.help("mend what is found in the first of them, then look again")
}

#[cfg(feature = "yaml")]
pub(super) fn too_rare(file: &str, bytes: usize, span: Span) -> Diagnostic {
    let message = format!("{}: the rest is not read", super::rare::too_rare(bytes));
    let finding = Diagnostic::new(Code::BudgetExceeded, Place::in_file(file, span), message);
    finding.help(advice::PLAIN_LINES)
}
