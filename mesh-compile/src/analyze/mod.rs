//! What several objects say together that cannot be meant: Istio's analyzers, each a function of its own.
//! Spec: istio/istio, pkg/config/analysis/analyzers.
//!
//! The table [`ANALYZERS`] lists them. Messages are ours; code and severity are Istio's
//! ([`Code::istio_code`]). An analyzer looks things up in the indexes of its `Context` and never compares everything
//! with everything, so that the cost grows with the size of the configuration and not with its square.
//!
//! # Find a dangling reference
//!
//! ```
//! use mesh_compile::analyze::{Input, Options, analyze};
//! use mesh_model::config_set::{Change, ConfigSet};
//! use mesh_model::mesh_config::MeshConfig;
//! use mesh_model::yaml::{LoadOptions, load};
//!
//! let text = r#"{"kind": "List", "apiVersion": "v1", "items": [
//!   {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "reviews", "namespace": "shop"},
//!    "spec": {"ports": [{"name": "http", "port": 9080}]}},
//!   {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
//!    "metadata": {"name": "reviews", "namespace": "shop"},
//!    "spec": {"hosts": ["reviews"], "http": [{"route": [{"destination": {"host": "reviewz"}}]}]}}
//! ]}"#;
//! let mut config = ConfigSet::new();
//! config.apply(load("shop.json", text, &LoadOptions::default()).documents.into_iter().map(Change::Upsert));
//!
//! let mesh = MeshConfig::with_defaults();
//! let analysis = analyze(&Input::new(&config, &mesh), &Options::default());
//! let finding = analysis.report.iter().next().ok_or("nothing found")?;
//! assert_eq!(finding.code.istio_code(), Some("IST0101"));
//! assert_eq!(finding.at.field, "spec.http[0].route[0].destination.host");
//! assert_eq!(finding.help.as_deref(), Some("did you mean `reviews`?"));
//! # Ok::<(), &str>(())
//! ```

mod analyzers;
mod annotation_table;
mod context;
mod findings;
mod hosts;
mod in_mesh;
mod overlaps;
mod pods;
mod refused;
mod selectors;
mod services;
mod suppress;
mod table;
#[cfg(test)]
mod tests;
mod workloads;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::config_set::ConfigSet;
use mesh_model::diagnostic::{Code, Diagnostic, Place, Report};
use mesh_model::document::Document;
use mesh_model::mesh_config::{MeshConfig, MeshNetworks};

use context::Context;
use findings::Findings;
pub(crate) use refused::tell_refused;
pub use refused::tell_unread;
pub use selectors::SelectorCounts;
pub use suppress::{Suppression, suppress};
pub use table::{ANALYZERS, Analyzer, Reach};

/// What is analysed. Ours: analyzers look at the same objects that decisions are made of.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The objects in force.
    pub config: &'a ConfigSet,
    /// The mesh configuration over its defaults.
    pub mesh: &'a MeshConfig,
    /// The networks of the mesh, where they are given.
    pub networks: Option<Networks<'a>>,
}

/// Networks with the document that they stand in. API: mesh/v1alpha1 `MeshNetworks`.
#[derive(Debug, Clone, Copy)]
pub struct Networks<'a> {
    /// The document.
    pub document: &'a Arc<Document>,
    /// What it says.
    pub networks: &'a MeshNetworks,
}

impl<'a> Input<'a> {
    /// Objects and mesh configuration, no networks.
    pub fn new(config: &'a ConfigSet, mesh: &'a MeshConfig) -> Self {
        Self { config, mesh, networks: None }
    }

    /// Adds the networks of the mesh.
    #[must_use]
    pub fn networks(mut self, document: &'a Arc<Document>, networks: &'a MeshNetworks) -> Self {
        self.networks = Some(Networks { document, networks });
        self
    }
}

/// Whether the input is all that there is. Ours: of files it is not known whether what they do not have is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Completeness {
    /// Some of it, as from files: an analyzer that compares with a kind of the running cluster (Pods, Services,
    /// Namespaces, Secrets) of which the input has no object at all is left out, because it could only guess.
    #[default]
    Partial,
    /// All of it, as from a running cluster: what is not in the input does not exist.
    Complete,
}

/// What to analyse, and what to leave out of the result.
/// Ours: who asks for one analyzer does not want to hear of the others.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Names of the analyzers to run; `None`: all that run by default.
    pub only: Option<BTreeSet<String>>,
    /// Findings that are not wanted, beside those that objects suppress by annotation.
    pub suppressions: Vec<Suppression>,
    /// Whether the input is all that there is.
    pub completeness: Completeness,
}

/// An analyzer that was left out. Ours: silence of an analyzer that did not run must not look like its consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// Its name.
    pub analyzer: &'static str,
    /// The kind that the input has no object of.
    pub kind: &'static str,
}

/// What analysis found. Ours: what was found and what was not looked for belong together.
#[derive(Debug, Clone, Default)]
pub struct Analysis {
    /// The findings, by analyzer in the order of the table, then by object.
    pub report: Report,
    /// Analyzers that were left out ([`Completeness::Partial`]).
    pub skipped: Vec<Skipped>,
    /// How many workloads selectors take, by kind; of objects in force.
    pub selectors: BTreeMap<&'static str, SelectorCounts>,
}

/// Runs the analyzers that `options` choose. Each cluster's objects are looked at together; hosts are known to all
/// clusters.
pub fn analyze(input: &Input<'_>, options: &Options) -> Analysis {
    let selectors = selectors::count(input.config, input.mesh.root_namespace());
    let mut analysis = Analysis { selectors, ..Analysis::default() };
    let clusters = context::clusters(input.config);
    let contexts: Vec<_> = clusters
        .iter()
        .map(|cluster| Context::new(input, options.completeness, &clusters, cluster))
        .collect();
    let mut present = BTreeSet::new();
    input.config.each_object(&mut |provenance, _| {
        present.insert(provenance.kind);
    });
    for analyzer in ANALYZERS.iter().filter(|analyzer| is_wanted(analyzer, options)) {
        let mut missing = None;
        let mut found = Findings::default();
        for context in &contexts {
            missing = analyzer.compares_with.iter().copied().find(|kind| !context.knows(kind));
            if missing.is_some() {
                continue;
            }
            (analyzer.run)(context, &mut found);
            if analyzer.reach == Reach::Mesh {
                break;
            }
        }
        // Nothing is missed where there is nothing to compare.
        let has_inputs = analyzer
            .inputs
            .iter()
            .any(|input| present.contains(input) && !analyzer.compares_with.contains(input));
        if let Some(kind) = missing.filter(|_| has_inputs) {
            analysis.skipped.push(Skipped { analyzer: analyzer.name, kind });
        }
        analysis.report.merge(found.into_report(analyzer.name));
    }
    tell_refused(&mut analysis.report, input.config);
    analysis.report = suppress(analysis.report, input.config, &options.suppressions);
    analysis
}

fn is_wanted(analyzer: &Analyzer, options: &Options) -> bool {
    options.only.as_ref().map_or(analyzer.is_default, |only| only.contains(analyzer.name))
}

/// One remark for findings beyond what a person would read.
fn left_out(analyzer: &str, count: usize) -> Diagnostic {
    let message = format!("`{analyzer}` has {count} more findings, which are left out");
    Diagnostic::new(Code::Unanalyzed, Place::default(), message)
        .help("repair some of those that are listed and check again")
}
