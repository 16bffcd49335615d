//! A decision beside what happened.

use std::collections::BTreeMap;

use mesh::proxy_core::probe::Probe;
use serde_json::Value;

use super::acting::Heard;
use super::stage::Reached;
use crate::client::Answer;
use crate::upstream::Seen;

pub fn compare(expected: &Value, heard: &Heard, reached: &[Reached], probe: &Probe) -> Result<(), String> {
    match expected["result"].as_str() {
        Some("forward") => forwarded(expected, heard, reached, probe),
        Some("local_reply") => replied(expected, heard, reached, probe),
        _ => refused(expected, heard, reached),
    }
}

fn refused(expected: &Value, heard: &Heard, reached: &[Reached]) -> Result<(), String> {
    if !reached.is_empty() {
        return Err(format!("should be refused, reached {}", reached[0].cluster));
    }
    match heard {
        Heard::Closed => Ok(()),
        // Bytes that are no request are told so, as Envoy's codec does.
        Heard::Answer(answer) if answer.status == 400 && expected["reason"] == "protocol_error" => Ok(()),
        other => Err(format!("should be refused ({}), heard {other:?}", expected["reason"])),
    }
}

fn replied(expected: &Value, heard: &Heard, reached: &[Reached], probe: &Probe) -> Result<(), String> {
    let Heard::Answer(answer) = heard else {
        return Err(format!("should be answered with {}, heard {heard:?}", expected["status"]));
    };
    if !reached.is_empty() {
        return Err(format!("should be answered here, reached {}", reached[0].cluster));
    }
    let as_grpc = answer.header("grpc-status").is_some();
    same("status", &expected["status"], &Value::from(answer.status), as_grpc)?;
    let header = |name: &str| Value::from(answer.header(name).unwrap_or_default());
    if expected.get("location").is_some() {
        same("location", &expected["location"], &header("location"), false)?;
    }
    let is_head = probe.http.as_ref().is_some_and(|http| http.method == "HEAD");
    if expected.get("body").is_some() && !is_head {
        same("body", &expected["body"], &Value::from(answer.body.as_str()), as_grpc)?;
    }
    for (key, name) in [
        ("allow_methods", "access-control-allow-methods"),
        ("allow_headers", "access-control-allow-headers"),
        ("max_age", "access-control-max-age"),
    ] {
        if expected.get(key).is_some() {
            same(key, &expected[key], &header(name), false)?;
        }
    }
    Ok(())
}

fn same(what: &str, expected: &Value, got: &Value, excused: bool) -> Result<(), String> {
    if expected == got || excused { Ok(()) } else { Err(format!("{what}: expected {expected}, got {got}")) }
}

fn forwarded(expected: &Value, heard: &Heard, reached: &[Reached], probe: &Probe) -> Result<(), String> {
    let clusters = expected["clusters"].as_array().unwrap();
    // Copies may arrive first; a cluster may be listed several times, each with its own operations.
    let candidates: Vec<(&Reached, &Value)> = reached
        .iter()
        .flat_map(|one| clusters.iter().map(move |choice| (one, choice)))
        .filter(|(one, choice)| choice["cluster"] == one.cluster.as_str())
        .collect();
    if candidates.is_empty() {
        return Err(format!("should reach {}, reached {reached:?}, heard {heard:?}", clusters[0]["cluster"]));
    }
    let fits = |(one, choice): &(&Reached, &Value)| as_decided(expected, heard, one, choice, probe);
    let results: Vec<Result<(), String>> = candidates.iter().map(fits).collect();
    results.iter().find(|result| result.is_ok()).or(results.first()).cloned().unwrap_or(Ok(()))
}

fn as_decided(
    expected: &Value,
    heard: &Heard,
    one: &Reached,
    choice: &Value,
    probe: &Probe,
) -> Result<(), String> {
    if expected.get("path").is_none() {
        return Ok(());
    }
    let (Some(seen), Heard::Answer(answer)) = (&one.request, heard) else {
        return Err(format!("the upstream saw no request; heard {heard:?}"));
    };
    same("path", &expected["path"], &Value::from(seen.target.as_str()), false)?;
    let authority = choice.get("authority").unwrap_or(&expected["authority"]);
    if authority != "<upstream host>" {
        same("authority", authority, &Value::from(seen.authority.as_str()), false)?;
    }
    same("status", &Value::from(200), &Value::from(answer.status), false)?;
    request_headers(choice, seen, probe)?;
    response_headers(choice, answer)
}

type Lines = BTreeMap<String, Vec<String>>;

/// Operations on the lines of a message; those whose values hold operators are not judged.
fn operate(lines: &mut Lines, ops: &Value) -> Vec<String> {
    let mut judged: BTreeMap<String, bool> = BTreeMap::new();
    for op in ops.as_array().map(Vec::as_slice).unwrap_or_default() {
        let text = |at: usize| op[at].as_str().unwrap_or_default().to_owned();
        let (kind, name, value) = (text(0), text(1).to_ascii_lowercase(), text(2));
        let plain = !value.contains('%');
        match kind.as_str() {
            "remove" => drop(lines.remove(&name)),
            "set" => drop(lines.insert(name.clone(), vec![value])),
            _ => lines.entry(name.clone()).or_default().push(value),
        }
        *judged.entry(name).or_insert(true) &= plain;
    }
    let special = |name: &str| {
        name.starts_with(':') || name == "host" || name.starts_with("x-forwarded-") || name == "server"
    };
    judged.into_iter().filter(|(name, plain)| *plain && !special(name)).map(|(name, _)| name).collect()
}

fn request_headers(choice: &Value, seen: &Seen, probe: &Probe) -> Result<(), String> {
    let mut lines = Lines::new();
    for (name, value) in probe.http.iter().flat_map(|http| &http.headers) {
        lines.entry(name.to_ascii_lowercase()).or_default().push(value.trim().to_owned());
    }
    for name in operate(&mut lines, &choice["request_headers"]) {
        let got: Vec<&String> =
            seen.headers.iter().filter(|(key, _)| *key == name).map(|(_, value)| value).collect();
        let wanted: Vec<&String> = lines.get(&name).into_iter().flatten().collect();
        if got != wanted {
            return Err(format!("request header {name}: expected {wanted:?}, got {got:?}"));
        }
    }
    Ok(())
}

fn response_headers(choice: &Value, answer: &Answer) -> Result<(), String> {
    let mut lines = Lines::from([("x-upstream".to_owned(), vec!["upstream".to_owned()])]);
    for name in operate(&mut lines, &choice["response_headers"]) {
        if matches!(&*name, "date" | "content-length" | "x-envoy-upstream-service-time") {
            continue;
        }
        let got: Vec<&String> =
            answer.headers.iter().filter(|(key, _)| *key == name).map(|(_, value)| value).collect();
        let wanted: Vec<&String> = lines.get(&name).into_iter().flatten().collect();
        if got != wanted {
            return Err(format!("response header {name}: expected {wanted:?}, got {got:?}"));
        }
    }
    Ok(())
}
