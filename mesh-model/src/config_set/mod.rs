//! The live store of objects: documents go in, typed objects stay, problems come out.
//!
//! An object that turns bad keeps its last good version in force, unless [`Admission`] lets it in with its errors;
//! [`Store::status`] and [`ConfigSet::refusals`] tell since when, and why. A document that comes again letter by letter
//! costs a comparison. Iteration order is that of cluster, namespace and name.

#[cfg(all(test, feature = "yaml"))]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::diagnostic::{Code, Diagnostic, Place, ResourceRef};
use crate::document::Document;
use crate::kind_table::{FINDINGS_MAX, Prepared, Taken};
use crate::object::ResourceKey;
use crate::origin::Provenance;

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
        let mut changes = changes.into_iter();
        let mut ready: VecDeque<(Change, Option<Prepared>)> = VecDeque::new();
        loop {
            let next = if options.threads < 2 {
                changes.next().map(|change| (change, None))
            } else {
                if ready.is_empty() {
                    ready.extend(self.prepare_next(&mut changes, options));
                }
                ready.pop_front()
            };
            let Some((change, prepared)) = next else { break };
            applied.report.shorten_to(FINDINGS_MAX);
            match change {
                Change::Upsert(document) => {
                    if let Some(Taken { key, earlier: Some(earlier) }) =
                        self.upsert(&document, prepared, options, stamp, &mut applied)
                    {
                        let in_force = self.provenance(&key).filter(|object| object.refused_at.is_none());
                        applied.report.push(duplicate(&key, &document, &earlier, in_force.as_deref()));
                    }
                }
                Change::Remove(key) => {
                    if self.remove(&key) {
                        applied.changed.insert(key);
                    }
                }
            }
        }
        if let Some((severity, count)) = applied.report.take_unsaid() {
            let message = format!("{count} more findings are not shown");
            let finding = Diagnostic::new(Code::BudgetExceeded, Place::default(), message).severity(severity);
            applied.report.push(finding.help("mend what is shown, then look again"));
        }
        applied
    }

    /// The next changes, with what several threads found out about them.
    fn prepare_next(
        &self,
        changes: &mut impl Iterator<Item = Change>,
        options: ApplyOptions,
    ) -> Vec<(Change, Option<Prepared>)> {
        let changes: Vec<Change> = changes.take(WINDOW).collect();
        if changes.len() < WINDOW_MIN {
            return changes.into_iter().map(|change| (change, None)).collect();
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let start = next.fetch_add(SHARE, Ordering::Relaxed);
                let Some(share) = changes.get(start..changes.len().min(start + SHARE)) else { break };
                if share.is_empty() {
                    break;
                }
                let prepared = share.iter().map(|change| match change {
                    Change::Upsert(document) => Some(self.prepare(document, options)),
                    Change::Remove(_) => None,
                });
                done.push((start, prepared.collect::<Vec<_>>()));
            }
            done
        };
        let mut shares = std::thread::scope(|scope| {
            let others: Vec<_> = (1..options.threads).map(|_| scope.spawn(work)).collect();
            let mut done = work();
            for other in others {
                // A thread that panicked would be a bug of ours: its panic goes on here.
                done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            done
        });
        shares.sort_unstable_by_key(|(start, _)| *start);
        changes.into_iter().zip(shares.into_iter().flat_map(|(_, prepared)| prepared)).collect()
    }
}

/// Changes that are looked at together by several threads, and the fewest that are worth it.
const WINDOW: usize = 1_024;
const WINDOW_MIN: usize = 64;

/// Documents that a thread takes at once.
const SHARE: usize = 16;

fn duplicate(
    key: &ResourceKey,
    document: &Arc<Document>,
    earlier: &Document,
    in_force: Option<&Provenance>,
) -> Diagnostic {
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
    .help(match in_force {
        None => "remove one of the two; both have errors, so neither is in force here".to_owned(),
        Some(object) if object.document.is_same_text(document) => {
            "remove one of the two; the later one is in force here".to_owned()
        }
        Some(object) => {
            let place = Place::of(object, "metadata.name");
            let (file, line) = (place.file, place.line);
            format!(
                "remove one of the two; this one has errors, so the one at {file}:{line} is in force here"
            )
        }
    })
}
