//! JSON Schemas of everything that is read, made from the types themselves. Spec: JSON Schema, draft 2020-12.
//!
//! The shape and the descriptions come from the types; what a type cannot say (required fields, bounds, patterns, fields
//! that exclude each other) comes from a [table of facts](facts) on the API beside this file. A test compares the two,
//! field by field.
//!
//! ```
//! use mesh_model::schema;
//!
//! let schema = schema::for_kind("WorkloadEntry").ok_or("no such kind")?;
//! assert_eq!(schema["properties"]["kind"]["const"], "WorkloadEntry");
//! assert_eq!(schema["properties"]["spec"]["properties"]["weight"]["type"], "integer");
//! # Ok::<(), &str>(())
//! ```
// Spec: https://json-schema.org/draft/2020-12.

mod describe;
mod facts;
mod fields;
mod gateway_api;
mod resource;
mod strict;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::Value;

pub use facts::{Fact, facts};
pub use fields::{Field, FieldType};

use crate::kind_table::{KINDS, schema_of};
use crate::mesh_config::{MeshConfig, MeshNetworks, ProxyConfig};
use crate::object::Body;
use crate::part::IstioStatus;

/// Something that has a schema. Ours: messages without a resource around them have schemas too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// `VirtualService`, or the name of a message: `MeshConfig`, `MeshNetworks`, `mesh.ProxyConfig`.
    pub kind: &'static str,
    /// `networking.istio.io`; empty for the core group and for messages.
    pub group: &'static str,
    /// Served versions, the storage version first; those of a message are the versions of its package.
    pub versions: &'static [&'static str],
    /// Whether it is an object with `apiVersion`, `kind` and `metadata`, or a message that stands alone.
    pub is_object: bool,
}

/// The messages that stand alone.
const MESSAGES: [&str; 3] = ["MeshConfig", "MeshNetworks", "mesh.ProxyConfig"];

impl Subject {
    /// `apiVersion` of an object, by version; empty for a message.
    pub fn api_versions(&self) -> Vec<String> {
        let Self { group, versions, is_object, kind: _ } = *self;
        let written = |version: &&str| {
            if group.is_empty() { (*version).to_owned() } else { format!("{group}/{version}") }
        };
        if is_object { versions.iter().map(written).collect() } else { Vec::new() }
    }

    /// Whether fields that it does not have are refused: Istio's kinds and messages, not those of Kubernetes.
    fn is_of_istio(&self) -> bool {
        !self.is_object || self.group.ends_with(".istio.io")
    }

    /// What its type says, before anything is added; the path of its fields.
    fn derived(&self) -> Option<(&'static str, Value)> {
        let mut generator: SchemaGenerator =
            SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into();
        let (path, schema) = match self.kind {
            "MeshConfig" => ("", MeshConfig::json_schema(&mut generator)),
            "MeshNetworks" => ("", MeshNetworks::json_schema(&mut generator)),
            "mesh.ProxyConfig" => ("", ProxyConfig::json_schema(&mut generator)),
            kind => match schema_of(kind, self.group, &mut generator)? {
                (Body::Spec, schema) => ("spec", schema),
                (Body::Document, schema) => ("", schema),
            },
        };
        Some((path, schema.to_value()))
    }
}

/// Everything that has a schema, in the order of the table of kinds, messages last.
pub fn subjects() -> Vec<Subject> {
    let kinds =
        KINDS.iter().map(|(kind, group, versions, _)| Subject { kind, group, versions, is_object: true });
    let messages =
        MESSAGES.map(|kind| Subject { kind, group: "", versions: &["v1alpha1"], is_object: false });
    kinds.chain(messages).collect()
}

/// What a name stands for: `VirtualService`, or with its group `gateway.networking.k8s.io/Gateway`, `core/Pod`.
///
/// Two groups have a `Gateway`; without a group it is Istio's. `mesh.ProxyConfig` is the message, `ProxyConfig` the kind.
pub fn subject(name: &str) -> Option<Subject> {
    let (group, kind) = name.rsplit_once('/').map_or((None, name), |(group, kind)| (Some(group), kind));
    let is_asked = |subject: &Subject| {
        subject.kind == kind
            && group.is_none_or(|group| {
                group == subject.group || (group == "core" && subject.group.is_empty() && subject.is_object)
            })
    };
    subjects().into_iter().find(is_asked)
}

/// The JSON Schema (2020-12) of a whole document; `None` for a name that [`subject`] does not know.
///
/// Kinds and messages of Istio and of the Gateway API are closed: a field that the API does not have is a problem. Kinds of
/// Kubernetes are open, since only what a mesh looks at is described. Where the API lets a field be written as `null`, so does the schema.
pub fn for_kind(name: &str) -> Option<Value> {
    let subject = subject(name)?;
    let (path, mut schema) = subject.derived()?;
    let of_kind = |kind: &'static str| facts().filter(move |fact| fact.kind == kind);
    if subject.group == crate::gateway_api::GROUP {
        gateway_api::lay_over(&mut schema, subject.kind);
        strict::close(&mut schema);
    }
    if subject.is_of_istio() {
        strict::close(&mut schema);
        facts::lay_over(&mut schema, path, of_kind(subject.kind));
        // The table has the settings of proxies once.
        if let Some(proxies) = schema.pointer_mut("/properties/defaultConfig").filter(|_| !subject.is_object)
        {
            facts::lay_over(proxies, "", of_kind("mesh.ProxyConfig"));
        }
    }
    describe::tidy(&mut schema);
    Some(if subject.is_object {
        resource::document(&subject, path, schema)
    } else {
        resource::message(&subject, schema)
    })
}

/// Every field of a kind as its type has it, by path (`spec.hosts[]`, `spec.selector{}`), in order; `None` as for
/// [`for_kind`]. For `status` these are the fields that every Istio kind has there.
pub fn fields(name: &str) -> Option<Vec<Field>> {
    if name == "status" {
        let mut generator: SchemaGenerator =
            SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into();
        let schema = IstioStatus::json_schema(&mut generator).to_value();
        return Some(fields::of(&schema, "status"));
    }
    let (path, schema) = subject(name)?.derived()?;
    Some(fields::of(&schema, path))
}
