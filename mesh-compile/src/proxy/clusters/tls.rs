//! Transport security towards endpoints (T-280 to T-289, S-046 to S-053).

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use mesh_model::origin::Origin;
use mesh_model::part::{ClientTlsMode, ClientTlsSettings};

use super::Context;
use super::policy::{Block, Policy};
use crate::proxy::cluster::{Cluster, Discovery, UpstreamProtocol, UpstreamTls, UpstreamTlsContext};
use crate::proxy::credential::permitted;
use crate::view::Lookup;

/// What TLS needs to know of the other side.
#[derive(Debug)]
pub(super) struct Peer<'p> {
    /// Identities of the service's workloads (T-286).
    pub identities: &'p [String],
    /// The server name of mesh mTLS; `None` for dynamic forward proxies, which take it from the request.
    pub sni: Option<Arc<str>>,
    /// Whether mesh mTLS is used where nobody says otherwise (T-284).
    pub auto: Auto,
    /// Outside the mesh (T-289).
    pub mesh_external: bool,
    /// Defined by a ServiceEntry, whose names count as SANs (T-283).
    pub service_entry: bool,
    /// Whether the rule is for selected workloads only (T-287).
    pub rule_has_selector: bool,
}

/// Mesh mTLS that nobody wrote: whether, and who decided.
#[derive(Debug)]
pub(super) struct Auto {
    pub on: bool,
    pub origin: Origin,
}

impl Auto {
    pub(super) fn off(origin: Origin) -> Self {
        Self { on: false, origin }
    }
}

/// Certificate files named in the proxy's metadata (T-289).
#[derive(Debug, Clone)]
pub(super) struct ClientFiles {
    pub certificate: String,
    pub key: String,
    pub root: String,
}

/// Sets the cluster's TLS.
pub(super) fn apply(cluster: &mut Cluster, policy: &Policy<'_>, peer: &Peer<'_>, context: &Context<'_>) {
    let origin = policy.tls.as_ref().map_or_else(|| peer.auto.origin.clone(), Block::origin);
    cluster.origins.insert("tls", origin);
    set(cluster, policy, peer, context);
}

/// The same where it is known already what decides.
pub(super) fn set(cluster: &mut Cluster, policy: &Policy<'_>, peer: &Peer<'_>, context: &Context<'_>) {
    let Some(block) = &policy.tls else {
        if peer.auto.on {
            auto(cluster, peer, context);
        }
        return;
    };
    cluster.tls = written(cluster, block.value, peer, context)
        .map_or(UpstreamTls::Plaintext, |context| UpstreamTls::Tls(Box::new(context)));
}

/// Mesh mTLS that nobody asked for: towards endpoints that are marked (T-284), or towards all of a cluster that has
/// no marks (T-285).
fn auto(cluster: &mut Cluster, peer: &Peer<'_>, context: &Context<'_>) {
    let tls = match &context.client_files {
        Some(files) => {
            let settings = from_files(
                files,
                ClientTlsSettings {
                    subject_alt_names: peer.identities.to_vec(),
                    sni: peer.sni.as_deref().unwrap_or_default().to_owned(),
                    ..ClientTlsSettings::default()
                },
            );
            originated(cluster, &settings, peer, context)
        }
        None => {
            let mut tls = mesh(cluster, &ClientTlsSettings::default(), peer);
            tls.auto = cluster.discovery != Discovery::OriginalDst;
            Some(tls)
        }
    };
    cluster.tls = tls.map_or(UpstreamTls::Plaintext, |tls| UpstreamTls::Tls(Box::new(tls)));
}

/// What a `tls` block asks for; `None`: plaintext.
fn written(
    cluster: &mut Cluster,
    settings: &ClientTlsSettings,
    peer: &Peer<'_>,
    context: &Context<'_>,
) -> Option<UpstreamTlsContext> {
    let originates = matches!(settings.mode, ClientTlsMode::Simple | ClientTlsMode::Mutual);
    let files = context.client_files.as_ref().filter(|_| !peer.mesh_external);
    match (settings.mode, files) {
        (ClientTlsMode::Disable, _) => None,
        (ClientTlsMode::Mutual | ClientTlsMode::IstioMutual, Some(files)) => {
            let settings = from_files(
                files,
                ClientTlsSettings {
                    subject_alt_names: settings.subject_alt_names.clone(),
                    sni: settings.sni.clone(),
                    insecure_skip_verify: settings.insecure_skip_verify,
                    ..ClientTlsSettings::default()
                },
            );
            originated(cluster, &settings, peer, context)
        }
        // The rule reaches sidecars that may not read the secret: plaintext, not a broken cluster (T-287).
        _ if originates && withheld(settings, peer, context) => None,
        (ClientTlsMode::Simple | ClientTlsMode::Mutual, _) => originated(cluster, settings, peer, context),
        (ClientTlsMode::IstioMutual, _) => Some(mesh(cluster, settings, peer)),
    }
}

fn from_files(files: &ClientFiles, settings: ClientTlsSettings) -> ClientTlsSettings {
    ClientTlsSettings {
        mode: ClientTlsMode::Mutual,
        client_certificate: files.certificate.clone(),
        private_key: files.key.clone(),
        ca_certificates: files.root.clone(),
        ..settings
    }
}

/// Whether a `credentialName` is not for this proxy (T-287).
fn withheld(settings: &ClientTlsSettings, peer: &Peer<'_>, context: &Context<'_>) -> bool {
    let secret =
        !settings.credential_name.is_empty() && !settings.credential_name.starts_with("configmap://");
    secret && context.sidecar && !peer.rule_has_selector
}

