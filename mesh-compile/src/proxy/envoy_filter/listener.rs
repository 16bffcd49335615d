//! Patches of listeners, listener filters and filter chains; filters inside a chain are `network_filter`'s and
//! `http_filter`'s business.
// Facts: Istio's pilot/pkg/networking/core/envoyfilter/listener_patch.go (order of operations, what matches).

use std::net::IpAddr;
use std::sync::Arc;

use mesh_model::networking::envoy_filter::spec::{ApplyTo, PatchOperation};
use serde_json::{Map, Value};

use super::applicable::{Patch, Patches};
use super::listener_match::means_chain;
use super::network_filter;
use super::value::{count, field, fields};
use super::{Notes, Once};
use crate::proxy::listener::{ChainMatch, Direction, FilterChain, Listener, Network, TcpProxy, Transport};

const UNKNOWN: &str = "compiled listeners have no such field";
const UNREADABLE: &str = "the value cannot be read";

const PROXY_PROTOCOL: &str = "envoy.filters.listener.proxy_protocol";
const TLS_INSPECTOR: &str = "envoy.filters.listener.tls_inspector";
const HTTP_INSPECTOR: &str = "envoy.filters.listener.http_inspector";
const ORIGINAL_DST: &str = "envoy.filters.listener.original_dst";

/// Applies the patches that mean a listener, or something in it; `None`: none does.
pub(super) fn patch(patches: &Patches, before: &Arc<Listener>) -> Option<Once<Listener>> {
    let kinds = [
        ApplyTo::Listener,
        ApplyTo::ListenerFilter,
        ApplyTo::FilterChain,
        ApplyTo::NetworkFilter,
        ApplyTo::HttpFilter,
    ];
    let is_meant = |kind: &ApplyTo| {
        let is_new = |patch: &Patch| *kind == ApplyTo::Listener && patch.operation == PatchOperation::Add;
        patches.of(*kind).any(|(_, patch)| !is_new(patch) && patches.means_listener(patch, before))
    };
    if !kinds.iter().any(is_meant) {
        return None;
    }
    let mut notes = Notes::default();
    let mut listener = (**before).clone();
    for (place, patch) in patches.of(ApplyTo::Listener) {
        if patch.operation == PatchOperation::Add || !patches.means_listener(patch, before) {
            continue;
        }
        if patch.operation == PatchOperation::Remove {
            notes.changed.push((place, Arc::clone(&before.name)));
            return Some(Once { before: Arc::clone(before), after: None, notes });
        }
        merge(&mut listener, patch, place, &mut notes);
    }
    listener_filters(patches, &mut listener, &mut notes);
    chains(patches, &mut listener, &mut notes);
    let is_changed = !notes.changed.is_empty();
    if !is_changed && notes.left_out.is_empty() {
        return None;
    }
    let after = if is_changed { Arc::new(listener) } else { Arc::clone(before) };
    Some(Once { before: Arc::clone(before), after: Some(after), notes })
}

/// The listeners that patches add, with the place of their patch.
pub(super) fn added(patches: &Patches) -> Vec<(usize, Result<Listener, &'static str>)> {
    let adds = patches.of(ApplyTo::Listener).filter(|(_, patch)| patch.operation == PatchOperation::Add);
    adds.filter_map(|(place, patch)| {
        let direction = patches.direction_of_added(patch)?;
        Some((place, patch.value().map_or(Err(UNREADABLE), |value| listener(value, patch, direction))))
    })
    .collect()
}

/// What of a listener in Envoy's own form is read, or means nothing here.
const KNOWN: [&str; 6] =
    ["name", "address", "filter_chains", "stat_prefix", "traffic_direction", "bind_to_port"];

/// A listener in Envoy's own form: an address and chains that proxy bytes, or requests by a table that is there.
fn listener(
    value: &Map<String, Value>,
    patch: &Patch,
    direction: Direction,
) -> Result<Listener, &'static str> {
    let name = field(value, "name").and_then(Value::as_str).unwrap_or_default();
    let socket = field(value, "address")
        .and_then(|it| field(it.as_object()?, "socket_address")?.as_object())
        .ok_or("a listener needs a socket address")?;
    let address: IpAddr = field(socket, "address")
        .and_then(Value::as_str)
        .and_then(|it| it.parse().ok())
        .ok_or("the listener's address is no IP address")?;
    let port = field(socket, "port_value").and_then(count).and_then(|it| u16::try_from(it).ok());
    let origin = patch.origin().child(".patch.value");
    let chains = field(value, "filter_chains").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut filter_chains = Vec::new();
    for (index, chain) in chains.iter().enumerate() {
        let chain = chain.as_object().ok_or(UNREADABLE)?;
        filter_chains.push(filter_chain(chain, &origin.child(&format!(".filter_chains[{index}]")))?);
    }
    if fields(value).any(|(name, _)| !KNOWN.contains(&name.as_str())) {
        return Err("it has more than a name, an address and filter chains");
    }
    Ok(Listener {
        name: name.into(),
        direction,
        address,
        port: port.ok_or("the listener's port is no port")?,
        catch_all: false,
        binds_port: true,
        http_inspector: false,
        http10: false,
        proxy_protocol: false,
        buffer_bytes: None,
        filter_chains,
        default_chain: None,
        origin,
    })
}

