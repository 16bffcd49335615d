//! `status` of Istio kinds: what a control plane says about an object.
// Spec: istio/api meta/v1alpha1/status.proto, analysis/v1alpha1/message.proto.

use serde::{Deserialize, Deserializer, Serialize};

use super::is_default;
use super::proto_enum::proto_enum;
use crate::document::Document;

/// The status of an object; nothing is decided by it. API: meta/v1alpha1 `IstioStatus`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct IstioStatus {
    /// What is true of the object now.
    #[serde(skip_serializing_if = "is_default")]
    pub conditions: Vec<IstioCondition>,
    /// What the control plane found wrong with it.
    #[serde(skip_serializing_if = "is_default")]
    pub validation_messages: Vec<AnalysisMessage>,
    /// The generation that this was said about.
    #[serde(skip_serializing_if = "is_default", deserialize_with = "int64")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "int_or_string"))]
    pub observed_generation: i64,
}

/// One fact about an object. API: meta/v1alpha1 `IstioCondition`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct IstioCondition {
    /// What it is about, such as `Reconciled`.
    #[serde(skip_serializing_if = "is_default")]
    pub r#type: String,
    /// `True`, `False`, `Unknown`.
    #[serde(skip_serializing_if = "is_default")]
    pub status: String,
    /// When it was last looked at, RFC 3339.
    #[serde(skip_serializing_if = "is_default")]
    #[cfg_attr(feature = "schema", schemars(extend("format" = "date-time")))]
    pub last_probe_time: Option<String>,
    /// When it last changed, RFC 3339.
    #[serde(skip_serializing_if = "is_default")]
    #[cfg_attr(feature = "schema", schemars(extend("format" = "date-time")))]
    pub last_transition_time: Option<String>,
    /// Why, in one word.
    #[serde(skip_serializing_if = "is_default")]
    pub reason: String,
    /// Why, for people.
    #[serde(skip_serializing_if = "is_default")]
    pub message: String,
    /// The generation that this was said about.
    #[serde(skip_serializing_if = "is_default", deserialize_with = "int64")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "int_or_string"))]
    pub observed_generation: i64,
}

/// A finding of Istio's analysis. API: analysis/v1alpha1 `AnalysisMessageBase`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct AnalysisMessage {
    /// Which one.
    #[serde(skip_serializing_if = "is_default")]
    pub r#type: Option<AnalysisMessageType>,
    /// How bad it is.
    #[serde(skip_serializing_if = "is_default")]
    pub level: AnalysisLevel,
    /// Where it is explained.
    #[serde(skip_serializing_if = "is_default")]
    pub documentation_url: String,
}

/// Name and code of a finding. API: analysis/v1alpha1 `AnalysisMessageBase.Type`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct AnalysisMessageType {
    /// `ReferencedResourceNotFound`.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// `IST0101`.
    #[serde(skip_serializing_if = "is_default")]
    pub code: String,
}

proto_enum! {
    /// How bad a finding is. API: analysis/v1alpha1 `AnalysisMessageBase.Level`.
    pub enum AnalysisLevel {
        /// Not said.
        Unknown = "UNKNOWN" = 0,
        /// It does not work.
        Error = "ERROR" = 3,
        /// It may not do what is meant.
        Warning = "WARNING" = 8,
        /// Good to know.
        Info = "INFO" = 12,
    }
}

impl IstioStatus {
    /// The status in a document of an Istio kind; `None` where there is none that can be read.
    pub fn of(document: &Document) -> Option<Self> {
        serde_json::from_value(document.root().get("status")?.to_json()).ok()
    }
}

/// protobuf's JSON form writes 64 bits as text and reads numbers too.
fn int64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(i64),
        Text(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Number(number) => Ok(number),
        Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}

#[cfg(feature = "schema")]
fn int_or_string(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": ["integer", "string"]})
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::document::{Source, Span};

    fn status_of(status: &serde_json::Value) -> Option<IstioStatus> {
        let source = Source { file: "a.yaml".into(), cluster: "Kubernetes".into() };
        IstioStatus::of(&Document::from_json(source, 0, &json!({"status": status}), Span::default()))
    }

    #[test]
    fn a_status_is_read_with_numbers_in_either_form() {
        let read = status_of(&json!({
            "observedGeneration": "7",
            "conditions": [{"type": "Reconciled", "status": "True", "lastProbeTime": null, "observedGeneration": 7}],
            "validationMessages": [{"type": {"name": "Deprecated", "code": "IST0002"}, "level": "WARNING"}],
        }))
        .unwrap();
        assert_eq!((read.observed_generation, read.conditions[0].observed_generation), (7, 7));
        assert_eq!(read.validation_messages[0].level, AnalysisLevel::Warning);
    }

    #[test]
    fn what_is_no_status_is_none() {
        assert_eq!(status_of(&json!("ready")), None);
        assert_eq!(status_of(&json!({"observedGeneration": "x"})), None);
    }
}
