//! Header lines as matchers see them (E-001, E-085).

use std::borrow::Cow;

use mesh_model::facts::{RequestFacts, is_inline_header};

/// The values of a header, one for each line, or one for all lines where Envoy joins them; pseudo-headers included.
/// `name` is lower case.
pub(crate) fn values<'r>(request: &'r RequestFacts<'_>, name: &'r str) -> Vec<Cow<'r, [u8]>> {
    if let Some(value) = pseudo_header(request, name) {
        return vec![Cow::Borrowed(value.as_bytes())];
    }
    let mut found = Vec::new();
    lines(request, name, |value| {
        found.push(value);
        false
    });
    found
}

/// Calls for each value of [`values`]; allocates only to join repeated lines.
pub(crate) fn each<'r>(request: &'r RequestFacts<'_>, name: &'r str, mut visit: impl FnMut(Cow<'r, [u8]>)) {
    if let Some(value) = pseudo_header(request, name) {
        visit(Cow::Borrowed(value.as_bytes()));
    } else {
        lines(request, name, |value| {
            visit(value);
            false
        });
    }
}

/// Whether one of the values fits; allocates only to join repeated lines.
pub(crate) fn any(request: &RequestFacts<'_>, name: &str, mut fits: impl FnMut(&[u8]) -> bool) -> bool {
    if let Some(value) = pseudo_header(request, name) {
        return fits(value.as_bytes());
    }
    lines(request, name, |value| fits(&value))
}

/// Its lines, or all of them as one, until one is enough; one pass over the headers where there is but one line.
fn lines<'r>(
    request: &'r RequestFacts<'_>,
    name: &'r str,
    mut is_enough: impl FnMut(Cow<'r, [u8]>) -> bool,
) -> bool {
    let mut values = request.headers.values(name);
    let Some(first) = values.next() else { return false };
    match values.next() {
        None => is_enough(Cow::Borrowed(first)),
        Some(_) if is_inline_header(name) => is_enough(Cow::Owned(request.headers.joined(name))),
        Some(second) => {
            [first, second].into_iter().chain(values).any(|value| is_enough(Cow::Borrowed(value)))
        }
    }
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
