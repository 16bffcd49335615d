//! `mesh explain-request`: what a running proxy decided about a request, asked of its administration address.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use owo_colors::OwoColorize;
use serde_json::Value;

use crate::Unusable;
use crate::args::{ExplainRequest, Format};
use crate::road;

/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
const PATIENCE: Duration = Duration::from_secs(10);

pub fn run(command: &ExplainRequest) -> Result<ExitCode, Unusable> {
    let unusable = |message: String| Unusable::Input { what: command.admin.to_string(), message };
    let answer = ask(command).map_err(|error| unusable(error.to_string()))?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| unusable("no answer of HTTP".to_owned()))?;
    match head.split(' ').nth(1) {
        Some("200") => {}
        Some("404") => {
            let message = "the proxy keeps no such request: it names its decisions only where it is told to, and \
                           keeps the last ones";
            return Err(Unusable::Input { what: command.id.clone(), message: message.to_owned() });
        }
        status => return Err(unusable(format!("it answered {}", status.unwrap_or("nothing")))),
    }
    let explained: Value = serde_json::from_str(body).map_err(|error| unusable(error.to_string()))?;
    let mut out = anstream::stdout().lock();
    match command.format {
        Format::Json => writeln!(out, "{explained:#}")?,
        Format::Human => {
            for step in explained.get("steps").and_then(Value::as_array).into_iter().flatten() {
                self::step(&mut out, step)?;
            }
            road::decision(&mut out, explained.get("decision").unwrap_or(&Value::Null))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn ask(command: &ExplainRequest) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&command.admin, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let id = escaped(&command.id);
    let request = format!("GET /explain/{id} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(answer)
}

/// One segment of a path.
fn escaped(id: &str) -> String {
    let mut escaped = String::new();
    for byte in id.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte.into()),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// `  won  route: rule, path wanted /a, got /b` and where that is written.
fn step(out: &mut impl Write, step: &Value) -> std::io::Result<()> {
    let outcome = plain(&step["outcome"]);
    let (stage, rule) = (plain(&step["stage"]), plain(&step["rule"]));
    match outcome.as_str() {
        "won" => write!(out, "{:>9}", outcome.green())?,
        _ => write!(out, "{:>9}", outcome.dimmed())?,
    }
    write!(out, "  {}: {rule}", stage.bold())?;
    let because = &step["because"];
    if because.is_object() {
        write!(out, ", {}", plain(&because["field"]))?;
        for (word, value) in [("wanted", &because["wanted"]), ("got", &because["got"])] {
            let value = plain(value);
            if !value.is_empty() {
                write!(out, " {word} {}", value.cyan())?;
            }
        }
    }
    writeln!(out)?;
    let origin = &step["origin"];
    if let (Some(file), Some(line)) = (origin["file"].as_str(), origin["line"].as_u64()) {
        let column = origin["column"].as_u64().unwrap_or(1);
        let place = format!("{file}:{line}:{column}  {} {}", plain(&origin["kind"]), plain(&origin["field"]));
        writeln!(out, "           {}", place.dimmed())?;
    }
    Ok(())
}

/// Text without what a terminal would act upon.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_default()
        .chars()
        .flat_map(|character| {
            let escaped = character.is_control().then(|| character.escape_default());
            let same = escaped.is_none().then_some(character);
            escaped.into_iter().flatten().chain(same)
        })
        .collect()
}
