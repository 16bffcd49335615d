//! What extensions of Istio's proxies leave for logs: the workloads on both sides as filter state, services and workloads
//! as metadata.
// Facts: istio/proxy extensions/common/metadata_object.cc; istio/istio pilot/pkg/networking/util (`BuildConfigInfoMetadata`,
// `AppendLbEndpointMetadata`), pilot/pkg/networking/core/cluster_builder.go (`addIstioMetadata`).

use serde_json::{Map, Value, json};

use super::value::text;
use crate::telemetry::peer::Peer;
use crate::telemetry::record::Record;

/// A workload of filter state, and how it is told. Envoy: `FILTER_STATE(KEY:FORM:FIELD)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PeerState {
    /// `None`: a key that nobody sets.
    pub(super) side: Option<PeerSide>,
    pub(super) form: StateForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeerSide {
    Downstream,
    Upstream,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StateForm {
    Plain,
    Typed,
    Field(String),
}

/// The fields of a workload in the order in which they are told as text.
const FIELDS: [&str; 9] =
    ["type", "workload", "name", "cluster", "namespace", "service", "revision", "app", "version"];

impl PeerSide {
    /// By the key of filter state.
    pub(crate) fn of(key: &str) -> Option<Self> {
        match key {
            "downstream_peer" | "downstream_peer_obj" => Some(Self::Downstream),
            "upstream_peer" | "upstream_peer_obj" => Some(Self::Upstream),
            _ => None,
        }
    }

    /// What its workload says of itself; `None`: it says nothing.
    pub(crate) fn object(self, record: &Record) -> Option<Value> {
        self.peer(record).map(object)
    }

    fn peer(self, record: &Record) -> Option<&Peer> {
        match self {
            Self::Downstream => record.downstream_peer.as_deref(),
            Self::Upstream => record.upstream_peer.as_deref(),
        }
    }
}

impl PeerState {
    pub(super) fn write(&self, record: &Record, out: &mut String) -> bool {
        let Some(peer) = self.side.and_then(|side| side.peer(record)) else { return false };
        match &self.form {
            StateForm::Plain => {
                let fields = FIELDS.iter().filter_map(|name| Some(format!("{name}={}", peer.field(name)?)));
                text(&fields.collect::<Vec<_>>().join(","), out)
            }
            StateForm::Typed => text(&object(peer).to_string(), out),
            StateForm::Field(name) => match (peer.field(name), &**name) {
                (Some(value), _) => text(value, out),
                (None, "type") => text("unknown", out),
                (None, name) => FIELDS.contains(&name),
            },
        }
    }

    /// `None`: it is a text.
    pub(super) fn structured(&self, record: &Record) -> Option<Option<Value>> {
        let is_typed = self.form == StateForm::Typed;
        is_typed.then(|| self.side.and_then(|side| side.object(record)))
    }
}

fn object(peer: &Peer) -> Value {
    let fields = FIELDS.iter().chain(&["identity"]);
    Value::Object(fields.filter_map(|name| Some(((*name).to_owned(), peer.field(name)?.into()))).collect())
}

/// Metadata under a name, and a path in it. Envoy: `CLUSTER_METADATA(NAMESPACE:KEY*)` and its like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) of: MetadataOf,
    pub(super) path: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetadataOf {
    Cluster,
    Endpoint,
    /// Of a listener, a route, filters: nothing of it is known of a record.
    Other,
}

impl Metadata {
    pub(super) fn of(of: MetadataOf, path: &str) -> Self {
        Self { of, path: path.split(':').map(str::to_owned).collect() }
    }

    pub(super) fn json(&self, record: &Record) -> Option<Value> {
        let ["istio", path @ ..] = &*self.path.iter().map(String::as_str).collect::<Vec<_>>() else {
            return None;
        };
        let all = match self.of {
            MetadataOf::Cluster => cluster(record)?,
            MetadataOf::Endpoint => endpoint(record)?,
            MetadataOf::Other => return None,
        };
        path.iter().try_fold(Value::Object(all), |value, key| match value {
            Value::Object(mut fields) => fields.remove(*key),
            _ => None,
        })
    }

    pub(super) fn write(&self, record: &Record, out: &mut String) -> bool {
        match self.json(record) {
            None => false,
            Some(Value::String(value)) => text(&value, out),
            Some(value) => text(&value.to_string(), out),
        }
    }
}

/// The service that a cluster stands for: noted beside it, or the one of its name (`outbound|80|v1|a.b.svc.cluster.local`).
fn cluster(record: &Record) -> Option<Map<String, Value>> {
    let mut all = Map::new();
    let mut parts = record.cluster.as_deref()?.split('|').skip(2);
    let (subset, host) = (parts.next(), parts.next().filter(|host| !host.is_empty()));
    let service = match (&record.service, host) {
        (Some(service), _) => {
            json!({"host": &*service.host, "name": &*service.name, "namespace": &*service.namespace})
        }
        (None, Some(host)) => {
            let mut labels = host.split('.');
            let (name, namespace) = (labels.next(), labels.next());
            json!({"host": host, "name": name.unwrap_or_default(), "namespace": namespace.unwrap_or_default()})
        }
        (None, None) => return None,
    };
    all.insert("services".to_owned(), json!([service]));
    if let Some(subset) = subset.filter(|subset| !subset.is_empty()) {
        all.insert("subset".to_owned(), subset.into());
    }
    Some(all)
}

fn endpoint(record: &Record) -> Option<Map<String, Value>> {
    let names = record.upstream_workload.as_ref()?;
    let parts = [&names.workload, &names.namespace, &names.service, &names.revision, &names.cluster];
    let text = parts.map(|part| &**part).join(";");
    Some(Map::from_iter([("workload".to_owned(), text.into())]))
}
