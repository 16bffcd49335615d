//! TLS of listeners: certificates from Secrets, authorities for clients, Istio's own options.

use std::sync::Arc;

use mesh_model::config_set::ConfigSet;
use mesh_model::diagnostic::Missing;
use mesh_model::gateway_api::{FrontendTlsConfig, KubernetesGateway, Listener, ListenerTls, ObjectReference};
use mesh_model::kubernetes::Secret;
use mesh_model::object::Object;
use mesh_model::part::{ServerTlsMode, ServerTlsSettings};

use super::grants::{Grants, Target};
use crate::registry::network_gateways::is_auto_passthrough;

const MODE_OPTION: &str = "gateway.istio.io/tls-terminate-mode";
const CIPHER_SUITES_OPTION: &str = "gateway.istio.io/tls-cipher-suites";
/// The workload's own certificate.
const BUILT_IN: &str = "builtin://";

/// Why a listener has no usable TLS.
pub(super) struct Problem {
    /// A reference into another namespace that is not granted.
    pub(super) is_grant: bool,
    pub(super) message: String,
    /// The Secret or ConfigMap that it says that there is none of.
    pub(super) missing: Option<Missing>,
}

/// Where references are looked up.
pub(super) struct Context<'c> {
    pub(super) config: &'c ConfigSet,
    pub(super) grants: &'c Grants,
    pub(super) gateway: &'c Object<KubernetesGateway>,
}

/// The credential that a Secret stands for; names of built-in ones stay, whatever the namespace.
fn credential(namespace: &str, name: &str) -> String {
    if name.starts_with(BUILT_IN) {
        return BUILT_IN.to_owned();
    }
    format!("kubernetes-gateway://{namespace}/{name}")
}

