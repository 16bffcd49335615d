//! Sidecars that are not the ones injection would give now, as after an upgrade without restarts.

use std::collections::BTreeMap;

use mesh_model::decode::Unknown;
use mesh_model::diagnostic::{Code, Report};
use mesh_model::kubernetes::{ConfigMap, Pod};
use mesh_model::mesh_config::{ProxyConfig, read_bare};
use mesh_model::name::StringMap;
use mesh_model::name::labels_subset_of;
use mesh_model::object::Object;
use mesh_model::yaml::{LoadOptions, load};
use serde_json::Value;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, listed};
use crate::analyze::in_mesh::{INJECTION, PROXY, REVISION, injector_config_map};

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let images: BTreeMap<&str, String> = context
        .objects(&context.config.config_maps)
        .filter(|map| map.meta.name.starts_with("istio-sidecar-injector"))
        .map(|map| (&*map.meta.name, injected_image(map)))
        .collect();
    if images.is_empty() {
        return;
    }
    let variants = Variants::of(context);
    for namespace in context.objects(&context.config.namespaces) {
        let label = |name: &str| namespace.meta.labels.get(name);
        let revision = match (label(REVISION), label(INJECTION)) {
            (Some(revision), _) => revision,
            (None, Some("enabled")) => "default",
            _ => continue,
        };
        let Some(image) = images.get(injector_config_map(revision).as_str()) else { continue };
        let differing: Vec<_> = context
            .pods
            .of(&namespace.meta.name)
            .iter()
            .filter(|pod| differs(context, &variants, pod, image))
            .map(|pod| &pod.meta.name)
            .collect();
        if !differing.is_empty() {
            let message = format!("Pods {} have another sidecar than `{image}`", listed(&differing));
            let help = "restart them, so that they get the sidecar of the present control plane";
            found.add(namespace, "metadata.name", Code::ProxyImageMismatch, message, help);
        }
    }
}

fn differs(context: &Context<'_>, variants: &Variants<'_>, pod: &Object<Pod>, image: &str) -> bool {
    if pod.meta.annotations.get("sidecar.istio.io/proxyImage").is_some_and(|own| !own.is_empty()) {
        return false;
    }
    let variant = format!("{image}-{}", variant(context, variants, pod));
    let containers = pod.spec.spec.containers.iter().chain(&pod.spec.spec.init_containers);
    containers.filter(|one| one.name == PROXY).any(|proxy| proxy.image != image && proxy.image != variant)
}

/// A selector and the kind of image for what it selects.
type Selected<'a> = (&'a StringMap, &'a str);

/// The kind of image that ProxyConfigs give, by where they stand.
#[derive(Default)]
struct Variants<'a> {
    /// Of the root namespace.
    root: Option<&'a str>,
    /// Of a namespace as a whole.
    of_namespace: BTreeMap<&'a str, &'a str>,
    /// Of selected workloads of a namespace.
    of_workloads: BTreeMap<&'a str, Vec<Selected<'a>>>,
}

impl<'a> Variants<'a> {
    fn of(context: &Context<'a>) -> Self {
        let mut variants = Self::default();
        for config in context.objects(&context.config.proxy_configs) {
            let namespace = &*config.meta.namespace;
            let variant =
                config.spec.image.as_ref().map(|image| image.image_type.as_str()).unwrap_or_default();
            if variant.is_empty() {
                continue;
            }
            match &config.spec.selector {
                _ if namespace == context.mesh.root_namespace() => variants.root = Some(variant),
                None => {
                    variants.of_namespace.insert(namespace, variant);
                }
                Some(selector) => {
                    variants
                        .of_workloads
                        .entry(namespace)
                        .or_default()
                        .push((&selector.match_labels, variant));
                }
            }
        }
        variants
    }

    fn of_pod(&self, pod: &Object<Pod>) -> [Option<String>; 3] {
        let namespace = &*pod.meta.namespace;
        let mut of_workloads = self.of_workloads.get(namespace).into_iter().flatten();
        let own = of_workloads.rfind(|(selector, _)| labels_subset_of(selector, &pod.meta.labels));
        [self.root, self.of_namespace.get(namespace).copied(), own.map(|(_, variant)| *variant)]
            .map(|variant| variant.map(str::to_owned))
    }
}

/// The kind of image that the Pod is to have; empty: the usual one.
fn variant(context: &Context<'_>, variants: &Variants<'_>, pod: &Object<Pod>) -> String {
    let of = |config: &ProxyConfig| config.image.as_ref().map(|image| image.image_type.clone());
    let own = pod.meta.annotations.get("proxy.istio.io/config").and_then(written).and_then(|own| of(&own));
    let mesh = of(context.mesh.default_config());
    let levels = std::iter::once(mesh).chain(variants.of_pod(pod)).chain([own]);
    let last = levels.flatten().rfind(|variant| !variant.is_empty()).unwrap_or_default();
    if last == "default" { String::new() } else { last }
}

fn written(text: &str) -> Option<ProxyConfig> {
    let loaded = load("proxy.istio.io/config", text, &LoadOptions::default());
    read_bare(loaded.documents.first()?, Unknown::Ignore, &mut Report::new())
}

/// The image that an injector's settings name.
fn injected_image(map: &Object<ConfigMap>) -> String {
    let values = map.spec.data.get("values").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let text =
        |path: &str| values.as_ref().and_then(|values| values.pointer(path)?.as_str()).unwrap_or_default();
    match text("/global/proxy/image") {
        image if image.contains('/') => image.to_owned(),
        image => format!("{}/{image}:{}", text("/global/hub"), text("/global/tag")),
    }
}
