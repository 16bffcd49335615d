//! The road of a decision for people: a heading for each stage, a line for each candidate, then the answer.

use std::io::Write;

use mesh_model::origin::Origin;
use mesh_model::trace::{Because, Outcome, Stage, Step};
use owo_colors::OwoColorize;
use serde_json::{Map, Value};

use crate::report::plain::cut;

/// Lists of alternatives longer than this are shortened.
const ALTERNATIVES_MAX: usize = 3;

/// Prints the steps, stage after stage.
pub fn steps(out: &mut impl Write, steps: &[Step<'_>]) -> std::io::Result<()> {
    let mut rest: Vec<&Step<'_>> = steps.iter().collect();
    while let Some(first) = rest.first() {
        let stage = first.stage;
        // Timeouts and retries belong to the route, but are told once the cluster is known: one heading for all of it.
        let (now, later): (Vec<_>, Vec<_>) = match stage {
            Stage::Route | Stage::Cluster => rest.into_iter().partition(|step| step.stage == stage),
            _ => {
                let end = rest.iter().position(|step| step.stage != stage).unwrap_or(rest.len());
                let later = rest.split_off(end);
                (rest, later)
            }
        };
        writeln!(out, "{}", heading(stage).bold())?;
        match stage {
            Stage::Cluster => clusters(out, &now)?,
            _ => now.iter().try_for_each(|step| candidate(out, step))?,
        }
        rest = later;
    }
    Ok(())
}

fn heading(stage: Stage) -> &'static str {
    match stage {
        Stage::Listener => "listener",
        Stage::Transport => "transport",
        Stage::Authenticate => "token",
        Stage::Authorize => "policies",
        Stage::Route => "route",
        Stage::Cluster => "cluster",
    }
}

/// `lost  route[0] jason: header end-user wanted exact jason, got absent`, and where it was written.
fn candidate(out: &mut impl Write, step: &Step<'_>) -> std::io::Result<()> {
    match step.outcome {
        Outcome::Won => write!(out, "  {}  {}", "won ".green(), cut(&step.rule))?,
        Outcome::Lost => write!(out, "  {}  {}", "lost".red(), cut(&step.rule))?,
        Outcome::NotAsked => write!(out, "  {}  {}", "-   ".dimmed(), cut(&step.rule).dimmed())?,
    }
    if let Some(because) = &step.because {
        reason(out, step.outcome, because)?;
    }
    writeln!(out)?;
    match &step.origin {
        Some(origin) => writeln!(out, "        {}", place(origin).dimmed()),
        None => Ok(()),
    }
}

fn reason(out: &mut impl Write, outcome: Outcome, because: &Because<'_>) -> std::io::Result<()> {
    let Because { field, wanted, got } = because;
    write!(out, ": {field}")?;
    let wanted = shortened(wanted);
    let (wanted, got) = (cut(&wanted), cut(got));
    match (outcome, wanted.is_empty(), got.is_empty()) {
        (_, true, true) => Ok(()),
        (_, false, true) => write!(out, " {}", wanted.cyan()),
        (_, true, false) => write!(out, " {}", got.yellow()),
        (Outcome::Won, false, false) => write!(out, " {} fits {}", got.yellow(), wanted.cyan()),
        // A chain that asks nothing here loses only to one that asks for just this.
        (Outcome::Lost, false, false) if wanted == "any" => {
            write!(out, " {}: another one asks for just this", got.yellow())
        }
        (_, false, false) => write!(out, " wanted {}, got {}", wanted.cyan(), got.yellow()),
    }
}

/// The first of many alternatives, and how many more there are.
fn shortened(wanted: &str) -> String {
    let alternatives: Vec<&str> = wanted.split(',').collect();
    match alternatives.split_at_checked(ALTERNATIVES_MAX) {
        Some((shown, hidden)) if !hidden.is_empty() && !wanted.contains([' ', '{', '(']) => {
            format!("{} or {} more", shown.join(", "), hidden.len())
        }
        _ => wanted.to_owned(),
    }
}

