//! `Location` of redirects (T-170 to T-172, E-005 to E-007).

use mesh_compile::route_table::action::{Redirect, RedirectPath};
use mesh_compile::route_table::matcher::PathMatch;
use mesh_model::facts::RequestFacts;

use crate::rewrite::replace_prefix;

/// `https://` and the authority and path as they are (E-005).
pub fn https_location(request: &RequestFacts<'_>) -> String {
    format!("https://{}{}", request.authority, request.path)
}

/// Where a route's redirect leads. `forwarded_proto`: the scheme that the client is held to have used.
pub fn location(
    redirect: &Redirect,
    matched: &PathMatch,
    request: &RequestFacts<'_>,
    forwarded_proto: &str,
) -> String {
    let scheme = redirect.scheme.as_deref().unwrap_or(&request.scheme);
    let port = redirect.port.map(|port| format!(":{port}")).unwrap_or_default();
    // A host of the redirect is taken as it is, with its port, and the port is put behind it all the same (E-006).
    let host = match redirect.host.as_deref() {
        Some(host) => host,
        None => request_host(&request.authority, scheme, forwarded_proto, redirect.port.is_some()),
    };
    format!("{scheme}://{host}{port}{}", path(redirect, matched, request))
}

/// The request's host; its port goes where the redirect has one, or where the scheme changes and the port is the
/// old scheme's default (E-006).
fn request_host<'r>(authority: &'r str, scheme: &str, forwarded_proto: &str, has_new_port: bool) -> &'r str {
    let Some((host, port)) = split_port(authority) else { return authority };
    let was_default = match forwarded_proto {
        "https" => port == "443",
        "http" => port == "80",
        _ => false,
    };
    if has_new_port || (scheme != forwarded_proto && was_default) { host } else { authority }
}

/// Host and port; brackets of IPv6 addresses belong to the host (T-038).
fn split_port(authority: &str) -> Option<(&str, &str)> {
    let (host, port) = authority.rsplit_once(':')?;
    (!authority.starts_with('[') || host.ends_with(']')).then_some((host, port))
}

fn path(redirect: &Redirect, matched: &PathMatch, request: &RequestFacts<'_>) -> String {
    let query = request.path.split_once('?').map(|(_, query)| query);
    let full = match &redirect.path {
        RedirectPath::Keep => request.path.to_string(),
        // A query of the redirect itself stands in place of the request's and is never stripped (E-007).
        RedirectPath::Whole(path) if path.contains('?') => return absolute(path),
        RedirectPath::Whole(path) => match query {
            Some(query) => format!("{}?{query}", absolute(path)),
            None => absolute(path),
        },
        RedirectPath::Prefix(prefix) => absolute(&replace_prefix(matched, &request.path, prefix)),
    };
    match full.split_once('?') {
        Some((path, _)) if redirect.strip_query => path.to_owned(),
        _ => full,
    }
}

/// T-170: a replacement without a leading slash gets one.
fn absolute(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

#[cfg(test)]
mod tests;