/// A chain whose last filter, the only one, sends bytes to a cluster.
fn filter_chain(
    value: &Map<String, Value>,
    origin: &mesh_model::origin::Origin,
) -> Result<FilterChain, &'static str> {
    if field(value, "transport_socket").is_some() {
        return Err("transport sockets of added chains are not read");
    }
    let mut matches = ChainMatch::default();
    if let Some(written) = field(value, "filter_chain_match").and_then(Value::as_object) {
        for (name, value) in fields(written) {
            if !merge_match(&mut matches, &name, value) {
                return Err("its conditions cannot be read");
            }
        }
    }
    let filters = field(value, "filters").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let [only] = filters else { return Err("only chains with one filter, a TCP proxy, are read") };
    let cluster = only
        .as_object()
        .and_then(|it| super::filter_value::typed(field(it, "typed_config")?.as_object()?))
        .filter(|(kind, _)| *kind == network_filter::TCP_PROXY_TYPE)
        .and_then(|(_, written)| field(written, "cluster")?.as_str())
        .ok_or("only chains with one filter, a TCP proxy to one cluster, are read")?;
    Ok(FilterChain {
        name: field(value, "name").and_then(Value::as_str).unwrap_or_default().into(),
        matches,
        tls: None,
        network: Network::Tcp(Box::new(TcpProxy::to(cluster, origin.clone()))),
        max_connections: None,
        origin: origin.clone(),
    })
}

fn merge(listener: &mut Listener, patch: &Patch, place: usize, notes: &mut Notes) {
    let mut is_changed = false;
    for (name, value) in patch.value().into_iter().flat_map(fields) {
        match name.as_str() {
            // What statistics and people call it.
            "name" | "stat_prefix" => {}
            "per_connection_buffer_limit_bytes" => match count(value) {
                Some(bytes) => {
                    listener.buffer_bytes = Some(bytes);
                    is_changed = true;
                }
                None => notes.left_out.push((place, name, UNREADABLE.into())),
            },
            "listener_filters" => {
                for (index, filter) in value.as_array().into_iter().flatten().enumerate() {
                    let found = filter.as_object().and_then(|it| field(it, "name")?.as_str());
                    if found == Some(PROXY_PROTOCOL) {
                        listener.proxy_protocol = true;
                        is_changed = true;
                    } else {
                        let field = format!("listener_filters[{index}]");
                        notes.left_out.push((
                            place,
                            field,
                            "nothing here runs such a listener filter".into(),
                        ));
                    }
                }
            }
            _ => notes.left_out.push((place, name, UNKNOWN.into())),
        }
    }
    if is_changed {
        notes.changed.push((place, Arc::clone(&listener.name)));
    }
}

/// The listener filters that a listener has by what it does.
fn filters_of(listener: &Listener) -> Vec<String> {
    let own = [
        (ORIGINAL_DST, listener.catch_all),
        (PROXY_PROTOCOL, listener.proxy_protocol),
        (TLS_INSPECTOR, true),
        (HTTP_INSPECTOR, listener.http_inspector),
    ];
    own.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name.to_owned()).collect()
}

fn listener_filters(patches: &Patches, listener: &mut Listener, notes: &mut Notes) {
    let mut names = filters_of(listener);
    for (place, patch) in patches.of(ApplyTo::ListenerFilter) {
        if !patches.means_listener(patch, listener) {
            continue;
        }
        let wanted = patch.listener().map(|it| it.listener_filter.as_str()).filter(|it| !it.is_empty());
        let own = patch.value().and_then(|it| field(it, "name")?.as_str()).unwrap_or_default().to_owned();
        let means = |name: &String| wanted.is_none_or(|wanted| wanted == name);
        if patch.operation == PatchOperation::Merge {
            if names.iter().any(means) && wanted.is_some() {
                let why = "listener filters have no settings here";
                notes.left_out.push((place, "typed_config".into(), why.into()));
            }
            continue;
        }
        let is_done = place_in(&mut names, patch.operation, wanted.is_some(), own.clone(), means);
        if !is_done {
            continue;
        }
        let known = [PROXY_PROTOCOL, HTTP_INSPECTOR, TLS_INSPECTOR];
        let removed = patch.operation == PatchOperation::Remove;
        if removed || known.contains(&own.as_str()) {
            notes.changed.push((place, Arc::clone(&listener.name)));
        } else {
            notes.left_out.push((place, String::new(), format!("nothing here runs `{own}`").into()));
        }
        if [TLS_INSPECTOR, ORIGINAL_DST].iter().any(|it| removed && wanted == Some(*it)) {
            let why = "server names and original destinations are always known here";
            notes.left_out.push((place, String::new(), why.into()));
        }
    }
    listener.proxy_protocol = names.iter().any(|it| it == PROXY_PROTOCOL);
    listener.http_inspector = names.iter().any(|it| it == HTTP_INSPECTOR);
}

