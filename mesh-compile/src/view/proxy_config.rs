//! The settings of one proxy: ProxyConfig resources and the annotation of its Pod over the mesh's defaults (T-470).

use std::sync::Arc;

use mesh_model::decode::{DecodeOptions, Unknown, decode};
use mesh_model::diagnostic::{Code, Diagnostic, Place, Report};
use mesh_model::mesh_config::{ProxyConfig, ProxyImage};
use mesh_model::name::labels_subset_of;
use mesh_model::networking::proxy_config::spec;
use mesh_model::object::Object;
use mesh_model::origin::Origin;
use mesh_model::resolved::{Layer, Level};
use mesh_model::yaml::{LoadOptions, load};

use crate::proxy_identity::Proxy;
use crate::snapshot::MeshSnapshot;

/// The Pod annotation that holds a `ProxyConfig`.
const ANNOTATION: &str = "proxy.istio.io/config";

/// What is set over `defaultConfig`.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// Everything together; `None`: nothing is set.
    pub(super) merged: Option<ProxyConfig>,
    /// Each layer as it is written, the widest first.
    pub(super) layers: Vec<Layer<ProxyConfig>>,
}

impl Settings {
    fn of_layers(snapshot: &MeshSnapshot, layers: Vec<Layer<ProxyConfig>>) -> Self {
        let merged = (!layers.is_empty()).then(|| {
            let over = |below: ProxyConfig, layer: &Layer<ProxyConfig>| below.overlay(layer.value.clone());
            layers.iter().fold(snapshot.mesh.default_config().clone(), over)
        });
        Self { merged, layers }
    }
}

/// What ProxyConfig resources and the proxy's Pod set. An annotation that cannot be read counts as none, and is reported.
pub(super) fn of(snapshot: &MeshSnapshot, proxy: &Proxy) -> (Settings, Report) {
    let mut report = Report::new();
    let own = written(snapshot, proxy, &mut report);
    (Settings::of_layers(snapshot, with_resources(snapshot, proxy, own)), report)
}

/// The annotation of the proxy's Pod, as it is written.
pub(crate) fn written_text<'s>(snapshot: &'s MeshSnapshot, proxy: &Proxy) -> Option<&'s str> {
    let pod = snapshot.workloads.pod(proxy)?;
    pod.meta.annotations.get(ANNOTATION)
}

/// The same for all proxies of these labels whose Pods have such an annotation.
pub(super) fn of_text(snapshot: &MeshSnapshot, proxy: &Proxy, text: Option<&str>) -> Settings {
    let own = text.and_then(|text| read(text, &|| Place::default(), &mut Report::new()));
    let own = own.map(|own| Layer::new(own, Level::Pod, Origin::built_in("the Pod's annotation")));
    Settings::of_layers(snapshot, with_resources(snapshot, proxy, own))
}

/// The layers of a proxy: the oldest resource without a selector of the root namespace and of its own, its annotation, the
/// oldest resource of its namespace that selects it.
fn with_resources(
    snapshot: &MeshSnapshot,
    proxy: &Proxy,
    own: Option<Layer<ProxyConfig>>,
) -> Vec<Layer<ProxyConfig>> {
    let root = snapshot.mesh.root_namespace();
    let of_namespace = |namespace: &str, level| {
        let is_whole = |it: &&Arc<Object<spec::ProxyConfig>>| {
            *it.meta.namespace == *namespace && it.spec.selector.is_none()
        };
        snapshot.proxy_configs.iter().find(is_whole).map(|object| layer(object, level))
    };
    let selects = |it: &&Arc<Object<spec::ProxyConfig>>| {
        let labels = it.spec.selector.as_ref().map(|selector| &selector.match_labels);
        let labels = labels.filter(|labels| !labels.is_empty());
        it.meta.namespace == proxy.namespace && labels.is_some_and(|it| labels_subset_of(it, &proxy.labels))
    };
    let mut layers = Vec::new();
    if !root.is_empty() {
        layers.extend(of_namespace(root, Level::RootNamespace));
    }
    if *proxy.namespace != *root {
        layers.extend(of_namespace(&proxy.namespace, Level::Namespace));
    }
    layers.extend(own);
    let selected = snapshot.proxy_configs.iter().find(selects);
    layers.extend(selected.map(|object| layer(object, Level::Workload)));
    layers
}

/// What a resource sets, as a part of the proxy's settings.
fn layer(object: &Object<spec::ProxyConfig>, level: Level) -> Layer<ProxyConfig> {
    let spec::ProxyConfig { selector: _, concurrency, environment_variables, image } = &object.spec;
    let value = ProxyConfig {
        concurrency: *concurrency,
        proxy_metadata: environment_variables.clone(),
        image: image.as_ref().map(|it| ProxyImage { image_type: it.image_type.clone() }),
        ..ProxyConfig::default()
    };
    Layer::new(value, level, object.origin("spec"))
}

