//! The settings of one proxy: the mesh's defaults under the annotation of its Pod (T-470).

use mesh_model::decode::{DecodeOptions, Unknown, decode};
use mesh_model::diagnostic::{Code, Diagnostic, Place, Report};
use mesh_model::mesh_config::ProxyConfig;
use mesh_model::yaml::{LoadOptions, load};

use crate::proxy_identity::Proxy;
use crate::snapshot::MeshSnapshot;

/// The Pod annotation that holds a `ProxyConfig`.
const ANNOTATION: &str = "proxy.istio.io/config";

/// What the proxy's Pod sets over `defaultConfig`; `None`: nothing, or nothing that can be read, which is reported.
pub(super) fn of(snapshot: &MeshSnapshot, proxy: &Proxy) -> (Option<ProxyConfig>, Report) {
    let mut report = Report::new();
    let own = written(snapshot, proxy, &mut report);
    (own.map(|own| snapshot.mesh.default_config().clone().overlay(own)), report)
}

/// The annotation of the proxy's Pod, as it is written.
pub(crate) fn written_text<'s>(snapshot: &'s MeshSnapshot, proxy: &Proxy) -> Option<&'s str> {
    let pod = snapshot.workloads.pod(proxy)?;
    pod.meta.annotations.get(ANNOTATION).map(String::as_str)
}

/// The settings that such an annotation makes; `None`: it sets nothing, or cannot be read.
pub(super) fn of_text(snapshot: &MeshSnapshot, text: Option<&str>) -> Option<ProxyConfig> {
    let own = read(text?, &|| Place::default(), &mut Report::new())?;
    Some(snapshot.mesh.default_config().clone().overlay(own))
}

fn written(snapshot: &MeshSnapshot, proxy: &Proxy, report: &mut Report) -> Option<ProxyConfig> {
    let pod = snapshot.workloads.pod(proxy)?;
    let text = pod.meta.annotations.get(ANNOTATION)?;
    read(text, &|| Place::of(&pod.provenance, "metadata.annotations"), report)
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
}
