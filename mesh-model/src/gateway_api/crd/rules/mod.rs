//! What the CRDs say of several fields together, in CEL there and in Rust here; one file per group of types.

mod filter;
mod gateway;
mod policy;
mod route;
mod rule;

use super::walk::Message;
use crate::check::{Checker, Path, Problem};

/// Finds what the rules of a type refuse; a type without rules passes.
pub(super) fn check(check: &mut Checker<'_>, of: &str, message: Message<'_>, at: &Path<'_>) {
    match of {
        "GatewaySpec" => gateway::gateway(check, message, at),
        "GatewayInfrastructure" => gateway::infrastructure(check, message, at),
        "ListenerTLSConfig" => gateway::listener_tls(check, message, at),
        "HTTPRouteSpec" | "GRPCRouteSpec" | "TCPRouteSpec" => route::route(check, message, at),
        "TLSRouteSpec" => {
            route::route(check, message, at);
            route::server_names(check, message, at);
        }
        "BackendRef" | "HTTPBackendRef" | "GRPCBackendRef" | "BackendObjectReference" => {
            rule::backend(check, message, at);
            if of.starts_with(['H', 'G']) {
                filter::filters(check, message, at);
            }
        }
        "HTTPRouteRule" => {
            rule::http_rule(check, message, at);
            filter::filters(check, message, at);
        }
        "GRPCRouteRule" => filter::filters(check, message, at),
        "HTTPPathMatch" => rule::path(check, message, at),
        "GRPCMethodMatch" => rule::method(check, message, at),
        "HTTPRouteTimeouts" => rule::timeouts(check, message, at),
        "SessionPersistence" => rule::session(check, message, at),
        "HTTPRouteFilter" | "GRPCRouteFilter" => filter::filter(check, message, at),
        "HTTPRequestMirrorFilter" => filter::mirror(check, message, at),
        "Fraction" => filter::fraction(check, message, at),
        "HTTPCORSFilter" => filter::cors(check, message, at),
        "HTTPExternalAuthFilter" => filter::external_auth(check, message, at),
        "HTTPPathModifier" => filter::path_modifier(check, message, at),
        "BackendTLSPolicySpec" => policy::targets(check, message, at),
        "BackendTLSPolicyValidation" => policy::validation(check, message, at),
        "SubjectAltName" => policy::subject(check, message, at),
        _ => {}
    }
}

/// A field that belongs to one word of `type` (or `protocol`): needed with it, refused without.
fn goes_with(
    check: &mut Checker<'_>,
    message: Message<'_>,
    at: &Path<'_>,
    (selector, word): (&str, &str),
    field: &str,
    is_set: bool,
) {
    let is_chosen = message.text(selector) == word;
    if is_chosen && !is_set {
        let problem = Problem::missing(format!("`{selector}: {word}` needs `{field}`"));
        check.find(&at.field(field), problem.help(format!("write `{field}`")));
    } else if is_set && !is_chosen {
        let problem = Problem::conflict(format!("`{field}` is only for `{selector}: {word}`"));
        let help = format!("remove `{field}`, or write `{selector}: {word}`");
        check.find(&at.field(field), problem.help(help));
    }
}
