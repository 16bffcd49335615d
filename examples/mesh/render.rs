//! Findings for people.

use std::collections::BTreeMap;
use std::io::Write;

use mesh_compile::analyze::Skipped;
use mesh_model::diagnostic::{Diagnostic, Report, Severity};
use owo_colors::OwoColorize;

/// Prints findings with an excerpt of the line each stands in, then a summary.
pub fn findings(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    let mut texts = BTreeMap::new();
    for finding in report {
        let text = texts.entry(finding.at.file.clone()).or_insert_with(|| {
            std::fs::read(&finding.at.file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).ok()
        });
        write_finding(out, finding, text.as_deref())?;
    }
    Ok(())
}

/// Says which analyzers could not run, by what they lacked.
pub fn skipped(out: &mut impl Write, skipped: &[Skipped]) -> std::io::Result<()> {
    let mut by_kind: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in skipped {
        by_kind.entry(one.kind).or_default().push(one.analyzer);
    }
    for (kind, analyzers) in by_kind {
        let text = format!("not analysed, for there is no {kind}: {}", analyzers.join(", "));
        writeln!(out, "{}", text.dimmed())?;
    }
    Ok(())
}

fn write_finding(out: &mut impl Write, finding: &Diagnostic, text: Option<&str>) -> std::io::Result<()> {
    let code = match finding.code.istio_code() {
        Some(istio) => format!("[{}, {istio}]", finding.code.as_str()),
        None => format!("[{}]", finding.code.as_str()),
    };
    match finding.severity {
        Severity::Error => write!(out, "{}{}", "error".red().bold(), code.bold())?,
        Severity::Warning => write!(out, "{}{}", "warning".yellow().bold(), code.bold())?,
        Severity::Info => write!(out, "{}{}", "info".blue().bold(), code.bold())?,
    }
    writeln!(out, " {}", finding.message)?;
    let resource = &finding.at.resource;
    let mut name = resource.kind.clone();
    if !resource.name.is_empty() {
        let namespace =
            if resource.namespace.is_empty() { String::new() } else { format!("{}/", resource.namespace) };
        name = format!("{name} {namespace}{}", resource.name);
    }
    if finding.at.line > 0 {
        write!(out, "  {} {}:{}:{}", "-->".dimmed(), finding.at.file, finding.at.line, finding.at.column)?;
    } else if !finding.at.file.is_empty() {
        write!(out, "  {} {}", "-->".dimmed(), finding.at.file)?;
    }
    writeln!(out, " {}", format!("{name} {}", finding.at.field).trim().dimmed())?;
    // A secret's lines are not printed: they may hold the secret.
    let text = text.filter(|_| resource.kind != "Secret");
    if let Some(line) = text.and_then(|text| text.lines().nth((finding.at.line as usize).checked_sub(1)?)) {
        excerpt(out, finding, line)?;
    }
    if let Some(help) = &finding.help {
        writeln!(out, "   {} {help}", "help:".cyan())?;
    }
    Ok(())
}

/// The line with a mark under the word that starts at the finding's column.
fn excerpt(out: &mut impl Write, finding: &Diagnostic, line: &str) -> std::io::Result<()> {
    const WIDTH: usize = 110;
    let start = finding.at.column.saturating_sub(1) as usize;
    if start >= WIDTH {
        return Ok(());
    }
    let shown: String = line.chars().take(WIDTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let word = shown.chars().skip(start).take_while(|c| !c.is_whitespace() && *c != ':').count().max(1);
    let number = finding.at.line.to_string();
    let margin = " ".repeat(number.len());
    writeln!(out, "{} {} {shown}", number.blue(), "|".blue())?;
    writeln!(out, "{margin} {} {}{}", "|".blue(), " ".repeat(start), "^".repeat(word).red())
}

/// `3 errors, 1 warning in 12 documents`.
pub fn summary(report: &Report, documents: usize) -> String {
    let count = |severity| report.iter().filter(|finding| finding.severity == severity).count();
    let part = |count: usize, word: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{count} {word}s")),
    };
    let mut parts: Vec<String> =
        [part(count(Severity::Error), "error"), part(count(Severity::Warning), "warning")]
            .into_iter()
            .flatten()
            .collect();
    parts.extend(part(count(Severity::Info), "remark"));
    if parts.is_empty() {
        parts.push("no problems".to_owned());
    }
    format!(
        "{} in {}",
        parts.join(", "),
        part(documents, "document").unwrap_or_else(|| "0 documents".to_owned())
    )
}
