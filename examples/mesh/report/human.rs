//! Findings for people: what is wrong, an excerpt with a mark, where in the resource, what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use mesh_compile::analyze::SelectorCounts;
use mesh_model::diagnostic::{Diagnostic, Report, Severity};
use owo_colors::OwoColorize;

use super::plain::cut;
use super::{Extent, count, resource};
use crate::source::{Region, Text, Texts};

/// Columns of an excerpt.
const WIDTH: usize = 110;

/// Prints every finding; remarks that say the same are printed once.
pub fn findings(out: &mut impl Write, report: &Report, texts: &mut Texts) -> std::io::Result<()> {
    let mut alike: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for finding in report.iter().filter(|finding| finding.severity == Severity::Info) {
        *alike.entry((finding.code.as_str(), &finding.message)).or_default() += 1;
    }
    for finding in report {
        let more = match finding.severity {
            Severity::Info => alike.remove(&(finding.code.as_str(), finding.message.as_str())),
            _ => Some(1),
        };
        if let Some(count) = more {
            write_finding(out, finding, texts, count - 1)?;
        }
    }
    Ok(())
}

fn write_finding(
    out: &mut impl Write,
    finding: &Diagnostic,
    texts: &mut Texts,
    more: usize,
) -> std::io::Result<()> {
    let code = match finding.code.istio_code() {
        Some(istio) => format!("[{}, {istio}]", finding.code.as_str()),
        None => format!("[{}]", finding.code.as_str()),
    };
    match finding.severity {
        Severity::Error => write!(out, "{}{}", "error".red().bold(), code.red().bold())?,
        Severity::Warning => write!(out, "{}{}", "warning".yellow().bold(), code.yellow().bold())?,
        Severity::Info => write!(out, "{}{}", "info".blue().bold(), code.blue().bold())?,
    }
    writeln!(out, "{} {}", ":".bold(), cut(&finding.message).bold())?;
    let at = &finding.at;
    // A secret's lines are not printed: they may hold the secret.
    let text = texts.of(&at.file).filter(|_| at.resource.kind != "Secret");
    let excerpt = text.and_then(|text| Some((text, text.region(at)?.0)));
    let margin = " ".repeat(excerpt.map_or(1, |(_, region)| region.start.0.to_string().len()));
    if !at.file.is_empty() {
        let place = if at.line > 0 { format!(":{}:{}", at.line, at.column) } else { String::new() };
        writeln!(out, "{margin}{} {}{place}", "-->".blue(), at.file)?;
    }
    if let Some((text, region)) = excerpt {
        write_excerpt(out, finding.severity, text, region, &margin)?;
    }
    let mut note = |name: &str, text: &str| writeln!(out, "{margin} {} {name}{text}", "=".blue());
    let place = match (resource(finding), at.field.as_str()) {
        (resource, "") => resource,
        (resource, field) if resource.is_empty() => field.to_owned(),
        (resource, field) => format!("{resource}, {field}"),
    };
    if !place.is_empty() {
        note("in: ", &place)?;
    }
    if let Some(help) = &finding.help {
        note(&format!("{} ", "help:".cyan()), &cut(help))?;
    }
    if more > 0 {
        note("", &format!("and {more} more like this"))?;
    }
    writeln!(out)
}

/// The line with a mark under the text at fault; of a long line, the part around it.
fn write_excerpt(
    out: &mut impl Write,
    severity: Severity,
    text: &Text,
    region: Region,
    margin: &str,
) -> std::io::Result<()> {
    let line = text.line(region.start.0).unwrap_or_default();
    let all: Vec<char> = line.chars().map(printable).collect();
    let start = region.start.1 - 1;
    let end = if region.end.0 == region.start.0 { region.end.1 - 1 } else { all.len() };
    let end = end.max(start + 1);
    // Some text before the mark says where one is.
    let from = if end <= WIDTH { 0 } else { start.saturating_sub(WIDTH / 3) };
    let to = (from + WIDTH).min(all.len());
    let (before, after) = (if from > 0 { "…" } else { "" }, if to < all.len() { "…" } else { "" });
    let shown: String = all.iter().take(to).skip(from).collect();
    let width = |letters: &[char]| letters.iter().map(|letter| columns(*letter)).sum::<usize>();
    let slice = |from: usize, to: usize| all.get(from..to.min(all.len())).unwrap_or_default();
    let indent = before.chars().count() + width(slice(from, start.max(from)));
    let mark = "^".repeat(width(slice(start, end.min(to))).max(1));
    let bar = "|".blue();
    writeln!(out, "{margin} {bar}")?;
    writeln!(out, "{} {bar} {}", region.start.0.blue(), format!("{before}{shown}{after}").trim_end())?;
    write!(out, "{margin} {bar} {}", " ".repeat(indent))?;
    match severity {
        Severity::Error => writeln!(out, "{}", mark.red().bold()),
        Severity::Warning => writeln!(out, "{}", mark.yellow().bold()),
        Severity::Info => writeln!(out, "{}", mark.blue().bold()),
    }
}

