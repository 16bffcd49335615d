//! Sidecars: Pods that they select, one each; one default for a namespace.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::diagnostic::{Code, Diagnostic, Missing, Place};
use mesh_model::kubernetes::Pod;
use mesh_model::networking::sidecar::spec::Sidecar;
use mesh_model::object::Object;

use super::gateway_port::selector_help;
use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, listed, selector_text};
use crate::analyze::in_mesh::{namespace_is_ambient, pod_is_ambient};

/// A Pod and the Sidecars that select it.
type Selected<'a> = (&'a Object<Pod>, Vec<&'a Object<Sidecar>>);

const AMBIENT_HELP: &str = "remove it: there is no sidecar that it could configure";

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let mut of_pod: BTreeMap<(&str, &str), Selected<'_>> = BTreeMap::new();
    let mut defaults: BTreeMap<&str, Vec<&Object<Sidecar>>> = BTreeMap::new();
    for sidecar in context.objects(&context.config.sidecars) {
        let namespace = &*sidecar.meta.namespace;
        let Some(selector) = sidecar
            .spec
            .workload_selector
            .as_ref()
            .map(|one| &one.labels)
            .filter(|labels| !labels.is_empty())
        else {
            defaults.entry(namespace).or_default().push(sidecar);
            continue;
        };
        let mut selects = false;
        for pod in context.pods.matching_in(namespace, selector) {
            selects = true;
            of_pod.entry((namespace, &pod.meta.name)).or_insert((pod, Vec::new())).1.push(sidecar);
        }
        if !selects && context.knows("Pod") {
            let message = format!("no Pod of the namespace has the labels `{}`", selector_text(selector));
            let help = selector_help(context, selector);
            let at = Place::of(&sidecar.provenance, "spec.workloadSelector.labels");
            let missing = Missing::pods(Some(namespace), selector);
            found.push(Diagnostic::new(Code::SelectorUnmatched, at, message).help(help).missing(missing));
        }
    }
    let mut reported = BTreeSet::new();
    for ((_, pod_name), (pod, sidecars)) in &of_pod {
        let is_ambient = pod_is_ambient(pod);
        if sidecars.len() == 1 && !is_ambient {
            continue;
        }
        for sidecar in sidecars {
            if is_ambient {
                if reported.insert((&sidecar.meta.namespace, &sidecar.meta.name)) {
                    let message = format!("Pod `{pod_name}` is in ambient mode");
                    let path = "spec.workloadSelector";
                    found.add(*sidecar, path, Code::PolicyIneffective, message, AMBIENT_HELP);
                }
                continue;
            }
            let names = sidecars.iter().map(|one| &one.meta.name);
            let message = format!("Pod `{pod_name}` is selected by {}", listed(names));
            let help = "let one Sidecar select a Pod: which one counts is not defined";
            found.add(*sidecar, "spec.workloadSelector", Code::SidecarConflict, message, help);
        }
    }
    for (namespace, sidecars) in &defaults {
        let is_ambient =
            context.namespaces.get(namespace).is_some_and(|namespace| namespace_is_ambient(namespace));
        for sidecar in sidecars {
            if is_ambient {
                if reported.insert((&sidecar.meta.namespace, &sidecar.meta.name)) {
                    let message = format!("namespace `{namespace}` is in ambient mode");
                    found.add(*sidecar, "metadata.name", Code::PolicyIneffective, message, AMBIENT_HELP);
                }
            } else if sidecars.len() > 1 {
                let names = sidecars.iter().map(|one| &one.meta.name);
                let message = format!("{} have no `workloadSelector`", listed(names));
                let help = "keep one as the default of the namespace, give the others a selector";
                found.add(*sidecar, "metadata.name", Code::SidecarDefaultConflict, message, help);
            }
        }
    }
}
