//! The one table of kinds: which documents become which typed objects.

mod api_fields;
mod former;
mod make;
mod refuse;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::sync::Arc;

use crate::diagnostic::{Report, Severity, Stage};
use crate::document::{Document, TextAtRest};
use crate::extensions::{traffic_extension::TrafficExtension, wasm_plugin::WasmPlugin};
use crate::gateway_api::{
    self, BackendTlsPolicy, GatewayClass, GrpcRoute, KubernetesGateway, ReferenceGrant, TcpRoute, TlsRoute,
};
use crate::kubernetes::{
    config_map::ConfigMap,
    custom_resource_definition::CustomResourceDefinition,
    deployment::Deployment,
    endpoint_slice::EndpointSlice,
    endpoints::Endpoints,
    ingress::{Ingress, IngressClass},
    namespace::Namespace,
    node::Node as KubernetesNode,
    pod::Pod,
    secret::Secret,
    service::Service,
    service_account::ServiceAccount,
    webhook_configuration::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
};
use crate::mesh_config::MeshNetworks;
use crate::networking::{
    destination_rule::spec::DestinationRule, envoy_filter::spec::EnvoyFilter, gateway::spec::Gateway,
    proxy_config::spec::ProxyConfig, service_entry::spec::ServiceEntry, sidecar::spec::Sidecar,
    virtual_service::spec::VirtualService, workload_entry::spec::WorkloadEntry,
    workload_group::spec::WorkloadGroup,
};
#[cfg(feature = "schema")]
use crate::object::Body;
use crate::object::{Head, Header, Kind, ObjectMeta, ResourceKey};
use crate::origin::Provenance;
use crate::security::{
    authorization_policy::AuthorizationPolicy, peer_authentication::PeerAuthentication,
    request_authentication::RequestAuthentication,
};
use crate::store::{Applied, Known, Mode, Refusal, Stamp, Store, version_number};
use crate::telemetry::Telemetry;
pub(crate) use make::Prepared;
use make::{Made, find_unknown_kind, identity, make, raw_head, read_head};
use refuse::refuse;

/// How unknown fields of Istio kinds are treated (T-002).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Strictness {
    /// An error: the object is not taken in. So is a field in `snake_case`, as for the API server.
    Strict,
    /// A warning: the field is left out, as Istio's webhook does. In kinds that protect
    /// ([`Kind::fails_closed`]) it is an error all the same (S-393).
    #[default]
    Lenient,
}

/// Whether errors of validation keep an object out; what cannot be read always stays out.
/// Ours: both are wanted, the webhook's answer and what a mesh makes of an object that came past it.
///
/// Istio's webhook refuses what its validation refuses, but objects also reach the control plane past it: written before
/// the webhook was installed, or by Istio itself. The control plane then acts on them as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Admission {
    /// They do, as at Istio's webhook: the last good version stays in force.
    #[default]
    Refuse,
    /// They do not: the errors are reported, the object is in force, as in a control plane that was handed it.
    Accept,
}

impl Admission {
    /// Whether an object with these findings stays out.
    fn keeps_out(self, report: &Report) -> bool {
        report.iter().any(|found| {
            found.severity == Severity::Error && (self == Self::Refuse || found.code.stage() == Stage::Read)
        })
    }
}

/// What `metadata.resourceVersion` is good for. API: meta/v1 `ObjectMeta.resourceVersion`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Versions {
    /// Nothing: the last document counts, as with files.
    #[default]
    Ignore,
    /// Where both are numbers, a document with a smaller one than the newest seen is left out: for streams of changes
    /// that may arrive late or twice. A removal forgets the versions seen.
    SkipOlder,
}

/// How documents are taken in. Ours: what is decided once for a batch stands together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ApplyOptions {
    /// Fields that are not known.
    pub strictness: Strictness,
    /// Errors of validation.
    pub admission: Admission,
    /// Late documents.
    pub versions: Versions,
    /// The time, in seconds since 1970, that versions and refusals of this batch are dated with.
    pub now: Option<i64>,
    /// Documents of a large batch are read on so many threads at once; 0 and 1: on the caller's. The outcome is the same.
    pub threads: usize,
    /// How the texts of objects in force are kept: packed ones take less memory and a little more time.
    pub texts: TextAtRest,
}

impl ApplyOptions {
    /// What of it changes how a document is read.
    fn mode(self) -> Mode {
        (self.strictness as u8) << 1 | self.admission as u8
    }
}

impl From<Strictness> for ApplyOptions {
    fn from(strictness: Strictness) -> Self {
        Self { strictness, ..Self::default() }
    }
}

