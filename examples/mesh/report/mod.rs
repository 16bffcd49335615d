//! Findings as text for people, JSON, SARIF, or commands of GitHub's runner.

pub mod github;
pub mod human;
pub mod json;
pub mod plain;
pub mod sarif;

use std::io::Write;

use std::collections::BTreeMap;

use mesh_compile::analyze::{SelectorCounts, Skipped};
use mesh_model::diagnostic::{Report, Severity};

use crate::args::ReportFormat;
use crate::source::Texts;

/// What was looked at.
#[derive(Debug, Clone, Default)]
pub struct Extent {
    pub files: usize,
    pub documents: usize,
    /// Analyzers that were left out.
    pub skipped: Vec<Skipped>,
    /// How many workloads selectors take.
    pub selectors: BTreeMap<&'static str, SelectorCounts>,
    /// People are told which, not only how many.
    pub verbose: bool,
}

/// Prints a sorted report.
pub fn write(
    out: &mut impl Write,
    format: ReportFormat,
    report: &Report,
    texts: &mut Texts,
    extent: &Extent,
) -> std::io::Result<()> {
    match format {
        ReportFormat::Human => {
            human::findings(out, report, texts)?;
            human::summary(out, report, extent)
        }
        ReportFormat::Json => json::write(out, report, extent),
        ReportFormat::Sarif => sarif::write(out, report, texts),
        ReportFormat::Github => github::write(out, report, texts),
    }
}

/// Errors, warnings, remarks.
pub fn count(report: &Report, severity: Severity) -> usize {
    report.iter().filter(|finding| finding.severity == severity).count()
}

/// `VirtualService shop/reviews`; empty: unknown.
pub fn resource(finding: &mesh_model::diagnostic::Diagnostic) -> String {
    let resource = &finding.at.resource;
    let mut name = resource.kind.clone();
    if !resource.name.is_empty() {
        let namespace =
            if resource.namespace.is_empty() { String::new() } else { format!("{}/", resource.namespace) };
        name = format!("{name} {namespace}{}", resource.name);
    }
    name.trim().to_owned()
}