fn written(snapshot: &MeshSnapshot, proxy: &Proxy, report: &mut Report) -> Option<Layer<ProxyConfig>> {
    let pod = snapshot.workloads.pod(proxy)?;
    let text = pod.meta.annotations.get(ANNOTATION)?;
    let own = read(text, &|| Place::of(&pod.provenance, "metadata.annotations"), report)?;
    Some(Layer::new(own, Level::Pod, pod.origin(format!("metadata.annotations[\"{ANNOTATION}\"]"))))
}

fn read(text: &str, at: &dyn Fn() -> Place, report: &mut Report) -> Option<ProxyConfig> {
    let loaded = load(ANNOTATION, text, &LoadOptions::default());
    let Some(document) = loaded.documents.first() else {
        let message = format!("the annotation `{ANNOTATION}` cannot be read, it is left out");
        let help = "write the ProxyConfig as one YAML or JSON map";
        report.push(Diagnostic::new(Code::BadValue, at(), message).help(help));
        return None;
    };
    let options = DecodeOptions { protobuf: true, unknown: Unknown::Warning };
    decode(document.root(), "", options, &|_: &str, _| at(), report)
}

#[cfg(test)]
mod tests {
    use crate::testing::{gateway, resolve_with};
    use crate::view::View;

    #[test]
    fn t_470_the_annotation_of_the_pod_lies_over_the_defaults_of_the_mesh() {
        let pod = |config: &str| {
            format!(
                "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: gw-1, namespace: edge, labels: {{app: gw}}, \
                 annotations: {{proxy.istio.io/config: '{config}'}}}}\n"
            )
        };
        let mesh = r#"{"defaultConfig": {"gatewayTopology": {"numTrustedProxies": 1}, "proxyMetadata": {"A": "1"}}}"#;
        let of = |yaml: &str| {
            let (snapshot, _) = resolve_with(mesh, yaml);
            let proxy = gateway("edge", "gw");
            let view = View::new(&snapshot, &proxy);
            let config = view.proxy_config();
            let metadata: Vec<_> = config.proxy_metadata.keys().cloned().collect();
            (config.num_trusted_proxies(), metadata.join(","), view.problems().is_empty())
        };
        assert_eq!(of(""), (1, "A".to_owned(), true));
        let own = "{gatewayTopology: {numTrustedProxies: 2}, proxyMetadata: {B: \"2\"}}";
        assert_eq!(of(&pod(own)), (2, "A,B".to_owned(), true));
        // What cannot be read changes nothing, and is reported.
        assert_eq!(of(&pod("{gatewayTopology: 3}")), (1, "A".to_owned(), false));
        assert_eq!(of(&pod("{")), (1, "A".to_owned(), false));
    }

    #[test]
    fn t_470_resources_lie_over_the_defaults_and_the_one_that_selects_over_the_annotation() {
        use mesh_model::resolved::Level;
        let resource = |namespace: &str, name: &str, spec: &str| {
            format!(
                "---\napiVersion: networking.istio.io/v1beta1\nkind: ProxyConfig\n\
                 metadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"
            )
        };
        let yaml = [
            resource("istio-system", "mesh", "{concurrency: 1, environmentVariables: {A: mesh, B: mesh}}"),
            resource("edge", "ns", "{concurrency: 2, environmentVariables: {B: ns}}"),
            resource("edge", "wl", "{selector: {matchLabels: {app: gw}}, concurrency: 4}"),
            resource("edge", "other", "{selector: {matchLabels: {app: web}}, concurrency: 5}"),
            resource("edge", "nobody", "{selector: {}, concurrency: 6}"),
            "---\napiVersion: v1\nkind: Pod\nmetadata: {name: gw-1, namespace: edge, labels: {app: gw}, annotations: \
             {proxy.istio.io/config: '{concurrency: 3, statusPort: 9}'}}\n"
                .to_owned(),
        ]
        .concat();
        let (snapshot, _) = resolve_with("{}", &yaml);
        let proxy = gateway("edge", "gw");
        let view = View::new(&snapshot, &proxy);
        let config = view.proxy_config();
        assert_eq!((config.concurrency, config.status_port()), (Some(4), 9));
        let variables: Vec<_> =
            config.proxy_metadata.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(variables, ["A=mesh", "B=ns"]);
        let levels: Vec<_> = view.proxy_layers().iter().map(|it| it.level).collect();
        assert_eq!(levels, [Level::RootNamespace, Level::Namespace, Level::Pod, Level::Workload]);
        assert_eq!(view.proxy_setting("statusPort", |it| it.status_port.is_some()).0, Level::Pod);
        assert_eq!(view.proxy_setting("meshId", |it| it.mesh_id.is_some()).0, Level::Mesh);
    }
}
