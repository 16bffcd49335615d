//! EnvoyFilters: patches of what was compiled, as far as it has what they change; the rest is told of.
//!
//! Patches of clusters, virtual hosts, routes and route tables are merged into the tables, field by field. What a patch
//! says beyond that (filters, listeners, fields that the tables do not have) is left out with a finding and stands in
//! [`PatchOutcome::left_out`].
// Facts: Istio's pilot/pkg/model/envoyfilter.go and push_context.go (selection and order),
// pilot/pkg/networking/core/envoyfilter/{cluster,rc}_patch.go (matching).

mod applicable;
mod cluster;
mod route;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use applicable::{Patches, select};

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Place, Report};
use mesh_model::networking::envoy_filter::spec::{ApplyTo, PatchOperation};
use mesh_model::origin::Origin;
use serde::Serialize;

use super::ProxyConfig;
use super::cluster::Cluster;
use crate::route_table::RouteTable;

/// The patches that are for a proxy, in the order in which they are applied.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct EnvoyFilters {
    /// Each with what became of it.
    pub patches: Vec<PatchOutcome>,
}

/// What became of one patch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PatchOutcome {
    /// Where it was written (`spec.configPatches[i]`).
    pub origin: Origin,
    /// The kind of object (`CLUSTER`).
    pub apply_to: &'static str,
    /// What is done with it (`MERGE`).
    pub operation: &'static str,
    /// What it changed: clusters by name, route tables, `TABLE/VIRTUAL HOST`, `TABLE/VIRTUAL HOST/ROUTE`.
    pub changed: Vec<Arc<str>>,
    /// What of it is not applied, by field of the value; the empty field is the whole patch.
    pub left_out: BTreeMap<String, &'static str>,
}

/// Patched parts by the part that they were made from, so that a part which stays the same is patched once.
#[derive(Debug, Default)]
pub(crate) struct Patched {
    patches: Arc<Patches>,
    clusters: BTreeMap<Arc<str>, Once<Cluster>>,
    tables: BTreeMap<Arc<str>, Once<RouteTable>>,
}

/// A part before and after (`None`: it is removed), with the patches that changed it and what they left out.
#[derive(Debug, Clone)]
struct Once<T> {
    before: Arc<T>,
    after: Option<Arc<T>>,
    notes: Notes,
}

/// What patches did to one part, by their place in the list.
#[derive(Debug, Clone, Default)]
struct Notes {
    changed: Vec<(usize, Arc<str>)>,
    left_out: Vec<(usize, String, &'static str)>,
}

impl Patched {
    /// Applies the patches to a configuration.
    pub(crate) fn apply(
        &mut self,
        patches: &Arc<Patches>,
        config: &mut ProxyConfig,
    ) -> (EnvoyFilters, Report) {
        if patches.list.is_empty() {
            *self = Self::default();
            return (EnvoyFilters::default(), Report::new());
        }
        if !Arc::ptr_eq(patches, &self.patches) {
            *self = Self { patches: Arc::clone(patches), ..Self::default() };
        }
        let mut outcomes: Vec<PatchOutcome> = patches.list.iter().map(applicable::Patch::outcome).collect();
        let mut earlier = std::mem::take(&mut self.clusters);
        let names: Vec<Arc<str>> = config.clusters.keys().cloned().collect();
        for name in names {
            let Some(before) = config.clusters.get(&name).cloned() else { continue };
            let known = earlier.remove(&name).filter(|it| Arc::ptr_eq(&it.before, &before));
            let Some(once) = known.or_else(|| cluster::patch(patches, &before)) else { continue };
            match &once.after {
                Some(after) => {
                    config.clusters.insert(Arc::clone(&name), Arc::clone(after));
                }
                None => {
                    config.clusters.remove(&name);
                }
            }
            once.notes.tell(&mut outcomes);
            self.clusters.insert(name, once);
        }
        let mut earlier = std::mem::take(&mut self.tables);
        for table in config.route_tables.values_mut() {
            let known = earlier.remove(&table.name).filter(|it| Arc::ptr_eq(&it.before, table));
            let Some(once) = known.or_else(|| route::patch(patches, table)) else { continue };
            if let Some(after) = &once.after {
                *table = Arc::clone(after);
            }
            once.notes.tell(&mut outcomes);
            self.tables.insert(Arc::clone(&table.name), once);
        }
        let mut report = Report::new();
        for outcome in &outcomes {
            outcome.report(&mut report);
        }
        (EnvoyFilters { patches: outcomes }, report)
    }
}

impl Notes {
    fn tell(&self, outcomes: &mut [PatchOutcome]) {
        for (patch, what) in &self.changed {
            if let Some(outcome) = outcomes.get_mut(*patch) {
                outcome.changed.push(Arc::clone(what));
            }
        }
        for (patch, field, why) in &self.left_out {
            if let Some(outcome) = outcomes.get_mut(*patch) {
                outcome.left_out.insert(field.clone(), why);
            }
        }
    }
}

impl PatchOutcome {
    fn report(&self, report: &mut Report) {
        let Some(object) = self.origin.object() else { return };
        for (field, why) in &self.left_out {
            let path = match field.as_str() {
                "" => self.origin.field().to_owned(),
                field => format!("{}.patch.value.{field}", self.origin.field()),
            };
            let what = if field.is_empty() { "the patch" } else { field.as_str() };
            let (operation, kind) = (self.operation, self.apply_to);
            let message = format!("{operation} of {kind}: {what} is not applied here: {why}");
            let found = Diagnostic::new(Code::PatchNotApplied, Place::of(object, &path), message);
            report.push(
                found.help("decisions are those of the configuration without it; try it with a real proxy"),
            );
        }
    }
}

/// Why a patch of this kind has nothing to change; `None`: it has.
fn without_equivalent(apply_to: ApplyTo, operation: PatchOperation) -> Option<&'static str> {
    let merges = matches!(operation, PatchOperation::Merge | PatchOperation::MergeAndReplaceList);
    let removes = operation == PatchOperation::Remove;
    match apply_to {
        ApplyTo::Cluster | ApplyTo::VirtualHost | ApplyTo::HttpRoute if merges || removes => None,
        ApplyTo::RouteConfiguration if merges => None,
        ApplyTo::RouteConfiguration => Some("Istio only merges into route configurations"),
        ApplyTo::Cluster => Some("clusters are not added from Envoy's own form"),
        ApplyTo::VirtualHost | ApplyTo::HttpRoute => {
            Some("virtual hosts and routes are not added from Envoy's own form")
        }
        ApplyTo::HttpFilter => Some("requests are decided without Envoy's HTTP filters beside Istio's own"),
        ApplyTo::NetworkFilter => {
            Some("connections are decided without Envoy's network filters beside Istio's own")
        }
        ApplyTo::ListenerFilter => Some("listener filters are Istio's own"),
        ApplyTo::Listener | ApplyTo::FilterChain => {
            Some("listeners and filter chains stay as Istio makes them")
        }
        ApplyTo::ExtensionConfig => Some("no filter asks for extension configurations"),
        ApplyTo::Bootstrap => Some("it acts when the proxy starts, there is no bootstrap here"),
        ApplyTo::Invalid => Some("it does not say what it patches"),
    }
}