/// TLS with the mesh's certificates (T-282, S-051).
fn mesh(cluster: &mut Cluster, settings: &ClientTlsSettings, peer: &Peer<'_>) -> UpstreamTlsContext {
    if peer.sni.is_none() {
        take_names_from_requests(cluster, settings, true);
    }
    let fixed = &*FIXED;
    let mut alpn = fixed.mesh_alpn.to_vec();
    if cluster.http.protocol == UpstreamProtocol::Http2 {
        alpn.push("h2".into());
    }
    let own = !settings.subject_alt_names.is_empty();
    UpstreamTlsContext {
        sni: if settings.sni.is_empty() {
            peer.sni.clone().unwrap_or_default()
        } else {
            settings.sni.as_str().into()
        },
        alpn,
        certificate: Some(Arc::clone(&fixed.mesh_certificate)),
        root: Some(Arc::clone(&fixed.mesh_root)),
        sans: if own { exact(&settings.subject_alt_names) } else { exact(peer.identities) },
        params: versions(),
        crl: None,
        auto: false,
    }
}

/// TLS with certificates of its own (T-283); `None` where `MUTUAL` lacks the client's.
fn originated(
    cluster: &mut Cluster,
    settings: &ClientTlsSettings,
    peer: &Peer<'_>,
    context: &Context<'_>,
) -> Option<UpstreamTlsContext> {
    take_names_from_requests(cluster, settings, peer.sni.is_none());
    let mutual = settings.mode == ClientTlsMode::Mutual;
    let own = !settings.subject_alt_names.is_empty();
    let sans = match (own, peer.service_entry) {
        (true, _) => exact(&settings.subject_alt_names),
        (false, true) => exact(peer.identities),
        (false, false) => Vec::new(),
    };
    let mut tls = UpstreamTlsContext {
        sni: settings.sni.as_str().into(),
        params: versions(),
        ..UpstreamTlsContext::default()
    };
    let verified = !settings.insecure_skip_verify.unwrap_or(false);
    if settings.credential_name.is_empty() {
        if mutual {
            if settings.client_certificate.is_empty() || settings.private_key.is_empty() {
                return None;
            }
            let files = format!("file-cert:{}~{}", settings.client_certificate, settings.private_key);
            tls.certificate = Some(files.into());
        }
        if verified {
            let path = Some(settings.ca_certificates.as_str()).filter(|path| !path.is_empty());
            tls.root = Some(format!("file-root:{}", path.unwrap_or("system")).into());
            tls.crl = Some(settings.ca_crl.as_str()).filter(|path| !path.is_empty()).map(Into::into);
        }
    } else {
        // Some are of one namespace.
        context.view.asked(|| Lookup::OwnNamespace);
        let of = |name: &str| permitted(credential(name), &context.proxy.namespace);
        tls.certificate = mutual.then(|| of(&settings.credential_name));
        tls.root = verified.then(|| of(&format!("{}-cacert", settings.credential_name)));
    }
    if verified {
        tls.sans = sans;
    }
    if cluster.http.protocol == UpstreamProtocol::Http2 {
        tls.alpn = vec!["h2".into()];
    }
    Some(tls)
}

/// Without a server name the request's host is sent, and without names of its own the rule lets the certificate be
/// checked against that (T-283).
fn take_names_from_requests(cluster: &mut Cluster, settings: &ClientTlsSettings, dynamic: bool) {
    let unnamed = settings.sni.is_empty();
    let verified = !settings.insecure_skip_verify.unwrap_or(false);
    let by_sni = dynamic || (unnamed && settings.subject_alt_names.is_empty());
    cluster.http.auto_sni |= unnamed;
    cluster.http.auto_san_validation |= verified && by_sni;
}

/// The resource that a `credentialName` stands for: a Secret where no scheme says otherwise.
fn credential(name: &str) -> Arc<str> {
    const KEPT: [&str; 3] = ["kubernetes://", "kubernetes-gateway://", "configmap://"];
    let has = |scheme: &&str| name.starts_with(scheme);
    if has(&"builtin://") {
        "default".into()
    } else if has(&"invalid://") {
        "invalid://".into()
    } else if KEPT.iter().any(has) {
        name.into()
    } else {
        format!("kubernetes://{name}").into()
    }
}

fn exact(names: &[String]) -> Vec<Arc<str>> {
    names.iter().map(|name| format!("exact:{name}").into()).collect()
}

/// What every TLS context has in common: made once, shared by all.
struct Fixed {
    mesh_alpn: [Arc<str>; 2],
    mesh_certificate: Arc<str>,
    mesh_root: Arc<str>,
    versions: Arc<BTreeMap<&'static str, Arc<str>>>,
}

static FIXED: LazyLock<Fixed> = LazyLock::new(|| Fixed {
    mesh_alpn: ["istio-peer-exchange".into(), "istio".into()],
    mesh_certificate: "default".into(),
    mesh_root: "ROOTCA".into(),
    versions: Arc::new(BTreeMap::from([
        ("tls_minimum_protocol_version", "TLSv1_2".into()),
        ("tls_maximum_protocol_version", "TLSv1_3".into()),
    ])),
});

fn versions() -> Arc<BTreeMap<&'static str, Arc<str>>> {
    Arc::clone(&FIXED.versions)
}
