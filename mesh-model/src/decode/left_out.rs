//! Fields that were left out of a value because they cannot be read, and which other findings stand on their own.

use std::collections::BTreeSet;

use crate::diagnostic::{Code, Diagnostic, Report, Severity};

/// Paths of the fields that were left out.
#[derive(Debug)]
pub(crate) struct LeftOut {
    fields: BTreeSet<String>,
}

impl LeftOut {
    pub(crate) fn new(fields: BTreeSet<String>) -> Self {
        Self { fields }
    }

    /// Of findings of validation, those that would be there too, had the fields been read.
    pub(crate) fn standing(&self, found: Report) -> Report {
        let mut standing = Report::new();
        found.into_iter().filter(|found| self.lets_stand(found)).for_each(|found| standing.push(found));
        standing
    }

    /// Whether a finding of validation would be there too, had the fields been read: not one that only says that
    /// something is missing, or that only their absence brings about.
    ///
    /// A rule looks at fields of one message, or at one value. So what is wrong with one value (a host, a weight, an
    /// expression) counts anywhere but around the gap. What is wrong with several fields together counts in another
    /// element of a list than the one with the gap.
    fn lets_stand(&self, finding: &Diagnostic) -> bool {
        if finding.severity != Severity::Error {
            return false;
        }
        let is_of_one_value = !finding.is_relative
            && matches!(
                finding.code,
                Code::InvalidValue | Code::InvalidRegex | Code::InvalidHost | Code::InvalidName
            );
        self.fields.iter().all(|gap| match relation(gap, &finding.at.field) {
            Relation::Inside => false,
            Relation::Beside => is_of_one_value,
            Relation::OtherElement => true,
        })
    }
}

/// Where a finding stands, seen from a gap.
#[derive(Debug, PartialEq, Eq)]
enum Relation {
    /// Around the gap, within it, or in a list that lacks an element: indices differ there.
    Inside,
    /// Under another field of a message that both are in.
    Beside,
    /// In another element of a list.
    OtherElement,
}

fn relation(gap: &str, finding: &str) -> Relation {
    let [mut of_gap, mut of_finding] = [segments(gap), segments(finding)];
    loop {
        match (of_gap.next(), of_finding.next()) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) if a.starts_with('[') && b.starts_with('[') && is_index(a) => {
                // The list lacks the very element: others have moved up.
                let is_element = of_gap.next().is_none();
                return if is_element { Relation::Inside } else { Relation::OtherElement };
            }
            (Some(_), Some(_)) => return Relation::Beside,
            _ => return Relation::Inside,
        }
    }
}

/// `[0]`, not `["key"]`.
fn is_index(segment: &str) -> bool {
    segment.as_bytes().get(1).is_some_and(u8::is_ascii_digit)
}

/// `spec`, `.http`, `[0]`, `.match`, `["a.b"]`.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = path;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let inner = rest.get(first.len_utf8()..).unwrap_or_default();
        let length = if inner.starts_with('"') {
            inner.find("\"]").map_or(inner.len(), |end| end + 2)
        } else {
            inner.find(['.', '[']).unwrap_or(inner.len())
        };
        let (segment, after) = rest.split_at_checked(first.len_utf8() + length)?;
        rest = after;
        Some(segment)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_apart_into_its_parts() {
        let parts: Vec<_> = segments("spec.http[10].match[\"a.b[0]\"].x").collect();
        assert_eq!(parts, ["spec", ".http", "[10]", ".match", "[\"a.b[0]\"]", ".x"]);
    }

    #[test]
    fn where_a_finding_stands_is_seen_from_the_gap() {
        let gap = "spec.http[0].timeout";
        for (finding, expected) in [
            ("spec", Relation::Inside),
            ("spec.http", Relation::Inside),
            ("spec.http[0]", Relation::Inside),
            ("spec.http[0].timeout", Relation::Inside),
            ("spec.http[0].route[0].weight", Relation::Beside),
            ("spec.hosts[0]", Relation::Beside),
            ("spec.http[1]", Relation::OtherElement),
            ("spec.http[1].route[0]", Relation::OtherElement),
        ] {
            assert_eq!(relation(gap, finding), expected, "{finding}");
        }
        assert_eq!(relation("spec.hosts[1]", "spec.hosts[0]"), Relation::Inside, "elements moved up");
        assert_eq!(relation("spec.hosts", "spec.hosts[0]"), Relation::Inside);
    }
}
