//! Files to a resolved mesh.

use std::path::Path;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mesh_compile::snapshot::MeshSnapshot;
use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh_model::decode::Unknown;
use mesh_model::diagnostic::{Code, Diagnostic, Place, Report};
use mesh_model::document::{Document, Span};
use mesh_model::kind_table::Strictness;
use mesh_model::mesh_config::{MeshConfig, read_bare};
use mesh_model::object::Kind;
use mesh_model::yaml::{LoadOptions, load};

use crate::Unusable;
use crate::args::Config;
use crate::files::{read, select};

/// Everything that was read.
pub struct Read {
    pub config: ConfigSet,
    pub mesh: Arc<MeshConfig>,
    pub report: Report,
    pub documents: usize,
}

/// Reads files into a `ConfigSet`, and the mesh configuration.
pub fn read_all(
    paths: &[String],
    mesh_config: Option<&Path>,
    options: ApplyOptions,
) -> Result<Read, Unusable> {
    let strictness = options.strictness;
    let mut report = Report::new();
    let mut config = ConfigSet::new();
    let mut documents = Vec::new();
    let files = select(paths)?;
    let bar = progress(files.len());
    for file in &files {
        let name = file.path.display().to_string();
        let bytes = read(&file.path)?;
        let load_options = LoadOptions::default()
            .with_cluster(file.cluster.as_str())
            .with_strict(strictness == Strictness::Strict);
        let loaded = load(&name, &bytes, &load_options);
        report.merge(loaded.report);
        documents.extend(loaded.documents);
        bar.inc(1);
    }
    bar.finish_and_clear();
    if files.is_empty() {
        for path in paths {
            report.push(
                Diagnostic::new(
                    Code::NoDocuments,
                    Place::in_file(path, Span::default()),
                    "no configuration file is in it",
                )
                .help("files are read that end in .yaml, .yml or .json"),
            );
        }
    }
    let count = documents.len();
    let applied = config.apply_with(documents.into_iter().map(Change::Upsert), options);
    report.merge(applied.report);
    let mesh = read_mesh_config(mesh_config, strictness, &mut report)?;
    Ok(Read { config, mesh, report, documents: count })
}

/// Reads and resolves; problems of all stages are in the report.
///
/// What validation refuses is in force here: the question is what a control plane that has these objects does.
pub fn resolve(arguments: &Config) -> Result<(MeshSnapshot, Read), Unusable> {
    let options = ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() };
    let mut read = read_all(&arguments.paths, arguments.mesh_config.as_deref(), options)?;
    let (snapshot, report) = MeshSnapshot::resolve(&read.config, Arc::clone(&read.mesh));
    read.report.merge(report);
    Ok((snapshot, read))
}

/// The mesh configuration over Istio's defaults (T-471).
fn read_mesh_config(
    path: Option<&Path>,
    strictness: Strictness,
    report: &mut Report,
) -> Result<Arc<MeshConfig>, Unusable> {
    let defaults = MeshConfig::with_defaults();
    let Some(path) = path else { return Ok(Arc::new(defaults)) };
    let written = read_message(path, strictness, report)?;
    Ok(Arc::new(written.map_or_else(MeshConfig::with_defaults, |written| defaults.overlay(written))))
}

/// A message that stands in a file of its own; `None`: there is none that can be read.
pub fn read_message<S: Kind>(
    path: &Path,
    strictness: Strictness,
    report: &mut Report,
) -> Result<Option<S>, Unusable> {
    Ok(read_located(path, strictness, report)?.map(|(_, message)| message))
}

/// [`read_message`] with the document that the message stands in.
pub fn read_located<S: Kind>(
    path: &Path,
    strictness: Strictness,
    report: &mut Report,
) -> Result<Option<(Arc<Document>, S)>, Unusable> {
    let name = path.display().to_string();
    let unknown = match strictness {
        Strictness::Strict => Unknown::Error,
        Strictness::Lenient => Unknown::Warning,
    };
    let options = LoadOptions::default().with_strict(strictness == Strictness::Strict);
    let loaded = load(&name, &read(path)?, &options);
    report.merge(loaded.report);
    let document = loaded.documents.into_iter().next();
    Ok(document.and_then(|document| read_bare(&document, unknown, report).map(|message| (document, message))))
}

/// A bar on a terminal, and only where there is enough to do.
fn progress(files: usize) -> ProgressBar {
    let target = if files > 200 { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("reading {bar:30} {pos}/{len} files {eta}");
    let bar = ProgressBar::with_draw_target(Some(files as u64), target);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