impl Context<'_> {
    /// The settings of a listener's `tls`.
    pub(super) fn build(&self, listener: &Listener, tls: &ListenerTls) -> Result<ServerTlsSettings, Problem> {
        let mut settings = ServerTlsSettings::default();
        match tls.mode.as_deref().unwrap_or("Terminate") {
            "Terminate" => match self.terminate(listener, tls)? {
                Terminated::Mesh(settings) => return Ok(settings),
                Terminated::Secrets(secrets) => settings = secrets,
            },
            _ if is_auto_passthrough(&self.gateway.meta.labels, listener) => {
                settings.mode = ServerTlsMode::AutoPassthrough;
            }
            _ => {}
        }
        if let Some(suites) = tls.options.get(CIPHER_SUITES_OPTION) {
            settings.cipher_suites = suites
                .split(',')
                .map(str::trim)
                .filter(|suite| !suite.is_empty())
                .map(str::to_owned)
                .collect();
        }
        Ok(settings)
    }

    fn terminate(&self, listener: &Listener, tls: &ListenerTls) -> Result<Terminated, Problem> {
        let mut settings = ServerTlsSettings { mode: ServerTlsMode::Simple, ..ServerTlsSettings::default() };
        match tls.options.get(MODE_OPTION) {
            Some("MUTUAL") => settings.mode = ServerTlsMode::Mutual,
            Some("OPTIONAL_MUTUAL") => settings.mode = ServerTlsMode::OptionalMutual,
            Some("ISTIO_SIMPLE") => {
                settings.credential_name = BUILT_IN.to_owned();
                return Ok(Terminated::Mesh(settings));
            }
            Some("ISTIO_MUTUAL") => {
                settings.mode = ServerTlsMode::IstioMutual;
                return Ok(Terminated::Mesh(settings));
            }
            _ => {}
        }
        if tls.certificate_refs.len() > 2 {
            return Err(other("more than two certificates"));
        }
        let found: Vec<_> =
            tls.certificate_refs.iter().map(|reference| self.certificate(reference)).collect();
        let usable = found.iter().filter(|certificate| certificate.is_ok()).count();
        match usable {
            0 => {
                if let Some(problem) = found.into_iter().find_map(Result::err) {
                    return Err(problem);
                }
                return Ok(Terminated::Secrets(settings));
            }
            // As in Istio the first place counts, even where the usable certificate stands second.
            1 => settings.credential_name = found.into_iter().next().and_then(Result::ok).unwrap_or_default(),
            _ => settings.credential_names = found.into_iter().map(Result::unwrap_or_default).collect(),
        }
        self.check_clients(listener, &mut settings, tls)?;
        Ok(Terminated::Secrets(settings))
    }

    fn certificate(&self, reference: &ObjectReference) -> Result<String, Problem> {
        let namespace = self.namespace(reference);
        self.granted("Secret", namespace, &reference.name, "certificateRef")?;
        if !is_core(reference) || reference.kind.as_deref().is_some_and(|kind| kind != "Secret") {
            return Err(other(format!("certificateRef `{}` is not a Secret", reference.name)));
        }
        let secret = self.secret(namespace, &reference.name).ok_or_else(|| {
            let problem = other(format!("certificateRef `{namespace}/{}` names no Secret", reference.name));
            Problem { missing: Some(Missing::object("Secret", namespace, &reference.name)), ..problem }
        })?;
        let is_pair =
            |certificate: &str, key: &str| secret.spec.has_pem(certificate) && secret.spec.has_pem(key);
        if is_pair("tls.crt", "tls.key") || is_pair("cert", "key") {
            return Ok(credential(namespace, &reference.name));
        }
        Err(other(format!("Secret `{namespace}/{}` holds no certificate with its key", reference.name)))
    }

    /// `spec.tls.frontend` of the Gateway: certificates of clients.
    fn check_clients(
        &self,
        listener: &Listener,
        settings: &mut ServerTlsSettings,
        tls: &ListenerTls,
    ) -> Result<(), Problem> {
        let Some(validation) = self.frontend(listener.port).and_then(|found| found.validation.as_ref())
        else {
            return Ok(());
        };
        let reference = match validation.ca_certificate_refs.as_slice() {
            [] => return Ok(()),
            [only] => only,
            _ => return Err(other("more than one caCertificateRef")),
        };
        let namespace = self.namespace(reference);
        let kind = reference.kind.as_deref().unwrap_or_default();
        let target = if kind == "Secret" { "Secret" } else { "ConfigMap" };
        self.granted(target, namespace, &reference.name, "caCertificateRef")?;
        let scheme = match (is_core(reference), kind) {
            (true, "ConfigMap") if self.config_map_has_root(namespace, &reference.name) => "configmap",
            (true, "Secret") if self.secret_has_root(namespace, &reference.name) => "kubernetes-gateway",
            (true, "ConfigMap" | "Secret") => {
                let problem =
                    other(format!("caCertificateRef `{namespace}/{}` holds no authority", reference.name));
                let missing = Missing::object(kind, namespace, &reference.name);
                return Err(Problem { missing: Some(missing), ..problem });
            }
            _ => {
                return Err(other(format!(
                    "caCertificateRef `{}` is no Secret or ConfigMap",
                    reference.name
                )));
            }
        };
        settings.ca_cert_credential_name = format!("{scheme}://{namespace}/{}-cacert", reference.name);
        let is_insecure = validation.mode == "AllowInsecureFallback";
        settings.mode = if is_insecure { ServerTlsMode::OptionalMutual } else { ServerTlsMode::Mutual };
        settings.insecure_skip_verify = Some(is_insecure);
        match tls.options.get(MODE_OPTION) {
            Some("MUTUAL") => settings.mode = ServerTlsMode::Mutual,
            Some("OPTIONAL_MUTUAL") => settings.mode = ServerTlsMode::OptionalMutual,
            _ => return Ok(()),
        }
        settings.insecure_skip_verify = Some(false);
        Ok(())
    }

    fn frontend(&self, port: u16) -> Option<&FrontendTlsConfig> {
        let frontend = self.gateway.spec.spec.tls.as_ref()?.frontend.as_ref()?;
        let of_port = frontend.per_port.iter().find(|found| found.port == port);
        Some(of_port.map_or(&frontend.default, |found| &found.tls))
    }

    fn granted(&self, kind: &str, namespace: &str, name: &str, field: &str) -> Result<(), Problem> {
        let target = Target { kind, namespace, name };
        if self.grants.allow("Gateway", &self.gateway.meta.namespace, target) {
            return Ok(());
        }
        let message = format!("{field} `{namespace}/{name}` is not granted to gateways of this namespace");
        Err(Problem { is_grant: true, message, missing: None })
    }

    fn namespace<'r>(&'r self, reference: &'r ObjectReference) -> &'r str {
        reference.namespace.as_deref().unwrap_or(&self.gateway.meta.namespace)
    }

    fn secret(&self, namespace: &str, name: &str) -> Option<&Arc<Object<Secret>>> {
        let is_it =
            |meta: &mesh_model::object::ObjectMeta| *meta.namespace == *namespace && *meta.name == *name;
        self.config.secrets.iter().find(|secret| is_it(&secret.meta))
    }

    fn secret_has_root(&self, namespace: &str, name: &str) -> bool {
        let keys = ["ca.crt", "cacert"];
        self.secret(namespace, name).is_some_and(|secret| keys.iter().any(|key| secret.spec.has_pem(key)))
    }

    fn config_map_has_root(&self, namespace: &str, name: &str) -> bool {
        has_root(self.config, namespace, name)
    }
}

enum Terminated {
    /// The mesh's own certificates: nothing else is read.
    Mesh(ServerTlsSettings),
    /// Certificates from Secrets.
    Secrets(ServerTlsSettings),
}

/// Whether a ConfigMap holds certificates of authorities.
pub(super) fn has_root(config: &ConfigSet, namespace: &str, name: &str) -> bool {
    let is_it = |meta: &mesh_model::object::ObjectMeta| *meta.namespace == *namespace && *meta.name == *name;
    let found = config.config_maps.iter().find(|map| is_it(&map.meta));
    let keys = ["ca.crt", "cacert"];
    found.is_some_and(|map| {
        keys.iter().any(|key| map.spec.data.get(*key).is_some_and(|text| text.contains("-----BEGIN ")))
    })
}

fn is_core(reference: &ObjectReference) -> bool {
    reference.group.as_deref().is_none_or(str::is_empty)
}

fn other(message: impl Into<String>) -> Problem {
    Problem { is_grant: false, message: message.into(), missing: None }
}
