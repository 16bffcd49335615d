//! A chain that speaks HTTP: the connection manager and its filters, in Envoy's order.
//!
//! Codec checks, the canonical request, external authorizers, tokens, policies; then the router's own answers (no virtual host, TLS
//! required, no route: all after policies, E-009) and the route's action.

use std::sync::Arc;

use mesh_authz::request_authn::Authenticated;
#[cfg(feature = "runtime")]
use mesh_authz::request_authn::RequestChange;
#[cfg(feature = "wasm")]
use mesh_authz::verdict::ExternalAuthz;
use mesh_authz::verdict::{Claims, Facts, Verdict};
use mesh_compile::proxy::listener::HttpManager;
use mesh_compile::route_table::{Route, VirtualHost};
use mesh_model::facts::RequestFacts;
use mesh_model::trace::{Because, Observer, Outcome, Stage, Step};

use crate::canonical::{Canonical, canonicalize};
use crate::decision::{Decision, LocalReply, RefuseReason, ReplyReason};
use crate::query::Connected;
use crate::redirect::https_location;
use crate::route_action;
use crate::tcp;

/// What was found on the way to a decision: what whoever acts on it sends on.
#[derive(Debug, Default)]
pub(crate) struct Seen<'q> {
    /// The request that the rules saw, with what token rules changed; `None`: it has no canonical form.
    pub(crate) request: Option<Canonical<'q>>,
    /// The virtual host; `None`: none was reached.
    pub(crate) virtual_host: Option<&'q VirtualHost>,
    /// The route; `None`: none matched.
    pub(crate) route: Option<&'q Route>,
    /// The request that routes are chosen by, where it is not the one that policies see: external authorizers have
    /// changed that.
    routed: Option<RequestFacts<'q>>,
    /// What plugins made of the request.
    #[cfg(feature = "wasm")]
    rewritten: Rewritten,
    /// Where plugins are to be asked: nothing after it is looked at.
    #[cfg(feature = "wasm")]
    stop: Option<Place>,
    #[cfg(feature = "wasm")]
    is_reached: bool,
}

/// Where plugins stand in the chain (extensions.istio.io/v1alpha1 `PluginPhase`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Before tokens are looked at.
    Authn,
    /// Before policies are.
    Authz,
    /// Before a route is chosen.
    Route,
}

/// What plugins made of a request, at each place where they stand; `None`: they left it as it was.
#[cfg(feature = "wasm")]
#[derive(Debug, Clone, Default)]
pub(crate) struct Rewritten {
    pub(crate) authn: Option<Arc<RequestFacts<'static>>>,
    pub(crate) authz: Option<Arc<RequestFacts<'static>>>,
    pub(crate) route: Option<Arc<RequestFacts<'static>>>,
}

impl Seen<'_> {
    /// Puts what plugins made of the request in its place; whether nothing after them is looked at.
    #[cfg(feature = "wasm")]
    fn stops(&mut self, place: Place, canonical: &mut Canonical<'_>) -> bool {
        let rewritten = match place {
            Place::Authn => &self.rewritten.authn,
            Place::Authz => &self.rewritten.authz,
            Place::Route => &self.rewritten.route,
        };
        if let Some(rewritten) = rewritten {
            canonical.request = (**rewritten).clone();
            // The route is chosen anew, as in Envoy.
            self.routed = None;
        }
        self.is_reached = self.stop == Some(place);
        self.is_reached
    }

    #[cfg(not(feature = "wasm"))]
    fn stops(&mut self, _: Place, _: &mut Canonical<'_>) -> bool {
        false
    }
}

/// The request as it stands where plugins do, and the external authorizers that are asked before them; `None`: it does not
/// come so far.
#[cfg(feature = "wasm")]
pub(crate) fn until<'q>(
    connected: &Connected<'q>,
    manager: &'q HttpManager,
    asked: Option<Asked<'_>>,
    place: Place,
) -> Option<(Canonical<'q>, Vec<ExternalAuthz>)> {
    let mut seen = Seen { stop: Some(place), ..Seen::default() };
    let decision = match asked {
        None => serve(connected, manager, &mut seen, &mut ()),
        Some(asked) => resume(connected, manager, asked, &mut seen, &mut ()),
    };
    let is_reached = seen.is_reached;
    Some((seen.request.filter(|_| is_reached)?, decision.external_authz))
}

/// What external authorizers have changed of a request.
#[cfg(feature = "runtime")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// In the order in which it is made.
    pub(crate) changes: &'a [RequestChange],
    /// Whether the route is chosen by the changed request (`clearRouteCache`).
    pub(crate) reroute: bool,
    /// What plugins made of the request after that.
    #[cfg(feature = "wasm")]
    pub(crate) rewritten: Option<&'a Rewritten>,
}

