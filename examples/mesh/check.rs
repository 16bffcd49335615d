//! `mesh check`: every problem of the configuration.

use std::io::Write;
use std::process::ExitCode;

use mesh_compile::snapshot::MeshSnapshot;
use mesh_model::diagnostic::Severity;
use mesh_model::kind_table::Strictness;
use mesh_model::mesh_config::{MeshNetworks, ProxyConfig};
use serde_json::json;

use crate::Unusable;
use crate::args::{Check, Format};
use crate::load::{read_all, read_message};
use crate::render;

pub fn run(command: &Check) -> Result<ExitCode, Unusable> {
    let bare = [&command.mesh_config, &command.mesh_networks, &command.proxy_config];
    if command.paths.is_empty() && bare.iter().all(|file| file.is_none()) {
        let message = "name a file, a directory, a glob, or `-` for standard input".to_owned();
        return Err(Unusable::Input { what: "mesh check".to_owned(), message });
    }
    let strictness = if command.strict { Strictness::Strict } else { Strictness::Lenient };
    let mut read = read_all(&command.paths, command.mesh_config.as_deref(), strictness.into())?;
    if let Some(file) = &command.mesh_networks {
        let _: Option<MeshNetworks> = read_message(file, strictness, &mut read.report)?;
    }
    if let Some(file) = &command.proxy_config {
        let _: Option<ProxyConfig> = read_message(file, strictness, &mut read.report)?;
    }
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
