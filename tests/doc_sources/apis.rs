//! What the APIs have: messages, types and their fields.

use std::collections::{BTreeMap, BTreeSet};

/// Fields of each message of Istio's API: `networking.HTTPRoute` -> `rewrite`, ...
pub(crate) fn istio_messages(ledger: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut types: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut lines = ledger.lines();
    let header: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let column = |name: &str| header.iter().position(|cell| *cell == name).unwrap();
    let (kind, path, message) = (column("kind"), column("path"), column("proto_type"));
    for line in lines {
        let cells: Vec<&str> = line.split('\t').collect();
        // `istio.networking.v1alpha3.HTTPRoute` -> `networking.HTTPRoute`; the versions of an API share their messages.
        let parts: Vec<&str> = cells[message].split('.').collect();
        if let ["istio", package, _version, name @ ..] = parts.as_slice() {
            let message = format!("{package}.{}", name.join("."));
            messages.entry(message.clone()).or_default();
            types.insert((cells[kind].into(), cells[path].into()), message);
        }
        let Some((parent, field)) = cells[path].rsplit_once('.') else {
            // Mesh-wide messages have no `spec` around them.
            messages.entry(format!("mesh.{}", cells[kind])).or_default().insert(cells[path].into());
            continue;
        };
        if let Some(parent) = types.get(&(cells[kind].into(), parent.into())) {
            let field = field.trim_end_matches("[]").trim_end_matches("{}");
            messages.entry(parent.clone()).or_default().insert(field.into());
        }
    }
    messages
}

/// Groups of Kubernetes' API and of the Gateway API, as the tables call them.
const KUBERNETES: [(&str, &str); 8] = [
    ("core/v1", "core"),
    ("meta/v1", "meta"),
    ("apps/v1", "apps"),
    ("discovery.k8s.io/v1", "discovery"),
    ("networking.k8s.io/v1", "networking"),
    ("admissionregistration.k8s.io/v1", "admission"),
    ("apiextensions.k8s.io/v1", "crd"),
    ("gateway.networking.k8s.io/v1", "gateway"),
];

/// Types of theirs that the table leaves out: it holds what is asked for, not states, words and what all objects have.
const STATES_AND_WORDS: [&str; 16] = [
    "AddressType",
    "IngressStatus",
    "LabelSelectorOperator",
    "LabelServiceName",
    "LoadBalancerIngress",
    "LoadBalancerStatus",
    "NodeAddress",
    "NodeStatus",
    "PodCondition",
    "PodIP",
    "PodPhase",
    "PodStatus",
    "Protocol",
    "ServiceStatus",
    "ServiceType",
    "TypeMeta",
];

/// Fields of each type of Kubernetes' API, of `api_fields.tsv`: `core.Pod` -> `spec`, ...
pub(crate) fn kubernetes_types(table: &str) -> BTreeMap<String, BTreeSet<String>> {
    let rows = table.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| {
        let (name, fields) = line.split_once('\t').unwrap_or((line, ""));
        let fields = fields.split(' ').map(|field| field.split(':').next().unwrap_or(field).to_owned());
        (name.to_owned(), fields.collect())
    })
    .collect()
}

/// Fields of each type of the Gateway API, of `facts.tsv`: `gateway.Gateway` -> `spec`, ...
pub(crate) fn gateway_api_types(table: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut types: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut cells = line.split('\t');
        let (name, field) = (cells.next().unwrap(), cells.next().unwrap());
        types.entry(format!("gateway.{name}")).or_default().insert(field.into());
    }
    types
}

/// Why a cited name is not in the tables of the APIs, where there is one of its group.
pub(crate) fn unknown(types: &BTreeMap<String, BTreeSet<String>>, group: &str, name: &str) -> Option<String> {
    let (home, _version) = group.split_once('/')?;
    let package = home.split('.').next()?;
    let is_istio = home.ends_with(".istio.io") || ["mesh", "type", "analysis"].contains(&package);
    let (message, field) = match name.rsplit_once('.') {
        Some((message, field)) if field.starts_with(|c: char| c.is_ascii_lowercase()) => {
            (message, Some(field))
        }
        _ => (name, None),
    };
    let known = match KUBERNETES.iter().find(|(known, _)| *known == group) {
        Some(_) if STATES_AND_WORDS.contains(&name) => return None,
        Some((_, package)) => format!("kubernetes {package}.{message}"),
        None if is_istio => format!("{package}.{message}"),
        None => return None,
    };
    match (types.get(&known), field) {
        (None, _) => Some(format!("{group} has no message or enum `{message}`")),
        (Some(fields), Some(field)) if !fields.contains(field) => {
            Some(format!("{group} `{message}` has no field `{field}`"))
        }
        _ => None,
    }
}
