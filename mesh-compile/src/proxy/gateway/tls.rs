//! TLS that a server terminates (T-430 to T-436, S-043, E-067).

use std::sync::Arc;

use mesh_model::mesh_config::TlsMinimum;
use mesh_model::part::{CIPHER_SUITES, ServerTlsMode, ServerTlsSettings, TlsProtocol};

use super::servers::GatewayServer;
use crate::proxy::credential::permitted;
use crate::proxy::listener::{ClientCertificate, DownstreamTls};
use crate::view::View;

/// The workload's own certificate, and the mesh's authorities.
const OWN: &str = "default";
const MESH_ROOT: &str = "ROOTCA";

/// What a server terminates; `None`: it takes plaintext, or forwards TLS as it is.
pub(super) fn downstream(view: &View<'_>, server: &GatewayServer<'_>) -> Option<Arc<DownstreamTls>> {
    let tls = server.tls().filter(|_| server.is_tls() && !server.passes_through())?;
    let (mut certificates, mut root) = sources(tls);
    if !server.is_translated {
        // The control plane keeps the list of what it serves by such names only for Gateways of the proxy's own namespace.
        let own = &view.proxy().namespace;
        let namespace = server.origin.object().map_or("", |gateway| &*gateway.namespace);
        let reachable = if namespace == &**own { namespace } else { "" };
        for name in certificates.iter_mut().chain(&mut root) {
            *name = permitted(Arc::clone(name), reachable);
        }
    }
    let (min_version, max_version) = versions(view, tls);
    Some(Arc::new(DownstreamTls {
        client_certificate: client_certificate(tls.mode),
        // S-043: only the authority counts at gateways.
        trust_domains: Vec::new(),
        subject_alt_names: subject_alt_names(tls),
        certificates,
        root,
        alpn: alpn(server, tls),
        min_version,
        max_version,
        cipher_suites: cipher_suites(view, tls),
        crl: crl(tls),
        ecdh_curves: ecdh_curves(view, tls),
        key_hashes: pinned(tls, &tls.verify_certificate_spki),
        certificate_hashes: pinned(tls, &tls.verify_certificate_hash),
    }))
}

/// Revoked certificates of clients: a file counts where clients are checked, and not by a secret, which brings its own.
fn crl(tls: &ServerTlsSettings) -> Option<Arc<str>> {
    let by_secret = tls.mode != ServerTlsMode::IstioMutual
        && (!tls.credential_name.is_empty() || !tls.credential_names.is_empty());
    Some(tls.ca_crl.as_str()).filter(|path| verifies(tls) && !by_secret && !path.is_empty()).map(Into::into)
}

/// The server's, else those of `tlsDefaults`; mesh TLS has its own.
fn ecdh_curves(view: &View<'_>, tls: &ServerTlsSettings) -> Vec<Arc<str>> {
    if tls.mode == ServerTlsMode::IstioMutual {
        return Vec::new();
    }
    let of_mesh = view.mesh().tls_defaults.as_ref().map_or(&[][..], |defaults| &defaults.ecdh_curves);
    let curves = if tls.ecdh_curves.is_empty() { of_mesh } else { &tls.ecdh_curves };
    curves.iter().map(|curve| curve.as_str().into()).collect()
}

/// Hashes that a client's certificate must fit: they count only where clients are checked against the authorities of a
/// secret, and are forgotten without a word where those come from files, as in Istio.
// Facts: pilot/pkg/security/model/authentication.go (ApplyCredentialSDSToServerCommonTLSContext).
fn pinned(tls: &ServerTlsSettings, hashes: &[String]) -> Vec<Arc<str>> {
    let by_secret = !tls.credential_name.is_empty() || !tls.credential_names.is_empty();
    let checks = verifies(tls) && tls.mode != ServerTlsMode::IstioMutual;
    let hashes = hashes.iter().filter(|_| by_secret && checks);
    hashes.map(|hash| hash.as_str().into()).collect()
}

/// T-431.
fn client_certificate(mode: ServerTlsMode) -> ClientCertificate {
    match mode {
        ServerTlsMode::Mutual | ServerTlsMode::IstioMutual => ClientCertificate::Required,
        ServerTlsMode::OptionalMutual => ClientCertificate::Optional,
        ServerTlsMode::Passthrough | ServerTlsMode::Simple | ServerTlsMode::AutoPassthrough => {
            ClientCertificate::None
        }
    }
}

/// Whether the certificate of a client is looked at: `insecureSkipVerify` lets any pass, in every mode (Envoy:
/// `trust_chain_verification: ACCEPT_UNTRUSTED` forgives names and hashes too).
fn verifies(tls: &ServerTlsSettings) -> bool {
    client_certificate(tls.mode) != ClientCertificate::None && tls.insecure_skip_verify != Some(true)
}

/// Names count where a certificate is verified at all (T-431, T-436).
fn subject_alt_names(tls: &ServerTlsSettings) -> Vec<Arc<str>> {
    if !verifies(tls) {
        return Vec::new();
    }
    tls.subject_alt_names.iter().map(|name| name.as_str().into()).collect()
}

/// Whether the data plane refuses the whole listener for a server: names of clients are to be checked and there are no
/// authorities that could vouch for them, which is so with SIMPLE and a secret (Envoy: SAN-based verification without
/// trusted CA). Istio's validation lets it pass.
pub(super) fn is_refused(server: &GatewayServer<'_>) -> bool {
    server.tls().is_some_and(|tls| {
        let by_secret = !tls.credential_name.is_empty() || !tls.credential_names.is_empty();
        tls.mode == ServerTlsMode::Simple && by_secret && !tls.subject_alt_names.is_empty()
    })
}

