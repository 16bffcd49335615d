//! Rules of whole routes: their parents, their rules together, their hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::check::{Checker, Path, Problem, short};
use crate::gateway_api::crd::walk::Message;

/// Matches of all rules of a route.
const MATCHES_MAX: usize = 128;

pub(super) fn route(check: &mut Checker<'_>, route: Message<'_>, at: &Path<'_>) {
    parents(check, route, at);
    let rules = at.field("rules");
    let mut names = BTreeSet::new();
    let mut matches = 0;
    for (index, rule) in route.messages("rules").enumerate() {
        matches += rule.get("matches").map_or(0, |matches| matches.items().len());
        let name = rule.text("name");
        if rule.has("name") && !names.insert(name) {
            let at = rules.index(index);
            let problem = Problem::invalid(format!("a rule before this one is called `{}` too", short(name)));
            check.find(&at.field("name"), problem.help("give each rule a name of its own"));
        }
    }
    check.require(matches <= MATCHES_MAX, &rules, || {
        Problem::invalid(format!("{matches} matches in all rules, at most {MATCHES_MAX} are allowed"))
            .help("split the route")
    });
}

/// Parents of one name are told apart by section or port, all of them or none.
fn parents(check: &mut Checker<'_>, route: Message<'_>, at: &Path<'_>) {
    let at = at.field("parentRefs");
    let mut seen: BTreeMap<_, BTreeSet<(&str, i128)>> = BTreeMap::new();
    for (index, parent) in route.messages("parentRefs").enumerate() {
        let whole =
            (parent.text("group"), parent.text("kind"), parent.text("name"), parent.text("namespace"));
        let part = (parent.text("sectionName"), parent.number("port").unwrap_or_default());
        let others = seen.entry(whole).or_default();
        let is_part = |(section, port): &(&str, i128)| (!section.is_empty(), *port != 0);
        let problem = if others.contains(&part) {
            Problem::conflict("a parent before this one is the same")
        } else if others.iter().any(|other| is_part(other) != is_part(&part)) {
            Problem::conflict(
                "a parent before this one is the same but for a section or port that one of them names",
            )
        } else {
            others.insert(part);
            continue;
        };
        let help =
            "name another `sectionName` or `port` in each reference to one parent, or keep one of them";
        check.find(&at.index(index), problem.help(help));
        others.insert(part);
    }
}

pub(super) fn server_names(check: &mut Checker<'_>, route: Message<'_>, at: &Path<'_>) {
    let at = at.field("hostnames");
    for (index, host) in route.texts("hostnames").enumerate() {
        let is_address = host.parse::<IpAddr>().is_ok();
        check.require(!is_address, &at.index(index), || {
            Problem::invalid(format!("`{}` is an address", short(host)))
                .help("write a host: addresses are no server names")
        });
    }
}
