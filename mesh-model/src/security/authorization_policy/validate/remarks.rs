//! What Istio takes without a word, and what a rule then matches is hardly what was meant (S-119, S-150, S-154, S-161,
//! S-176, S-178).

use std::net::IpAddr;

use super::{Checker, Path, Problem, short};
use crate::check::value;
use crate::security::authorization_policy::spec::{Action, Operation, Source};
use crate::value::IpBlock;

/// Remarks on an operation.
pub(super) fn operation(found: &mut Checker<'_>, at: &Path<'_>, operation: &Operation, action: Action) {
    let Operation { hosts, not_hosts, ports: _, not_ports: _, methods, not_methods, paths, not_paths } =
        operation;
    for (name, list) in [("paths", paths), ("notPaths", not_paths)] {
        each(found, &at.field(name), list, |text| {
            let help = "write `{*}` for one segment and `{**}` for all that follow, as in `/a/{*}/c`";
            (!text.contains('{') && has_inner_star(text)).then(|| star(text).help(help))
        });
    }
    for (name, list) in [("methods", methods), ("notMethods", not_methods)] {
        each(found, &at.field(name), list, |text| inner_star(text).or_else(|| value::lower_case(text)));
    }
    for (name, list) in [("hosts", hosts), ("notHosts", not_hosts)] {
        each(found, &at.field(name), list, inner_star);
    }
    // The list whose gaps let requests pass.
    let guarding = match action {
        Action::Deny => ("hosts", hosts),
        Action::Allow => ("notHosts", not_hosts),
        _ => return,
    };
    each(found, &at.field(guarding.0), guarding.1, |text| without_port(text, guarding.1));
}

/// Remarks on a source.
pub(super) fn source(found: &mut Checker<'_>, at: &Path<'_>, source: &Source, action: Action) {
    let lists = [
        ("principals", &source.principals),
        ("notPrincipals", &source.not_principals),
        ("requestPrincipals", &source.request_principals),
        ("notRequestPrincipals", &source.not_request_principals),
        ("namespaces", &source.namespaces),
        ("notNamespaces", &source.not_namespaces),
    ];
    for (name, list) in lists {
        each(found, &at.field(name), list, inner_star);
    }
    for (name, list) in lists.into_iter().take(2) {
        each(found, &at.field(name), list, with_scheme);
    }
    let blocks = [
        ("ipBlocks", &source.ip_blocks),
        ("notIpBlocks", &source.not_ip_blocks),
        ("remoteIpBlocks", &source.remote_ip_blocks),
        ("notRemoteIpBlocks", &source.not_remote_ip_blocks),
    ];
    for (name, list) in blocks {
        each(found, &at.field(name), list, block);
    }
    if action == Action::Allow {
        negative_alone(found, at, source);
    }
}

fn each(found: &mut Checker<'_>, at: &Path<'_>, list: &[String], remark: impl Fn(&str) -> Option<Problem>) {
    for (index, text) in list.iter().enumerate() {
        if let Some(problem) = remark(text) {
            found.find(&at.index(index), problem);
        }
    }
}

/// A `*` that stands for nothing: only one at an end does, and a leading one is read first (S-119).
fn has_inner_star(text: &str) -> bool {
    let inner = text.strip_prefix('*').or_else(|| text.strip_suffix('*')).unwrap_or(text);
    inner.contains('*')
}

fn star(text: &str) -> Problem {
    Problem::doubtful(format!(
        "`{}` holds a `*` that stands for itself: only one at the start or at the end stands for any text",
        short(text)
    ))
}

fn inner_star(text: &str) -> Option<Problem> {
    has_inner_star(text).then(|| star(text).help("write `abc`, `abc*`, `*abc` or `*`"))
}

/// Of an address in a block only the bits of the block count (S-150), and no connection's address has a zone.
fn block(text: &str) -> Option<Problem> {
    if let Some((address, _)) = text.split_once('%').filter(|_| !text.contains('/')) {
        let problem =
            Problem::doubtful(format!("`{}` has a zone, which no client's address has", short(text)));
        return Some(problem.help(format!("write `{}`", short(address))));
    }
    let (address, bits) = text.split_once('/')?;
    let (written, block) = (address.parse::<IpAddr>().ok()?, text.parse::<IpBlock>().ok()?);
    // The block's own address may be of the other family: `::ffff:10.0.0.1` is `10.0.0.1`.
    let first = IpBlock::new(written, bits.parse().ok()?).ok()?.network();
    (first != written && first != written.to_canonical()).then(|| {
        Problem::doubtful(format!(
            "`{}` is all of `{block}`: bits after the prefix do not count",
            short(text)
        ))
        .help(format!("write `{block}`, or `{address}` for the address alone"))
    })
}

/// Principals are identities without their scheme (S-161).
fn with_scheme(text: &str) -> Option<Problem> {
    text.strip_prefix("spiffe://").map(|rest| {
        Problem::doubtful("no principal starts with `spiffe://`, so nobody is meant")
            .help(format!("write `{}`", short(rest)))
    })
}

/// A client may write a port behind the host it asks for (S-178).
fn without_port(text: &str, all: &[String]) -> Option<Problem> {
    let has_companion =
        |other: &String| other.strip_prefix(text).is_some_and(|rest| rest == ":*" || rest == "*");
    let is_exact = !text.contains(['*', ':']);
    (is_exact && !all.iter().any(has_companion)).then(|| {
        Problem::doubtful(format!(
            "a request for `{}` with a port (`{0}:80`) is not matched, so it passes",
            short(text)
        ))
        .help(format!("add `{}:*`", short(text)))
    })
}

/// Who has no certificate is nobody, and so is not whom a negative field names (S-154).
fn negative_alone(found: &mut Checker<'_>, at: &Path<'_>, source: &Source) {
    let says_who = [
        &source.principals,
        &source.namespaces,
        &source.service_accounts,
        &source.trust_domains,
        &source.request_principals,
    ];
    let says_who_not = [
        ("notPrincipals", &source.not_principals),
        ("notNamespaces", &source.not_namespaces),
        ("notServiceAccounts", &source.not_service_accounts),
        ("notTrustDomains", &source.not_trust_domains),
    ];
    if says_who.iter().any(|list| !list.is_empty()) {
        return;
    }
    if let Some((name, _)) = says_who_not.iter().find(|(_, list)| !list.is_empty()) {
        let message = format!("`{name}` alone allows clients without a certificate too, whoever they are");
        let help = "add `principals: [\"*\"]`, or let a PeerAuthentication of mode STRICT refuse plaintext";
        found.find(&at.field(name), Problem::doubtful(message).help(help));
    }
}
