//! The one table of kinds: which documents become which typed objects.

use std::sync::Arc;

use crate::check::{Checker, annotations::annotations};
use crate::decode::{DecodeOptions, Unknown, decode};
use crate::diagnostic::{Code, Diagnostic, Place, Report, ResourceRef, Severity, Stage, nearest};
use crate::document::{Document, Node, Span, Tree};
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
use crate::object::{Body, Kind, Object, ObjectMeta, ResourceKey};
use crate::object::{Header, Names, read_meta_as};
use crate::origin::Provenance;
use crate::security::{
    authorization_policy::AuthorizationPolicy, peer_authentication::PeerAuthentication,
    request_authentication::RequestAuthentication,
};
use crate::store::{Applied, Known, Mode, Refusal, Stamp, Store, version_number};
use crate::telemetry::Telemetry;

/// How unknown fields of Istio kinds are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Strictness {
    /// An error: the object is not taken in. So is a field in `snake_case`, as for the API server.
    Strict,
    /// A warning: the field is left out, as Istio's webhook does.
    #[default]
    Lenient,
}

/// Whether errors of validation keep an object out; what cannot be read always stays out.
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

/// What `metadata.resourceVersion` is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Versions {
    /// Nothing: the last document counts, as with files.
    #[default]
    Ignore,
    /// Where both are numbers, a document with a smaller one than the newest seen is left out: for streams of changes
    /// that may arrive late or twice. A removal forgets the versions seen.
    SkipOlder,
}

