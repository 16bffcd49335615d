//! Injection webhooks: no two for one Pod, and a control plane behind each.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::diagnostic::Code;
use mesh_model::kubernetes::MutatingWebhookConfiguration;
use mesh_model::kubernetes::webhook_configuration::Webhook;
use mesh_model::name::LabelSelector;
use mesh_model::name::StringMap;
use mesh_model::object::Object;
use mesh_model::part::LabelSelector as Written;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, listed, short};
use crate::analyze::in_mesh::{INJECT, INJECTION, REVISION};

/// Revisions that are tried in all combinations.
const REVISIONS_MAX: usize = 16;

/// Others that a message looks at, and messages about one webhook.
const OTHERS_MAX: usize = 16;
const COMPANIES_MAX: usize = 16;

type Labels = StringMap;

/// One webhook, ready to be asked.
struct Candidate<'a> {
    configuration: &'a Object<MutatingWebhookConfiguration>,
    index: usize,
    webhook: &'a Webhook,
    /// `None`: takes nothing, for a condition is not well-formed.
    selectors: Option<(LabelSelector, LabelSelector)>,
}

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let mut candidates = Vec::new();
    let mut revisions = BTreeSet::new();
    for configuration in context.objects(&context.config.mutating_webhooks) {
        let webhooks = &configuration.spec.webhooks;
        let own: BTreeSet<&str> = own_revisions(configuration);
        if own.is_empty() && !webhooks.iter().any(|webhook| webhook.name.ends_with("istio.io")) {
            continue;
        }
        revisions.extend(own);
        candidates.extend(webhooks.iter().enumerate().map(|(index, webhook)| Candidate {
            configuration,
            index,
            webhook,
            selectors:
                compiled(webhook.namespace_selector.as_ref()).zip(compiled(webhook.object_selector.as_ref())),
        }));
    }
    overlaps(&candidates, &revisions, found);
    // One finding for all webhooks of a configuration that ask the same service, as in Istio.
    let mut told = BTreeSet::new();
    for candidate in &candidates {
        let Some(service) = &candidate.webhook.client_config.service else { continue };
        let asked = (&*candidate.configuration.meta.name, &service.namespace, &service.name);
        if told.insert(asked) && context.services.get(&service.namespace, &service.name).is_none() {
            let name = format!("{}/{}", service.namespace, service.name);
            let message = format!(
                "webhook `{}` asks service `{}`, which does not exist",
                short(&candidate.webhook.name),
                short(&name)
            );
            let path = format!("webhooks[{}].clientConfig.service", candidate.index);
            let help = "remove the webhook, or install the control plane of its revision";
            found.add(candidate.configuration, &path, Code::WebhookProblem, message, help);
        }
    }
}

fn compiled(selector: Option<&Written>) -> Option<LabelSelector> {
    selector.map_or(Some(LabelSelector::default()), Written::compiled)
}

/// Webhooks that are asked about the same Pod: tried with the labels that choose between them. As in Istio, each
/// set of others is told once for a configuration, whatever labels lead to it.
fn overlaps(candidates: &[Candidate<'_>], revisions: &BTreeSet<&str>, found: &mut Findings) {
    let namespaces = combinations(INJECTION, ["enabled", "disabled"], revisions);
    let pods = combinations(INJECT, ["true", "false"], revisions);
    let mut companies: Vec<BTreeSet<Vec<usize>>> = vec![BTreeSet::new(); candidates.len()];
    let names = first_of_name(candidates);
    for namespace in &namespaces {
        let of_namespace: Vec<_> = candidates
            .iter()
            .enumerate()
            .filter_map(|(number, one)| one.selectors.as_ref().map(|(of, pod)| (number, of, pod)))
            .filter(|(_, of, _)| of.matches(namespace))
            .collect();
        for labels in pods.iter().filter(|_| of_namespace.len() > 1) {
            let asked: BTreeSet<usize> = of_namespace
                .iter()
                .filter(|(_, _, pod)| pod.matches(labels))
                .filter_map(|(number, _, _)| names.get(*number).copied())
                .collect();
            for number in asked.iter().filter(|_| asked.len() > 1) {
                let Some(companies) = companies.get_mut(*number) else { continue };
                if companies.len() < COMPANIES_MAX {
                    let others = asked.iter().filter(|other| *other != number).take(OTHERS_MAX);
                    companies.insert(others.copied().collect());
                }
            }
        }
    }
    let all = candidates.iter().zip(companies);
    let mut told = BTreeSet::new();
    for (candidate, others) in
        all.flat_map(|(candidate, all)| all.into_iter().map(move |one| (candidate, one)))
    {
        if !told.insert((&*candidate.configuration.meta.name, others.clone())) {
            continue;
        }
        let names = others
            .iter()
            .filter_map(|other| candidates.get(*other))
            .map(|other| format!("{}/{}", other.configuration.meta.name, other.webhook.name));
        let message = format!("webhook `{}` overlaps with {}", short(&candidate.webhook.name), listed(names));
        let help = "make their selectors exclude each other: a Pod would be injected twice";
        let path = format!("webhooks[{}]", candidate.index);
        found.add(candidate.configuration, &path, Code::WebhookProblem, message, help);
    }
}

/// For each webhook the first one of its name in its configuration: those are one to Istio.
fn first_of_name(candidates: &[Candidate<'_>]) -> Vec<usize> {
    let mut first = BTreeMap::new();
    let numbered = candidates.iter().enumerate();
    numbered
        .map(|(number, one)| {
            *first.entry((&*one.configuration.meta.name, &*one.webhook.name)).or_insert(number)
        })
        .collect()
}

/// No label, each value, and all of them with each revision.
fn combinations(key: &str, values: [&str; 2], revisions: &BTreeSet<&str>) -> Vec<Labels> {
    let plain: Vec<Labels> = std::iter::once(Labels::new())
        .chain(values.iter().map(|value| Labels::from([(key.to_owned(), (*value).to_owned())])))
        .collect();
    let revised = revisions.iter().take(REVISIONS_MAX).flat_map(|revision| {
        plain.iter().cloned().map(move |mut labels| {
            labels.insert(REVISION, revision);
            labels
        })
    });
    plain.iter().cloned().chain(revised).collect()
}

fn own_revisions(configuration: &Object<MutatingWebhookConfiguration>) -> BTreeSet<&str> {
    let webhooks = &configuration.spec.webhooks;
    let selectors =
        webhooks.iter().flat_map(|webhook| [&webhook.namespace_selector, &webhook.object_selector]);
    let mut revisions: BTreeSet<&str> = configuration.meta.labels.get(REVISION).into_iter().collect();
    for selector in selectors.flatten() {
        revisions.extend(selector.match_labels.get(REVISION));
        let conditions = selector.match_expressions.iter().filter(|condition| condition.key == REVISION);
        revisions.extend(conditions.flat_map(|condition| &condition.values).map(String::as_str));
    }
    revisions
}
