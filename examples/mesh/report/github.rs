//! Workflow commands, which GitHub's runner turns into annotations: `::error file=..,line=..::message`.

use std::io::Write;

use mesh_model::diagnostic::{Report, Severity};

use super::resource;
use crate::source::Texts;

pub fn write(out: &mut impl Write, report: &Report, texts: &mut Texts) -> std::io::Result<()> {
    for finding in report {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let mut properties = Vec::new();
        if !finding.at.file.is_empty() && finding.at.file != "-" {
            properties.push(format!("file={}", property(&finding.at.file)));
        }
        if finding.at.line > 0 {
            let region = texts.of(&finding.at.file).and_then(|text| text.region(&finding.at));
            properties.push(format!("line={}", finding.at.line));
            match region {
                // Columns only count where the end is on the same line.
                Some((region, _)) if region.end.0 == region.start.0 => {
                    properties.push(format!("col={}", region.start.1));
                    properties.push(format!("endColumn={}", region.end.1.max(region.start.1 + 1)));
                }
                Some((region, _)) => properties.push(format!("endLine={}", region.end.0)),
                None => properties.push(format!("col={}", finding.at.column)),
            }
        }
        properties.push(format!("title={}", property(finding.code.as_str())));
        let mut message = finding.message.clone();
        let place = format!("{} {}", resource(finding), finding.at.field);
        if !place.trim().is_empty() {
            message = format!("{message}\n{}", place.trim());
        }
        if let Some(help) = &finding.help {
            message = format!("{message}\nhelp: {help}");
        }
        writeln!(out, "::{command} {}::{}", properties.join(","), data(&message))?;
    }
    Ok(())
}

/// What would end a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What would end a property, too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
