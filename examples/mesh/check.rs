//! `mesh check`: every problem of the configuration.

use std::io::Write;
use std::process::ExitCode;

use mesh_compile::snapshot::MeshSnapshot;
use mesh_model::diagnostic::Severity;
use mesh_model::kind_table::Strictness;
use serde_json::json;

use crate::Unusable;
use crate::args::{Check, Format};
use crate::load::read_all;
use crate::render;

pub fn run(command: &Check) -> Result<ExitCode, Unusable> {
    if command.paths.is_empty() && command.mesh_config.is_none() {
        let message = "name a file, a directory, a glob, or `-` for standard input".to_owned();
        return Err(Unusable::Input { what: "mesh check".to_owned(), message });
    }
    let strictness = if command.strict { Strictness::Strict } else { Strictness::Lenient };
    let mut read = read_all(&command.paths, command.mesh_config.as_deref(), strictness)?;
    let (_, problems) = MeshSnapshot::resolve(&read.config, read.mesh);
    read.report.merge(problems);
    read.report.sort();
    let mut out = anstream::stdout().lock();
    match command.format {
        Format::Json => {
            let findings: Vec<_> = read.report.iter().collect();
            writeln!(out, "{}", json!({"findings": findings, "documents": read.documents}))?;
        }
        Format::Human => {
            render::findings(&mut out, &read.report)?;
            writeln!(out, "{}", render::summary(&read.report, read.documents))?;
        }
    }
    let failed = read.report.iter().any(|finding| {
        finding.severity == Severity::Error || command.strict && finding.severity == Severity::Warning
    });
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
