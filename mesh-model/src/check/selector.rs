//! Workload selectors (S-065).

use super::{Checker, Path, Problem, short};
use crate::name::StringMap;
use crate::part::{NetworkingWorkloadSelector, WorkloadSelector};

/// The selector of security kinds and DestinationRule; `at` is its path.
pub(crate) fn workload(found: &mut Checker<'_>, at: &Path<'_>, selector: &WorkloadSelector) {
    labels(found, &at.field("matchLabels"), &selector.match_labels, 4096);
    if selector.match_labels.is_empty() {
        found.find(at, without_labels());
    }
}

/// The selector of ServiceEntry and Sidecar; `at` is its path.
pub(crate) fn networking(found: &mut Checker<'_>, at: &Path<'_>, selector: &NetworkingWorkloadSelector) {
    labels(found, &at.field("labels"), &selector.labels, 256);
    if selector.labels.is_empty() {
        found.find(at, without_labels());
    }
}

fn without_labels() -> Problem {
    Problem::suspicious("a selector without labels selects every workload of the namespace")
        .help("name a label, or leave the selector out")
}

fn labels(found: &mut Checker<'_>, at: &Path<'_>, labels: &StringMap, max: usize) {
    found.at_most(at, labels.len(), max);
    for (key, value) in labels {
        let at = at.field(key);
        found.require(!key.is_empty(), &at, || {
            Problem::invalid("an empty label key").help("write the key of a label, or remove the entry")
        });
        for text in [key, value] {
            found.require(!text.contains('*'), &at, || {
                Problem::invalid(format!("`{}`: a selector takes no wildcard", short(text)))
                    .help("write the whole text of the label: a selector compares for equality")
            });
        }
        found.no_longer_than(&at, value, 63);
    }
}
