//! A chain that speaks HTTP: the connection manager and its filters, in Envoy's order.
//!
//! Codec checks, the canonical request, external authorizers, tokens, policies; then the router's own answers (no virtual host, TLS
//! required, no route: all after policies, E-009) and the route's action.

use std::sync::Arc;

use mesh_authz::request_authn::Authenticated;
use mesh_authz::verdict::{Claims, Facts, Verdict};
use mesh_compile::proxy::listener::HttpManager;
use mesh_compile::route_table::VirtualHost;
use mesh_model::facts::RequestFacts;
use mesh_model::trace::{Because, Observer, Outcome, Stage, Step};

use crate::canonical::{Canonical, canonicalize};
use crate::decision::{Decision, LocalReply, RefuseReason, ReplyReason};
use crate::query::Connected;
use crate::redirect::https_location;
use crate::route_action;
use crate::tcp;

/// What becomes of a request, or of bytes that should be one.
pub(crate) fn serve<O: Observer>(
    connected: &Connected<'_>,
    manager: &HttpManager,
    observer: &mut O,
) -> Decision {
    // E-091: bytes that are no request.
    let Some(request) = connected.request else { return RefuseReason::ProtocolError.into() };
    match canonicalize(manager, connected.connection, connected.accepted.terminated, request) {
        Ok(canonical) => ask_external(connected, manager, canonical, observer),
        Err(rejection) => {
            observer.note(|| {
                Step::new(Stage::Route, Outcome::Lost, "request checks").because(Because::new(
                    "request",
                    "one that the proxy accepts",
                    rejection.reason.as_str(),
                ))
            });
            LocalReply::from(rejection).into()
        }
    }
}

/// CUSTOM policies come first: they see the request before tokens are looked at.
fn ask_external<O: Observer>(
    connected: &Connected<'_>,
    manager: &HttpManager,
    canonical: Canonical<'_>,
    observer: &mut O,
) -> Decision {
    let Some(policies) = &manager.authz else {
        return authenticate(connected, manager, canonical, observer);
    };
    let verdict = policies.external(&facts(connected, &canonical, None), observer);
    if !verdict.allowed {
        return denied(verdict);
    }
    Decision { external_authz: verdict.external, ..authenticate(connected, manager, canonical, observer) }
}

fn authenticate<O: Observer>(
    connected: &Connected<'_>,
    manager: &HttpManager,
    mut canonical: Canonical<'_>,
    observer: &mut O,
) -> Decision {
    let authenticated =
        manager.authn.as_ref().map(|authn| authn.authenticate(&canonical.request, connected.now, observer));
    match authenticated {
        None => enforce(connected, manager, &canonical, None, observer),
        Some(Authenticated::Rejected { status, body }) => {
            LocalReply::new(ReplyReason::Jwt, status).with_body(body).into()
        }
        // Output headers are stripped and set, query tokens removed (S-301, E-086), before policies and routes look.
        Some(Authenticated::Passed { claims, changes }) => {
            changes.iter().for_each(|change| change.apply(&mut canonical.request));
            enforce(connected, manager, &canonical, claims.as_deref(), observer)
        }
    }
}

fn enforce<O: Observer>(
    connected: &Connected<'_>,
    manager: &HttpManager,
    canonical: &Canonical<'_>,
    claims: Option<&Claims>,
    observer: &mut O,
) -> Decision {
    if let Some(policies) = &manager.authz {
        let verdict = policies.enforce(&facts(connected, canonical, claims), observer);
        if !verdict.allowed {
            return denied(verdict);
        }
    }
    route(connected, manager, canonical, claims, observer)
}

/// What policies may know of a request.
fn facts<'q>(
    connected: &Connected<'q>,
    canonical: &'q Canonical<'_>,
    claims: Option<&'q Claims>,
) -> Facts<'q> {
    Facts {
        remote_ip: canonical.remote_ip,
        request: Some(&canonical.request),
        claims,
        ..tcp::facts(connected)
    }
}

/// S-353.
fn denied(verdict: Verdict) -> Decision {
    let reply = LocalReply::new(ReplyReason::Rbac, 403).with_body("RBAC: access denied");
    Decision { policy: verdict.decided_by, ..reply.into() }
}

fn route<O: Observer>(
    connected: &Connected<'_>,
    manager: &HttpManager,
    canonical: &Canonical<'_>,
    claims: Option<&Claims>,
    observer: &mut O,
) -> Decision {
    let request = &canonical.request;
    let Some(virtual_host) = virtual_host(connected, manager, request, observer) else {
        return LocalReply::new(ReplyReason::NoVirtualHost, 404).into();
    };
    // Byte for byte: `HTTPS` still redirects (E-063).
    if virtual_host.require_tls && canonical.forwarded_proto() != "https" {
        observer.note(|| {
            Step::new(Stage::Route, Outcome::Won, "TLS is required")
                .because(Because::new("x-forwarded-proto", "https", canonical.forwarded_proto().into_owned()))
                .origin(&virtual_host.origin)
        });
        return LocalReply::new(ReplyReason::HttpsRedirect, 301)
            .with_location(https_location(request))
            .into();
    }
    match virtual_host.find(request, claims.map(Claims::payload), observer) {
        Some(route) => route_action::act(connected.config, canonical, route, observer),
        None => LocalReply::new(ReplyReason::NoRoute, 404).into(),
    }
}

fn virtual_host<'c, O: Observer>(
    connected: &Connected<'c>,
    manager: &HttpManager,
    request: &RequestFacts<'_>,
    observer: &mut O,
) -> Option<&'c Arc<VirtualHost>> {
    let table = connected.config.route_tables.get(&manager.route_table);
    let found = table.and_then(|table| table.virtual_host(&request.authority));
    observer.note(|| match found {
        Some(host) => Step::new(
            Stage::Route,
            Outcome::Won,
            format!("virtual host {} of table {}", host.name, manager.route_table),
        )
        .because(Because::new("authority", host.domains.join(","), request.authority.to_string()))
        .origin(&host.origin),
        None => {
            Step::new(Stage::Route, Outcome::Lost, format!("virtual hosts of table {}", manager.route_table))
                .because(Because::new("authority", "a domain of the table", request.authority.to_string()))
        }
    });
    found
}
