//! TLS that a chain terminates.

use std::io;
use std::sync::Arc;

use mesh_compile::proxy::listener::{ClientCertificate, DownstreamTls};
use rustls::ServerConfig;
use rustls::server::{
    ClientHello, NoClientAuth, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::pins::Pins;
use super::verify::{ClientVerifier, Names};
use super::{Made, Own, Tls, material};
use crate::runtime::turned_away::NoCertificate;
use crate::runtime::{connection_notes, prelude};
use crate::seam::dial::Io;
use crate::telemetry::connections::TlsRecord;

/// A connection whose TLS ended here.
#[derive(Debug)]
pub(crate) struct Terminated<T> {
    pub(crate) stream: Box<TlsStream<T>>,
    pub(crate) client: Client,
    /// Who the proxy is by the certificate that it showed.
    pub(crate) own: Option<Arc<str>>,
    /// What logs may tell of it.
    pub(crate) note: TlsRecord,
    /// Whether HTTP/2 was agreed on.
    pub(crate) is_http2: bool,
    /// Whether a prelude was ([`prelude`](crate::runtime::prelude)).
    pub(crate) has_prelude: bool,
}

/// Who the client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Client {
    /// It showed no certificate.
    Anonymous,
    /// Its certificate was verified; the first URI SAN where it has one.
    Verified(Option<String>),
}

impl Tls {
    /// Does the handshake that a chain wants.
    ///
    /// # Errors
    /// The certificates are not there, or the handshake failed.
    pub(crate) async fn terminate<T: Io>(
        &self,
        wanted: &DownstreamTls,
        offered: &[impl AsRef<str>],
        stream: T,
    ) -> io::Result<Terminated<T>> {
        // Envoy goes on without a protocol where there is no common one, rustls would refuse the client.
        let has_common = self.spoken(&wanted.alpn).any(|own| offered.iter().any(|name| name.as_ref() == own));
        let (config, own) = self
            .server_config(wanted, has_common)
            .map_err(|problem| io::Error::other(NoCertificate(problem)))?;
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        let (_, connection) = stream.get_ref();
        let client = match connection.peer_certificates().and_then(|chain| chain.first()) {
            None => Client::Anonymous,
            Some(leaf) => {
                let names = Names::of(leaf).unwrap_or_default();
                Client::Verified(names.uris.into_iter().next())
            }
        };
        let is_http2 = matches!(connection.alpn_protocol(), Some(b"h2" | b"istio-h2"));
        let has_prelude = connection.alpn_protocol() == Some(prelude::ALPN.as_bytes());
        let server_name = connection.server_name().map(Arc::from);
        let note = connection_notes::tls(connection, server_name, own.certificate);
        let own = own.principal;
        Ok(Terminated { stream: Box::new(stream), client, own, note, is_http2, has_prelude })
    }

    fn server_config(
        &self,
        wanted: &DownstreamTls,
        with_alpn: bool,
    ) -> Result<(Arc<ServerConfig>, Own), String> {
        let key = format!("{with_alpn} {wanted:?}");
        self.kept(&self.servers, key, "TLS clients are turned away", || {
            self.make_server_config(wanted, with_alpn)
        })
    }

    fn make_server_config(
        &self,
        wanted: &DownstreamTls,
        with_alpn: bool,
    ) -> Result<Made<ServerConfig>, String> {
        let mut certificates = Vec::new();
        let mut shown = Vec::new();
        for name in &wanted.certificates {
            let (certified, of) = self.own(name)?;
            certificates.push(certified);
            shown.push(of);
        }
        let verifier = match wanted.client_certificate {
            ClientCertificate::None => None,
            ClientCertificate::Optional | ClientCertificate::Required => Some(self.client_verifier(wanted)?),
        };
        let provider = Arc::new(material::with_suites(&self.provider, &wanted.cipher_suites));
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&material::versions(&wanted.min_version, &wanted.max_version))
            .map_err(|error| error.to_string())?;
        let asks = verifier.is_some();
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(Arc::new(verifier)),
            None => builder.with_client_cert_verifier(Arc::new(NoClientAuth)),
        };
        let mut config = builder.with_cert_resolver(Arc::new(BySignature(certificates)));
        if asks {
            // A resumed session would not be verified against authorities that came later.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        if with_alpn {
            config.alpn_protocols = self.spoken(&wanted.alpn).map(|name| name.as_bytes().to_vec()).collect();
        }
        Ok(Made { config: Arc::new(config), shown })
    }

    fn client_verifier(&self, wanted: &DownstreamTls) -> Result<ClientVerifier, String> {
        let chain = match &wanted.root {
            None => None,
            Some(name) => {
                let pem = self
                    .source
                    .authorities(name)
                    .ok_or_else(|| format!("authority `{name}` is not there"))?;
                let roots = material::roots(&pem).map_err(|error| format!("{name}: {error}"))?;
                let mut builder =
                    WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&self.provider));
                let lists = match &wanted.crl {
                    // A list that is asked for and cannot be had would let revoked certificates pass.
                    Some(path) => {
                        let lists = self.source.revocations(&format!("file-crl:{path}"));
                        Some(lists.ok_or_else(|| format!("revocation list `{path}` is not there"))?)
                    }
                    None => self.source.revocations(name),
                };
                if let Some(pem) = lists {
                    let lists = material::revocations(&pem).map_err(|error| format!("{name}: {error}"))?;
                    builder = builder.with_crls(lists).enforce_revocation_expiration();
                }
                Some(builder.build().map_err(|error| format!("{name}: {error}"))?)
            }
        };
        Ok(ClientVerifier {
            chain,
            provider: Arc::clone(&self.provider),
            mandatory: wanted.client_certificate == ClientCertificate::Required,
            trust_domains: wanted.trust_domains.clone(),
            names: wanted.subject_alt_names.clone(),
            pins: Pins::of(wanted),
        })
    }
}

/// The first certificate that the client can check; several are there for several kinds of keys.
#[derive(Debug)]
struct BySignature(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for BySignature {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let fits =
            |certified: &&Arc<CertifiedKey>| certified.key.choose_scheme(hello.signature_schemes()).is_some();
        self.0.iter().find(fits).or(self.0.first()).map(Arc::clone)
    }
}