macro_rules! kinds {
    ($($field:ident: $type:ty,)*) => {
        /// All objects of a mesh, typed. Each is found by group, kind, namespace and name (T-001, T-003).
        #[derive(Debug, Clone, Default)]
        pub struct ConfigSet {
            $(
                #[doc = concat!("Objects of kind `", stringify!($type), "`.")]
                pub $field: Store<$type>,
            )*
            /// The networks of the mesh (T-314, T-315). They are a bare message beside the objects; the default is none.
            pub mesh_networks: Arc<MeshNetworks>,
            revision: u64,
            /// That of the last document.
            namespace: Arc<str>,
        }

        /// Kind, group, served versions (storage version first), whether it is namespaced: every kind that is read.
        pub const KINDS: &[(&str, &str, &[&str], bool)] =
            &[$((<$type>::KIND, <$type>::GROUP, <$type>::VERSIONS, <$type>::NAMESPACED),)*];

        /// What a kind's type looks like, and which part of a document it holds.
        #[cfg(feature = "schema")]
        pub(crate) fn schema_of(
            kind: &str,
            group: &str,
            generator: &mut schemars::SchemaGenerator,
        ) -> Option<(Body, schemars::Schema)> {
            use schemars::JsonSchema as _;
            $(
                if kind == <$type>::KIND && group == <$type>::GROUP {
                    return Some((<$type>::BODY, <$type>::json_schema(generator)));
                }
            )*
            None
        }

        impl ConfigSet {
            /// Everything that can be done with a document before it is its turn: it is read and checked, unless it is in
            /// force already.
            pub(crate) fn prepare(&self, document: &Arc<Document>, options: ApplyOptions) -> Prepared {
                let mut report = Report::new();
                let Some(header) = Self::read_usable_head(document, options, FINDINGS_MAX, &mut report) else {
                    return Prepared { header: None, report, made: None };
                };
                $(
                    if header.kind == <$type>::KIND && header.group == <$type>::GROUP {
                        let (meta, key) = identity::<$type>(header.meta.clone());
                        let is_known = self.$field.is_in_force(&key, document, options.mode());
                        let made = (!is_known).then(|| make::<$type>(document, meta, &header.version, options));
                        let made = made.map(|made| Box::new(made) as Box<dyn Any + Send>);
                        return Prepared { header: Some(header), report, made };
                    }
                )*
                Prepared { header: Some(header), report, made: None }
            }

            /// A document's head. One that has errors spoils the document; what else is wrong with it is found all the same.
            fn read_usable_head(
                document: &Arc<Document>,
                options: ApplyOptions,
                room: usize,
                found: &mut Report,
            ) -> Option<Header> {
                let header = match read_head(document, options.admission, room, found) {
                    Head::Good(header) => return Some(header),
                    Head::Bad(header) => header,
                    Head::Unknown => return None,
                };
                $(
                    if header.kind == <$type>::KIND && header.group == <$type>::GROUP {
                        let (meta, _) = identity::<$type>(header.meta);
                        found.merge(make::<$type>(document, meta, &header.version, options).report);
                        return None;
                    }
                )*
                None
            }

            /// Takes a document in. What was prepared of it is used, the rest is done now.
            pub(crate) fn upsert(
                &mut self,
                document: &Arc<Document>,
                prepared: Option<Prepared>,
                options: ApplyOptions,
                stamp: Stamp,
                applied: &mut Applied,
            ) -> Option<Taken> {
                let (header, made, found) = match prepared {
                    Some(prepared) => (prepared.header, prepared.made, prepared.report),
                    None => {
                        let mut found = Report::new();
                        // A refusal needs a reason, however many findings there are already.
                        let room = FINDINGS_MAX.saturating_sub(applied.report.len()).max(1);
                        (Self::read_usable_head(document, options, room, &mut found), None, found)
                    }
                };
                let Some(mut header) = header else {
                    let header = raw_head(document);
                    $(
                        if header.kind == <$type>::KIND && header.group == <$type>::GROUP {
                            refuse(&mut self.$field, document, header.meta, found, stamp, applied);
                            return None;
                        }
                    )*
                    applied.report.merge(found);
                    return None;
                };
                applied.report.merge(found);
                self.share_namespace(&mut header.meta);
                $(
                    if header.kind == <$type>::KIND && header.group == <$type>::GROUP {
                        let made = made.and_then(|made| made.downcast().ok()).map(|made| *made);
                        return read_into(&mut self.$field, document, header, made, options, stamp, applied);
                    }
                )*
                let room = FINDINGS_MAX.saturating_sub(applied.report.len());
                find_unknown_kind(document, &header, room, &mut applied.report);
                None
            }

            pub(crate) fn remove(&mut self, key: &ResourceKey) -> bool {
                $( if key.kind == <$type>::KIND && key.group == <$type>::GROUP { return self.$field.remove(key); } )*
                false
            }

            /// Where the object in force under a key was written, or what stands for it; `None`: there is neither.
            pub fn provenance(&self, key: &ResourceKey) -> Option<Arc<Provenance>> {
                $(
                    if key.kind == <$type>::KIND && key.group == <$type>::GROUP {
                        let found = self.$field.get(key).or_else(|| self.$field.stand_in(key));
                        return found.map(|object| Arc::clone(&object.provenance));
                    }
                )*
                None
            }

            /// Starts a batch of changes.
            pub(crate) fn next_batch(&mut self, at: Option<i64>) -> Stamp {
                self.revision += 1;
                Stamp { revision: self.revision, at }
            }

            /// Number of batches that were applied.
            pub fn revision(&self) -> u64 {
                self.revision
            }

            /// Objects of all kinds whose newest version was refused, kind by kind, in order.
            pub fn refusals(&self) -> impl Iterator<Item = (&ResourceKey, &Refusal)> {
                std::iter::empty() $( .chain(self.$field.refusals()) )*
            }

            /// Number of objects in force, all kinds together.
            pub fn len(&self) -> usize {
                0 $( + self.$field.len() )*
            }

            /// Whether nothing is in force.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Every object in force, of every kind: where it was written and its metadata.
            pub fn each_object<'a>(&'a self, visit: &mut dyn FnMut(&'a Provenance, &'a ObjectMeta)) {
                $( self.$field.iter().for_each(|object| visit(&object.provenance, &object.meta)); )*
            }
        }
    };
}

