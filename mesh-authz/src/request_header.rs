//! Header lines as matchers see them (E-001, E-085).

use std::borrow::Cow;

use mesh_model::facts::{RequestFacts, is_inline_header};

/// The values of a header, one for each line, or one for all lines where Envoy joins them; pseudo-headers included.
/// `name` is lower case.
pub(crate) fn values<'r>(request: &'r RequestFacts<'_>, name: &'r str) -> Vec<Cow<'r, [u8]>> {
    if let Some(value) = pseudo_header(request, name) {
        return vec![Cow::Borrowed(value.as_bytes())];
    }
    if is_joined(request, name) {
        return vec![Cow::Owned(request.headers.joined(name))];
    }
    request.headers.values(name).map(Cow::Borrowed).collect()
}

/// Calls for each value of [`values`]; allocates only to join repeated lines.
pub(crate) fn each<'r>(request: &'r RequestFacts<'_>, name: &'r str, mut visit: impl FnMut(Cow<'r, [u8]>)) {
    if let Some(value) = pseudo_header(request, name) {
        visit(Cow::Borrowed(value.as_bytes()));
    } else if is_joined(request, name) {
        visit(Cow::Owned(request.headers.joined(name)));
    } else {
        request.headers.values(name).for_each(|value| visit(Cow::Borrowed(value)));
    }
}

/// Whether one of the values fits; allocates only to join repeated lines.
pub(crate) fn any(request: &RequestFacts<'_>, name: &str, mut fits: impl FnMut(&[u8]) -> bool) -> bool {
    if let Some(value) = pseudo_header(request, name) {
        return fits(value.as_bytes());
    }
    if is_joined(request, name) {
        return fits(&request.headers.joined(name));
    }
    request.headers.values(name).any(fits)
}

/// The headers that [`values`] finds without a line of their own.
pub(crate) const PSEUDO_HEADERS: &[&str] = &[":authority", "host", ":method", ":path", ":scheme"];

fn pseudo_header<'r>(request: &'r RequestFacts<'_>, name: &str) -> Option<&'r str> {
    match name {
        ":authority" | "host" => Some(&request.authority),
        ":method" => Some(&request.method),
        ":path" => Some(&request.path),
        ":scheme" => Some(&request.scheme),
        _ => None,
    }
}

fn is_joined(request: &RequestFacts<'_>, name: &str) -> bool {
    request.headers.values(name).nth(1).is_some() && is_inline_header(name)
}
