//! `mesh check`: every problem of the configuration.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use mesh_compile::analyze::{ANALYZERS, Completeness, Input, Options, Suppression, analyze, suppress};
use mesh_compile::snapshot::MeshSnapshot;
use mesh_model::config_set::{Admission, ApplyOptions};
use mesh_model::diagnostic::{Severity, nearest};
use mesh_model::kind_table::Strictness;
use mesh_model::mesh_config::{MeshNetworks, ProxyConfig};
use serde_json::json;

use crate::Unusable;
use crate::args::{Check, Format};
use crate::load::{read_all, read_located, read_message};
use crate::render;

pub fn run(command: &Check) -> Result<ExitCode, Unusable> {
    let bare = [&command.mesh_config, &command.mesh_networks, &command.proxy_config];
    if command.paths.is_empty() && bare.iter().all(|file| file.is_none()) {
        let message = "name a file, a directory, a glob, or `-` for standard input".to_owned();
        return Err(Unusable::Input { what: "mesh check".to_owned(), message });
    }
    let strictness = if command.strict { Strictness::Strict } else { Strictness::Lenient };
    let options = analysis_options(command)?;
    // What validation refuses is analysed too: one run tells of every problem.
    let admission = ApplyOptions { strictness, admission: Admission::Accept };
    let mut read = read_all(&command.paths, command.mesh_config.as_deref(), admission)?;
    let networks = match &command.mesh_networks {
        Some(file) => read_located::<MeshNetworks>(file, strictness, &mut read.report)?,
        None => None,
    };
    if let Some(file) = &command.proxy_config {
        let _: Option<ProxyConfig> = read_message(file, strictness, &mut read.report)?;
    }
    let mut skipped = Vec::new();
    if !command.no_analysis {
        let (_, problems) = MeshSnapshot::resolve(&read.config, Arc::clone(&read.mesh));
        read.report.merge(problems);
        let mut input = Input::new(&read.config, &read.mesh);
        if let Some((document, networks)) = &networks {
            input = input.networks(document, networks);
        }
        let analysis = analyze(&input, &options);
        read.report.merge(analysis.report);
        skipped = analysis.skipped;
    }
    read.report = suppress(read.report, &read.config, &options.suppressions);
    read.report.sort();
    let mut out = anstream::stdout().lock();
    match command.format {
        Format::Json => {
            let findings: Vec<_> = read.report.iter().collect();
            let skipped: Vec<_> =
                skipped.iter().map(|one| json!({"analyzer": one.analyzer, "lacks": one.kind})).collect();
            writeln!(
                out,
                "{}",
                json!({"findings": findings, "documents": read.documents, "skipped": skipped})
            )?;
        }
        Format::Human => {
            render::findings(&mut out, &read.report)?;
            writeln!(out, "{}", render::summary(&read.report, read.documents))?;
            render::skipped(&mut out, &skipped)?;
        }
    }
    let failed = read.report.iter().any(|finding| {
        finding.severity == Severity::Error || command.strict && finding.severity == Severity::Warning
    });
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Which analyzers run and which findings are not wanted.
fn analysis_options(command: &Check) -> Result<Options, Unusable> {
    let unusable = |what: &str, message: String| Unusable::Input { what: what.to_owned(), message };
    for name in &command.only {
        let names = ANALYZERS.iter().map(|analyzer| analyzer.name);
        if !names.clone().any(|known| known == name) {
            let message = match nearest(name, names.clone()) {
                Some(near) => format!("there is no such analyzer, did you mean `{near}`?"),
                None => {
                    format!("there is no such analyzer; there are: {}", names.collect::<Vec<_>>().join(", "))
                }
            };
            return Err(unusable(name, message));
        }
    }
    let suppressions = command.suppress.iter().map(|text| {
        Suppression::parse(text).ok_or_else(|| unusable(text, "expected CODE or CODE=OBJECTS".to_owned()))
    });
    Ok(Options {
        only: (!command.only.is_empty()).then(|| command.only.iter().cloned().collect()),
        suppressions: suppressions.collect::<Result<_, _>>()?,
        completeness: if command.complete { Completeness::Complete } else { Completeness::Partial },
    })
}
