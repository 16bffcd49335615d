//! Where analyzers put what they found.

use mesh_model::diagnostic::{Code, Diagnostic, Place, Report};
use mesh_model::name::StringMap;
use mesh_model::object::Object;

/// Findings of one analyzer; the rest is counted. Nobody reads so many, and memory must stay bounded.
const FINDINGS_MAX: usize = 10_000;

/// Names in a message; the rest is counted.
const NAMES_MAX: usize = 8;

/// What one analyzer found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    report: Report,
    left_out: usize,
}

impl Findings {
    /// Adds a finding about the field `path` of an object.
    pub(super) fn add<S>(
        &mut self,
        object: &Object<S>,
        path: &str,
        code: Code,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.has_room() {
            let at = Place::of(&object.provenance, path);
            self.report.push(Diagnostic::new(code, at, message).help(help));
        }
    }

    /// Adds a finding that is not about an object.
    pub(super) fn push(&mut self, finding: Diagnostic) {
        if self.has_room() {
            self.report.push(finding);
        }
    }

    fn has_room(&mut self) -> bool {
        let has_room = self.report.len() < FINDINGS_MAX;
        self.left_out += usize::from(!has_room);
        has_room
    }

    /// The findings, with a remark where some were left out.
    pub(super) fn into_report(mut self, analyzer: &str) -> Report {
        if self.left_out > 0 {
            self.report.push(super::left_out(analyzer, self.left_out));
        }
        self.report
    }
}

/// User text for a message: one line, not too long.
pub(super) fn short(text: &str) -> String {
    text.chars().take(120).flat_map(char::escape_debug).collect()
}

/// `a=1,b=2`, as `kubectl -l` takes it.
pub(super) fn selector_text(selector: &StringMap) -> String {
    let pairs: Vec<_> =
        selector.iter().take(NAMES_MAX).map(|(key, value)| format!("{key}={value}")).collect();
    short(&pairs.join(","))
}

/// `` `a`, `b` and 3 more ``: the first few of some names.
pub(super) fn listed<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let mut names = names.into_iter();
    let shown: Vec<_> =
        names.by_ref().take(NAMES_MAX).map(|name| format!("`{}`", short(name.as_ref()))).collect();
    let more = names.count();
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// `namespace/name`, or the name of a cluster-scoped object.
pub(super) fn full_name<S>(object: &Object<S>) -> String {
    if object.meta.namespace.is_empty() {
        object.meta.name.to_string()
    } else {
        format!("{}/{}", object.meta.namespace, object.meta.name)
    }
}
