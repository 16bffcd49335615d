//! Wasm modules and Lua scripts in the chains of a proxy: which, where, in which order, for which traffic. Data alone:
//! nothing here loads or runs them. API: extensions.istio.io/v1alpha1 `WasmPlugin` and `TrafficExtension`.
// Facts: Istio's pilot/pkg/model/{extensions,push_context}.go; a WasmPlugin counts as a TrafficExtension there.

use std::cmp::Reverse;
use std::sync::Arc;

use mesh_authz::selection::{Attached, applies};
use mesh_model::extensions::traffic_extension::TrafficExtension;
use mesh_model::extensions::traffic_extension::spec::{
    ExecutionPhase, ExtensionCode, PluginType, TrafficSelector, WasmConfig, WorkloadMode,
};
use mesh_model::extensions::wasm_plugin::WasmPlugin;
use mesh_model::extensions::wasm_plugin::spec::PluginPhase;
use mesh_model::object::Object;
use mesh_model::origin::Origin;
use serde::{Serialize, Serializer};

use super::listener::Direction;
use crate::view::View;

/// The extensions of one proxy. API: extensions.istio.io/v1alpha1 `WasmPlugin` and `TrafficExtension`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Extensions {
    /// In the order in which traffic meets them: phase after phase, in each phase the greatest priority first.
    pub all: Vec<Extension>,
}

/// One extension. API: extensions.istio.io/v1alpha1 `WasmPlugin` and `TrafficExtension`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Extension {
    /// `NAMESPACE.NAME`.
    pub name: Arc<str>,
    /// Where it stands among Istio's filters.
    pub phase: Phase,
    /// Order in its phase: greater first, those without one last.
    pub priority: Option<i32>,
    /// Which kind of chain it is for.
    pub chain: ChainKind,
    /// Traffic it sees, any of these; empty: all.
    pub matches: Vec<TrafficSelector>,
    /// What runs, with its settings.
    #[serde(serialize_with = "code_name")]
    pub code: ExtensionCode,
    /// The resource.
    pub origin: Origin,
}

/// Where an extension stands among Istio's filters, in order.
/// API: extensions.istio.io/v1alpha1 `PluginPhase` and `TrafficExtension.ExecutionPhase`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Phase {
    /// Before authentication.
    Authn,
    /// Between authentication and authorization.
    Authz,
    /// Between authorization and statistics.
    Stats,
    /// At the end, before the router.
    Unspecified,
}

/// Which kind of chain an extension is for. API: extensions.istio.io/v1alpha1 `PluginType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChainKind {
    /// Requests.
    Http,
    /// Bytes.
    Network,
}

impl Extensions {
    /// Those that a connection to a port of a listener meets, in order. Inbound the port is the workload's, outbound the
    /// service's, at a gateway the server's.
    pub fn of_chain(
        &self,
        direction: Direction,
        port: u16,
        chain: ChainKind,
    ) -> impl Iterator<Item = &Extension> {
        self.all.iter().filter(move |it| it.chain == chain && it.sees(direction, port))
    }
}

impl Extension {
    /// Whether its selectors take this traffic.
    pub fn sees(&self, direction: Direction, port: u16) -> bool {
        let mode = match direction {
            Direction::Inbound => WorkloadMode::Server,
            Direction::Outbound | Direction::Gateway => WorkloadMode::Client,
        };
        let takes = |selector: &TrafficSelector| {
            let is_mode = match selector.mode {
                WorkloadMode::Undefined | WorkloadMode::ClientAndServer => true,
                other => other == mode,
            };
            let wanted = |number: u32| number != 0 && number == u32::from(port);
            is_mode && (selector.ports.is_empty() || selector.ports.iter().any(|it| wanted(it.number)))
        };
        self.matches.is_empty() || self.matches.iter().any(takes)
    }
}

