//! TLS towards upstreams.

use std::sync::Arc;

use mesh_compile::proxy::cluster::UpstreamTlsContext;
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::verify::{Names, ServerVerifier};
use super::{Made, Tls, material};
use crate::runtime::connection_notes;
use crate::seam::dial::BoxIo;
use crate::telemetry::connections::TlsRecord;
use crate::telemetry::record::Principals;

/// What is offered in a handshake.
#[derive(Debug, Clone)]
pub(crate) struct Offer<'c> {
    pub(crate) context: &'c UpstreamTlsContext,
    /// Server name; empty: none.
    pub(crate) server_name: Arc<str>,
    /// Protocols, in order.
    pub(crate) alpn: Vec<Arc<str>>,
    /// Whether the certificate must fit the server name.
    pub(crate) by_server_name: bool,
}

/// A connection to an upstream after its handshake.
pub(crate) struct Originated {
    pub(crate) stream: BoxIo,
    /// The protocol that both sides have agreed on.
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) principals: Arc<Principals>,
    /// What logs may tell of it.
    pub(crate) note: TlsRecord,
}

impl<'c> Offer<'c> {
    /// For bytes: as the context has it. Where no name is sent, the certificate need not fit any: as in Envoy it is the
    /// authority of a request that such contexts are held against, and bytes have none.
    pub(crate) fn for_bytes(context: &'c UpstreamTlsContext, by_server_name: bool) -> Self {
        let server_name = Arc::clone(&context.sni);
        let by_server_name = by_server_name && !server_name.is_empty();
        Self { context, server_name, alpn: context.alpn.clone(), by_server_name }
    }
}

impl Tls {
    /// Does the handshake with an upstream.
    ///
    /// # Errors
    /// Why it failed, in words.
    pub(crate) async fn originate(&self, stream: BoxIo, offer: &Offer<'_>) -> Result<Originated, String> {
        let (config, own) = self.client_config(offer)?;
        // Where no name is sent, the one given here is looked at by nobody.
        let name = if offer.server_name.is_empty() { "unnamed.invalid" } else { &*offer.server_name };
        let name =
            ServerName::try_from(name.to_owned()).map_err(|_| format!("`{name}` is no server name"))?;
        let stream =
            TlsConnector::from(config).connect(name, stream).await.map_err(|error| error.to_string())?;
        let (_, connection) = stream.get_ref();
        let alpn = connection.alpn_protocol().map(<[u8]>::to_vec);
        let leaf = connection.peer_certificates().and_then(|chain| chain.first());
        let peer = leaf.and_then(|leaf| Names::of(leaf)?.principal());
        let principals = Arc::new(Principals { own: own.principal, peer });
        let asked = (!offer.server_name.is_empty()).then(|| Arc::clone(&offer.server_name));
        let note = connection_notes::tls(connection, asked, own.certificate);
        Ok(Originated { stream: Box::new(stream), alpn, principals, note })
    }

    fn client_config(&self, offer: &Offer<'_>) -> Result<(Arc<ClientConfig>, super::Own), String> {
        let key = format!(
            "{:?} {} {} {:?}",
            offer.alpn,
            offer.by_server_name,
            offer.server_name.is_empty(),
            offer.context
        );
        self.kept(&self.clients, key, "upstreams are not reached over TLS", || self.make_client_config(offer))
    }

    fn make_client_config(&self, offer: &Offer<'_>) -> Result<Made<ClientConfig>, String> {
        let context = offer.context;
        let roots = match &context.root {
            None => None,
            Some(name) => {
                let pem = self
                    .source
                    .authorities(name)
                    .ok_or_else(|| format!("authority `{name}` is not there"))?;
                Some(material::roots(&pem).map_err(|error| format!("{name}: {error}"))?)
            }
        };
        let chain = match &roots {
            Some(roots) => self.revoking_verifier(context, roots)?,
            None => None,
        };
        let certified = match &context.certificate {
            None => None,
            Some(name) => Some(self.own(name)?),
        };
        let (certified, shown) = certified.unzip();
        let verifier = ServerVerifier {
            roots,
            chain,
            provider: Arc::clone(&self.provider),
            names: context
                .sans
                .iter()
                .map(|san| san.strip_prefix("exact:").map_or_else(|| Arc::clone(san), Arc::from))
                .collect(),
            by_server_name: offer.by_server_name,
        };
        let version = |key: &str| context.params.get(key).map_or("", |version| &**version);
        let versions = material::versions(
            version("tls_minimum_protocol_version"),
            version("tls_maximum_protocol_version"),
        );
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&versions)
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match certified {
            Some(certified) => builder.with_client_cert_resolver(Arc::new(Own(certified))),
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        config.enable_sni = !offer.server_name.is_empty();
        config.alpn_protocols = self.spoken(&offer.alpn).map(|name| name.as_bytes().to_vec()).collect();
        Ok(Made { config: Arc::new(config), shown: shown.into_iter().collect() })
    }
}

impl Tls {
    /// What checks chains against revocation lists; `None`: there are none to check against.
    fn revoking_verifier(
        &self,
        context: &UpstreamTlsContext,
        roots: &Arc<RootCertStore>,
    ) -> Result<Option<Arc<WebPkiServerVerifier>>, String> {
        let pem = match &context.crl {
            // A list that is asked for and cannot be had would let revoked certificates pass.
            Some(path) => {
                let lists = self.source.revocations(&format!("file-crl:{path}"));
                Some(lists.ok_or_else(|| format!("revocation list `{path}` is not there"))?)
            }
            None => context.root.as_ref().and_then(|root| self.source.revocations(root)),
        };
        let Some(pem) = pem else { return Ok(None) };
        let lists = material::revocations(&pem)?;
        let roots = Arc::clone(roots);
        let builder = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&self.provider));
        // As OpenSSL has it: every certificate of the chain, by lists that are in date.
        let built = builder.with_crls(lists).enforce_revocation_expiration().build();
        built.map(Some).map_err(|error| format!("revocation list: {error}"))
    }
}

/// The proxy's own certificate, whatever the server hints at.
#[derive(Debug)]
struct Own(Arc<CertifiedKey>);

impl ResolvesClientCert for Own {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        _schemes: &[rustls::SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
