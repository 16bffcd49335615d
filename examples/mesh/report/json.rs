//! One JSON object: the findings as the decision format has them, and how much was looked at.

use std::io::Write;

use mesh_compile::analyze::SelectorCounts;
use mesh_model::diagnostic::Report;
use serde_json::{Map, Value, json};

use super::Extent;

pub fn write(out: &mut impl Write, report: &Report, extent: &Extent) -> std::io::Result<()> {
    let findings: Vec<_> = report.iter().collect();
    let skipped: Vec<_> =
        extent.skipped.iter().map(|one| json!({"analyzer": one.analyzer, "lacks": one.kind})).collect();
    let selectors: Map<_, _> =
        extent.selectors.iter().map(|(kind, counts)| ((*kind).to_owned(), selected(counts))).collect();
    let all = json!({
        "findings": findings, "documents": extent.documents, "files": extent.files, "skipped": skipped,
        "selectors": selectors,
    });
    writeln!(out, "{all}")
}

fn selected(counts: &SelectorCounts) -> Value {
    let SelectorCounts { written, empty, of_nobody, most } = counts;
    json!({"written": written, "empty": empty, "of_nobody": of_nobody, "most": most})
}