/// Finds the extensions of the proxy of `view`: its namespace's, then the root namespace's, each oldest first.
pub fn compile(view: &View<'_>) -> Extensions {
    let mut all: Vec<(bool, i64, Extension)> = Vec::new();
    let root = view.mesh().root_namespace();
    let own = &*view.proxy().namespace;
    let homes = if own == root { vec![own] } else { vec![own, root] };
    for namespace in homes {
        let is_other = namespace != own;
        let plugins = applicable(view, view.wasm_plugins(), namespace);
        all.extend(plugins.map(|it| (is_other, it.meta.created.unwrap_or(i64::MIN), of_plugin(it))));
        let extensions = applicable(view, view.traffic_extensions(), namespace);
        all.extend(
            extensions
                .filter_map(|it| Some((is_other, it.meta.created.unwrap_or(i64::MIN), of_extension(it)?))),
        );
    }
    all.sort_by(|(is_other, created, one), (of_root, born, other)| {
        let order = |it: &Extension| (it.phase, Reverse(it.priority.map_or(i64::from(i32::MIN), i64::from)));
        let turn = (order(one), is_other, created, &one.name);
        turn.cmp(&(order(other), of_root, born, &other.name))
    });
    Extensions { all: all.into_iter().map(|(.., it)| it).collect() }
}

fn applicable<'s, S: Attached>(
    view: &View<'s>,
    objects: &'s [Arc<Object<S>>],
    namespace: &str,
) -> impl Iterator<Item = &'s Arc<Object<S>>> {
    let (proxy, root) = (view.proxy(), view.mesh().root_namespace());
    objects.iter().filter(move |it| {
        *it.meta.namespace == *namespace && applies(it, root, &proxy.namespace, &proxy.labels)
    })
}

fn name_of<S>(object: &Object<S>) -> Arc<str> {
    format!("{}.{}", object.meta.namespace, object.meta.name).into()
}

fn of_plugin(object: &Arc<Object<WasmPlugin>>) -> Extension {
    let WasmPlugin {
        selector: _,
        target_ref: _,
        target_refs: _,
        url,
        sha256,
        image_pull_policy,
        image_pull_secret,
        verification_key,
        plugin_config,
        plugin_name,
        phase,
        priority,
        fail_strategy,
        vm_config,
        matches,
        plugin_type,
    } = object.spec.clone();
    let wasm = WasmConfig {
        url,
        sha256,
        image_pull_policy,
        image_pull_secret,
        verification_key,
        plugin_config,
        plugin_name,
        fail_strategy,
        vm_config,
        plugin_type,
    };
    let phase = match phase {
        PluginPhase::Unspecified => Phase::Unspecified,
        PluginPhase::Authn => Phase::Authn,
        PluginPhase::Authz => Phase::Authz,
        PluginPhase::Stats => Phase::Stats,
    };
    Extension {
        name: name_of(object),
        phase,
        priority,
        chain: chain_of(wasm.plugin_type),
        matches,
        code: ExtensionCode::Wasm(Box::new(wasm)),
        origin: object.origin("spec"),
    }
}

/// `None`: it brings no code.
fn of_extension(object: &Arc<Object<TrafficExtension>>) -> Option<Extension> {
    let TrafficExtension { selector: _, target_refs: _, phase, priority, matches, code } =
        object.spec.clone();
    let chain = match &code {
        ExtensionCode::Unset => return None,
        ExtensionCode::Wasm(wasm) => chain_of(wasm.plugin_type),
        ExtensionCode::Lua(_) => ChainKind::Http,
    };
    let phase = match phase {
        ExecutionPhase::Unspecified => Phase::Unspecified,
        ExecutionPhase::Authn => Phase::Authn,
        ExecutionPhase::Authz => Phase::Authz,
        ExecutionPhase::Stats => Phase::Stats,
    };
    let origin = object.origin("spec");
    Some(Extension { name: name_of(object), phase, priority, chain, matches, code, origin })
}

fn chain_of(plugin_type: PluginType) -> ChainKind {
    match plugin_type {
        PluginType::Network => ChainKind::Network,
        _ => ChainKind::Http,
    }
}

