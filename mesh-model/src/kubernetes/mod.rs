//! The Kubernetes objects that a mesh looks at, cut down to what it reads.
//!
//! A field that is not here is not a problem as long as the API has it (`kind_table` knows its names). Each holds the whole document without
//! `apiVersion`, `kind` and `metadata`, so `spec` and `status` are fields.

pub mod config_map;
pub mod custom_resource_definition;
pub mod deployment;
pub mod endpoint_slice;
pub mod endpoints;
pub mod ingress;
pub mod injection;
pub mod int_or_string;
pub mod namespace;
pub mod node;
pub mod open_enum;
pub mod pod;
pub mod secret;
pub mod service;
pub mod service_account;
pub mod webhook_configuration;

pub use config_map::ConfigMap;
pub use custom_resource_definition::CustomResourceDefinition;
pub use deployment::Deployment;
pub use endpoint_slice::EndpointSlice;
pub use endpoints::Endpoints;
pub use ingress::{Ingress, IngressClass};
pub use injection::{SidecarAnnotations, SidecarResources};
pub use int_or_string::IntOrString;
pub use namespace::Namespace;
pub use node::Node;
pub use pod::Pod;
pub use secret::Secret;
pub use service::{Protocol, Service};
pub use service_account::ServiceAccount;
pub use webhook_configuration::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};

use crate::part::is_default;

/// What an object points at (`targetRef`). API: core/v1 `ObjectReference`.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct ObjectReference {
    /// `Pod`, `Node` or another kind.
    #[serde(skip_serializing_if = "is_default")]
    pub kind: String,
    /// Namespace of the object; empty for cluster-scoped kinds.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Name of the object.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
}

#[cfg(test)]
mod tests;
