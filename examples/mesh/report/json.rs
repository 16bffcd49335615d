//! One JSON object: the findings as the decision format has them, and how much was looked at.

use std::io::Write;

use mesh_model::diagnostic::Report;
use serde_json::json;

use super::Extent;

pub fn write(out: &mut impl Write, report: &Report, extent: &Extent) -> std::io::Result<()> {
    let findings: Vec<_> = report.iter().collect();
    let skipped: Vec<_> =
        extent.skipped.iter().map(|one| json!({"analyzer": one.analyzer, "lacks": one.kind})).collect();
    let all = json!({
        "findings": findings, "documents": extent.documents, "files": extent.files, "skipped": skipped,
    });
    writeln!(out, "{all}")
}
