//! DestinationRules: hosts that exist, subsets that select Pods.

use hashbrown::HashMap;
use mesh_model::diagnostic::{Code, Diagnostic, Missing, Place};
use mesh_model::kubernetes::Pod;
use mesh_model::name::StringMap;
use mesh_model::object::Object;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, selector_text, short};
use crate::analyze::hosts::fqdn;

const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";
const SUBZONE: &str = "topology.istio.io/subzone";
const HOSTNAME: &str = "kubernetes.io/hostname";

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let places = Places::of(context);
    for rule in context.objects(&context.config.destination_rules) {
        let spec = &rule.spec;
        let Some(host) = context.hosts.find(&spec.host, &rule.meta.namespace, &spec.export_to) else {
            let message = format!(
                "no service `{}` is visible from namespace `{}`",
                short(&spec.host),
                rule.meta.namespace
            );
            let help = match context.hosts.suggestion(&spec.host, &rule.meta.namespace) {
                Some(name) => format!("did you mean `{name}`?"),
                None => {
                    "the rule does nothing until there is a Service or ServiceEntry of this host".to_owned()
                }
            };
            let at = Place::of(&rule.provenance, "spec.host");
            let missing = Missing::Host(fqdn(&spec.host, &rule.meta.namespace));
            found.push(Diagnostic::new(Code::RuleHostUnknown, at, message).help(help).missing(missing));
            continue;
        };
        if !context.knows("Pod") {
            continue;
        }
        for (index, subset) in spec.subsets.iter().enumerate() {
            let mut labels = host.labels.cloned().unwrap_or_default();
            labels.extend(&subset.labels);
            if !places.any_pod(context, &labels) {
                let message = format!(
                    "no Pod has the labels `{}` of subset `{}`",
                    selector_text(&labels),
                    short(&subset.name)
                );
                let path = format!("spec.subsets[{index}]");
                let help = "requests to the subset fail: correct its labels, or deploy Pods that have them";
                let at = Place::of(&rule.provenance, &path);
                // What a Pod's node says of its place is not looked at.
                let missing = Missing::pods(None, labels.iter().filter(|(key, _)| !is_place(key)));
                found.push(Diagnostic::new(Code::SubsetWithoutPod, at, message).help(help).missing(missing));
            }
        }
    }
}

/// Labels that Pods have from where they run.
/// Whether a label says where a Pod runs, which its node may say.
fn is_place(key: &str) -> bool {
    [REGION, ZONE, SUBZONE, HOSTNAME].contains(&key)
}

struct Places<'a> {
    by_node: HashMap<&'a str, &'a StringMap>,
}

impl<'a> Places<'a> {
    fn of(context: &Context<'a>) -> Self {
        let nodes = context.objects(&context.config.nodes);
        Self { by_node: nodes.map(|node| (&*node.meta.name, &node.meta.labels)).collect() }
    }

    /// Whether a Pod has all labels, of its own or from its node. What the node says wins.
    fn any_pod(&self, context: &Context<'_>, labels: &StringMap) -> bool {
        if labels.keys().all(|key| !is_place(key)) {
            return context.pods.matching(labels).next().is_some();
        }
        let own: StringMap = labels.iter().filter(|(key, _)| !is_place(key)).collect();
        let place: Vec<_> = labels.iter().filter(|(key, _)| is_place(key)).collect();
        context
            .pods
            .matching(&own)
            .any(|pod| place.iter().all(|(key, value)| self.label(pod, key) == Some(*value)))
    }

    fn label<'p>(&self, pod: &'p Object<Pod>, key: &str) -> Option<&'p str>
    where
        'a: 'p,
    {
        let name = pod.spec.spec.node_name.as_str();
        if key == HOSTNAME && !name.is_empty() {
            return Some(name);
        }
        let of_node = self.by_node.get(name).and_then(|labels| labels.get(key));
        of_node.filter(|value| !value.is_empty()).or_else(|| pod.meta.labels.get(key))
    }
}
