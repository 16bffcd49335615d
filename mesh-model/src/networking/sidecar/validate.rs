//! What Istio refuses or warns about in a Sidecar (T-375, T-394).

mod egress;

use std::collections::BTreeSet;

use super::spec::{
    IstioIngressListener, OutboundTrafficPolicy, OutboundTrafficPolicyMode, Sidecar, SidecarPort,
};
use crate::check::connection_pool::connection_pool;
use crate::check::{Checked, Checker, Hearing, Path, Problem, host, port, selector, short, tls};
use crate::diagnostic::{Code, Report};
use crate::name::{Protocol, is_dns_label};
use crate::object::Object;
use crate::part::{ServerTlsMode, ServerTlsSettings};

const SPEC: Path<'static> = Path::Root("spec");

/// Checks an object.
pub(super) fn validate(object: &Object<Sidecar>, report: &mut Report) {
    let sidecar = &object.spec;
    let found = &mut Checker::new(object, report);
    if let Some(workloads) = &sidecar.workload_selector {
        selector::networking(found, &SPEC.field("workloadSelector"), workloads);
    }
    let is_empty = sidecar.egress.is_empty()
        && sidecar.ingress.is_empty()
        && sidecar.outbound_traffic_policy.is_none()
        && sidecar.inbound_connection_pool.is_none();
    found.require(!is_empty, &SPEC, || {
        Problem::missing(
            "one of `egress`, `ingress`, `outboundTrafficPolicy`, `inboundConnectionPool` is required",
        )
        .help("add one of them, or remove the Sidecar")
    });
    let mut ports = BTreeSet::new();
    for (index, listener) in sidecar.ingress.iter().enumerate() {
        let list = SPEC.field("ingress");
        let at = list.index(index);
        ingress(found, &at, listener);
        if let Some(port) = &listener.port {
            unique_port(found, &at, &mut ports, port);
        }
    }
    if let Some(pool) = &sidecar.inbound_connection_pool {
        connection_pool(found, &SPEC.field("inboundConnectionPool"), pool, Hearing::All);
    }
    egress::egress(found, &SPEC.field("egress"), &sidecar.egress);
    if let Some(policy) = &sidecar.outbound_traffic_policy {
        outbound_policy(found, &SPEC.field("outboundTrafficPolicy"), policy);
    }
}

fn unique_port(found: &mut Checker<'_>, at: &Path<'_>, seen: &mut BTreeSet<u32>, port: &SidecarPort) {
    found.require(seen.insert(port.number), &at.field("port").field("number"), || {
        Problem::conflict(format!("another listener has port `{}` too", port.number))
            .help("join the two, or give one another port")
    });
}

/// What ports of both directions are checked for.
fn common_port(found: &mut Checker<'_>, at: &Path<'_>, written: &SidecarPort) {
    if !written.name.is_empty() {
        found.check(&at.field("name"), port::name(&written.name));
    }
    found.check(&at.field("protocol"), port::protocol(&written.protocol));
    found.require(written.target_port == 0, &at.field("targetPort"), || {
        Problem::invalid("`targetPort` means nothing in a Sidecar").help("remove it")
    });
}

fn ingress(found: &mut Checker<'_>, at: &Path<'_>, listener: &IstioIngressListener) {
    if let Some(written) = &listener.port {
        common_port(found, &at.field("port"), written);
        found.check(&at.field("port").field("number"), port::number(written.number));
    } else {
        found.find(
            at,
            Problem::missing("`port` is required").help("add `port` with `number`, `name` and `protocol`"),
        );
    }
    if !listener.bind.is_empty() {
        found.check(&at.field("bind"), host::address(&listener.bind));
    }
    if !listener.default_endpoint.is_empty() {
        found.check(&at.field("defaultEndpoint"), default_endpoint(&listener.default_endpoint));
    }
    let protocol = listener.port.as_ref().map(|port| Protocol::parse(&port.protocol));
    if let Some(settings) = &listener.tls {
        ingress_tls(found, &at.field("tls"), settings);
        found.require(protocol.is_none_or(Protocol::is_tls), &at.field("tls"), || {
            Problem::conflict("only protocols `HTTPS` and `TLS` can have `tls`")
                .help("use protocol `HTTPS` or `TLS`, or remove `tls`")
        });
    }
    if let Some(pool) = &listener.connection_pool {
        let at = at.field("connectionPool");
        connection_pool(found, &at, pool, Hearing::All);
        if pool.http.is_some() && protocol.is_some_and(|protocol| !protocol.is_http()) {
            let problem = Problem::new(Code::NoEffect, "HTTP limits mean nothing on a port that is not HTTP");
            found.find(&at.field("http"), problem.help("write `port.protocol: HTTP`, or only `tcp` limits"));
        }
    }
}

/// The application's address: this machine, or a unix socket (T-391).
fn default_endpoint(text: &str) -> Checked {
    if let Some(socket) = text.strip_prefix("unix://") {
        return host::unix_address(socket);
    }
    let problem = || {
        Problem::invalid(format!("`{}` is not an address of the workload itself", short(text)))
            .help("`127.0.0.1:PORT`, `0.0.0.0:PORT`, `[::1]:PORT`, `[::]:PORT` or `unix:///PATH`")
    };
    let (address, number) = host::split_port(text).ok_or_else(problem)?;
    if !["", "127.0.0.1", "0.0.0.0", "::1", "::"].contains(&address) {
        return Err(problem());
    }
    port::number_text(number)
}

/// What a sidecar can serve (T-392).
fn ingress_tls(found: &mut Checker<'_>, at: &Path<'_>, settings: &ServerTlsSettings) {
    let refused = [
        ("subjectAltNames", !settings.subject_alt_names.is_empty()),
        ("httpsRedirect", settings.https_redirect),
        ("credentialName", !settings.credential_name.is_empty()),
        ("credentialNames", !settings.credential_names.is_empty()),
        ("tlsCertificates", !settings.tls_certificates.is_empty()),
    ];
    for (name, _) in refused.iter().filter(|(_, is_written)| *is_written) {
        found.find(
            &at.field(name),
            Problem::invalid(format!("a Sidecar does not support `{name}`")).help(format!("remove `{name}`")),
        );
    }
    let is_refused = matches!(settings.mode, ServerTlsMode::IstioMutual | ServerTlsMode::AutoPassthrough);
    found.require(!is_refused, &at.field("mode"), || {
        Problem::invalid(format!("a Sidecar does not support mode `{}`", settings.mode.as_str()))
            .help("use mode `SIMPLE` or `MUTUAL`")
    });
    tls::server(found, at, settings);
}

fn outbound_policy(found: &mut Checker<'_>, at: &Path<'_>, policy: &OutboundTrafficPolicy) {
    let Some(proxy) = &policy.egress_proxy else { return };
    let at = at.field("egressProxy");
    found.require(policy.mode == OutboundTrafficPolicyMode::AllowAny, &at, || {
        Problem::conflict("an egress proxy needs mode `ALLOW_ANY`")
            .help("set `mode: ALLOW_ANY`, or remove `egressProxy`")
    });
    found.check(&at.field("host"), host::fqdn(&proxy.host));
    found.require(proxy.subset.is_empty() || is_dns_label(&proxy.subset), &at.field("subset"), || {
        Problem::new(Code::InvalidName, format!("`{}` is not a subset name", short(&proxy.subset)))
            .help("use letters, digits and inner hyphens")
    });
    match &proxy.port {
        Some(selector) => found.check(&at.field("port").field("number"), port::number(selector.number)),
        None => found.find(&at, Problem::missing("`port` is required").help("add `port: {number: ..}`")),
    }
}
