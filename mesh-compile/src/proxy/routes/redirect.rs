//! Redirects (T-170 to T-172).

use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Report};
use mesh_model::networking::virtual_service::spec::{HttpRedirect, RedirectPortSelection};
use mesh_model::origin::Origin;

use super::RouteContext;
use crate::route_table::action::{Redirect, RedirectPath};

/// The action of a redirect; `None` for a status code that no proxy knows, which is reported.
pub(super) fn action(
    written: &HttpRedirect,
    context: &RouteContext<'_, '_>,
    origin: &Origin,
    report: &mut Report,
) -> Option<Redirect> {
    let HttpRedirect { uri, prefix_rewrite, authority, port: _, derive_port: _, scheme, redirect_code } =
        written;
    let status = match redirect_code {
        0 => 301,
        301 | 302 | 303 | 307 | 308 => u16::try_from(*redirect_code).ok()?,
        other => {
            let message = format!("redirect code `{other}` is not supported, the route is left out");
            report.push(
                Diagnostic::new(Code::InvalidValue, &origin.child(".redirectCode"), message)
                    .help("use 301, 302, 303, 307 or 308"),
            );
            return None;
        }
    };
    let path = if !prefix_rewrite.is_empty() {
        RedirectPath::Prefix(with_slash(prefix_rewrite))
    } else if !uri.is_empty() {
        RedirectPath::Whole(with_slash(uri))
    } else {
        RedirectPath::Keep
    };
    Some(Redirect {
        status,
        scheme: written_text(scheme),
        host: written_text(authority),
        port: port(written, context),
        path,
        strip_query: false,
    })
}

/// The port to write; the default port of the scheme is left out (T-171).
fn port(written: &HttpRedirect, context: &RouteContext<'_, '_>) -> Option<u16> {
    let port = match (written.port, written.derive_port) {
        (Some(port), _) => u16::try_from(port).ok()?,
        (None, Some(RedirectPortSelection::FromRequestPort)) => context.port,
        _ => return None,
    };
    let scheme = match (written.scheme.as_str(), context.tls) {
        ("", true) => "https",
        ("", false) => "http",
        (scheme, _) => scheme,
    };
    (!matches!((port, scheme), (0, _) | (80, "http") | (443, "https"))).then_some(port)
}

fn with_slash(path: &str) -> Arc<str> {
    if path.starts_with('/') { path.into() } else { format!("/{path}").into() }
}

fn written_text(text: &str) -> Option<Arc<str>> {
    (!text.is_empty()).then(|| text.into())
}
