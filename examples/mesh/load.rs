//! Files to a resolved mesh.

use std::path::Path;
use std::sync::Arc;

use mesh_compile::snapshot::MeshSnapshot;
use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh_model::decode::Unknown;
use mesh_model::diagnostic::{Code, Diagnostic, Place, Report, Severity};
use mesh_model::document::{Document, Span};
use mesh_model::kind_table::Strictness;
use mesh_model::mesh_config::{MeshConfig, MeshNetworks, read_bare, read_in_config_map};
use mesh_model::object::Kind;
use mesh_model::yaml::{LoadOptions, Loaded, Unread, load};

use crate::Unusable;
use crate::args::Config;
use crate::files::{Selected, Selection, is_plain, read, select, unreadable};
use crate::progress::Progress;
use crate::report::Extent;
use crate::source::Texts;

/// Everything that was read.
pub struct Read {
    pub config: ConfigSet,
    pub mesh: Arc<MeshConfig>,
    pub report: Report,
    pub extent: Extent,
    pub documents: Vec<Arc<Document>>,
    /// Documents that cannot be read.
    pub unread: Vec<Unread>,
    pub texts: Texts,
    /// Shown until it is dropped.
    pub progress: Option<Progress>,
}

impl Read {
    /// Resolves what was read; the end of all progress.
    pub fn resolve(&mut self) -> (MeshSnapshot, Report) {
        let progress = self.progress.take();
        progress.iter().for_each(|progress| progress.finishing("resolving"));
        MeshSnapshot::resolve(&self.config, Arc::clone(&self.mesh))
    }
}

/// Reads files into a `ConfigSet`, and the mesh configuration.
pub fn read_all(
    paths: &[String],
    mesh_config: Option<&Path>,
    options: ApplyOptions,
) -> Result<Read, Unusable> {
    let strictness = options.strictness;
    let Selection { files, mut report } = select(paths)?;
    let mut config = ConfigSet::new();
    let mut texts = Texts::default();
    let (mut documents, mut unread) = (Vec::new(), Vec::new());
    let sizes: Vec<u64> =
        files.iter().map(|file| std::fs::metadata(&file.path).map_or(0, |data| data.len())).collect();
    let progress = Progress::reading(sizes.iter().sum());
    let mut others = Vec::new();
    let mut passed_over = 0;
    for (file, size) in files.iter().zip(sizes) {
        let name = file.path.display().to_string();
        let bytes = match read(&file.path) {
            Ok(bytes) => bytes,
            Err(Unusable::Read { source, .. }) if file.found_in.is_some() => {
                report.push(unreadable(&file.path, Some(&source)));
                continue;
            }
            Err(error) => return Err(error),
        };
        if name == "-" || !is_plain(&file.path) {
            texts.keep(&name, &bytes);
        }
        let load_options = LoadOptions::default()
            .with_cluster(file.cluster.as_str())
            .with_threads(options.threads)
            .with_strict(strictness == Strictness::Strict);
        let mut loaded = load(&name, &bytes, &load_options);
        progress.done(size);
        // A document that only strict reading refuses is looked at all the same: one run tells of every problem.
        if strictness == Strictness::Strict && loaded.report.iter().any(is_of_strictness) {
            let lenient = load(&name, &bytes, &load_options.with_strict(false));
            (loaded.documents, loaded.unread) = (lenient.documents, lenient.unread);
        }
        if file.found_in.is_some() && is_of_another_tool(&bytes, &loaded) {
            // Lines of JSON are mostly data of another kind: nothing to remark on.
            let is_lines =
                file.path.extension().is_some_and(|ending| ending == "jsonl" || ending == "ndjson");
            if is_lines {
                passed_over += 1;
            } else {
                others.push(file);
            }
            continue;
        }
        report.merge(loaded.report);
        documents.extend(loaded.documents);
        unread.append(&mut loaded.unread);
    }
    if files.is_empty() && report.is_empty() {
        for path in paths {
            report.push(
                Diagnostic::new(
                    Code::NoDocuments,
                    Place::in_file(path, Span::default()),
                    "no configuration file is in it",
                )
                .help("files are read that end in .yaml, .yml, .json, .jsonl or .ndjson"),
            );
        }
    }
    report_others(&others, &mut report);
    let extent = Extent {
        files: files.len() - others.len() - passed_over,
        documents: documents.len(),
        ..Extent::default()
    };
    progress.checking(documents.len() as u64);
    // Several threads take documents by the window, which is checked before the bar is drawn again.
    let changes = documents.iter().cloned().map(Change::Upsert).inspect(|_| progress.done(1));
    let applied = config.apply_with(changes, options);
    report.merge(applied.report);
    let mesh = match mesh_config {
        Some(path) => read_mesh_config(path, strictness, &mut report)?,
        None => Arc::new(mesh_config_within(&mut config, strictness, &mut report)),
    };
    Ok(Read { config, mesh, report, extent, documents, unread, texts, progress: Some(progress) })
}

/// What lenient reading only warns of.
fn is_of_strictness(finding: &Diagnostic) -> bool {
    finding.severity == Severity::Error && matches!(finding.code, Code::DuplicateKey | Code::UnusualScalar)
}

