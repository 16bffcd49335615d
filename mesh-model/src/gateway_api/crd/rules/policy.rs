//! Rules of `BackendTLSPolicy`.

use std::collections::{BTreeMap, BTreeSet};

use super::goes_with;
use crate::check::{Checker, Path, Problem};
use crate::gateway_api::crd::walk::Message;

/// Targets of one name are told apart by their section, all of them or none.
pub(super) fn targets(check: &mut Checker<'_>, policy: Message<'_>, at: &Path<'_>) {
    let at = at.field("targetRefs");
    let mut seen: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for (index, target) in policy.messages("targetRefs").enumerate() {
        let section = target.text("sectionName");
        let whole = (target.text("group"), target.text("kind"), target.text("name"));
        let others = seen.entry(whole).or_default();
        let clashes =
            others.contains(section) || others.iter().any(|other| other.is_empty() != section.is_empty());
        if clashes {
            let problem = Problem::conflict("a target before this one is the same");
            let help = "name another `sectionName` in each reference to one target, or keep one of them";
            check.find(&at.index(index), problem.help(help));
        }
        others.insert(section);
    }
}

pub(super) fn validation(check: &mut Checker<'_>, validation: Message<'_>, at: &Path<'_>) {
    let has_refs = validation.get("caCertificateRefs").is_some_and(|refs| !refs.items().is_empty());
    let is_known = !validation.text("wellKnownCACertificates").is_empty();
    check.at_most_one(at, &[("caCertificateRefs", has_refs), ("wellKnownCACertificates", is_known)]);
    check.require(has_refs || is_known, at, || {
        Problem::missing("no authority is named that certificates are checked against")
            .help("write `caCertificateRefs`, or `wellKnownCACertificates: System`")
    });
}

pub(super) fn subject(check: &mut Checker<'_>, name: Message<'_>, at: &Path<'_>) {
    for (word, field) in [("Hostname", "hostname"), ("URI", "uri")] {
        goes_with(check, name, at, ("type", word), field, !name.text(field).is_empty());
    }
}
