//! Lints on the names to which Tencent Cloud Mesh gives a meaning (T-582 to T-585). Istio accepts them all.

use std::collections::BTreeMap;

use super::spec::{Port, Server};
use crate::check::{Checker, Path, Problem, short};
use crate::diagnostic::Code;
use crate::name::{CredentialSource, OffloadedPort, Protocol};
use crate::part::ServerTlsMode;

/// Checks the servers of a gateway.
pub(super) fn lint(found: &mut Checker<'_>, at: &Path<'_>, servers: &[Server]) {
    // Whether the first server of a port has its TLS ended by the load balancer.
    let mut modes: BTreeMap<u32, bool> = BTreeMap::new();
    for (index, server) in servers.iter().enumerate() {
        let at = at.index(index);
        credential(found, &at, server);
        let Some(port) = &server.port else { continue };
        let offloaded = offloaded(port);
        if let Some(asked) = offloaded {
            asked_port(found, &at, port, asked);
            redirect(found, &at, server);
        }
        let mode = *modes.entry(port.number).or_insert(offloaded.is_some());
        if mode != offloaded.is_some() {
            let message = format!(
                "some servers of port {} ask the load balancer to end TLS, and this one does not agree",
                port.number
            );
            let help = "name all ports of one number `clb-https-<number>-<certificate>`, or none";
            found.find(&at.field("port").field("name"), contradiction(message).help(help));
        }
    }
}

fn contradiction(message: impl Into<String>) -> Problem {
    Problem::new(Code::TencentName, message)
}

/// What a port's name asks the load balancer for; with other protocols it means nothing.
fn offloaded(port: &Port) -> Option<OffloadedPort<'_>> {
    OffloadedPort::parse(&port.name).filter(|_| Protocol::parse(&port.protocol) == Protocol::Http)
}

fn asked_port(found: &mut Checker<'_>, at: &Path<'_>, port: &Port, asked: OffloadedPort<'_>) {
    found.require(asked.number == port.number, &at.field("port").field("name"), || {
        let message = format!(
            "`{}` asks the load balancer for port {}, and the server has port {}",
            short(&port.name),
            asked.number,
            port.number
        );
        let right = OffloadedPort { number: port.number, ..asked };
        contradiction(message).help(format!("name it `{right}`"))
    });
}

/// The gateway sees plain HTTP, whatever the client sent: it redirects forever (T-584).
fn redirect(found: &mut Checker<'_>, at: &Path<'_>, server: &Server) {
    if server.tls.as_ref().is_some_and(|tls| tls.https_redirect) {
        let message =
            "the load balancer ends TLS, so that every request is redirected to HTTPS, again and again";
        let help = "remove it here, and redirect at the server of port 80";
        found.find(&at.field("tls").field("httpsRedirect"), contradiction(message).help(help));
    }
}

/// The SSL service has certificates of servers only (T-585).
fn credential(found: &mut Checker<'_>, at: &Path<'_>, server: &Server) {
    let Some(tls) = &server.tls else { return };
    let is_mutual = matches!(tls.mode, ServerTlsMode::Mutual | ServerTlsMode::OptionalMutual);
    if let (true, CredentialSource::SslService(id)) =
        (is_mutual, CredentialSource::parse(&tls.credential_name))
    {
        let message = format!(
            "certificate `{}` comes from the SSL service, which has nothing to check clients with",
            short(id)
        );
        let help = "use mode `SIMPLE`, or a Secret with the authority of the clients";
        found.find(&at.field("tls").field("credentialName"), contradiction(message).help(help));
    }
}
