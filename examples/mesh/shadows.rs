//! What holds although something else was written: each value with the statements that it shadows, and their places.

use std::io::Write;

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::listener::Direction;
use mesh_compile::view::View;
use mesh_proxy_core::decision::{Action, Decision};
use mesh_proxy_core::describe;
use mesh_proxy_core::query::Query;
use owo_colors::OwoColorize;
use serde_json::{Map, Value};

/// What stands behind one decision: the mode of the port it arrives at, the policies of the clusters it may go to, and
/// the proxy's own settings and telemetry.
pub fn of_decision(view: &View<'_>, config: &ProxyConfig, query: &Query<'_>, decision: &Decision) -> Value {
    let mut all = Map::new();
    if query.direction == Direction::Inbound {
        let port = query.connection.dst_port;
        let modes = &config.peer_modes;
        let mode = modes.ports.get(&port).unwrap_or(&modes.default);
        all.insert(format!("mode of port {port}"), serde_json::to_value(mode).unwrap_or_default());
    }
    if let Action::Forward(forward) = &decision.action {
        for choice in &forward.clusters {
            let policy = describe::traffic_policy(view, &choice.cluster);
            if !policy.is_null() {
                all.insert(choice.cluster.to_string(), policy);
            }
        }
    }
    all.insert("telemetry".to_owned(), describe::telemetry(config));
    all.insert("settings".to_owned(), describe::settings(config));
    all.into()
}

/// Prints every statement that somebody wrote and that counts for nothing, below the one that holds. Built-in defaults
/// that somebody wrote over are not told of.
pub fn print(out: &mut impl Write, value: &Value) -> std::io::Result<()> {
    let mut found = Vec::new();
    collect("", value, &mut found);
    if found.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", "shadowed".bold())?;
    for (path, resolved) in found {
        writeln!(out, "  {path}: {}", statement(resolved))?;
        for lost in resolved.get("shadowed").and_then(Value::as_array).into_iter().flatten() {
            if let Some(lost) = lost.as_object().filter(|it| is_written(it)) {
                writeln!(out, "        {} {}", "over".dimmed(), statement(lost).dimmed())?;
            }
        }
    }
    Ok(())
}

/// Every value that shadows something which somebody wrote, with its path.
fn collect<'v>(path: &str, value: &'v Value, found: &mut Vec<(String, &'v Map<String, Value>)>) {
    match value {
        Value::Object(map) => {
            let shadowed = map.get("shadowed").and_then(Value::as_array);
            let mut lost = shadowed.into_iter().flatten().filter_map(Value::as_object);
            if map.contains_key("level") && lost.any(is_written) {
                found.push((path.to_owned(), map));
                return;
            }
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path} {key}") };
                collect(&path, value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(path, item, found)),
        _ => {}
    }
}

fn is_written(layer: &Map<String, Value>) -> bool {
    layer.get("origin").is_some_and(|origin| origin.get("file").is_some())
}

/// `VALUE (LEVEL, FILE:LINE:COLUMN)`.
fn statement(layer: &Map<String, Value>) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let value = layer.get("value").filter(|it| !it.is_null()).map_or_else(|| "the default".to_owned(), text);
    let level = layer.get("level").map(text).unwrap_or_default();
    let place = layer.get("origin").map(place).unwrap_or_default();
    format!("{value} ({level}, {place})")
}

/// `file:line:column`, or what a built-in is called.
fn place(origin: &Value) -> String {
    let part =
        |key: &str| origin.get(key).map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned));
    match (part("file"), part("line"), part("column")) {
        (Some(file), Some(line), Some(column)) => format!("{file}:{line}:{column}"),
        _ => part("field").unwrap_or_default(),
    }
}