/// What a terminal shows in one go: no control characters, no change of direction.
fn printable(letter: char) -> char {
    match letter {
        '\t' => ' ',
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {
            '\u{fffd}'
        }
        letter if letter.is_control() => '\u{fffd}',
        letter => letter,
    }
}

/// Columns a character takes on a terminal, nearly: East Asian letters and most pictures take two.
fn columns(letter: char) -> usize {
    match u32::from(letter) {
        0x0300..=0x036f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// `3 errors, 1 warning in 2 of 14 files (57 documents)`, and where to read more.
pub fn summary(out: &mut impl Write, report: &Report, extent: &Extent) -> std::io::Result<()> {
    let counts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "remark")];
    let parts: Vec<String> = counts
        .into_iter()
        .map(|(severity, word)| (count(report, severity), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| plural(count, word))
        .collect();
    let files = plural(extent.files, "file");
    let documents = plural(extent.documents, "document");
    if parts.is_empty() {
        writeln!(out, "{} in {files} ({documents})", "no problems".green().bold())?;
        return skipped(out, extent);
    }
    let hit: BTreeSet<&str> =
        report.iter().map(|finding| finding.at.file.as_str()).filter(|file| !file.is_empty()).collect();
    let place = if hit.len() < extent.files { format!("{} of {files}", hit.len()) } else { files };
    writeln!(out, "{} in {place} ({documents})", parts.join(", ").bold())?;
    let mut codes: Vec<&str> = report
        .iter()
        .filter(|found| found.severity < Severity::Info)
        .map(|found| found.code.as_str())
        .collect();
    codes.dedup();
    if let Some(code) = codes.first() {
        writeln!(out, "a page about each code: {}", format!("mesh check --explain {code}").cyan())?;
    }
    skipped(out, extent)
}

fn plural(count: usize, word: &str) -> String {
    match count {
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    }
}

/// How many workloads the selectors of each kind take.
fn selected(out: &mut impl Write, extent: &Extent) -> std::io::Result<()> {
    for (kind, counts) in &extent.selectors {
        let SelectorCounts { written, empty, of_nobody, most } = counts;
        let selectors = plural(*written, "selector");
        let workloads = plural(*most, "workload");
        let text = format!(
            "{kind}: {selectors}, {empty} empty, {of_nobody} of no workload, at most {workloads} by one"
        );
        writeln!(out, "{}", text.dimmed())?;
    }
    Ok(())
}

/// That some analyzers could not run, for want of what; in verbose mode also which.
fn skipped(out: &mut impl Write, extent: &Extent) -> std::io::Result<()> {
    let mut by_kind: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in &extent.skipped {
        by_kind.entry(one.kind).or_default().push(one.analyzer);
    }
    if extent.verbose {
        for (kind, analyzers) in by_kind {
            let text = format!("not analysed, for there is no {kind}: {}", analyzers.join(", "));
            writeln!(out, "{}", text.dimmed())?;
        }
        return selected(out, extent);
    }
    if !by_kind.is_empty() {
        let analyses = if extent.skipped.len() == 1 {
            "1 analysis"
        } else {
            &format!("{} analyses", extent.skipped.len())
        };
        let kinds: Vec<&str> = by_kind.into_keys().collect();
        let text = format!(
            "{analyses} left out, for there is no {} (see --verbose, --complete)",
            kinds.join(", no ")
        );
        writeln!(out, "{}", text.dimmed())?;
    }
    Ok(())
}
