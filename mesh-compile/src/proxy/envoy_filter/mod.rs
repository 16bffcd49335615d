//! EnvoyFilters: patches of what was compiled, as far as it has what they change; the rest is told of.
//!
//! Patches of clusters, route tables, virtual hosts, routes, listeners, filter chains and filters are applied, field by
//! field; what is added is read from Envoy's own form. What a patch says beyond that (filters whose effect is not known
//! here, fields that the tables do not have) is left out with a finding and stands in [`PatchOutcome::left_out`].
// Facts: Istio's pilot/pkg/model/envoyfilter.go and push_context.go (selection and order),
// pilot/pkg/networking/core/envoyfilter/{cluster,rc,listener}_patch.go (matching, operations).

mod applicable;
mod cluster;
mod cluster_value;
mod filter_value;
mod http_filter;
mod listener;
mod listener_match;
mod match_value;
mod network_filter;
mod route;
mod route_value;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use applicable::{Patches, select};

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Place, Report};
use mesh_model::networking::envoy_filter::spec::{ApplyTo, PatchOperation};
use mesh_model::origin::Origin;
use serde::Serialize;

use super::ProxyConfig;
use super::cluster::Cluster;
use super::listener::Listener;
use crate::route_table::RouteTable;

/// The patches that are for a proxy, in the order in which they are applied.
/// API: networking.istio.io/v1alpha3 `EnvoyFilter.configPatches`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct EnvoyFilters {
    /// Each with what became of it.
    pub patches: Vec<PatchOutcome>,
}

/// What became of one patch. Ours: a patch that is not applied must not look like one that is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PatchOutcome {
    /// Where it was written (`spec.configPatches[i]`).
    pub origin: Origin,
    /// The kind of object (`CLUSTER`).
    pub apply_to: &'static str,
    /// What is done with it (`MERGE`).
    pub operation: &'static str,
    /// What it changed: clusters by name, route tables, `TABLE/VIRTUAL HOST`, `TABLE/VIRTUAL HOST/ROUTE`, listeners by
    /// name, `LISTENER/CHAIN`, and for HTTP filters `LISTENER/CHAIN/FILTER between OTHERS`.
    pub changed: Vec<Arc<str>>,
    /// What of it is not applied, by field of the value; the empty field is the whole patch.
    pub left_out: BTreeMap<String, Why>,
}

/// Why something is left out.
type Why = Cow<'static, str>;

/// Patched parts by the part that they were made from, so that a part which stays the same is patched once.
#[derive(Debug, Default)]
pub(crate) struct Patched {
    patches: Arc<Patches>,
    clusters: BTreeMap<Arc<str>, Once<Cluster>>,
    tables: BTreeMap<Arc<str>, Once<RouteTable>>,
    listeners: BTreeMap<Arc<str>, Once<Listener>>,
    added: Option<Added>,
}

/// What patches add, read once: clusters and listeners with the place of their patch.
#[derive(Debug)]
struct Added {
    clusters: Vec<(usize, Arc<Cluster>)>,
    listeners: Vec<(usize, Arc<Listener>)>,
    notes: Notes,
}

impl Added {
    fn of(patches: &Patches) -> Self {
        let (clusters, mut notes) = cluster::added(patches);
        let mut listeners = Vec::new();
        for (place, added) in listener::added(patches) {
            match added {
                Ok(listener) => listeners.push((place, Arc::new(listener))),
                Err(why) => notes.left_out.push((place, String::new(), why.into())),
            }
        }
        notes.changed.extend(patches.extension_configs());
        Self { clusters, listeners, notes }
    }
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
    left_out: Vec<(usize, String, Why)>,
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
        let added = self.added.take().unwrap_or_else(|| Added::of(patches));
        let mut notes = added.notes.clone();
        for (place, cluster) in &added.clusters {
            if config.clusters.contains_key(&cluster.name) {
                let why = "there is a cluster of this name, and the first one counts";
                notes.left_out.push((*place, String::new(), why.into()));
                continue;
            }
            notes.changed.push((*place, Arc::clone(&cluster.name)));
            config.clusters.insert(Arc::clone(&cluster.name), Arc::clone(cluster));
        }
        notes.tell(&mut outcomes);
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
        self.apply_to_listeners(patches, &added.listeners, config, &mut outcomes);
        self.added = Some(added);
        let mut report = Report::new();
        for outcome in &outcomes {
            outcome.report(&mut report);
        }
        (EnvoyFilters { patches: outcomes }, report)
    }

    fn apply_to_listeners(
        &mut self,
        patches: &Arc<Patches>,
        added: &[(usize, Arc<Listener>)],
        config: &mut ProxyConfig,
        outcomes: &mut [PatchOutcome],
    ) {
        let mut earlier = std::mem::take(&mut self.listeners);
        let mut all: Vec<Arc<Listener>> = Vec::with_capacity(config.listeners.len());
        let mut is_changed = false;
        for before in &config.listeners {
            let known = earlier.remove(&before.name).filter(|it| Arc::ptr_eq(&it.before, before));
            let Some(once) = known.or_else(|| listener::patch(patches, before)) else {
                all.push(Arc::clone(before));
                continue;
            };
            is_changed = true;
            all.extend(once.after.clone());
            once.notes.tell(outcomes);
            self.listeners.insert(Arc::clone(&before.name), once);
        }
        let mut notes = Notes::default();
        for (place, listener) in added {
            notes.changed.push((*place, Arc::clone(&listener.name)));
            all.push(Arc::clone(listener));
            is_changed = true;
        }
        notes.tell(outcomes);
        if is_changed {
            all.sort_by_key(|it| (it.direction, it.address, it.port));
            config.listeners = all.into_iter().collect();
        }
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
                outcome.left_out.insert(field.clone(), why.clone());
            }
        }
    }

    fn leave_out(&mut self, place: usize, fields: impl IntoIterator<Item = (String, &'static str)>) {
        self.left_out.extend(fields.into_iter().map(|(field, why)| (place, field, why.into())));
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
    use PatchOperation as Op;
    let merges = matches!(operation, Op::Merge | Op::MergeAndReplaceList);
    let inserts = matches!(operation, Op::InsertBefore | Op::InsertAfter | Op::InsertFirst);
    let is_one_of = |operations: &[Op]| operations.contains(&operation);
    let (is_known, why) = match apply_to {
        ApplyTo::Cluster | ApplyTo::Listener | ApplyTo::FilterChain => {
            (merges || is_one_of(&[Op::Add, Op::Remove]), "Istio only adds, merges and removes such objects")
        }
        ApplyTo::VirtualHost => (
            merges || is_one_of(&[Op::Add, Op::Remove, Op::Replace]),
            "Istio only adds, merges, replaces and removes virtual hosts",
        ),
        ApplyTo::HttpRoute => (
            merges || inserts || is_one_of(&[Op::Add, Op::Remove]),
            "Istio only adds, inserts, merges and removes routes",
        ),
        ApplyTo::RouteConfiguration => (merges, "Istio only merges into route configurations"),
        ApplyTo::HttpFilter | ApplyTo::NetworkFilter | ApplyTo::ListenerFilter => (
            inserts || is_one_of(&[Op::Add, Op::Remove, Op::Replace, Op::Merge]),
            "Istio merges filters by MERGE alone",
        ),
        ApplyTo::ExtensionConfig => (operation == Op::Add, "Istio only adds extension configurations"),
        ApplyTo::Bootstrap => (false, "it acts when the proxy starts, there is no bootstrap here"),
        ApplyTo::Invalid => (false, "it does not say what it patches"),
    };
    (!is_known).then_some(why)
}
