//! `mesh check`: every problem of the configuration.

use std::process::ExitCode;

use mesh_model::diagnostic::Severity;
use mesh_model::kind_table::Strictness;
use mesh_model::mesh_config::{MeshNetworks, ProxyConfig};

use crate::Unusable;
use crate::args::Check;
use crate::load::{read_all, read_message};
use crate::{explain_code, report};

pub fn run(command: &Check) -> Result<ExitCode, Unusable> {
    if let Some(code) = &command.explain {
        return explain_code::run(code);
    }
    let bare = [&command.mesh_config, &command.mesh_networks, &command.proxy_config];
    if command.paths.is_empty() && bare.iter().all(|file| file.is_none()) {
        let message = "name a file, a directory, a glob, or `-` for standard input".to_owned();
        return Err(Unusable::Input { what: "mesh check".to_owned(), message });
    }
    let strictness = if command.lenient { Strictness::Lenient } else { Strictness::Strict };
    let mut read = read_all(&command.paths, command.mesh_config.as_deref(), strictness.into())?;
    if let Some(file) = &command.mesh_networks {
        let _: Option<MeshNetworks> = read_message(file, strictness, &mut read.report)?;
    }
    if let Some(file) = &command.proxy_config {
        let _: Option<ProxyConfig> = read_message(file, strictness, &mut read.report)?;
    }
    let (_, problems) = read.resolve();
    read.report.merge(problems);
    read.report.sort();
    let bare = bare.into_iter().flatten().count();
    let extent = report::Extent { files: read.extent.files + bare, documents: read.extent.documents + bare };
    let mut out = std::io::BufWriter::new(anstream::stdout().lock());
    report::write(&mut out, command.format, &read.report, &mut read.texts, extent)?;
    std::io::Write::flush(&mut out)?;
    let failed = read.report.iter().any(|finding| {
        finding.severity == Severity::Error || command.strict && finding.severity == Severity::Warning
    });
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
