//! `metav1.LabelSelector` as it is written.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::name::StringMap;
use crate::name::{self, SelectorOperator};

/// A choice of labels; an empty one takes all.
/// API: meta/v1 `LabelSelector`; MeshConfig has the same one, mesh/v1alpha1 `LabelSelector`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels with exactly these values.
    #[serde(skip_serializing_if = "StringMap::is_empty")]
    pub match_labels: StringMap,
    /// Further conditions, all of which must hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

/// A condition on one label. API: meta/v1 `LabelSelectorRequirement`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct LabelSelectorRequirement {
    /// The label.
    #[serde(skip_serializing_if = "is_default")]
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    #[serde(skip_serializing_if = "is_default")]
    pub operator: String,
    /// Values for `In` and `NotIn`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

impl LabelSelector {
    /// The selector ready to be asked; `None`: a condition is not well-formed, so that it takes nothing.
    pub fn compiled(&self) -> Option<name::LabelSelector> {
        let conditions = self.match_expressions.iter().map(|one| {
            let operator = SelectorOperator::parse(&one.operator, one.values.clone())?;
            Some(name::SelectorRequirement { key: one.key.clone(), operator })
        });
        Some(name::LabelSelector {
            match_labels: self.match_labels.clone(),
            match_expressions: conditions.collect::<Option<_>>()?,
        })
    }
}
