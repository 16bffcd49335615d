//! The live store of objects: documents go in, typed objects stay, problems come out.
//!
//! An object that turns bad keeps its last good version in force, unless [`Admission`] lets it in with its errors;
//! [`Store::status`] and [`ConfigSet::refusals`] tell since when, and why. A document that comes again letter by letter
//! costs a comparison. Iteration order is that of cluster, namespace and name.

#[cfg(all(test, feature = "yaml"))]
mod tests;

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Place, ResourceRef, Severity};
use crate::document::Document;
use crate::kind_table::Taken;
use crate::object::ResourceKey;

pub use crate::kind_table::{Admission, ApplyOptions, ConfigSet, Strictness, Versions};
pub use crate::store::{Applied, Change, Refusal, Stamp, Status, Store};

impl ConfigSet {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in documents and removals, in order. Later documents of one object replace earlier ones, with a finding
    /// where both come in one batch.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = Change>) -> Applied {
        self.apply_with(changes, ApplyOptions::default())
    }

    /// [`apply`](Self::apply) with a choice of how unknown fields and errors of validation are treated.
    pub fn apply_with(
        &mut self,
        changes: impl IntoIterator<Item = Change>,
        options: impl Into<ApplyOptions>,
    ) -> Applied {
        let options = options.into();
        let stamp = self.next_batch(options.now);
        let mut applied = Applied::default();
        let mut unsaid: Option<(Severity, usize)> = None;
        for change in changes {
            if let Some((worst, count)) = applied.report.shorten_to(FINDINGS_MAX) {
                let (before, counted) = unsaid.unwrap_or((worst, 0));
                unsaid = Some((worst.min(before), counted + count));
            }
            match change {
                Change::Upsert(document) => {
                    if let Some(Taken { key, earlier: Some(earlier) }) =
                        self.upsert(&document, options, stamp, &mut applied)
                    {
                        applied.report.push(duplicate(&key, &document, &earlier));
                    }
                }
                Change::Remove(key) => {
                    if self.remove(&key) {
                        applied.changed.insert(key);
                    }
                }
            }
        }
        if let Some((severity, count)) = unsaid {
            let message = format!("{count} more findings are not shown");
            let finding = Diagnostic::new(Code::BudgetExceeded, Place::default(), message).severity(severity);
            applied.report.push(finding.help("mend what is shown, then look again"));
        }
        applied
    }
}

/// Findings kept of one batch, those of one document more.
const FINDINGS_MAX: usize = 50_000;

fn duplicate(key: &ResourceKey, document: &Arc<Document>, earlier: &Document) -> Diagnostic {
    let span = earlier.root().locate("metadata.name");
    let resource = ResourceRef {
        kind: key.kind.to_owned(),
        namespace: key.namespace.to_string(),
        name: key.name.to_string(),
    };
    Diagnostic::new(
        Code::DuplicateResource,
        Place::in_document(document, resource, "metadata.name"),
        format!("`{}` is already defined at {}:{}", key.name, earlier.source.file, span.line),
    )
    .help("remove one of the two; the later one is in force here")
}
