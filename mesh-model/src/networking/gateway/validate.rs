//! What Istio refuses or warns about in a Gateway (T-406, T-432).

use std::collections::BTreeSet;

use super::spec::{Gateway, Port, Server};
use super::tencent;
use crate::check::{Checker, Path, Problem, host, port, short, tls};
use crate::diagnostic::{Code, Report};
use crate::name::{Protocol, is_dns_label};
use crate::object::Object;
use crate::part::{ServerTlsMode, ServerTlsSettings};

const SPEC: Path<'static> = Path::Root("spec");

/// The annotation of Gateways that were made from Gateway API objects, whose names are freer.
const SEMANTICS: &str = "internal.istio.io/gateway-semantics";

/// Checks an object.
pub(super) fn validate(object: &Object<Gateway>, report: &mut Report) {
    let found = &mut Checker::new(object, report);
    let is_generated = object.meta.annotations.get(SEMANTICS).is_some_and(|value| value == "gateway");
    found.require(
        is_generated || is_dns_label(&object.meta.name),
        &Path::Root("metadata").field("name"),
        || {
            let message = format!("`{}` is not the name of a gateway", short(&object.meta.name));
            Problem::new(Code::InvalidName, message).help("letters, digits and inner hyphens, no dots")
        },
    );
    let servers = &object.spec.servers;
    found.require(!servers.is_empty(), &SPEC, || {
        Problem::missing("a gateway needs `servers`").help("add a server with `port` and `hosts`")
    });
    let mut names = BTreeSet::new();
    for (index, one) in servers.iter().enumerate() {
        let servers = SPEC.field("servers");
        let at = servers.index(index);
        server(found, &at, one);
        if let Some(port) = &one.port {
            found.require(names.insert(&port.name), &at.field("port").field("name"), || {
                Problem::conflict(format!("port name `{}` is used twice", short(&port.name)))
                    .help("give every server's port a name of its own")
            });
        }
    }
    tencent::lint(found, &SPEC.field("servers"), servers);
}

fn server(found: &mut Checker<'_>, at: &Path<'_>, server: &Server) {
    found.require(!server.hosts.is_empty(), at, || {
        Problem::missing("a server needs `hosts`").help("`*` is every host")
    });
    found.each(&at.field("hosts"), &server.hosts, host::gateway_host);
    if !server.bind.is_empty() {
        found.check(&at.field("bind"), host::bind(&server.bind));
    }
    match &server.port {
        Some(port) => server_port(found, &at.field("port"), port, &server.bind),
        None => found.find(
            at,
            Problem::missing("`port` is required").help("add `port` with `number`, `name` and `protocol`"),
        ),
    }
    if let Some(settings) = &server.tls {
        tls::server(found, &at.field("tls"), settings);
    }
    if let Some(port) = &server.port {
        protocol_and_tls(found, at, Protocol::parse(&port.protocol), server.tls.as_deref());
    }
}

fn server_port(found: &mut Checker<'_>, at: &Path<'_>, written: &Port, bind: &str) {
    found.check(&at.field("protocol"), port::known_protocol(&written.protocol));
    if bind.starts_with("unix://") {
        found.require(written.number == 0, &at.field("number"), || {
            Problem::conflict("a unix socket has no port number").help("write `number: 0`")
        });
    } else {
        found.check(&at.field("number"), port::number(written.number));
    }
    found.require(written.target_port == 0, &at.field("targetPort"), || {
        Problem::invalid("`targetPort` means nothing in a Gateway").help("remove it")
    });
    found.require(!written.name.is_empty(), at, || {
        Problem::missing("a port needs a `name`").help("add `name`, for example `http`")
    });
}

/// TLS settings where the protocol asks for them, and nowhere else (T-406).
fn protocol_and_tls(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    protocol: Protocol,
    tls: Option<&ServerTlsSettings>,
) {
    let Some(settings) = tls else {
        found.require(!protocol.is_tls(), at, || {
            Problem::missing(format!("protocol `{}` needs `tls`", protocol.as_str()))
                .help("add `tls` with a `mode` and a certificate, or use protocol `HTTP`")
        });
        return;
    };
    let at = at.field("tls");
    if settings.https_redirect && !protocol.is_http() {
        let problem = Problem::new(Code::NoEffect, "only HTTP servers can redirect to HTTPS");
        found.find(&at.field("httpsRedirect"), problem.help("write it at the server of port 80"));
    }
    if protocol.is_tls() || protocol.is_unsupported() {
        return;
    }
    let only_redirects = matches!(settings.mode, ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough)
        && settings.ca_certificates.is_empty()
        && settings.private_key.is_empty()
        && settings.server_certificate.is_empty();
    found.require(protocol.is_http() && only_redirects, &at, || {
        Problem::conflict(format!("protocol `{}` has no TLS", protocol.as_str()))
            .help("use protocol `HTTPS` or `TLS`, or remove `tls`")
    });
}