/// `file:line:column  Kind namespace/name field`.
fn place(origin: &Origin) -> String {
    let Some(((file, line, column), object)) = origin.place().zip(origin.object()) else {
        return origin.to_string();
    };
    let namespace = match &*object.namespace {
        "" => String::new(),
        namespace => format!("{namespace}/"),
    };
    format!("{file}:{line}:{column}  {} {namespace}{} {}", object.kind, object.name, origin.field())
}

/// Each cluster once, below it its settings by the place that they come from.
fn clusters(out: &mut impl Write, steps: &[&Step<'_>]) -> std::io::Result<()> {
    let mut settings: Vec<(String, Vec<&str>)> = Vec::new();
    for step in steps {
        match (setting(step), &step.origin) {
            (Some(name), Some(origin)) => {
                let place = place(origin);
                match settings.iter_mut().find(|(known, _)| *known == place) {
                    Some((_, names)) => names.push(name),
                    None => settings.push((place, vec![name])),
                }
            }
            _ => {
                write_settings(out, &mut settings)?;
                candidate(out, step)?;
            }
        }
    }
    write_settings(out, &mut settings)
}

/// `lb` of the step `lb of outbound|9080||reviews...`.
fn setting<'s>(step: &'s Step<'_>) -> Option<&'s str> {
    let name = step.rule.split_once(" of ")?.0;
    match name {
        "cluster" => Some("made from"),
        name => Some(name).filter(|name| !name.contains(' ')),
    }
}

fn write_settings(out: &mut impl Write, settings: &mut Vec<(String, Vec<&str>)>) -> std::io::Result<()> {
    for (place, names) in settings.drain(..) {
        writeln!(out, "        {}", names.join(", "))?;
        writeln!(out, "          {}", place.dimmed())?;
    }
    Ok(())
}

/// Prints a decision: what is done, then a line for each fact.
pub fn decision(out: &mut impl Write, decision: &Value) -> std::io::Result<()> {
    let Some(facts) = decision.as_object() else { return Ok(()) };
    let result = facts.get("result").and_then(Value::as_str).unwrap_or_default();
    writeln!(out, "{} {}", "decision:".bold(), result.replace('_', " ").green().bold())?;
    for (key, value) in facts.iter().filter(|(key, _)| !matches!(key.as_str(), "why" | "result")) {
        match value {
            Value::Array(items) => {
                for item in items {
                    writeln!(out, "  {key}: {}", fact(item))?;
                }
            }
            value if is_empty(value) => {}
            Value::Number(number) if key == "timeout_ms" && number.as_u64() == Some(0) => {
                writeln!(out, "  {key}: none")?;
            }
            Value::String(text) if key == "reason" => match in_words(text) {
                Some(words) => writeln!(out, "  {key}: {text} ({words})")?,
                None => writeln!(out, "  {key}: {text}")?,
            },
            value => writeln!(out, "  {key}: {}", fact(value))?,
        }
    }
    Ok(())
}

/// What a reason means, where its name does not say it.
fn in_words(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "no_listener" => "nothing listens there",
        "no_filter_chain" => "no filter chain of the listener takes such a connection",
        "blackhole" => "unknown destinations are not allowed",
        "rbac" => "a policy denies it, or policies allow and none of their rules does",
        "jwt" => "the token is not accepted",
        "no_route" => "no route of the virtual host matches",
        "no_virtual_host" => "no virtual host answers for the authority",
        "no_cluster" => "the destination does not exist",
        _ => return None,
    })
}

/// A value on one line: strings bare, objects as `key value`, nothing that is empty.
fn fact(value: &Value) -> String {
    match value {
        Value::String(text) => cut(text).into_owned(),
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| !is_empty(value))
            .map(|(key, value)| pair(key, value))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}

fn pair(key: &str, value: &Value) -> String {
    match (key, value) {
        ("cluster", Value::String(name)) => name.clone(),
        ("origin", Value::Object(origin)) => written(origin),
        _ => format!("{key} {}", fact(value)),
    }
}

/// `file:line:column` of a serialised origin; the built-in's name where it has none.
fn written(origin: &Map<String, Value>) -> String {
    let part = |key: &str| origin.get(key).map(fact).unwrap_or_default();
    match origin.get("line") {
        Some(line) => format!("{}:{line}:{}", part("file"), part("column")),
        None => part("field"),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
