//! The values of a header as matchers see them: one by one (E-001), or joined where the proxy keeps a header inline (E-085).

use mesh_model::facts::{RequestFacts, is_inline_header};

/// What a header matcher looks at.
#[derive(Debug)]
pub(super) enum HeaderValues<'r> {
    /// No such header.
    Missing,
    /// One value.
    One(&'r [u8]),
    /// Several lines of an inline header, joined.
    Joined(Vec<u8>),
    /// Several lines, each a value of its own.
    Each(&'r RequestFacts<'r>, &'r str),
}

impl HeaderValues<'_> {
    /// Whether there is a value.
    pub(super) fn is_present(&self) -> bool {
        !matches!(self, Self::Missing)
    }

    /// Whether one of the values fits.
    pub(super) fn any(&self, mut fits: impl FnMut(&[u8]) -> bool) -> bool {
        match self {
            Self::Missing => false,
            Self::One(value) => fits(value),
            Self::Joined(value) => fits(value),
            Self::Each(request, name) => request.headers.values(name).any(fits),
        }
    }
}

/// The values of a header or pseudo-header; allocates only to join repeated inline headers.
pub(super) fn header_values<'r>(request: &'r RequestFacts<'_>, name: &'r str) -> HeaderValues<'r> {
    if let Some(value) = pseudo_header(request, name) {
        return HeaderValues::One(value.as_bytes());
    }
    let mut values = request.headers.values(name);
    match (values.next(), values.next()) {
        (None, _) => HeaderValues::Missing,
        (Some(only), None) => HeaderValues::One(only),
        (Some(_), Some(_)) if is_inline_header(name) => HeaderValues::Joined(request.headers.joined(name)),
        (Some(_), Some(_)) => HeaderValues::Each(request, name),
    }
}

/// `:path` is the whole of it, query included; a header named `host` is the authority.
fn pseudo_header<'r>(request: &'r RequestFacts<'_>, name: &str) -> Option<&'r str> {
    match name {
        ":method" => Some(&request.method),
        ":authority" | "host" => Some(&request.authority),
        ":scheme" => Some(&request.scheme),
        ":path" => Some(&request.path),
        _ => None,
    }
}
