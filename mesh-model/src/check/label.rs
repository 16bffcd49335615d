//! Label maps (T-008).

use std::collections::BTreeMap;

use super::{Checker, Path, Problem, short};
use crate::object::{label_key_problem, label_value_problem};

/// Labels with Kubernetes' syntax.
pub(crate) fn labels(found: &mut Checker<'_>, at: &Path<'_>, labels: &BTreeMap<String, String>) {
    for (key, value) in labels {
        if let Some(problem) = label_key_problem(key) {
            found.find(
                &at.field(key),
                Problem::invalid(format!("label key `{}` {problem}", short(key)))
                    .help("a key such as `app` or `example.com/app`"),
            );
        }
        if let Some(problem) = label_value_problem(value) {
            found.find(
                &at.field(key),
                Problem::invalid(format!("label value `{}` {problem}", short(value)))
                    .help("use letters, digits, `-`, `_` and `.`"),
            );
        }
    }
}