/// Names of the certificates and of the authorities for clients (T-432 to T-434).
fn sources(tls: &ServerTlsSettings) -> (Vec<Arc<str>>, Option<Arc<str>>) {
    let verifies = verifies(tls);
    if tls.mode == ServerTlsMode::IstioMutual {
        return (vec![OWN.into()], verifies.then(|| MESH_ROOT.into()));
    }
    let names: Vec<&str> = if tls.credential_names.is_empty() {
        [tls.credential_name.as_str()].into_iter().filter(|name| !name.is_empty()).collect()
    } else {
        tls.credential_names.iter().map(String::as_str).collect()
    };
    let Some(first) = names.first() else {
        let root = if tls.ca_certificates.is_empty() {
            MESH_ROOT.into()
        } else {
            format!("file-root:{}", tls.ca_certificates).into()
        };
        return (files(tls), verifies.then_some(root));
    };
    let authority = if tls.ca_cert_credential_name.is_empty() {
        format!("{first}-cacert")
    } else {
        tls.ca_cert_credential_name.clone()
    };
    let certificates = names.iter().map(|name| secret(name)).collect();
    (certificates, verifies.then(|| secret(&authority)))
}

/// Certificates from files; the workload's own where none is complete.
fn files(tls: &ServerTlsSettings) -> Vec<Arc<str>> {
    let name = |certificate: &str, key: &str| -> Arc<str> {
        if certificate.is_empty() || key.is_empty() {
            return OWN.into();
        }
        format!("file-cert:{certificate}~{key}").into()
    };
    if tls.tls_certificates.is_empty() {
        return vec![name(&tls.server_certificate, &tls.private_key)];
    }
    tls.tls_certificates.iter().map(|pair| name(&pair.server_certificate, &pair.private_key)).collect()
}

/// The resource that a credential name stands for (T-433); names with a scheme of their own keep it.
fn secret(name: &str) -> Arc<str> {
    const SCHEMES: [&str; 4] = ["kubernetes://", "kubernetes-gateway://", "configmap://", "invalid://"];
    if let Some(rest) = name.strip_prefix("builtin://") {
        return if rest == "-cacert" { MESH_ROOT } else { OWN }.into();
    }
    let name = name.strip_prefix("sds://").unwrap_or(name);
    if SCHEMES.iter().any(|scheme| name.starts_with(scheme)) {
        return name.into();
    }
    format!("kubernetes://{name}").into()
}

/// T-435: peer exchange is offered where mesh TLS ends in a byte stream.
fn alpn(server: &GatewayServer<'_>, tls: &ServerTlsSettings) -> Vec<Arc<str>> {
    let mut offered: Vec<Arc<str>> = vec!["h2".into(), "http/1.1".into()];
    if tls.mode == ServerTlsMode::IstioMutual && !server.is_http() {
        offered.insert(0, "istio-peer-exchange".into());
    }
    offered
}

/// Oldest and newest version: the server's, else `tlsDefaults`, else the proxy's (T-435). Mesh TLS has its own.
fn versions(view: &View<'_>, tls: &ServerTlsSettings) -> (Arc<str>, Arc<str>) {
    if tls.mode == ServerTlsMode::IstioMutual {
        return ("".into(), "".into());
    }
    let defaults = view.mesh().tls_defaults.as_ref().map(|defaults| defaults.min_protocol_version);
    let oldest = match (version(tls.min_protocol_version), defaults) {
        ("", Some(TlsMinimum::V12)) => "TLSv1_2",
        ("", Some(TlsMinimum::V13)) => "TLSv1_3",
        (written, _) => written,
    };
    (oldest.into(), version(tls.max_protocol_version).into())
}

fn version(version: TlsProtocol) -> &'static str {
    match version {
        TlsProtocol::TlsAuto => "",
        TlsProtocol::Tlsv1_0 => "TLSv1_0",
        TlsProtocol::Tlsv1_1 => "TLSv1_1",
        TlsProtocol::Tlsv1_2 => "TLSv1_2",
        TlsProtocol::Tlsv1_3 => "TLSv1_3",
    }
}

/// Those that Istio lets through (T-435); groups such as `ALL` and operators such as `+AES` pass unread.
fn cipher_suites(view: &View<'_>, tls: &ServerTlsSettings) -> Vec<Arc<str>> {
    if tls.mode == ServerTlsMode::IstioMutual {
        return Vec::new();
    }
    let passes = |suite: &str| {
        suite == "ALL" || !suite.starts_with(char::is_alphanumeric) || CIPHER_SUITES.contains(&suite)
    };
    let mut kept: Vec<Arc<str>> = Vec::new();
    for suite in tls.cipher_suites.iter().filter(|suite| passes(suite)) {
        if !kept.iter().any(|known| **known == **suite) {
            kept.push(suite.as_str().into());
        }
    }
    if kept.is_empty()
        && let Some(defaults) = &view.mesh().tls_defaults
    {
        kept.extend(defaults.cipher_suites.iter().map(|suite| Arc::from(suite.as_str())));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_count_where_clients_are_checked_by_a_secret() {
        let hashes = ["aa".to_owned()];
        let of = |mode, credential_name: &str| {
            let tls =
                ServerTlsSettings { mode, credential_name: credential_name.into(), ..Default::default() };
            pinned(&tls, &hashes).len()
        };
        assert_eq!(of(ServerTlsMode::Mutual, "cert"), 1);
        assert_eq!(of(ServerTlsMode::OptionalMutual, "cert"), 1);
        assert_eq!((of(ServerTlsMode::Simple, "cert"), of(ServerTlsMode::IstioMutual, "cert")), (0, 0));
        assert_eq!(of(ServerTlsMode::Mutual, ""), 0);
    }
}
