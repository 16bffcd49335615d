//! Rules of gateways and their listeners.

use std::collections::BTreeSet;

use crate::check::{Checker, Path, Problem, short};
use crate::document::Node;
use crate::gateway_api::crd::pattern;
use crate::gateway_api::crd::walk::Message;
use crate::object::label_key_problem;

pub(super) fn gateway(check: &mut Checker<'_>, gateway: Message<'_>, at: &Path<'_>) {
    let at_list = at.field("listeners");
    let mut taken = BTreeSet::new();
    for (index, listener) in gateway.messages("listeners").enumerate() {
        let at = at_list.index(index);
        let protocol = listener.text("protocol");
        tls(check, listener, protocol, &at);
        if matches!(protocol, "TCP" | "UDP") && !listener.text("hostname").is_empty() {
            let problem = Problem::conflict(format!("`hostname` does not go with protocol `{protocol}`"));
            check.find(&at.field("hostname"), problem.help("remove `hostname`: there is none to see"));
        }
        let host = listener.has("hostname").then(|| listener.text("hostname"));
        if !taken.insert((listener.number("port"), protocol, host)) {
            let problem =
                Problem::conflict("a listener before this one has the same port, protocol and hostname");
            check.find(&at.field("port"), problem.help("change one of the three, or remove a listener"));
        }
    }
    addresses(check, gateway, at);
}

fn tls(check: &mut Checker<'_>, listener: Message<'_>, protocol: &str, at: &Path<'_>) {
    let tls = listener.message("tls");
    match protocol {
        "HTTP" | "TCP" | "UDP" if listener.has("tls") => {
            let problem = Problem::conflict(format!("`tls` does not go with protocol `{protocol}`"));
            check.find(&at.field("tls"), problem.help("write protocol `HTTPS` or `TLS`, or remove `tls`"));
        }
        "HTTPS" if tls.is_some_and(|tls| tls.text("mode") == "Passthrough") => {
            let problem = Problem::conflict("protocol `HTTPS` terminates TLS");
            let at = at.field("tls");
            check.find(&at.field("mode"), problem.help("write protocol `TLS` to pass connections through"));
        }
        "TLS" if tls.is_none() => {
            let problem = Problem::missing("protocol `TLS` needs `tls`");
            check.find(
                &at.field("tls"),
                problem.help("write `tls` with `mode: Terminate` or `mode: Passthrough`"),
            );
        }
        _ => {}
    }
}

pub(super) fn listener_tls(check: &mut Checker<'_>, tls: Message<'_>, at: &Path<'_>) {
    let is_empty =
        |name| tls.get(name).is_none_or(|node| node.items().is_empty() && node.entries().is_empty());
    if tls.text("mode") == "Terminate" && is_empty("certificateRefs") && is_empty("options") {
        let problem = Problem::missing("TLS is terminated without a certificate");
        let help =
            "name a Secret in `certificateRefs`, or give `options`; with `mode: Passthrough` none is needed";
        check.find(&at.field("certificateRefs"), problem.help(help));
    }
}

fn addresses(check: &mut Checker<'_>, gateway: Message<'_>, at: &Path<'_>) {
    let at = at.field("addresses");
    let mut taken = BTreeSet::new();
    for (index, address) in gateway.messages("addresses").enumerate() {
        let (of, value, at) = (address.text("type"), address.text("value"), at.index(index));
        let at = at.field("value");
        if !address.has("value") || !matches!(of, "IPAddress" | "Hostname") {
            continue;
        }
        if !taken.insert((of, value)) {
            let problem = Problem::conflict(format!("`{}` is asked for twice", short(value)));
            check.find(&at, problem.help("remove one of them"));
        }
        let is_host = pattern::named("host").is_some_and(|pattern| (pattern.fits)(value));
        if of == "Hostname" && !is_host {
            let problem = Problem::invalid(format!("`{}` is not a host", short(value)));
            check.find(&at, problem.help("write a host in small letters"));
        }
    }
}

/// Keys of the labels and annotations for what is made of a gateway.
pub(super) fn infrastructure(check: &mut Checker<'_>, infrastructure: Message<'_>, at: &Path<'_>) {
    const ENTRIES_MAX: usize = 16;
    for list in ["labels", "annotations"] {
        let at = at.field(list);
        let entries = infrastructure.get(list).map(Node::entries);
        for entry in entries.into_iter().flatten().take(ENTRIES_MAX) {
            let Some(problem) = label_key_problem(entry.key) else { continue };
            let problem = Problem::invalid(format!("key `{}` {problem}", short(entry.key)));
            check.find(&at.field(entry.key), problem.help("a key such as `app` or `example.com/app`"));
        }
    }
}
