//! What a port speaks, from its name or its declaration (T-195..T-198).

use std::fmt;

/// The protocol of a port (T-196, T-198).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// HTTP/1.1.
    Http,
    /// HTTP/2, also in clear text.
    Http2,
    /// A generic outbound HTTP proxy port (Sidecar egress).
    HttpProxy,
    /// gRPC.
    Grpc,
    /// gRPC-Web.
    GrpcWeb,
    /// HTTP inside TLS; opaque on a service port.
    Https,
    /// Plain TCP.
    Tcp,
    /// TLS with SNI.
    Tls,
    /// MongoDB, treated as TCP.
    Mongo,
    /// Redis, treated as TCP.
    Redis,
    /// MySQL, treated as TCP.
    MySql,
    /// UDP: not proxied.
    Udp,
    /// Not declared: found out from the first bytes.
    Unsupported,
}

/// The transport of a Kubernetes service port. API: core/v1 `Protocol` (T-195).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Transport {
    /// TCP, the default.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// Server-first protocols that detection would stall: SMTP, DNS, MySQL, MongoDB (T-196).
const NEVER_DETECTED_PORTS: [u16; 4] = [25, 53, 3306, 27017];

impl Protocol {
    /// Every protocol with its token, in declaration order.
    pub(crate) const TOKENS: [(Self, &'static str); 12] = [
        (Self::Http, "http"),
        (Self::Http2, "http2"),
        (Self::HttpProxy, "http_proxy"),
        (Self::Grpc, "grpc"),
        (Self::GrpcWeb, "grpc-web"),
        (Self::Https, "https"),
        (Self::Tcp, "tcp"),
        (Self::Tls, "tls"),
        (Self::Mongo, "mongo"),
        (Self::Redis, "redis"),
        (Self::MySql, "mysql"),
        (Self::Udp, "udp"),
    ];

    /// The protocol of a token in any case; anything else is [`Protocol::Unsupported`] (T-196, T-197).
    pub fn parse(token: &str) -> Self {
        Self::TOKENS
            .into_iter()
            .find(|(_, known)| known.eq_ignore_ascii_case(token))
            .map_or(Self::Unsupported, |(protocol, _)| protocol)
    }

    /// The protocol of a Kubernetes service port (T-195, T-196). An `app_protocol` of `Some("")` counts as set.
    ///
    /// ```
    /// # use mesh_model::name::{Protocol, Transport};
    /// let of = |name, app| Protocol::from_name_and_app_protocol(name, app, Transport::Tcp, 8080);
    /// assert_eq!(of("http-x", None), Protocol::Http);
    /// assert_eq!(of("http", Some("https")), Protocol::Https);
    /// assert_eq!(of("httpx", None), Protocol::Unsupported);
    /// ```
    pub fn from_name_and_app_protocol(
        port_name: &str,
        app_protocol: Option<&str>,
        transport: Transport,
        number: u16,
    ) -> Self {
        if transport == Transport::Udp {
            return Self::Udp;
        }
        match app_protocol {
            Some("kubernetes.io/h2c") => return Self::Http2,
            Some("kubernetes.io/ws") => return Self::Http,
            Some("kubernetes.io/wss") => return Self::Https,
            _ => {}
        }
        let text = app_protocol.unwrap_or(port_name);
        // The one token with a hyphen is a prefix: `grpc-webx` is gRPC-Web.
        if text.get(..8).is_some_and(|prefix| prefix.eq_ignore_ascii_case("grpc-web")) {
            return Self::GrpcWeb;
        }
        let token = text.split('-').next().unwrap_or_default();
        match Self::parse(token) {
            Self::Unsupported if NEVER_DETECTED_PORTS.contains(&number) => Self::Tcp,
            protocol => protocol,
        }
    }

    /// Whether requests are read from it (T-198).
    pub fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Http2 | Self::HttpProxy | Self::Grpc | Self::GrpcWeb)
    }

    /// Whether upstreams are spoken to in HTTP/2 (T-198).
    pub fn is_http2(self) -> bool {
        matches!(self, Self::Http2 | Self::Grpc | Self::GrpcWeb)
    }

    /// Whether it is gRPC or gRPC-Web.
    pub fn is_grpc(self) -> bool {
        matches!(self, Self::Grpc | Self::GrpcWeb)
    }

    /// Whether it is forwarded as a byte stream (T-198).
    pub fn is_tcp(self) -> bool {
        matches!(self, Self::Tcp | Self::Https | Self::Tls | Self::Mongo | Self::Redis | Self::MySql)
    }

    /// Whether it runs inside TLS (T-198).
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }

    /// Whether it is not declared, so that it is detected (T-198).
    pub fn is_unsupported(self) -> bool {
        self == Self::Unsupported
    }

    /// HTTP, or detected to be HTTP.
    pub fn is_http_or_detected(self) -> bool {
        self.is_http() || self.is_unsupported()
    }

    /// What is inside once TLS is terminated: HTTPS becomes HTTP, TLS becomes TCP.
    #[must_use]
    pub fn after_tls_termination(self) -> Self {
        match self {
            Self::Https => Self::Http,
            Self::Tls => Self::Tcp,
            other => other,
        }
    }

    /// Istio's spelling: `HTTP`, `GRPC-Web`, `MySQL`, `UnsupportedProtocol`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Http2 => "HTTP2",
            Self::HttpProxy => "HTTP_PROXY",
            Self::Grpc => "GRPC",
            Self::GrpcWeb => "GRPC-Web",
            Self::Https => "HTTPS",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Mongo => "Mongo",
            Self::Redis => "Redis",
            Self::MySql => "MySQL",
            Self::Udp => "UDP",
            Self::Unsupported => "UnsupportedProtocol",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, number: u16) -> Protocol {
        Protocol::from_name_and_app_protocol(name, None, Transport::Tcp, number)
    }

    #[test]
    fn the_part_before_the_hyphen_names_the_protocol() {
        for (name, expected) in [
            ("http", Protocol::Http),
            ("HTTP-web", Protocol::Http),
            ("http-", Protocol::Http),
            ("grpc-webx", Protocol::GrpcWeb),
            ("GRPC-Web-a", Protocol::GrpcWeb),
            ("grpc-we", Protocol::Grpc),
            ("tcp-foo", Protocol::Tcp),
            ("udp-foo", Protocol::Udp),
            ("httpfoo", Protocol::Unsupported),
            ("http1", Protocol::Unsupported),
            ("-http", Protocol::Unsupported),
            ("", Protocol::Unsupported),
            ("ünïcode-x", Protocol::Unsupported),
        ] {
            assert_eq!(named(name, 80), expected, "{name}");
        }
    }

    #[test]
    fn server_first_ports_are_never_detected() {
        for number in [25, 53, 3306, 27017] {
            assert_eq!(named("sql", number), Protocol::Tcp);
            assert_eq!(named("http", number), Protocol::Http);
        }
    }

    #[test]
    fn app_protocol_wins_over_the_name_and_udp_over_both() {
        let with_app = |app| Protocol::from_name_and_app_protocol("http", Some(app), Transport::Tcp, 8080);
        assert_eq!(with_app("kubernetes.io/h2c"), Protocol::Http2);
        assert_eq!(with_app("kubernetes.io/ws"), Protocol::Http);
        assert_eq!(with_app("kubernetes.io/wss"), Protocol::Https);
        assert_eq!(with_app("tcp-x"), Protocol::Tcp);
        assert_eq!(with_app(""), Protocol::Unsupported);
        // Only appProtocol knows the Kubernetes names.
        assert_eq!(named("kubernetes.io/h2c", 8080), Protocol::Unsupported);
        let udp = Protocol::from_name_and_app_protocol("http", Some("http"), Transport::Udp, 8080);
        assert_eq!(udp, Protocol::Udp);
    }

    #[test]
    fn every_token_reads_back_from_its_display() {
        for (protocol, token) in Protocol::TOKENS {
            assert_eq!(Protocol::parse(token), protocol);
            assert_eq!(Protocol::parse(&protocol.to_string()), protocol);
        }
        assert!(Protocol::parse("hbone").is_unsupported());
    }

    #[test]
    fn a_protocol_is_http_or_tcp_or_neither() {
        for (protocol, _) in Protocol::TOKENS {
            assert!(!(protocol.is_http() && protocol.is_tcp()));
            assert!(!protocol.is_http2() || protocol.is_http());
            assert!(!protocol.is_tls() || protocol.is_tcp());
        }
    }
}