/// The kind of code, where it comes from, and what is done when it fails: what people look for.
fn code_name<S: Serializer>(code: &ExtensionCode, serializer: S) -> Result<S::Ok, S::Error> {
    let value = match code {
        ExtensionCode::Unset => serde_json::Value::Null,
        ExtensionCode::Wasm(wasm) => serde_json::json!({
            "wasm": wasm.url, "root_id": wasm.plugin_name, "config": wasm.plugin_config,
            "when_it_fails": wasm.fail_strategy.as_str(),
        }),
        ExtensionCode::Lua(lua) => serde_json::json!({"lua": lua.inline_code}),
    };
    value.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{resolve, sidecar};

    fn resource(kind: &str, namespace: &str, name: &str, minute: u32, spec: &str) -> String {
        format!(
            "---\napiVersion: extensions.istio.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}, \
             creationTimestamp: \"2024-01-01T00:{minute:02}:00Z\"}}\nspec: {spec}\n"
        )
    }

    fn names(extensions: &Extensions) -> Vec<&str> {
        extensions.all.iter().map(|it| &*it.name).collect()
    }

    #[test]
    fn phases_come_in_order_and_greater_priorities_first() {
        let wasm = |more: &str| format!("{{url: 'file:///a.wasm'{more}}}");
        let yaml = [
            resource("WasmPlugin", "shop", "last", 1, &wasm("")),
            resource("WasmPlugin", "shop", "low", 1, &wasm(", phase: AUTHZ, priority: -1")),
            resource("WasmPlugin", "shop", "none", 1, &wasm(", phase: AUTHZ")),
            resource("WasmPlugin", "istio-system", "high", 5, &wasm(", phase: AUTHZ, priority: 9")),
            resource("TrafficExtension", "shop", "lua", 1, "{lua: {inlineCode: 'x'}, phase: AUTHN}"),
            resource(
                "TrafficExtension",
                "istio-system",
                "early",
                0,
                "{lua: {inlineCode: 'x'}, phase: AUTHN}",
            ),
            resource("WasmPlugin", "shop", "not-mine", 1, &wasm(", selector: {matchLabels: {app: other}}")),
            resource("WasmPlugin", "elsewhere", "far", 1, &wasm("")),
        ]
        .concat();
        let snapshot = resolve(&yaml);
        let proxy = sidecar("shop", "web");
        let found = compile(&View::new(&snapshot, &proxy));
        let wanted =
            ["shop.lua", "istio-system.early", "istio-system.high", "shop.low", "shop.none", "shop.last"];
        assert_eq!(names(&found), wanted);
        assert_eq!(found.all[0].origin.to_string(), "TrafficExtension shop/lua spec (test.yaml:25:1)");
    }

    #[test]
    fn a_chain_meets_those_of_its_kind_side_and_port() {
        let spec =
            "{url: 'file:///a.wasm', match: [{mode: SERVER, ports: [{number: 8080}]}, {mode: CLIENT}]}";
        let yaml = [
            resource("WasmPlugin", "shop", "http", 1, spec),
            resource("WasmPlugin", "shop", "tcp", 1, "{url: 'file:///b.wasm', type: NETWORK}"),
        ]
        .concat();
        let snapshot = resolve(&yaml);
        let proxy = sidecar("shop", "web");
        let found = compile(&View::new(&snapshot, &proxy));
        let of = |direction, port, chain| {
            found.of_chain(direction, port, chain).map(|it| it.name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(of(Direction::Inbound, 8080, ChainKind::Http), ["shop.http"]);
        assert!(of(Direction::Inbound, 81, ChainKind::Http).is_empty());
        assert_eq!(of(Direction::Outbound, 81, ChainKind::Http), ["shop.http"]);
        assert_eq!(of(Direction::Gateway, 443, ChainKind::Network), ["shop.tcp"]);
    }
}