/// How documents are taken in.
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
        /// All objects of a mesh, typed.
        #[derive(Debug, Clone, Default)]
        pub struct ConfigSet {
            $(
                #[doc = concat!("Objects of kind `", stringify!($type), "`.")]
                pub $field: Store<$type>,
            )*
            /// The networks of the mesh (T-314, T-315). They are a bare message beside the objects; the default is none.
            pub mesh_networks: Arc<MeshNetworks>,
            revision: u64,
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
            pub(crate) fn upsert(
                &mut self,
                document: &Arc<Document>,
                options: ApplyOptions,
                stamp: Stamp,
                applied: &mut Applied,
            ) -> Option<ResourceKey> {
                let header = read_head(document, options.admission, applied)?;
                $(
                    if header.kind == <$type>::KIND && header.group == <$type>::GROUP {
                        return read_into(&mut self.$field, document, header, options, stamp, applied);
                    }
                )*
                applied.report.push(unknown_kind(document, &header));
                None
            }

            pub(crate) fn remove(&mut self, key: &ResourceKey) -> bool {
                $( if key.kind == <$type>::KIND && key.group == <$type>::GROUP { return self.$field.remove(key); } )*
                false
            }

            /// Where the object in force under a key was written; `None`: there is none.
            pub fn provenance(&self, key: &ResourceKey) -> Option<Arc<Provenance>> {
                $(
                    if key.kind == <$type>::KIND && key.group == <$type>::GROUP {
                        return self.$field.get(key).map(|object| Arc::clone(&object.provenance));
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

/// Reads a document's head. Of kinds that are not read, metadata is not asked for.
fn read_head(document: &Arc<Document>, admission: Admission, applied: &mut Applied) -> Option<Header> {
    let mut report = Report::new();
    let names = match admission {
        Admission::Refuse => Names::Checked,
        Admission::Accept => Names::AsWritten,
    };
    let header = read_meta_as(document, names, &mut report);
    let text = |name: &str| document.root().get(name).and_then(Node::as_str).filter(|text| !text.is_empty());
    if header.is_none()
        && let (Some(api_version), Some(kind)) = (text("apiVersion"), text("kind"))
    {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        if !KINDS.iter().any(|(known, of, ..)| *known == kind && *of == group) {
            let [group, version, kind] = [group, version, kind].map(str::to_owned);
            let header = Header { group, version, kind, meta: ObjectMeta::default() };
            applied.report.push(unknown_kind(document, &header));
            return None;
        }
    }
    applied.report.merge(report);
    header
}

/// Decodes and validates a document of a known kind and puts it into its store.
fn read_into<S: Kind>(
    store: &mut Store<S>,
    document: &Arc<Document>,
    header: Header,
    options: ApplyOptions,
    stamp: Stamp,
    applied: &mut Applied,
) -> Option<ResourceKey> {
    let mut meta = header.meta;
    if !S::NAMESPACED {
        meta.namespace = Arc::from("");
    }
    let key = ResourceKey {
        group: S::GROUP,
        kind: S::KIND,
        cluster: Arc::clone(&meta.cluster),
        namespace: Arc::clone(&meta.namespace),
        name: Arc::clone(&meta.name),
    };
    let version = meta.resource_version.as_deref().and_then(version_number);
    let ordered = version.filter(|_| options.versions == Versions::SkipOlder);
    match store.known(&key, document, options.mode(), ordered) {
        Known::Outdated => {
            applied.outdated += 1;
            return None;
        }
        Known::InForce(findings) => {
            applied.unchanged += 1;
            applied.accepted += 1;
            applied.report.merge(findings.map(Arc::unwrap_or_clone).unwrap_or_default());
            return Some(key);
        }
        Known::New => {}
    }
    let provenance = Arc::new(Provenance {
        kind: S::KIND,
        namespace: Arc::clone(&meta.namespace),
        name: Arc::clone(&meta.name),
        document: Arc::clone(document),
    });
    let mut report = Report::new();
    if !S::VERSIONS.contains(&header.version.as_str()) {
        let served = S::VERSIONS.join("`, `");
        report.push(
            Diagnostic::new(
                Code::UnsupportedVersion,
                Place::of(&provenance, "apiVersion"),
                format!("`{}` is not served in version `{}`", S::KIND, header.version),
            )
            .help(format!("served versions: `{served}`")),
        );
    }
    let spec = read_body::<S>(document, &provenance, options.strictness, &mut report);
    if let Some(spec) = spec {
        let object = Object { meta, spec, provenance: Arc::clone(&provenance) };
        if S::GROUP.ends_with(".istio.io") {
            annotations(&mut Checker::new(&object, &mut report), &object);
        }
        S::validate(&object, &mut report);
        if !options.admission.keeps_out(&report) {
            applied.accepted += 1;
            applied.changed.insert(key.clone());
            store.put(key.clone(), object, options.mode(), &report, stamp);
            applied.report.merge(report);
            return Some(key);
        }
    }
    let refusal = Refusal { document: Arc::clone(document), since: stamp, reasons: report.clone() };
    applied.report.merge(report);
    if store.refuse(&key, refusal, version) {
        applied.report.push(
            Diagnostic::new(
                Code::KeptLastGood,
                Place::of(&provenance, "metadata.name"),
                format!("`{}` has errors: its last good version stays in force", key.name),
            )
            .help("correct the errors of the newer version"),
        );
    }
    Some(key)
}

/// Reads the part of a document that a kind's type holds.
fn read_body<S: Kind>(
    document: &Arc<Document>,
    provenance: &Provenance,
    strictness: Strictness,
    report: &mut Report,
) -> Option<S> {
    let place = |path: &str, span: Span| {
        if span.line > 0 { Place::standing(provenance, path, span) } else { Place::of(provenance, path) }
    };
    match S::BODY {
        Body::Spec => {
            let unknown = match strictness {
                Strictness::Strict => Unknown::Schema,
                Strictness::Lenient => Unknown::Warning,
            };
            let options = DecodeOptions { protobuf: true, unknown };
            match document.root().get("spec").filter(|spec| !spec.is_null()) {
                Some(spec) => decode(spec, "spec", options, &place, report),
                None => {
                    let empty = Tree::empty_map(document.root().span());
                    decode(empty.root(), "spec", options, &place, report)
                }
            }
        }
        Body::Document => {
            let options = DecodeOptions { protobuf: false, unknown: Unknown::Ignore };
            decode(document.root(), "", options, &place, report)
        }
    }
}

/// A kind that is not in the table: one clear remark, or an error for a slip in an Istio kind.
fn unknown_kind(document: &Arc<Document>, header: &Header) -> Diagnostic {
    let resource = ResourceRef {
        kind: header.kind.clone(),
        namespace: header.meta.namespace.to_string(),
        name: header.meta.name.to_string(),
    };
    let group = if header.group.is_empty() { "the core group" } else { &header.group };
    let written = document.root().get("kind").map(|kind| kind.span()).unwrap_or_default();
    let diagnostic = Diagnostic::new(
        Code::UnknownKind,
        Place::in_document(document, resource, "kind").at(written),
        format!("kind `{}` of {group} is not supported yet: the document is left out", header.kind),
    );
    let same_group = KINDS.iter().filter(|(_, group, ..)| *group == header.group).map(|(kind, ..)| *kind);
    match nearest(&header.kind, same_group) {
        Some(kind) => diagnostic.severity(Severity::Error).help(format!("did you mean `{kind}`?")),
        None => match KINDS.iter().find(|(kind, ..)| *kind == header.kind) {
            Some((kind, group, versions, _)) if *group != header.group => {
                let version = versions.first().copied().unwrap_or_default();
                let api_version =
                    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
                diagnostic.help(format!("`{kind}` is read under apiVersion `{api_version}`"))
            }
            _ => diagnostic.help("nothing to do: it plays no part in what is found about the others"),
        },
    }
}
