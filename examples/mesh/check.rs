//! `mesh check`: every problem of the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;

use mesh_authz::differences;
use mesh_compile::analyze::{
    ANALYZERS, Completeness, Input, Options, Suppression, analyze, suppress, tell_unread,
};
use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh_model::diagnostic::{Code, Diagnostic, Report, ResourceRef, Severity, Stage, nearest};
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
    let (mut skipped, mut selectors) = (Vec::new(), BTreeMap::new());
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
        let mut analysis = analyze(&input, &options);
        leave_out_consequences(&mut analysis.report, &read.report);
        read.report.merge(analysis.report);
        tell_unread(&mut read.report, &read.unread);
        (skipped, selectors) = (analysis.skipped, analysis.selectors);
    }
    explain_scalars(&mut read.report);
    read.report = suppress(read.report, &read.config, &options.suppressions);
    read.report.sort();
    let bare = bare.into_iter().flatten().count();
    let extent = report::Extent {
        files: read.extent.files + bare,
        documents: read.extent.documents + bare,
        skipped,
        selectors,
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

/// Leaves out what analysis says of a value within which reading or validation found an error, and that there is nothing
/// of a name that is none: both have to be looked at anew.
fn leave_out_consequences(analysis: &mut Report, found: &Report) {
    let errors = || {
        found
            .iter()
            .filter(|finding| finding.severity == Severity::Error && finding.code.stage() != Stage::Analyze)
    };
    let at: BTreeSet<_> = errors().map(|finding| (resource(finding), finding.at.field.clone())).collect();
    let around: BTreeSet<_> = errors()
        .flat_map(|finding| {
            let field = &finding.at.field;
            let ends = field.match_indices(['.', '[']).filter_map(|(end, _)| field.get(..end));
            ends.filter(|outer| outer.contains('[')).map(|outer| (resource(finding), outer.to_owned()))
        })
        .collect();
    analysis.amend(|finding| {
        let place = (resource(&finding), finding.at.field.clone());
        let follows = around.contains(&place) || finding.missing.is_some() && at.contains(&place);
        (!follows).then_some(finding)
    });
}

/// The resource of a finding, with its file.
fn resource(finding: &Diagnostic) -> String {
    let ResourceRef { kind, namespace, name } = &finding.at.resource;
    format!("{}\n{kind}/{namespace}/{name}", finding.at.file)
}

/// Tells of a plain scalar that is no text (`on`, `0644`) in the error that it leads to, not beside it.
fn explain_scalars(report: &mut Report) {
    let place = |finding: &Diagnostic| (finding.at.file.clone(), finding.at.start);
    let wrong: BTreeSet<_> = report
        .iter()
        .filter(|finding| finding.code == Code::WrongType && finding.at.end > 0)
        .map(place)
        .collect();
    let mut remarks = BTreeMap::new();
    report.amend(|finding| {
        let is_explained = finding.code == Code::UnusualScalar && wrong.contains(&place(&finding));
        if !is_explained {
            return Some(finding);
        }
        remarks.insert(place(&finding), finding);
        None
    });
    report.amend(|mut finding| {
        if finding.code == Code::WrongType
            && let Some(remark) = remarks.remove(&place(&finding))
        {
            finding.message = format!("{}: {}", finding.message, remark.message);
            finding.help = remark.help;
        }
        Some(finding)
    });
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