kinds! {
    virtual_services: VirtualService,
    destination_rules: DestinationRule,
    gateways: Gateway,
    service_entries: ServiceEntry,
    workload_entries: WorkloadEntry,
    sidecars: Sidecar,
    envoy_filters: EnvoyFilter,
    wasm_plugins: WasmPlugin,
    traffic_extensions: TrafficExtension,
    authorization_policies: AuthorizationPolicy,
    peer_authentications: PeerAuthentication,
    request_authentications: RequestAuthentication,
    workload_groups: WorkloadGroup,
    proxy_configs: ProxyConfig,
    telemetries: Telemetry,
    namespaces: Namespace,
    services: Service,
    pods: Pod,
    endpoint_slices: EndpointSlice,
    nodes: KubernetesNode,
    ingresses: Ingress,
    ingress_classes: IngressClass,
    secrets: Secret,
    config_maps: ConfigMap,
    deployments: Deployment,
    mutating_webhooks: MutatingWebhookConfiguration,
    validating_webhooks: ValidatingWebhookConfiguration,
    custom_resource_definitions: CustomResourceDefinition,
    endpoints: Endpoints,
    service_accounts: ServiceAccount,
    gateway_classes: GatewayClass,
    kubernetes_gateways: KubernetesGateway,
    http_routes: gateway_api::HttpRoute,
    grpc_routes: GrpcRoute,
    tls_routes: TlsRoute,
    tcp_routes: TcpRoute,
    reference_grants: ReferenceGrant,
    backend_tls_policies: BackendTlsPolicy,
}

impl ConfigSet {
    /// Documents that follow each other are most often of one namespace: its name is kept once, and told from itself by its
    /// address.
    fn share_namespace(&mut self, meta: &mut ObjectMeta) {
        if self.namespace == meta.namespace {
            meta.namespace = Arc::clone(&self.namespace);
        } else {
            self.namespace = Arc::clone(&meta.namespace);
        }
    }
}

/// Findings kept of one batch, those of one document more.
pub(crate) const FINDINGS_MAX: usize = 20_000;

/// A document that went into a store, or was refused there.
pub(crate) struct Taken {
    pub(crate) key: ResourceKey,
    /// Another document of its key that came in the same batch.
    pub(crate) earlier: Option<Arc<Document>>,
}

/// Puts a document of a known kind into its store; `made`: what it is, where that is known already.
fn read_into<S: Kind>(
    store: &mut Store<S>,
    document: &Arc<Document>,
    header: Header,
    made: Option<Made<S>>,
    options: ApplyOptions,
    stamp: Stamp,
    applied: &mut Applied,
) -> Option<Taken> {
    let (meta, key) = identity::<S>(header.meta);
    let version = meta.resource_version.as_deref().and_then(version_number);
    let ordered = version.filter(|_| options.versions == Versions::SkipOlder);
    match store.known(&key, document, options.mode(), ordered, stamp.revision) {
        Known::Outdated => {
            applied.outdated += 1;
            return None;
        }
        Known::InForce { findings, earlier } => {
            applied.unchanged += 1;
            applied.accepted += 1;
            applied.report.merge(findings.map(Arc::unwrap_or_clone).unwrap_or_default());
            return Some(Taken { key, earlier });
        }
        Known::New => {}
    }
    let Made { object, report } = made.unwrap_or_else(|| make::<S>(document, meta, &header.version, options));
    let meta = match object {
        Ok(object) if !options.admission.keeps_out(&report) => {
            applied.accepted += 1;
            applied.changed.insert(key.clone());
            let earlier = store.put(key.clone(), object, options.mode(), &report, stamp);
            applied.report.merge(report);
            return Some(Taken { key, earlier });
        }
        Ok(object) => object.meta,
        Err(meta) => meta,
    };
    refuse(store, document, meta, report, stamp, applied)
}