/// The same once external authorizers have consented: policies and tokens see what they changed.
#[cfg(feature = "runtime")]
pub(crate) fn resume<'q, O: Observer>(
    connected: &Connected<'q>,
    manager: &'q HttpManager,
    asked: Asked<'_>,
    seen: &mut Seen<'q>,
    observer: &mut O,
) -> Decision {
    let Some(request) = connected.request else { return RefuseReason::ProtocolError.into() };
    match canonicalize(manager, connected.connection, connected.terminated, request) {
        Ok(mut canonical) => {
            if !asked.reroute && !asked.changes.is_empty() {
                seen.routed = Some(canonical.request.clone());
            }
            asked.changes.iter().for_each(|change| change.apply(&mut canonical.request));
            #[cfg(feature = "wasm")]
            seen.rewritten.clone_from(asked.rewritten.unwrap_or(&Rewritten::default()));
            let decision = authenticate(connected, manager, &mut canonical, seen, observer);
            seen.request = Some(canonical);
            decision
        }
        Err(rejection) => LocalReply::from(rejection).into(),
    }
}

/// What becomes of a request, or of bytes that should be one; `seen` is filled on the way.
pub(crate) fn serve<'q, O: Observer>(
    connected: &Connected<'q>,
    manager: &'q HttpManager,
    seen: &mut Seen<'q>,
    observer: &mut O,
) -> Decision {
    // E-091: bytes that are no request.
    let Some(request) = connected.request else { return RefuseReason::ProtocolError.into() };
    match canonicalize(manager, connected.connection, connected.terminated, request) {
        Ok(canonical) => {
            let mut canonical = canonical;
            let decision = ask_external(connected, manager, &mut canonical, seen, observer);
            seen.request = Some(canonical);
            decision
        }
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
fn ask_external<'q, O: Observer>(
    connected: &Connected<'q>,
    manager: &'q HttpManager,
    canonical: &mut Canonical<'_>,
    seen: &mut Seen<'q>,
    observer: &mut O,
) -> Decision {
    let Some(policies) = &manager.authz else {
        return authenticate(connected, manager, canonical, seen, observer);
    };
    let verdict = policies.external(&facts(connected, canonical, None), observer);
    if !verdict.allowed {
        return denied(&verdict);
    }
    Decision {
        external_authz: verdict.external,
        ..authenticate(connected, manager, canonical, seen, observer)
    }
}

fn authenticate<'q, O: Observer>(
    connected: &Connected<'q>,
    manager: &'q HttpManager,
    canonical: &mut Canonical<'_>,
    seen: &mut Seen<'q>,
    observer: &mut O,
) -> Decision {
    if seen.stops(Place::Authn, canonical) {
        return RefuseReason::ProtocolError.into();
    }
    let authenticated =
        manager.authn.as_ref().map(|authn| authn.authenticate(&canonical.request, connected.now, observer));
    match authenticated {
        None => enforce(connected, manager, canonical, None, seen, observer),
        Some(Authenticated::Rejected { status, body }) => {
            LocalReply::new(ReplyReason::Jwt, status).with_body(body).into()
        }
        // Output headers are stripped and set, query tokens removed (S-301, E-086), before policies and routes look.
        Some(Authenticated::Passed { claims, changes }) => {
            changes.iter().for_each(|change| change.apply(&mut canonical.request));
            if let Some(routed) = &mut seen.routed {
                changes.iter().for_each(|change| change.apply(routed));
            }
            enforce(connected, manager, canonical, claims.as_deref(), seen, observer)
        }
    }
}

fn enforce<'q, O: Observer>(
    connected: &Connected<'q>,
    manager: &'q HttpManager,
    canonical: &mut Canonical<'_>,
    claims: Option<&Claims>,
    seen: &mut Seen<'q>,
    observer: &mut O,
) -> Decision {
    if seen.stops(Place::Authz, canonical) {
        return RefuseReason::ProtocolError.into();
    }
    if let Some(policies) = &manager.authz {
        let verdict = policies.enforce(&facts(connected, canonical, claims), observer);
        if !verdict.allowed {
            return denied(&verdict);
        }
    }
    if seen.stops(Place::Route, canonical) {
        return RefuseReason::ProtocolError.into();
    }
    route(connected, manager, canonical, claims, seen, observer)
}

/// What policies may know of a request.
fn facts<'f>(
    connected: &Connected<'f>,
    canonical: &'f Canonical<'_>,
    claims: Option<&'f Claims>,
) -> Facts<'f> {
    Facts {
        remote_ip: canonical.remote_ip,
        request: Some(&canonical.request),
        claims,
        ..tcp::facts(connected)
    }
}

/// S-353.
fn denied(verdict: &Verdict<'_>) -> Decision {
    let reply = LocalReply::new(ReplyReason::Rbac, 403).with_body("RBAC: access denied");
    Decision { policy: verdict.decided_by.map(|rule| Arc::new(rule.to_owned())), ..reply.into() }
}

fn route<'q, O: Observer>(
    connected: &Connected<'q>,
    manager: &'q HttpManager,
    canonical: &Canonical<'_>,
    claims: Option<&Claims>,
    seen: &mut Seen<'q>,
    observer: &mut O,
) -> Decision {
    let routed = seen.routed.take();
    let request = routed.as_ref().unwrap_or(&canonical.request);
    let Some(virtual_host) = virtual_host(connected, manager, request, observer) else {
        return LocalReply::new(ReplyReason::NoVirtualHost, 404).into();
    };
    seen.virtual_host = Some(virtual_host);
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
        Some(route) => {
            seen.route = Some(route);
            route_action::act(connected.config, canonical, route, manager.filters.as_deref(), observer)
        }
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
