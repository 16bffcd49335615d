//! TLS towards services and TLS that is served (T-281, T-432, T-435).

use std::collections::BTreeSet;

use super::{Checker, Path, Problem, short};
use crate::diagnostic::Code;
use crate::part::{
    CIPHER_SUITES, ClientTlsMode, ClientTlsSettings, ServerTlsMode, ServerTlsSettings, TlsProtocol,
};

/// The scheme of credentials that are ConfigMaps.
const CONFIG_MAP: &str = "configmap://";

/// TLS of connections to a service.
pub(crate) fn client(found: &mut Checker<'_>, at: &Path<'_>, tls: &ClientTlsSettings) {
    config_map_credential(found, at, tls);
    let is_own = matches!(tls.mode, ClientTlsMode::Simple | ClientTlsMode::Mutual);
    if is_own && tls.insecure_skip_verify == Some(true) {
        let refused = [
            ("caCertificates", !tls.ca_certificates.is_empty()),
            ("credentialName", tls.mode == ClientTlsMode::Simple && !tls.credential_name.is_empty()),
            ("subjectAltNames", !tls.subject_alt_names.is_empty()),
        ];
        for (name, _) in refused.iter().filter(|(_, is_written)| *is_written) {
            let problem = Problem::conflict(format!("`{name}` means nothing with `insecureSkipVerify`"));
            found.find(&at.field(name), problem.help(format!("remove `insecureSkipVerify` or `{name}`")));
        }
    }
    if is_own && !tls.credential_name.is_empty() {
        let files = [
            ("clientCertificate", &tls.client_certificate),
            ("privateKey", &tls.private_key),
            ("caCertificates", &tls.ca_certificates),
            ("caCrl", &tls.ca_crl),
        ];
        for (name, _) in files.iter().filter(|(_, file)| !file.is_empty()) {
            let problem = Problem::conflict(format!("`credentialName` and `{name}` exclude each other"));
            found.find(&at.field(name), problem.help("name the secret, or files, not both"));
        }
        return;
    }
    if tls.mode == ClientTlsMode::Mutual {
        required_files(
            found,
            at,
            "MUTUAL",
            &[("clientCertificate", &tls.client_certificate), ("privateKey", &tls.private_key)],
        );
    }
}

