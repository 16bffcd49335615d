//! `exportTo` (T-025).

use std::collections::BTreeSet;

use super::{Checker, Path, Problem, host, short};

/// Who exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exporter {
    /// A ServiceEntry, which may be for nobody.
    Service,
    /// A DestinationRule for some workloads, which stays in its namespace.
    SelectingRule,
    /// Anything else.
    Other,
}

/// Checks the list of a resource in `namespace`.
pub(crate) fn export_to(found: &mut Checker<'_>, at: &Path<'_>, entries: &[String], exporter: Exporter) {
    let namespace = found.namespace();
    let mut seen = BTreeSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let at = at.index(index);
        let target = if entry == "." { namespace } else { entry.as_str() };
        if !seen.insert(target) {
            let problem = if target == entry {
                format!("`{}` is listed twice", short(entry))
            } else {
                format!("`.` and `{namespace}` are the same namespace")
            };
            found.find(&at, Problem::conflict(problem).help("keep one of the entries"));
            continue;
        }
        match target {
            "*" => {}
            "~" if exporter == Exporter::Service => {}
            "~" => found.find(
                &at,
                Problem::invalid("only a ServiceEntry can be exported to nobody (`~`)")
                    .help("use `.` for the own namespace, `*` for all, or names of namespaces"),
            ),
            name => found.check(&at, host::namespace(name)),
        }
        if exporter == Exporter::SelectingRule && target != namespace {
            let problem =
                Problem::invalid("a rule with `workloadSelector` cannot be exported beyond its namespace")
                    .help("write `exportTo: [\".\"]`, or remove `workloadSelector`");
            found.find(&at, problem.help("write `.`"));
        }
    }
    for alone in ["*", "~"] {
        if entries.len() > 1 && seen.contains(alone) {
            let message = format!("`{alone}` must stand alone");
            found.find(at, Problem::conflict(message).help("remove the other entries"));
        }
    }
}
