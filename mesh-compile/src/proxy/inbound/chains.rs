//! Which chains a workload port has: peer authentication mode times protocol (S-031 to S-039, T-492).

use std::sync::Arc;

use mesh_authz::peer::Mode;
use mesh_model::name::Protocol;

use super::super::listener::{ChainMatch, Transport};

/// ALPN of HTTP over mesh mTLS.
const MESH_HTTP: &[&str] = &["istio-http/1.0", "istio-http/1.1", "istio-h2"];
/// ALPN of mesh mTLS, whatever it carries.
const MESH: &[&str] = &["istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2"];
/// ALPN of bytes over mesh mTLS.
const MESH_TCP: &[&str] = &["istio-peer-exchange", "istio"];
/// What the inspector calls HTTP.
const PLAIN_HTTP: &[&str] = &["http/1.1", "h2c"];
/// The same where HTTP/1.0 is served.
const PLAIN_HTTP_10: &[&str] = &["http/1.0", "http/1.1", "h2c"];

/// What a chain speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    Http,
    Bytes,
}

/// How a port's protocol is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Http,
    Tcp,
    Detected,
}

impl Class {
    pub(super) fn of(protocol: Protocol) -> Self {
        if protocol.is_http() {
            Self::Http
        } else if protocol.is_unsupported() {
            Self::Detected
        } else {
            Self::Tcp
        }
    }
}

/// One chain of a port.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) speaks: Speaks,
    transport: Transport,
    protocols: &'static [&'static str],
    /// Terminates mesh mTLS.
    pub(super) terminates: bool,
}

impl Shape {
    const fn new(
        speaks: Speaks,
        transport: Transport,
        protocols: &'static [&'static str],
        terminates: bool,
    ) -> Self {
        Self { speaks, transport, protocols, terminates }
    }

    /// The condition of this chain on `port`; `None`: on any port.
    pub(super) fn matches(self, port: Option<u16>, http10: bool) -> ChainMatch {
        let protocols = if http10 && self.protocols == PLAIN_HTTP { PLAIN_HTTP_10 } else { self.protocols };
        ChainMatch {
            destination_port: port,
            transport: Some(self.transport),
            application_protocols: protocols.iter().map(|name| Arc::from(*name)).collect(),
            ..ChainMatch::default()
        }
    }
}

/// The chains of a port, in Istio's order.
pub(super) fn shapes(mode: Mode, class: Class) -> &'static [Shape] {
    use Speaks::{Bytes, Http};
    use Transport::{RawBuffer, Tls};
    const STRICT_HTTP: &[Shape] = &[Shape::new(Http, Tls, &[], true)];
    const STRICT_TCP: &[Shape] = &[Shape::new(Bytes, Tls, &[], true)];
    const STRICT_DETECTED: &[Shape] =
        &[Shape::new(Http, Tls, MESH_HTTP, true), Shape::new(Bytes, Tls, &[], true)];
    const PERMISSIVE_HTTP: &[Shape] =
        &[Shape::new(Http, Tls, MESH, true), Shape::new(Http, RawBuffer, &[], false)];
    const PERMISSIVE_TCP: &[Shape] = &[
        Shape::new(Bytes, Tls, MESH, true),
        Shape::new(Bytes, Tls, &[], false),
        Shape::new(Bytes, RawBuffer, &[], false),
    ];
    const PERMISSIVE_DETECTED: &[Shape] = &[
        Shape::new(Http, Tls, MESH_HTTP, true),
        Shape::new(Http, RawBuffer, PLAIN_HTTP, false),
        Shape::new(Bytes, Tls, MESH_TCP, true),
        Shape::new(Bytes, RawBuffer, &[], false),
        Shape::new(Bytes, Tls, &[], false),
    ];
    const PLAIN_TEXT_HTTP: &[Shape] = &[Shape::new(Http, RawBuffer, &[], false)];
    const PLAIN_TEXT_TCP: &[Shape] = &[Shape::new(Bytes, RawBuffer, &[], false)];
    const PLAIN_TEXT_DETECTED: &[Shape] =
        &[Shape::new(Http, RawBuffer, PLAIN_HTTP, false), Shape::new(Bytes, RawBuffer, &[], false)];
    match (mode, class) {
        (Mode::Strict, Class::Http) => STRICT_HTTP,
        (Mode::Strict, Class::Tcp) => STRICT_TCP,
        (Mode::Strict, Class::Detected) => STRICT_DETECTED,
        (Mode::Permissive, Class::Http) => PERMISSIVE_HTTP,
        (Mode::Permissive, Class::Tcp) => PERMISSIVE_TCP,
        (Mode::Permissive, Class::Detected) => PERMISSIVE_DETECTED,
        (Mode::Disable, Class::Http) => PLAIN_TEXT_HTTP,
        (Mode::Disable, Class::Tcp) => PLAIN_TEXT_TCP,
        (Mode::Disable, Class::Detected) => PLAIN_TEXT_DETECTED,
    }
}
