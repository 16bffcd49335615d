//! What Istio refuses or warns about in an AuthorizationPolicy (S-091 to S-104, S-129, S-153).

mod condition;
mod remarks;
mod source;
mod text;

use super::spec::{Action, AuthorizationPolicy, Operation, Rule};
use crate::check::{Checker, Path, Problem, short, target_reference};
use crate::diagnostic::Report;
use crate::object::Object;

const SPEC: Path<'static> = Path::Root("spec");

/// Checks an object.
pub(super) fn validate(object: &Object<AuthorizationPolicy>, report: &mut Report) {
    let policy = &object.spec;
    let found = &mut Checker::new(object, report);
    let AuthorizationPolicy { selector, target_ref, target_refs, rules, action, provider } = policy;
    target_reference::attachment(found, &SPEC, selector.as_ref(), target_ref.as_ref(), target_refs);
    if matches!(action, Action::Custom | Action::Deny) {
        found.require(!rules.is_empty(), &SPEC, || {
            Problem::missing(format!("action `{}` without `rules` never applies", action.as_str()))
                .help("write `rules: [{}]` for every request")
        });
    }
    let name = provider.as_ref().map_or("", |provider| &provider.name);
    if *action == Action::Custom {
        found.require(!name.is_empty(), &SPEC.field("provider"), || {
            Problem::missing("action `CUSTOM` needs `provider.name`")
                .help("name one of the mesh's `extensionProviders`")
        });
    } else {
        found.require(provider.is_none(), &SPEC.field("provider"), || {
            Problem::conflict(format!("action `{}` asks no provider", action.as_str()))
                .help("use action `CUSTOM`")
        });
    }
    dry_run(found, object);
    let list = SPEC.field("rules");
    found.at_most(&list, rules.len(), 512);
    for (index, one) in rules.iter().enumerate() {
        rule(found, &list.index(index), one, *action);
    }
}

/// The annotation that makes a policy a rehearsal: for two actions, with one of Go's words for a boolean.
fn dry_run(found: &mut Checker<'_>, object: &Object<AuthorizationPolicy>) {
    let Some(value) = object.meta.annotations.get(crate::check::DRY_RUN) else { return };
    let metadata = Path::Root("metadata");
    let annotations = metadata.field("annotations");
    let at = annotations.field(crate::check::DRY_RUN);
    let action = object.spec.action;
    if !matches!(action, Action::Allow | Action::Deny) {
        let message = format!("action `{}` cannot be rehearsed, only `ALLOW` and `DENY`", action.as_str());
        found.find(&at, Problem::invalid(message).help("remove the annotation"));
        return;
    }
    const BOOLEANS: [&str; 12] =
        ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"];
    found.require(BOOLEANS.contains(&value), &at, || {
        Problem::invalid(format!("`{}` is neither `true` nor `false`", short(value)))
            .help("write `\"true\"` or `\"false\"`")
    });
}

fn rule(found: &mut Checker<'_>, at: &Path<'_>, rule: &Rule, action: Action) {
    found.at_most(&at.field("from"), rule.from.len(), 512);
    for (name, has_entries) in [("from", !rule.from.is_empty()), ("to", !rule.to.is_empty())] {
        let at = at.field(name);
        let is_written_empty = !has_entries && found.is_written_empty(&at);
        found.require(!is_written_empty, &at, || {
            Problem::invalid(format!("`{name}` is empty")).help("remove it")
        });
    }
    let mut looks_at_connection = Looks::default();
    for (index, from) in rule.from.iter().enumerate() {
        let list = at.field("from");
        let at = list.index(index);
        match &from.source {
            Some(one) => {
                looks_at_connection.has_source = true;
                looks_at_connection.by_source |= source::source(found, &at.field("source"), one, action);
                remarks::source(found, &at.field("source"), one, action);
            }
            None => found
                .find(&at, Problem::missing("`source` is required").help("put the fields under `source`")),
        }
    }
    for (index, to) in rule.to.iter().enumerate() {
        let list = at.field("to");
        let at = list.index(index);
        match &to.operation {
            Some(one) => {
                looks_at_connection.has_operation = true;
                looks_at_connection.by_operation |= operation(found, &at.field("operation"), one);
                remarks::operation(found, &at.field("operation"), one, action);
            }
            None => found.find(
                &at,
                Problem::missing("`operation` is required").help("put the fields under `operation`"),
            ),
        }
    }
    for (index, one) in rule.when.iter().enumerate() {
        condition::condition(found, &at.field("when").index(index), one, action);
    }
    if action == Action::Deny && looks_at_connection.is_all_http() {
        let problem = Problem::suspicious(
            "the rule has HTTP attributes only, so it denies every connection to TCP ports",
        );
        found.find(at, problem.help("name the HTTP ports in `to[].operation.ports`"));
    }
}

/// Whether a rule looks at anything that a TCP connection has (S-129).
#[derive(Debug, Default)]
struct Looks {
    has_source: bool,
    by_source: bool,
    has_operation: bool,
    by_operation: bool,
}

impl Looks {
    fn is_all_http(&self) -> bool {
        if self.has_operation { !self.by_operation } else { self.has_source && !self.by_source }
    }
}

/// Checks an operation; says whether it looks at ports, which TCP connections have.
fn operation(found: &mut Checker<'_>, at: &Path<'_>, operation: &Operation) -> bool {
    let Operation { hosts, not_hosts, ports, not_ports, methods, not_methods, paths, not_paths } = operation;
    let texts =
        [("hosts", hosts), ("notHosts", not_hosts), ("methods", methods), ("notMethods", not_methods)];
    let numbers = [("ports", ports), ("notPorts", not_ports)];
    let templates = [("paths", paths), ("notPaths", not_paths)];
    let is_empty = texts.iter().chain(&numbers).chain(&templates).all(|(_, list)| list.is_empty());
    found.require(!is_empty, at, || {
        Problem::missing("an operation needs at least one field").help("write a field, or remove the entry")
    });
    for (name, list) in texts {
        found.each(&at.field(name), list, text::not_empty);
    }
    for (name, list) in numbers {
        found.each(&at.field(name), list, text::port);
    }
    for (name, list) in templates {
        found.each(&at.field(name), list, text::path);
    }
    !ports.is_empty() || !not_ports.is_empty()
}
