//! Names by which Tencent Cloud Mesh says more than Istio does (T-582 to T-585), and names of its revisions.

use std::fmt;

/// Where the certificate of a gateway's server comes from: `tls.credentialName` (T-585).
///
/// ```
/// use mesh_model::name::CredentialSource;
///
/// assert_eq!(CredentialSource::parse("qcloud-abcdABCD"), CredentialSource::SslService("abcdABCD"));
/// assert_eq!(CredentialSource::parse("bookinfo-secret"), CredentialSource::Secret("bookinfo-secret"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialSource<'n> {
    /// The cloud's SSL service, under this certificate id; server certificate and key only, so `SIMPLE` TLS.
    SslService(&'n str),
    /// A Secret of the gateway's namespace, or what else Istio takes for the name.
    Secret(&'n str),
}

impl<'n> CredentialSource<'n> {
    /// Reads a `credentialName`. `qcloud-` with nothing after it is a Secret's name.
    pub fn parse(name: &'n str) -> Self {
        match name.strip_prefix("qcloud-").filter(|id| !id.is_empty()) {
            Some(id) => Self::SslService(id),
            None => Self::Secret(name),
        }
    }
}

impl fmt::Display for CredentialSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SslService(id) => write!(f, "qcloud-{id}"),
            Self::Secret(name) => f.write_str(name),
        }
    }
}

/// A gateway port's name that asks the load balancer to end TLS: `clb-https-<port>-<certificate>` (T-582, T-583).
///
/// It means that only with protocol `HTTP`; for the proxy the server is one of plain HTTP.
///
/// ```
/// use mesh_model::name::OffloadedPort;
///
/// let port = OffloadedPort::parse("clb-https-6443-ABCDabcd").unwrap();
/// assert_eq!((port.number, port.certificate), (6443, "ABCDabcd"));
/// assert_eq!(OffloadedPort::parse("https-443"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OffloadedPort<'n> {
    /// The load balancer's port; must be the server's own.
    pub number: u32,
    /// Id of the certificate that the load balancer serves: letters and digits.
    pub certificate: &'n str,
}

impl<'n> OffloadedPort<'n> {
    /// Reads the name of a server's port; `None`: it asks for nothing.
    pub fn parse(name: &'n str) -> Option<Self> {
        let (digits, certificate) = name.strip_prefix("clb-https-")?.split_once('-')?;
        let is_number = (1..=5).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        let is_id = !certificate.is_empty() && certificate.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let number = digits.parse().ok().filter(|_| is_number && is_id)?;
        Some(Self { number, certificate })
    }
}

impl fmt::Display for OffloadedPort<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "clb-https-{}-{}", self.number, self.certificate)
    }
}

/// The label that names the control plane revision of a namespace or Pod.
pub const REVISION_LABEL: &str = "istio.io/rev";

/// The version that a revision is named after, as Tencent Cloud Mesh names them: `1-14-5` is 1.14.5.
///
/// `None` for other names, such as `canary`: a revision's name is free.
pub fn revision_version(revision: &str) -> Option<(u32, u32, u32)> {
    let number = |text: &str| text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let mut parts = revision.split('-').map(number);
    match (parts.next()?, parts.next()?, parts.next()?, parts.next()) {
        (Some(major), Some(minor), Some(patch), None) => Some((major, minor, patch)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t_585_a_prefix_names_the_ssl_service() {
        for (name, source) in [
            ("qcloud-a", CredentialSource::SslService("a")),
            ("qcloud-", CredentialSource::Secret("qcloud-")),
            ("Qcloud-a", CredentialSource::Secret("Qcloud-a")),
            ("kubernetes://a", CredentialSource::Secret("kubernetes://a")),
            ("", CredentialSource::Secret("")),
        ] {
            assert_eq!(CredentialSource::parse(name), source);
            assert_eq!(source.to_string(), name);
        }
    }

    #[test]
    fn t_583_an_offloaded_port_has_a_number_and_a_certificate() {
        let parsed = OffloadedPort::parse("clb-https-443-Ab9").unwrap();
        assert_eq!((parsed.number, parsed.certificate), (443, "Ab9"));
        assert_eq!(parsed.to_string(), "clb-https-443-Ab9");
        for other in [
            "clb-https-443",
            "clb-https-443-",
            "clb-https--a",
            "clb-https-123456-a",
            "clb-https-+44-a",
            "clb-https-443-a-b",
            "clb-https-443-{Certificate ID 1}",
            "CLB-https-443-a",
            "https",
            "",
        ] {
            assert_eq!(OffloadedPort::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_revision_may_be_named_after_a_version() {
        assert_eq!(revision_version("1-14-5"), Some((1, 14, 5)));
        for other in ["1-14", "1-14-5-0", "canary", "1.14.5", "1-+4-5", "", "--", "1-99999999999-1"] {
            assert_eq!(revision_version(other), None, "{other}");
        }
    }
}
