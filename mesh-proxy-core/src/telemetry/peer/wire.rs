//! A peer in bytes: a `google.protobuf.Struct`, in base64 as the value of a header.

use std::collections::BTreeMap;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost::Message;

use super::{Peer, kind_of};

/// Base64 as Envoy reads and writes it: with padding, which need not be there.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// The longest that is read, in bytes: what a workload says of itself is some hundreds.
pub(crate) const BYTES_MAX: usize = 16 * 1024;
/// The longest name that is kept of it, in bytes: names of Kubernetes are no longer.
const NAME_BYTES_MAX: usize = 253;
const CANONICAL_NAME: &str = "service.istio.io/canonical-name";
const CANONICAL_REVISION: &str = "service.istio.io/canonical-revision";

/// What was sent says nothing of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no metadata of a workload")]
pub(crate) struct Malformed;

/// `google.protobuf.Struct`, as far as it is read and written here: maps keep their order, and so their bytes.
#[derive(Clone, PartialEq, prost::Message)]
struct Fields {
    #[prost(btree_map = "string, message", tag = "1")]
    fields: BTreeMap<String, Value>,
}

/// `google.protobuf.Value`
#[derive(Clone, PartialEq, prost::Message)]
struct Value {
    #[prost(string, optional, tag = "3")]
    text: Option<String>,
    #[prost(message, optional, tag = "5")]
    fields: Option<Fields>,
}

/// `google.protobuf.Any`
#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

const STRUCT: &str = "type.googleapis.com/google.protobuf.Struct";
const METADATA: &str = "x-envoy-peer-metadata";
const METADATA_ID: &str = "x-envoy-peer-metadata-id";

impl Value {
    fn of_text(text: &str) -> Self {
        Self { text: Some(text.to_owned()), fields: None }
    }

    fn of_map(fields: Fields) -> Self {
        Self { text: None, fields: Some(fields) }
    }
}

impl Peer {
    /// The value of the header that tells it.
    pub(crate) fn to_header(&self) -> String {
        BASE64.encode(self.fields().encode_to_vec())
    }

    /// Read from the value of a header.
    ///
    /// # Errors
    /// The value says nothing of a workload.
    pub(crate) fn from_header(value: &[u8]) -> Result<Self, Malformed> {
        if value.len() > BYTES_MAX {
            return Err(Malformed);
        }
        let bytes = BASE64.decode(value).map_err(|_| Malformed)?;
        Ok(Self::read(&Fields::decode(&*bytes).map_err(|_| Malformed)?))
    }

    /// The message that goes before the bytes of a connection, with the name of the proxy that sends it.
    pub(crate) fn to_message(&self, id: &str) -> Vec<u8> {
        let mut fields = Fields::default();
        fields.fields.insert(METADATA.to_owned(), Value::of_map(self.fields()));
        fields.fields.insert(METADATA_ID.to_owned(), Value::of_text(id));
        Any { type_url: STRUCT.to_owned(), value: fields.encode_to_vec() }.encode_to_vec()
    }

    /// Read from such a message; `None`: it tells of no workload.
    ///
    /// # Errors
    /// It is no such message.
    pub(crate) fn from_message(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let any = Any::decode(bytes).map_err(|_| Malformed)?;
        let fields = Fields::decode(&*any.value).map_err(|_| Malformed)?;
        let metadata = fields.fields.get(METADATA).and_then(|value| value.fields.as_ref());
        Ok(metadata.map(Self::read))
    }

    fn fields(&self) -> Fields {
        let texts = |pairs: &[(&str, &str)]| -> BTreeMap<String, Value> {
            let pairs = pairs.iter().filter(|(_, text)| !text.is_empty());
            pairs.map(|(key, text)| ((*key).to_owned(), Value::of_text(text))).collect()
        };
        let labels = texts(&[
            (CANONICAL_NAME, &self.service),
            (CANONICAL_REVISION, &self.revision),
            ("app", &self.app),
            ("version", &self.version),
        ]);
        let mut fields = texts(&[
            ("NAME", &self.instance),
            ("NAMESPACE", &self.namespace),
            ("WORKLOAD_NAME", &self.workload),
            ("CLUSTER_ID", &self.cluster),
            ("IDENTITY", &self.identity),
            ("OWNER", self.owner().as_deref().unwrap_or_default()),
            ("REGION", &self.region),
            ("AVAILABILITY_ZONE", &self.zone),
        ]);
        fields.insert("LABELS".to_owned(), Value::of_map(Fields { fields: labels }));
        Fields { fields }
    }

    fn read(fields: &Fields) -> Self {
        let text = |of: &Fields, key: &str| -> Option<Box<str>> {
            Some(cut(of.fields.get(key)?.text.as_deref().unwrap_or_default()))
        };
        let field = |key| text(fields, key).unwrap_or_default();
        let none = Fields::default();
        let labels = fields.fields.get("LABELS").and_then(|labels| labels.fields.as_ref()).unwrap_or(&none);
        let label = |key, other| {
            let named = text(labels, key).filter(|name| !name.is_empty());
            named.or_else(|| text(labels, other)).unwrap_or_default()
        };
        let workload = field("WORKLOAD_NAME");
        Self {
            kind: kind_of(&field("OWNER"), &workload),
            instance: field("NAME"),
            namespace: field("NAMESPACE"),
            cluster: field("CLUSTER_ID"),
            service: text(labels, CANONICAL_NAME).unwrap_or_default(),
            revision: text(labels, CANONICAL_REVISION).unwrap_or_default(),
            app: label("app.kubernetes.io/name", "app"),
            version: label("app.kubernetes.io/version", "version"),
            identity: field("IDENTITY"),
            region: field("REGION"),
            zone: field("AVAILABILITY_ZONE"),
            workload,
        }
    }
}

/// The beginning of a name that is too long to be one.
fn cut(text: &str) -> Box<str> {
    let end = (0..=NAME_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    end.and_then(|end| text.get(..end)).unwrap_or_default().into()
}

#[cfg(test)]
mod tests;