/// Does an operation on a list of filters, as Istio does it: without a filter to go by, `INSERT_AFTER` adds at the end,
/// `INSERT_BEFORE` at the beginning, and `REPLACE` and `REMOVE` do nothing; with one, the first that fits counts, but
/// `REMOVE` takes all. Says whether anything changed.
pub(super) fn place_in<T>(
    list: &mut Vec<T>,
    operation: PatchOperation,
    is_named: bool,
    new: T,
    means: impl Fn(&T) -> bool,
) -> bool {
    let found = list.iter().position(&means);
    match operation {
        PatchOperation::Add => list.push(new),
        PatchOperation::InsertFirst => list.insert(0, new),
        PatchOperation::InsertAfter if !is_named => list.push(new),
        PatchOperation::InsertBefore if !is_named => list.insert(0, new),
        PatchOperation::InsertAfter => match found {
            Some(at) => list.insert(at + 1, new),
            None => return false,
        },
        PatchOperation::InsertBefore => match found {
            Some(at) => list.insert(at, new),
            None => return false,
        },
        PatchOperation::Replace if is_named => match found.and_then(|at| list.get_mut(at)) {
            Some(old) => *old = new,
            None => return false,
        },
        PatchOperation::Remove if is_named => {
            let before = list.len();
            list.retain(|it| !means(it));
            return list.len() != before;
        }
        _ => return false,
    }
    true
}

fn chains(patches: &Patches, listener: &mut Listener, notes: &mut Notes) {
    let all = std::mem::take(&mut listener.filter_chains);
    let mut kept = Vec::with_capacity(all.len());
    for mut chain in all {
        if chain_stays(patches, listener, &mut chain, notes) {
            kept.push(chain);
        }
    }
    listener.filter_chains = kept;
    if let Some(mut chain) = listener.default_chain.take() {
        let stays = chain_stays(patches, listener, &mut chain, notes);
        listener.default_chain = stays.then_some(chain);
    }
    for (place, patch) in patches.of(ApplyTo::FilterChain) {
        if patch.operation != PatchOperation::Add || !patches.means_listener(patch, listener) {
            continue;
        }
        let origin = patch.origin().child(".patch.value");
        match patch.value().map_or(Err(UNREADABLE), |value| filter_chain(value, &origin)) {
            Ok(chain) => {
                notes.changed.push((place, format!("{}/{}", listener.name, chain.name).into()));
                listener.filter_chains.push(chain);
            }
            Err(why) => notes.left_out.push((place, String::new(), why.into())),
        }
    }
}

/// Patches a chain; `false`: it is removed.
fn chain_stays(patches: &Patches, listener: &Listener, chain: &mut FilterChain, notes: &mut Notes) -> bool {
    for (place, patch) in patches.of(ApplyTo::FilterChain) {
        let is_meant = patches.means_listener(patch, listener) && means_chain(patch, listener, chain);
        if !is_meant || patch.operation == PatchOperation::Add {
            continue;
        }
        let what: Arc<str> = format!("{}/{}", listener.name, chain.name).into();
        if patch.operation == PatchOperation::Remove {
            notes.changed.push((place, what));
            return false;
        }
        let mut is_changed = false;
        for (name, value) in patch.value().into_iter().flat_map(fields) {
            let matches = value.as_object().filter(|_| name == "filter_chain_match");
            let Some(matches) = matches else {
                if name != "name" {
                    notes.left_out.push((place, name, "compiled filter chains have no such field".into()));
                }
                continue;
            };
            for (name, value) in fields(matches) {
                if merge_match(&mut chain.matches, &name, value) {
                    is_changed = true;
                } else {
                    let field = format!("filter_chain_match.{name}");
                    notes.left_out.push((
                        place,
                        field,
                        "compiled filter chains have no such condition".into(),
                    ));
                }
            }
        }
        if is_changed {
            notes.changed.push((place, what));
        }
    }
    network_filter::patch(patches, listener, chain, notes);
    true
}

/// Merges a condition; `false`: there is no such one.
fn merge_match(matches: &mut ChainMatch, name: &str, value: &Value) -> bool {
    let texts = || value.as_array().map(|list| list.iter().filter_map(Value::as_str).map(Arc::<str>::from));
    match name {
        "destination_port" => {
            matches.destination_port = count(value).and_then(|it| u16::try_from(it).ok());
            matches.destination_port.is_some()
        }
        "server_names" => texts().map(|names| matches.server_names.extend(names)).is_some(),
        "application_protocols" => texts().map(|names| matches.application_protocols.extend(names)).is_some(),
        "transport_protocol" => {
            matches.transport = match value.as_str() {
                Some("tls") => Some(Transport::Tls),
                Some("raw_buffer") => Some(Transport::RawBuffer),
                _ => return false,
            };
            true
        }
        _ => false,
    }
}
