//! TLS towards a service, and TLS that a gateway or sidecar serves.

use serde::{Deserialize, Serialize};

use super::is_default;
use super::proto_enum::proto_enum;

/// TLS of connections to a service; once written it alone decides, without auto mTLS (T-280..T-287).
/// API: networking.istio.io/v1 `ClientTLSSettings`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ClientTlsSettings {
    /// What is done; unwritten is DISABLE, that is plaintext (T-280).
    #[serde(skip_serializing_if = "is_default")]
    pub mode: ClientTlsMode,
    /// File with the client's certificate, for `MUTUAL`.
    #[serde(skip_serializing_if = "is_default")]
    pub client_certificate: String,
    /// File with the client's key, for `MUTUAL`.
    #[serde(skip_serializing_if = "is_default")]
    pub private_key: String,
    /// File with the authorities that may sign the server's certificate.
    #[serde(skip_serializing_if = "is_default")]
    pub ca_certificates: String,
    /// Secret with certificate, key and authorities, instead of files (T-287).
    #[serde(skip_serializing_if = "is_default")]
    pub credential_name: String,
    /// Names of which the server's certificate must bear one (T-282, T-283).
    #[serde(skip_serializing_if = "is_default")]
    pub subject_alt_names: Vec<String>,
    /// Server name to announce (T-282, T-283).
    #[serde(skip_serializing_if = "is_default")]
    pub sni: String,
    /// Whether the server's certificate goes unchecked; unset: no.
    #[serde(skip_serializing_if = "is_default")]
    pub insecure_skip_verify: Option<bool>,
    /// File with revoked certificates.
    #[serde(skip_serializing_if = "is_default")]
    pub ca_crl: String,
}

proto_enum! {
    /// What a client does about TLS (T-281). API: networking.istio.io/v1 `ClientTLSSettings.TLSmode`.
    pub enum ClientTlsMode {
        /// Plaintext.
        Disable = "DISABLE" = 0,
        /// The server shows a certificate.
        Simple = "SIMPLE" = 1,
        /// Both sides show certificates; the client's is configured here.
        Mutual = "MUTUAL" = 2,
        /// Both sides show the certificates that Istio issued.
        IstioMutual = "ISTIO_MUTUAL" = 3,
    }
}

/// TLS that is served (T-430..T-436). API: networking.istio.io/v1 `ServerTLSSettings`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ServerTlsSettings {
    /// Whether plaintext requests are sent to HTTPS with 301 (T-422).
    #[serde(skip_serializing_if = "is_default")]
    pub https_redirect: bool,
    /// What is done; unwritten is PASSTHROUGH (T-430).
    #[serde(skip_serializing_if = "is_default")]
    pub mode: ServerTlsMode,
    /// File with the server's certificate.
    #[serde(skip_serializing_if = "is_default")]
    pub server_certificate: String,
    /// File with the server's key.
    #[serde(skip_serializing_if = "is_default")]
    pub private_key: String,
    /// File with the authorities that may sign clients' certificates.
    #[serde(skip_serializing_if = "is_default")]
    pub ca_certificates: String,
    /// File with revoked certificates (T-432).
    #[serde(skip_serializing_if = "is_default")]
    pub ca_crl: String,
    /// Secret with certificate, key and perhaps authorities (T-432..T-434).
    #[serde(skip_serializing_if = "is_default")]
    pub credential_name: String,
    /// Up to two such secrets, of different key types (T-432, T-436).
    #[serde(skip_serializing_if = "is_default")]
    pub credential_names: Vec<String>,
    /// Secret with the authorities alone (T-432).
    #[serde(skip_serializing_if = "is_default")]
    pub ca_cert_credential_name: String,
    /// Up to two certificates from files, of different key types (T-436).
    #[serde(skip_serializing_if = "is_default")]
    pub tls_certificates: Vec<TlsCertificate>,
    /// Names of which a client's certificate must bear one (T-431).
    #[serde(skip_serializing_if = "is_default")]
    pub subject_alt_names: Vec<String>,
    /// SHA-256 hashes of the public keys that are accepted, base64 (T-431).
    #[serde(skip_serializing_if = "is_default")]
    pub verify_certificate_spki: Vec<String>,
    /// SHA-256 hashes of the certificates that are accepted, hexadecimal (T-431).
    #[serde(skip_serializing_if = "is_default")]
    pub verify_certificate_hash: Vec<String>,
    /// Oldest version; `TLS_AUTO`: 1.2 (T-435).
    #[serde(skip_serializing_if = "is_default")]
    pub min_protocol_version: TlsProtocol,
    /// Newest version; `TLS_AUTO`: 1.3 (T-435).
    #[serde(skip_serializing_if = "is_default")]
    pub max_protocol_version: TlsProtocol,
    /// Cipher suites in Envoy's spelling; empty: the default list (T-435).
    #[serde(skip_serializing_if = "is_default")]
    pub cipher_suites: Vec<String>,
    /// Curves for the key exchange; empty: the data plane's default.
    #[serde(skip_serializing_if = "is_default")]
    pub ecdh_curves: Vec<String>,
    /// Whether a client's certificate goes unchecked; unset: no.
    #[serde(skip_serializing_if = "is_default")]
    pub insecure_skip_verify: Option<bool>,
}

proto_enum! {
    /// What a server does about TLS (T-430, T-431). API: networking.istio.io/v1 `ServerTLSSettings.TLSmode`.
    pub enum ServerTlsMode {
        /// Forwarded as it is, by server name.
        Passthrough = "PASSTHROUGH" = 0,
        /// The server shows a certificate.
        Simple = "SIMPLE" = 1,
        /// Both sides show certificates.
        Mutual = "MUTUAL" = 2,
        /// Forwarded as it is to the cluster the server name spells out, without a VirtualService (T-427).
        AutoPassthrough = "AUTO_PASSTHROUGH" = 3,
        /// Both sides show the certificates that Istio issued.
        IstioMutual = "ISTIO_MUTUAL" = 4,
        /// A client's certificate is checked if it shows one.
        OptionalMutual = "OPTIONAL_MUTUAL" = 5,
    }
}

proto_enum! {
    /// A version of TLS. API: networking.istio.io/v1 `ServerTLSSettings.TLSProtocol` (T-435).
    pub enum TlsProtocol {
        /// Left to Istio (T-435).
        TlsAuto = "TLS_AUTO" = 0,
        /// 1.0.
        Tlsv1_0 = "TLSV1_0" = 1,
        /// 1.1.
        Tlsv1_1 = "TLSV1_1" = 2,
        /// 1.2.
        Tlsv1_2 = "TLSV1_2" = 3,
        /// 1.3.
        Tlsv1_3 = "TLSV1_3" = 4,
    }
}

/// A certificate from files. API: networking.istio.io/v1 `ServerTLSSettings.TLSCertificate` (T-432, T-436).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct TlsCertificate {
    /// File with the certificate.
    #[serde(skip_serializing_if = "is_default")]
    pub server_certificate: String,
    /// File with the key.
    #[serde(skip_serializing_if = "is_default")]
    pub private_key: String,
    /// File with the authorities that may sign clients' certificates.
    #[serde(skip_serializing_if = "is_default")]
    pub ca_certificates: String,
}

/// Cipher suites that the data plane has; Istio lets no others through by name (T-435).
pub const CIPHER_SUITES: [&str; 15] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
    "DES-CBC3-SHA",
];
