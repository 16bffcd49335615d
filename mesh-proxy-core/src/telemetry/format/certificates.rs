//! TLS and certificates of both connections. Envoy: `DOWNSTREAM_PEER_SUBJECT`, `UPSTREAM_TLS_VERSION` and their like.

use super::time::TimeForm;
use super::value::{some, text};
use crate::telemetry::certificate::{Certificate, Read};
use crate::telemetry::connections::{ConnectionRecord, TlsRecord};
use crate::telemetry::record::Record;

/// Of which connection, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    is_upstream: bool,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Version,
    Cipher,
    Group,
    ServerName,
    Own(Part),
    Peer(Part),
}

/// Of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Subject,
    Issuer,
    Serial,
    Serials,
    Uris,
    Dns,
    Ips,
    Emails,
    Fingerprint,
    Fingerprints,
    Pem,
    Begins(TimeForm),
    Ends(TimeForm),
}

impl Shown {
    /// By the operator's name; `None`: it is another one.
    pub(super) fn named(name: &str) -> Option<Self> {
        let (is_upstream, rest) = side(name)?;
        let what = match rest {
            "TLS_VERSION" => What::Version,
            "TLS_CIPHER" => What::Cipher,
            "TLS_GROUP" => What::Group,
            "SERVER_NAME" if is_upstream => What::ServerName,
            _ => match rest.strip_prefix("PEER_") {
                Some(part) => What::Peer(Part::named(part, is_upstream)?),
                None => What::Own(Part::named_of_own(rest.strip_prefix("LOCAL_")?, is_upstream)?),
            },
        };
        Some(Self { is_upstream, what })
    }

    /// The same of those that take a form for a time.
    pub(super) fn with_time(name: &str, form: TimeForm) -> Option<Self> {
        let (is_upstream, rest) = side(name)?;
        let what = match rest {
            "PEER_CERT_V_START" => What::Peer(Part::Begins(form)),
            "PEER_CERT_V_END" => What::Peer(Part::Ends(form)),
            _ => return None,
        };
        Some(Self { is_upstream, what })
    }

    /// Writes it; whether it is there. What is empty is not.
    pub(super) fn write(&self, record: &Record, out: &mut String) -> bool {
        let connection = if self.is_upstream { &record.upstream } else { &record.connection };
        let start = out.len();
        let written = match connection.as_deref().and_then(tls) {
            Some(tls) => self.of(tls, out),
            None => some(self.known_elsewhere(record), out),
        };
        written && out.len() > start
    }

    fn of(&self, tls: &TlsRecord, out: &mut String) -> bool {
        match &self.what {
            What::Version => text(tls.version, out),
            What::Cipher => text(tls.cipher, out),
            What::Group => text(tls.group, out),
            What::ServerName => some(tls.server_name.as_deref(), out),
            What::Own(part) => tls.own.as_deref().is_some_and(|own| part.write(own, out)),
            What::Peer(Part::Fingerprints) => joined(&tls.peer, Certificate::fingerprint, out),
            What::Peer(Part::Serials) => joined(&tls.peer, |it| Some(it.read()?.serial.clone()), out),
            What::Peer(part) => tls.peer.first().is_some_and(|peer| part.write(peer, out)),
        }
    }

    /// Who stands at the ends of a connection of which nothing else was noted.
    fn known_elsewhere<'r>(&self, record: &'r Record) -> Option<&'r str> {
        let upstream = record.upstream_principals.as_ref();
        match (&self.what, self.is_upstream) {
            (What::Own(Part::Uris), false) => record.own_principal.as_deref(),
            (What::Peer(Part::Uris), false) => record.peer_principal.as_deref(),
            (What::Own(Part::Uris), true) => upstream?.own.as_deref(),
            (What::Peer(Part::Uris), true) => upstream?.peer.as_deref(),
            _ => None,
        }
    }
}

impl Part {
    fn named(name: &str, is_upstream: bool) -> Option<Self> {
        let part = match name {
            "SUBJECT" => Self::Subject,
            "ISSUER" => Self::Issuer,
            "URI_SAN" => Self::Uris,
            "DNS_SAN" => Self::Dns,
            "IP_SAN" => Self::Ips,
            "CERT" => Self::Pem,
            _ if is_upstream => return None,
            "EMAIL_SAN" => Self::Emails,
            "SERIAL" => Self::Serial,
            "FINGERPRINT_256" => Self::Fingerprint,
            "CHAIN_SERIALS" => Self::Serials,
            "CHAIN_FINGERPRINTS_256" => Self::Fingerprints,
            _ => return None,
        };
        Some(part)
    }

    fn named_of_own(name: &str, is_upstream: bool) -> Option<Self> {
        match name {
            "URI_SAN" | "DNS_SAN" | "IP_SAN" => Self::named(name, is_upstream),
            "SUBJECT" | "EMAIL_SAN" if !is_upstream => Self::named(name, is_upstream),
            _ => None,
        }
    }

    fn write(&self, certificate: &Certificate, out: &mut String) -> bool {
        match self {
            Self::Fingerprint | Self::Fingerprints => some(certificate.fingerprint().as_deref(), out),
            Self::Pem => text(&certificate.escaped_pem(), out),
            _ => certificate.read().is_some_and(|read| self.write_read(read, out)),
        }
    }

    fn write_read(&self, read: &Read, out: &mut String) -> bool {
        let list = |list: &[String], out: &mut String| text(&list.join(","), out);
        match self {
            Self::Subject => text(&read.subject, out),
            Self::Issuer => text(&read.issuer, out),
            Self::Serial | Self::Serials => text(&read.serial, out),
            Self::Uris => list(&read.uris, out),
            Self::Dns => list(&read.dns, out),
            Self::Ips => list(&read.ips, out),
            Self::Emails => list(&read.emails, out),
            Self::Begins(form) => read.begins.is_some_and(|time| form.write(time, out)),
            Self::Ends(form) => read.ends.is_some_and(|time| form.write(time, out)),
            Self::Fingerprint | Self::Fingerprints | Self::Pem => false,
        }
    }
}

/// `DOWNSTREAM_` or `UPSTREAM_`, and what follows.
fn side(name: &str) -> Option<(bool, &str)> {
    let downstream = name.strip_prefix("DOWNSTREAM_").map(|rest| (false, rest));
    downstream.or_else(|| Some((true, name.strip_prefix("UPSTREAM_")?)))
}

fn tls(connection: &ConnectionRecord) -> Option<&TlsRecord> {
    connection.tls.as_ref()
}

fn joined(
    certificates: &[Certificate],
    part: impl Fn(&Certificate) -> Option<String>,
    out: &mut String,
) -> bool {
    let parts: Vec<String> = certificates.iter().filter_map(part).collect();
    text(&parts.join(","), out)
}
