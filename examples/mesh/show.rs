//! `mesh show`: what one proxy runs.

use std::io::Write;
use std::process::ExitCode;

use mesh_compile::compiler::compile;
use mesh_compile::view::View;
use mesh_proxy_core::describe;
use serde_json::Value;

use crate::Unusable;
use crate::args::{Format, Part, Show};
use crate::load::resolve;
use crate::report::{human, plain};
use crate::target;

pub fn run(command: &Show) -> Result<ExitCode, Unusable> {
    let (snapshot, mut read) = resolve(&command.config)?;
    let proxy = target::proxy(&command.proxy, &read.config)?;
    let view = View::new(&snapshot, &proxy);
    let (config, report) = compile(&view);
    read.report.merge(report);
    human::findings(&mut anstream::stderr().lock(), &read.report, &mut read.texts)?;
    let value = match command.part {
        Part::Listeners => describe::listeners(&config),
        Part::Routes => describe::route_tables(&config),
        Part::Clusters => describe::clusters(&config),
        Part::Endpoints => describe::endpoints(&config),
        Part::Policies => describe::policies(&config),
        Part::Telemetry => describe::telemetry(&config),
        Part::Settings => describe::settings(&config),
        Part::Extensions => describe::extensions(&config),
        Part::EnvoyFilters => describe::envoy_filters(&config),
        Part::PeerModes => describe::peer_modes(&config),
        Part::TrafficPolicies => describe::traffic_policies(&view, &config),
    };
    let mut out = anstream::stdout().lock();
    match command.format {
        Format::Json => writeln!(out, "{value:#}")?,
        Format::Human if leaf(&value).is_some_and(|text| text.is_empty()) => {
            writeln!(anstream::stderr().lock(), "note: this proxy has nothing of the kind")?;
        }
        Format::Human => outline(&mut out, &value, 0)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// JSON as an indented outline: a line per leaf, nothing that is empty, origins as one line.
fn outline(out: &mut impl Write, value: &Value, depth: usize) -> std::io::Result<()> {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            // Endpoints have addresses with ports, listeners and virtual addresses have none.
            let is_endpoint = map.contains_key("health") && map.contains_key("weight");
            for (key, value) in map {
                match leaf(value) {
                    Some(text) if key == "address" && is_endpoint => {
                        writeln!(out, "{indent}{key}: {}", plain::endpoint(&text))?;
                    }
                    Some(text) if text.is_empty() => {}
                    Some(text) => writeln!(out, "{indent}{key}: {text}")?,
                    None => {
                        writeln!(out, "{indent}{key}:")?;
                        outline(out, value, depth + 1)?;
                    }
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                match leaf(item) {
                    Some(text) => writeln!(out, "{indent}- {text}")?,
                    // The first line of an item stands behind its dash.
                    None => {
                        let mut text = Vec::new();
                        outline(&mut text, item, depth + 1)?;
                        write!(out, "{indent}- ")?;
                        match text.trim_ascii_start() {
                            [] => writeln!(out)?,
                            text => out.write_all(text)?,
                        }
                    }
                }
            }
        }
        _ => writeln!(out, "{indent}{}", leaf(value).unwrap_or_default())?,
    }
    Ok(())
}

/// The text of a value that fits on a line.
fn leaf(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(plain::cut(text).into_owned()),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            Some(items.iter().filter_map(leaf).collect::<Vec<_>>().join(", "))
        }
        Value::Array(_) => None,
        Value::Object(map) if map.is_empty() => Some(String::new()),
        Value::Object(map) => origin(map),
    }
}

fn origin(map: &serde_json::Map<String, Value>) -> Option<String> {
    let text = |key: &str| map.get(key).and_then(Value::as_str);
    let (kind, field) = (text("kind")?, text("field")?);
    let place = text("file").zip(map.get("line")).zip(map.get("column"));
    let Some(((file, line), column)) = place else {
        return Some(format!("{kind}: {field}"));
    };
    Some(format!("{kind} {}/{} {field} ({file}:{line}:{column})", text("namespace")?, text("name")?))
}
