//! The mesh as a picture: gateways, services, subsets and workloads, and the routes between them.
//!
//! [`MeshGraph::of`] draws what the snapshot has resolved: merged VirtualServices with their weights, subsets of
//! DestinationRules, what the workloads behind a service accept, and which policies guard them. Everything remembers
//! where it was written. [`dot`], [`mermaid`] and [`html`] print it; it serialises to JSON.
//!
//! ```
//! use std::sync::Arc;
//!
//! use mesh_compile::graph::{MeshGraph, dot};
//! use mesh_compile::snapshot::MeshSnapshot;
//! use mesh_model::config_set::{Change, ConfigSet};
//! use mesh_model::mesh_config::MeshConfig;
//! use mesh_model::yaml::{LoadOptions, load};
//!
//! let text = r#"{"kind": "List", "apiVersion": "v1", "items": [
//!   {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "reviews", "namespace": "shop"},
//!    "spec": {"clusterIP": "10.96.0.20", "ports": [{"name": "http", "port": 9080}]}}
//! ]}"#;
//! let mut config = ConfigSet::new();
//! config.apply(load("shop.json", text, &LoadOptions::default()).documents.into_iter().map(Change::Upsert));
//! let (snapshot, _) = MeshSnapshot::resolve(&config, Arc::new(MeshConfig::with_defaults()));
//!
//! let graph = MeshGraph::of(&snapshot);
//! assert_eq!(graph.nodes.len(), 1);
//! assert!(dot(&graph).contains("reviews"));
//! ```

mod build;
mod dot;
mod html;
mod mermaid;
mod policies;
mod routes;
#[cfg(test)]
mod tests;
mod text;
mod written;

use mesh_model::origin::Origin;
use serde::Serialize;

pub use dot::dot;
pub use html::html;
pub use mermaid::mermaid;

use crate::snapshot::MeshSnapshot;

/// Nodes and edges, in a fixed order.
/// Ours: the picture is drawn from what was resolved, so that it cannot differ from decisions.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MeshGraph {
    /// Gateways, services, subsets, workloads.
    pub nodes: Vec<Node>,
    /// Routes, memberships, permissions. Ends are ids of nodes.
    pub edges: Vec<Edge>,
}

/// What a node stands for. Ours: what a person would draw as a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    /// A Gateway.
    Gateway,
    /// A host that a VirtualService routes and no service has.
    Host,
    /// A service of the mesh.
    Service,
    /// A service outside the mesh.
    External,
    /// A part of a service, by labels.
    Subset,
    /// Endpoints of one application and version.
    Workload,
    /// A service, subset or gateway that something names and that is not there.
    Missing,
}

/// A node. Ours: what a person would draw as a box.
#[derive(Debug, Clone, Serialize)]
pub struct Node {
    /// Unique in the graph.
    pub id: String,
    /// What it stands for.
    pub kind: NodeKind,
    /// Short name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// The service that a subset, or a missing subset, belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// What it accepts: `STRICT`, `PERMISSIVE`, `DISABLE`, or `MIXED` where its workloads or ports differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtls: Option<&'static str>,
    /// Number of endpoints.
    pub endpoints: usize,
    /// Number of AuthorizationPolicies and RequestAuthentications that guard it.
    pub policies: usize,
    /// What else there is to say.
    pub facts: Vec<Fact>,
}

/// One thing about a node. Ours: what is told of a node leads to the place where it was written.
#[derive(Debug, Clone, Serialize)]
pub struct Fact {
    /// What it is about.
    pub label: &'static str,
    /// What it is.
    pub value: String,
    /// Where it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// What an edge says. Ours: what a person would draw as an arrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EdgeKind {
    /// Requests go this way.
    Route,
    /// Copies of requests go this way.
    Mirror,
    /// The one has the other: a service its subsets, a service or subset its workloads.
    Has,
    /// An AuthorizationPolicy lets the one call the other.
    Allow,
}

/// An edge. Ours: arrows between the same two boxes are one, with each way told.
#[derive(Debug, Clone, Serialize)]
pub struct Edge {
    /// Id of a node.
    pub from: String,
    /// Id of a node.
    pub to: String,
    /// What it says.
    pub kind: EdgeKind,
    /// Each way, in the order of the routes.
    pub ways: Vec<Way>,
}

/// One route, or one rule, behind an edge. Ours: what is told of an arrow leads to the place where it was written.
#[derive(Debug, Clone, Serialize)]
pub struct Way {
    /// What it is for: `/api/*`, `end-user=jason`; empty: everything.
    pub label: String,
    /// Its share in percent; `None`: not a share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// What is done on the way: `timeout 2s`, `retries 3`, `abort 503 10%`, `rewrite`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub acts: Vec<String>,
    /// Where it was written.
    pub origin: Origin,
}

impl Edge {
    /// What stands beside it in a picture: the share and the match of a single way, or the number of ways.
    pub fn label(&self) -> String {
        match self.ways.as_slice() {
            [] => String::new(),
            [way] => way.text(),
            [first, ..] => {
                let first = Some(first.text()).filter(|text| !text.is_empty());
                format!("{} and {} more", first.as_deref().unwrap_or("everything"), self.ways.len() - 1)
            }
        }
    }
}

impl Way {
    fn text(&self) -> String {
        let share = self.weight.filter(|weight| *weight != 100).map(|weight| format!("{weight}%"));
        let parts = [self.label.clone(), share.unwrap_or_default(), self.acts.join(", ")];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

impl MeshGraph {
    /// Draws a mesh.
    pub fn of(snapshot: &MeshSnapshot) -> Self {
        build::graph(snapshot)
    }

    /// Only what is in some namespaces, and what is one edge away from it.
    #[must_use]
    pub fn around(mut self, namespaces: &[String]) -> Self {
        let own: std::collections::BTreeSet<String> = self
            .nodes
            .iter()
            .filter(|node| namespaces.contains(&node.namespace))
            .map(|node| node.id.clone())
            .collect();
        self.edges.retain(|edge| own.contains(&edge.from) || own.contains(&edge.to));
        let near: std::collections::BTreeSet<&str> =
            self.edges.iter().flat_map(|edge| [edge.from.as_str(), edge.to.as_str()]).collect();
        self.nodes.retain(|node| own.contains(&node.id) || near.contains(node.id.as_str()));
        self
    }
}