/// `configmap://NAMESPACE/NAME`, in the namespace of the object; Istio reads on to no further `/`.
/// Source: istio/istio, pilot/pkg/model/credentials, `ParseResourceName`.
fn config_map_credential(found: &mut Checker<'_>, at: &Path<'_>, tls: &ClientTlsSettings) {
    let Some(name) = tls.credential_name.strip_prefix(CONFIG_MAP) else { return };
    let at = at.field("credentialName");
    let mut parts = name.split('/');
    let (namespace, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let is_name = !name.is_empty() && !namespace.is_empty();
    found.require(is_name, &at, || {
        Problem::invalid(format!("`{}` does not name a ConfigMap", short(&tls.credential_name)))
            .help("write `configmap://NAMESPACE/NAME`")
    });
    let own = found.namespace();
    found.require(!is_name || namespace == own, &at, || {
        Problem::invalid(format!("the ConfigMap must be in the namespace of the object, `{own}`"))
            .help("move it there, and name that namespace")
    });
}

/// TLS that a gateway or sidecar serves.
pub(crate) fn server(found: &mut Checker<'_>, at: &Path<'_>, tls: &ServerTlsSettings) {
    versions_and_ciphers(found, at, tls);
    for (name, length) in
        [("credentialNames", tls.credential_names.len()), ("tlsCertificates", tls.tls_certificates.len())]
    {
        let at = at.field(name);
        found.at_most(&at, length, 2);
        let is_empty = found.is_written_empty(&at);
        found.require(!is_empty, &at, || {
            Problem::invalid("an empty list").help("remove it, or list one or two")
        });
    }
    if tls.mode == ServerTlsMode::IstioMutual {
        for (name, _) in sources(tls).into_iter().filter(|(_, is_written)| *is_written) {
            let problem = Problem::conflict(format!("`{name}` cannot be set with mode `ISTIO_MUTUAL`"));
            found.find(&at.field(name), problem.help("the proxy's own certificate is used"));
        }
        return;
    }
    if matches!(tls.mode, ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough) {
        let crl = ("caCrl", !tls.ca_crl.is_empty());
        for (name, _) in sources(tls).into_iter().chain([crl]).filter(|(_, is_written)| *is_written) {
            let message = format!("`{name}` is not used in mode `{}`", tls.mode.as_str());
            found.find(
                &at.field(name),
                Problem::new(Code::NoEffect, message).help("remove the field, or change `mode`"),
            );
        }
    }
    found.at_most_one(
        at,
        &[
            ("credentialName", !tls.credential_name.is_empty()),
            ("credentialNames", !tls.credential_names.is_empty()),
            ("serverCertificate", !tls.server_certificate.is_empty() && !tls.private_key.is_empty()),
            ("tlsCertificates", !tls.tls_certificates.is_empty()),
        ],
    );
    let is_terminated =
        matches!(tls.mode, ServerTlsMode::Simple | ServerTlsMode::Mutual | ServerTlsMode::OptionalMutual);
    if is_terminated && (!tls.credential_name.is_empty() || !tls.credential_names.is_empty()) {
        return;
    }
    if is_terminated {
        certificates(found, at, tls);
    }
    if !tls.ca_crl.is_empty() {
        let at = at.field("caCrl");
        found.require(tls.credential_name.is_empty(), &at, || {
            Problem::conflict("`caCrl` and `credentialName` exclude each other")
                .help("put the revocation list into the secret")
        });
        found.require(tls.mode != ServerTlsMode::Simple, &at, || {
            Problem::conflict("mode `SIMPLE` checks no client certificate, so there is nothing to revoke")
                .help("remove `caCrl`, or use mode `MUTUAL`")
        });
    }
}

/// Every field that names a certificate or key.
fn sources(tls: &ServerTlsSettings) -> [(&'static str, bool); 6] {
    [
        ("serverCertificate", !tls.server_certificate.is_empty()),
        ("privateKey", !tls.private_key.is_empty()),
        ("caCertificates", !tls.ca_certificates.is_empty()),
        ("tlsCertificates", !tls.tls_certificates.is_empty()),
        ("credentialName", !tls.credential_name.is_empty()),
        ("credentialNames", !tls.credential_names.is_empty()),
    ]
}

/// The files of a mode that terminates TLS.
fn certificates(found: &mut Checker<'_>, at: &Path<'_>, tls: &ServerTlsSettings) {
    let mode = tls.mode.as_str();
    if tls.mode != ServerTlsMode::Simple {
        required_files(found, at, mode, &[("caCertificates", &tls.ca_certificates)]);
    }
    if tls.tls_certificates.is_empty() {
        let files = [("serverCertificate", &tls.server_certificate), ("privateKey", &tls.private_key)];
        required_files(found, at, mode, &files);
    }
    let at = at.field("tlsCertificates");
    for (index, certificate) in tls.tls_certificates.iter().enumerate() {
        let files = [
            ("serverCertificate", &certificate.server_certificate),
            ("privateKey", &certificate.private_key),
        ];
        required_files(found, &at.index(index), mode, &files);
    }
}

fn required_files(found: &mut Checker<'_>, at: &Path<'_>, mode: &str, files: &[(&str, &String)]) {
    let missing: Vec<_> =
        files.iter().filter(|(_, file)| file.is_empty()).map(|(name, _)| format!("`{name}`")).collect();
    if !missing.is_empty() {
        let missing = missing.join(" and ");
        let problem = Problem::missing(format!("mode `{mode}` needs `credentialName`, or {missing}"));
        found.find(at, problem.help(format!("name a Secret in `credentialName`, or files in {missing}")));
    }
}

fn versions_and_ciphers(found: &mut Checker<'_>, at: &Path<'_>, tls: &ServerTlsSettings) {
    let is_old = matches!(tls.min_protocol_version, TlsProtocol::Tlsv1_0 | TlsProtocol::Tlsv1_1);
    found.require(!is_old || !tls.cipher_suites.is_empty(), &at.field("minProtocolVersion"), || {
        Problem::suspicious("the default cipher suites do not fit versions below TLS 1.2")
            .help("list suites in `cipherSuites`")
    });
    let mut seen = BTreeSet::new();
    let at = at.field("cipherSuites");
    for (index, suite) in tls.cipher_suites.iter().enumerate() {
        let problem = if !is_cipher_suite(suite) {
            format!("`{}` is not a cipher suite: it is left out", short(suite))
        } else if !seen.insert(suite) {
            format!("cipher suite `{}` is listed twice", short(suite))
        } else {
            continue;
        };
        found.find(&at.index(index), Problem::new(Code::NoEffect, problem).help("remove the entry"));
    }
}

/// A known suite, or an expression of the TLS library (`ALL`, `!aNULL`, `@STRENGTH`), which is taken as it is.
fn is_cipher_suite(suite: &str) -> bool {
    suite == "ALL" || !suite.starts_with(char::is_alphanumeric) || CIPHER_SUITES.contains(&suite)
}