/// Whether a file that was found is some tool's own (`package.json`, a values file): nothing in it says that it wants to
/// be a resource. What is no text at all is reported, and so is an empty file.
fn is_of_another_tool(bytes: &[u8], loaded: &Loaded) -> bool {
    let is_told = |code| matches!(code, Code::Encoding | Code::NoDocuments | Code::BudgetExceeded);
    !loaded.report.iter().any(|finding| is_told(finding.code))
        && std::str::from_utf8(bytes).is_ok_and(|text| !text.contains("apiVersion"))
}

/// One remark for all of them: they may be many.
fn report_others(others: &[&Selected], report: &mut Report) {
    const NAMED_MAX: usize = 3;
    let Some(first) = others.first() else { return };
    let names: Vec<String> =
        others.iter().take(NAMED_MAX).map(|file| format!("`{}`", file.path.display())).collect();
    let more = match others.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (files, are) = if others.len() == 1 { ("file", "is") } else { ("files", "are") };
    let place = first.found_in.as_deref().unwrap_or(&first.path).display().to_string();
    let message =
        format!("{} {files} without `apiVersion` {are} left out: {}{more}", others.len(), names.join(", "));
    let finding = Diagnostic::new(Code::NotAResource, Place::in_file(&place, Span::default()), message);
    report.push(
        finding
            .severity(Severity::Info)
            .help("a file that is meant to be a resource can be named, to see why it is none"),
    );
}

/// Reads and resolves; problems of all stages are in the report.
///
/// What validation refuses is in force here: the question is what a control plane that has these objects does.
pub fn resolve(arguments: &Config) -> Result<(MeshSnapshot, Read), Unusable> {
    let threads = arguments.work.threads();
    let options = ApplyOptions { admission: Admission::Accept, threads, ..ApplyOptions::default() };
    let mut read = read_all(&arguments.paths, arguments.mesh_config.as_deref(), options)?;
    if let Some(file) = &arguments.mesh_networks {
        let networks: Option<MeshNetworks> = read_message(file, options.strictness, &mut read.report)?;
        read.config.mesh_networks = Arc::new(networks.unwrap_or_default());
    }
    let (snapshot, report) = read.resolve();
    read.report.merge(report);
    Ok((snapshot.with_profile(arguments.profile.into()), read))
}

/// The mesh configuration over Istio's defaults (T-471).
fn read_mesh_config(
    path: &Path,
    strictness: Strictness,
    report: &mut Report,
) -> Result<Arc<MeshConfig>, Unusable> {
    let defaults = MeshConfig::with_defaults();
    let written = read_message(path, strictness, report)?;
    Ok(Arc::new(written.map_or_else(MeshConfig::with_defaults, |written| defaults.overlay(written))))
}

/// The mesh configuration and networks that stand where Istio reads them: in the ConfigMap `istio` of the namespace
/// `istio-system`, or of another where only that has one. Those of revisions (`istio-REVISION`) are checked.
fn mesh_config_within(config: &mut ConfigSet, strictness: Strictness, report: &mut Report) -> MeshConfig {
    let options = LoadOptions::default().with_strict(strictness == Strictness::Strict);
    let how = (&options, unknown(strictness));
    let is_istio = |name: &str| name == "istio" || name.starts_with("istio-");
    let maps = config
        .config_maps
        .iter()
        .filter(|map| is_istio(&map.meta.name) && map.spec.data.contains_key("mesh"));
    let (mut meshes, mut networks) = (Vec::new(), Vec::new());
    for map in maps {
        let place = (&*map.meta.name != "istio", &*map.meta.namespace != "istio-system");
        meshes
            .extend(read_in_config_map::<MeshConfig, _>(map, "mesh", how, report).map(|(_, it)| (place, it)));
        let found = read_in_config_map::<MeshNetworks, _>(map, "meshNetworks", how, report);
        networks.extend(found.map(|(_, it)| (place, it)));
    }
    if let Some(networks) = in_force(networks) {
        config.mesh_networks = Arc::new(networks);
    }
    let defaults = MeshConfig::with_defaults();
    match in_force(meshes) {
        Some(mesh) => defaults.overlay(mesh),
        None => defaults,
    }
}

/// The first by place, where it is clear which that is.
fn in_force<S>(mut found: Vec<((bool, bool), S)>) -> Option<S> {
    found.sort_by_key(|(place, _)| *place);
    match found.as_slice() {
        [(one, _), (other, _), ..] if one == other => None,
        [((true, _), _), _, ..] => None,
        _ => found.into_iter().next().map(|(_, it)| it),
    }
}

fn unknown(strictness: Strictness) -> Unknown {
    match strictness {
        Strictness::Strict => Unknown::Error,
        Strictness::Lenient => Unknown::Warning,
    }
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
    let options = LoadOptions::default().with_strict(strictness == Strictness::Strict);
    let loaded = load(&name, &read(path)?, &options);
    report.merge(loaded.report);
    let document = loaded.documents.into_iter().next();
    Ok(document.and_then(|document| {
        read_bare(&document, unknown(strictness), report).map(|message| (document, message))
    }))
}
