//! How the proxy itself is set up: every field of its settings with its origin and what it shadows (T-470).

use std::collections::BTreeMap;

use mesh_model::mesh_config::ProxyConfig as MeshProxyConfig;
use mesh_model::origin::Origin;
use mesh_model::resolved::{Layer, Level, Resolved};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::view::View;

/// The settings of one proxy (T-470).
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ProxySettings {
    /// Everything together: defaults, `defaultConfig`, ProxyConfig resources, the Pod's annotation.
    #[serde(skip)]
    pub config: MeshProxyConfig,
    /// Every field that is set, by its name in the API (`concurrency`, `image`, `tracing`, ...), as JSON.
    pub fields: BTreeMap<String, Resolved<Value>>,
    /// Variables of the proxy's environment, by name: `proxyMetadata` and `environmentVariables`, which are one map.
    pub environment: BTreeMap<String, Resolved<Value>>,
}

impl ProxySettings {
    /// Worker threads: a number, 0 for all cores; `None`: by the container's CPU limit (T-472).
    pub fn concurrency(&self) -> Option<i32> {
        self.config.concurrency
    }

    /// The proxy's image; `None`: the installation's.
    pub fn image(&self) -> Option<&str> {
        self.config.image.as_ref().map(|it| it.image_type.as_str()).filter(|it| !it.is_empty())
    }
}

/// The map that is merged key by key.
const METADATA: &str = "proxyMetadata";
/// The same in ProxyConfig resources.
const VARIABLES: &str = "environmentVariables";

/// Puts together how the proxy of `view` is set up.
pub fn compile(view: &View<'_>) -> ProxySettings {
    let config = view.proxy_config().clone();
    let mut settings = ProxySettings { config, ..ProxySettings::default() };
    let built_in = MeshProxyConfig::with_defaults();
    let mut add = |level, written: &MeshProxyConfig, origin: &dyn Fn(&str) -> Origin| {
        for (field, value) in fields(written) {
            match (field.as_str(), value) {
                (METADATA, Value::Object(variables)) => {
                    for (name, value) in variables {
                        let origin = origin(METADATA).child(&format!("[\"{name}\"]"));
                        lay(&mut settings.environment, name, Layer::new(value, level, origin));
                    }
                }
                (_, value) => {
                    let layer = Layer::new(value, level, origin(&field));
                    lay(&mut settings.fields, field, layer);
                }
            }
        }
    };
    add(Level::Default, &built_in, &|_| Origin::built_in("default of Istio (T-472)"));
    for (place, written) in view.mesh().layers.documents() {
        let Some(default_config) = &written.default_config else { continue };
        let at = |field: &str| Origin::written(place, format!("defaultConfig.{field}"));
        add(Level::Mesh, default_config, &at);
    }
    for layer in view.proxy_layers() {
        let is_resource = layer.level != Level::Pod;
        let at = |field: &str| match (is_resource, field) {
            (true, METADATA) => layer.origin.child(&format!(".{VARIABLES}")),
            (true, field) => layer.origin.child(&format!(".{field}")),
            // The annotation is one text: there is no place inside it.
            (false, _) => layer.origin.clone(),
        };
        add(layer.level, &layer.value, &at);
    }
    settings.settle();
    settings
}

impl ProxySettings {
    /// Some fields are not replaced but merged, and a program may set up the mesh without any document: the value that
    /// holds is that of the merged settings.
    fn settle(&mut self) {
        for (field, value) in fields(&self.config) {
            match (field.as_str(), value) {
                (METADATA, Value::Object(variables)) => {
                    for (name, value) in variables {
                        hold(&mut self.environment, name, value);
                    }
                }
                (_, value) => hold(&mut self.fields, field, value),
            }
        }
        let held = fields(&self.config);
        // What a layer took away again (the two names of a service are one choice) is set no more.
        self.fields.retain(|field, _| held.contains_key(field));
    }
}

fn hold(all: &mut BTreeMap<String, Resolved<Value>>, name: String, value: Value) {
    match all.remove(&name) {
        Some(resolved) => {
            all.insert(name, resolved.with_value(value));
        }
        None => {
            let origin = Origin::built_in("MeshConfig");
            all.insert(name, Resolved::new(Layer::new(value, Level::Mesh, origin)));
        }
    }
}

fn lay(all: &mut BTreeMap<String, Resolved<Value>>, name: String, layer: Layer<Value>) {
    match all.get_mut(&name) {
        Some(resolved) => resolved.lay(layer),
        None => {
            all.insert(name, Resolved::new(layer));
        }
    }
}

/// The fields that are set, in the API's form.
fn fields(config: &MeshProxyConfig) -> Map<String, Value> {
    match serde_json::to_value(config) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{resolve_with, sidecar};

    #[test]
    fn every_field_says_where_it_comes_from_and_what_it_shadows() {
        let yaml = "apiVersion: networking.istio.io/v1beta1\nkind: ProxyConfig\n\
                    metadata: {name: all, namespace: shop}\n\
                    spec: {concurrency: 2, environmentVariables: {A: '1'}, image: {imageType: debug}}\n\
                    ---\napiVersion: v1\nkind: Pod\nmetadata: {name: web-1, namespace: shop, labels: {app: web}, annotations: \
                    {proxy.istio.io/config: '{concurrency: 3, proxyMetadata: {A: \"2\"}}'}}\n";
        let (snapshot, _) = resolve_with(r#"{"defaultConfig": {"meshId": "m"}}"#, yaml);
        let proxy = sidecar("shop", "web");
        let settings = compile(&View::new(&snapshot, &proxy));
        assert_eq!((settings.concurrency(), settings.image()), (Some(3), Some("debug")));
        let concurrency = settings.fields.get("concurrency").unwrap();
        assert_eq!((concurrency.value(), concurrency.level()), (&Value::from(3), Level::Pod));
        let below = &concurrency.shadowed()[0];
        assert_eq!((&below.value, below.origin.field()), (&Value::from(2), "spec.concurrency"));
        let variable = settings.environment.get("A").unwrap();
        assert_eq!(variable.shadowed()[0].origin.field(), "spec.environmentVariables[\"A\"]");
        assert_eq!(settings.fields.get("meshId").unwrap().level(), Level::Mesh);
        assert_eq!(settings.fields.get("statusPort").unwrap().level(), Level::Default);
        assert!(!settings.fields.contains_key("proxyMetadata"));
    }
}
