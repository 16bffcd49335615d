//! `mesh check`: every problem of the configuration.

use std::process::ExitCode;
use std::sync::Arc;

use mesh_authz::differences;
use mesh_compile::analyze::{ANALYZERS, Completeness, Input, Options, Suppression, analyze, suppress};
use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh_model::diagnostic::{Report, Severity, nearest};
use mesh_model::kind_table::Strictness;
use mesh_model::mesh_config::{MeshNetworks, ProxyConfig};

use crate::Unusable;
use crate::args::{Check, Profile};
use crate::load::{read_all, read_located, read_message};
use crate::{explain_code, patches, report};

/// What another profile makes of policies and token rules.
fn differences(config: &ConfigSet) -> Report {
    let mut report = Report::new();
    config
        .authorization_policies
        .iter()
        .filter_map(differences::of_policy)
        .for_each(|found| report.push(found));
    config.request_authentications.iter().for_each(|rules| report.merge(differences::of_token_rules(rules)));
    report
}

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
    let options = analysis_options(command)?;
    let threads = command.work.threads();
    let apply = ApplyOptions { strictness, threads, ..ApplyOptions::default() };
    let mut read = read_all(&command.paths, command.mesh_config.as_deref(), apply)?;
    let networks = match &command.mesh_networks {
        Some(file) => read_located::<MeshNetworks>(file, strictness, &mut read.report)?,
        None => None,
    };
    if let Some((_, networks)) = &networks {
        read.config.mesh_networks = Arc::new(networks.clone());
    }
    if let Some(file) = &command.proxy_config {
        let _: Option<ProxyConfig> = read_message(file, strictness, &mut read.report)?;
    }
    let mut skipped = Vec::new();
    if !command.no_analysis {
        let (snapshot, problems) = read.resolve();
        read.report.merge(problems);
        read.report.merge(patches::left_out(&snapshot, &read.config));
        // What validation refuses is analysed too: one run tells of every problem.
        let mut all = ConfigSet::new();
        let is_refused = read.report.has_errors();
        if is_refused {
            let accept = ApplyOptions {
                strictness: Strictness::Lenient,
                admission: Admission::Accept,
                threads,
                ..ApplyOptions::default()
            };
            all.apply_with(read.documents.iter().cloned().map(Change::Upsert), accept);
        }
        let config = if is_refused { &all } else { &read.config };
        if command.profile == Profile::Hardened {
            read.report.merge(differences(config));
        }
        let mut input = Input::new(config, &read.mesh);
        if let Some((document, networks)) = &networks {
            input = input.networks(document, networks);
        }
        let analysis = analyze(&input, &options);
        read.report.merge(analysis.report);
        skipped = analysis.skipped;
    }
    read.report = suppress(read.report, &read.config, &options.suppressions);
    read.report.sort();
    let bare = bare.into_iter().flatten().count();
    let extent = report::Extent {
        files: read.extent.files + bare,
        documents: read.extent.documents + bare,
        skipped,
        verbose: command.verbose,
    };
    let mut out = std::io::BufWriter::new(anstream::stdout().lock());
    report::write(&mut out, command.format, &read.report, &mut read.texts, &extent)?;
    std::io::Write::flush(&mut out)?;
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
