//! Configuration from files: read, compiled for one proxy, read again when they change.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mesh_compile::compiler::compile;
use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy_identity::{Proxy, ProxyKind};
use mesh_compile::snapshot::MeshSnapshot;
use mesh_compile::view::View;
use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh_model::decode::Unknown;
use mesh_model::diagnostic::{Code, Diagnostic, Place, Report, Stage};
use mesh_model::document::{Document, TextAtRest};
use mesh_model::mesh_config::{MeshConfig, read_bare};
use mesh_model::object::ResourceKey;
use mesh_model::yaml::{LoadOptions, load};
use notify::{RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::certificates::Certificates;
use super::drop_guard::DropGuard;
use super::rest::settled;
use super::state;
use crate::seam::config_source::{Changed, ConfigSource, Loaded};

/// Endings of configuration files in a directory.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Files, and the proxy that they are compiled for.
/// Ours: a proxy can be run from a directory, without a control plane.
#[derive(Debug)]
pub struct Files {
    paths: Vec<PathBuf>,
    mesh_config: Option<PathBuf>,
    proxy: Proxy,
    certificates: Certificates,
    /// Kept over all loads: an object that turns bad keeps its last good version.
    config: ConfigSet,
    known: BTreeSet<ResourceKey>,
    /// Files that said something the last time.
    written: BTreeSet<PathBuf>,
    /// Whether files that say nothing any more take everything away.
    may_be_empty: bool,
    /// What a change may take away.
    drops: DropGuard,
    /// Whether the next change may take away whatever it does.
    is_confirmed: bool,
    /// Where the objects in force are kept for the next start, and the revision of those that are.
    state: Option<(PathBuf, u64)>,
    /// Whether a configuration was given out.
    has_begun: bool,
    changes: Arc<Notify>,
    watcher: Option<notify::RecommendedWatcher>,
}

impl Files {
    /// The files of `paths` (directories are walked) for the proxy that `proxy` names: a `proxy.json`, or a Pod of the
    /// configuration as `gateway:NAMESPACE/POD` or `sidecar:NAMESPACE/POD`. `identity`: the directory of the workload's
    /// certificate.
    ///
    /// # Errors
    /// A file cannot be read, or the proxy is not known; in words.
    pub fn open(
        paths: Vec<PathBuf>,
        mesh_config: Option<PathBuf>,
        proxy: &str,
        identity: Option<PathBuf>,
    ) -> Result<Self, String> {
        Self::open_with_state(paths, mesh_config, proxy, identity, None)
    }

    /// [`open`](Self::open), with a file that keeps the objects in force (Secrets are left out). A process that starts
    /// while its files are broken or gone begins with what the file has: what turned bad has its last good version, and
    /// where nothing can be read everything is as it was. A file that is damaged is told of, and counts as none.
    ///
    /// # Errors
    /// As those of [`open`](Self::open); files that cannot be read are none where the state has what was in force.
    pub fn open_with_state(
        paths: Vec<PathBuf>,
        mesh_config: Option<PathBuf>,
        proxy: &str,
        identity: Option<PathBuf>,
        state: Option<PathBuf>,
    ) -> Result<Self, String> {
        let before = state.as_deref().map_or(Ok(Vec::new()), state::load).unwrap_or_else(|problem| {
            tracing::warn!(problem, "the state is of no use");
            Vec::new()
        });
        let (documents, _) = match read_documents(&paths, &mut BTreeSet::new()) {
            Err(problem) if before.is_empty() => return Err(problem),
            read => read.unwrap_or_default(),
        };
        let mut there = ConfigSet::new();
        let accept = ApplyOptions { admission: Admission::Accept, ..kept_packed() };
        there.apply_with(before.iter().cloned().chain(documents).map(Change::Upsert), accept);
        let proxy = find_proxy(proxy, &there)?;
        let certificates = Certificates::new(identity, &*proxy.namespace);
        let mut config = ConfigSet::new();
        let known = config.apply_with(before.into_iter().map(Change::Upsert), kept_packed()).changed;
        Ok(Self {
            paths,
            mesh_config,
            proxy,
            certificates,
            state: state.map(|path| (path, config.revision())),
            has_begun: false,
            config,
            known,
            written: BTreeSet::new(),
            may_be_empty: false,
            drops: DropGuard::default(),
            is_confirmed: false,
            changes: Arc::new(Notify::new()),
            watcher: None,
        })
    }

    /// Takes files that say nothing any more for what they say: everything goes, policies too. Without it what was there
    /// stays, since a directory is rather lost than emptied.
    #[must_use]
    pub fn allow_empty(mut self, may_be_empty: bool) -> Self {
        self.may_be_empty = may_be_empty;
        self
    }

    /// What is done about changes that take a large share of the objects away.
    #[must_use]
    pub fn drop_guard(mut self, drops: impl Into<DropGuard>) -> Self {
        self.drops = drops.into();
        self
    }

    /// The proxy.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// The certificates: Secrets of the files, and the workload's own.
    pub fn certificates(&self) -> Certificates {
        self.certificates.clone()
    }

    /// Begins to watch the files.
    fn watch(&mut self) -> notify::Result<()> {
        let changes = Arc::clone(&self.changes);
        let own = self.certificates.directory().map(Path::to_owned);
        let watched: Vec<PathBuf> = self
            .paths
            .iter()
            .chain(&self.mesh_config)
            .chain(&own)
            .map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()))
            .collect();
        let paths = watched.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // An error may stand for events that were lost.
            if event.map_or(true, |event| concerns(&event, &paths)) {
                changes.notify_one();
            }
        })?;
        for path in &watched {
            if path.is_dir() {
                watcher.watch(path, RecursiveMode::Recursive)?;
            } else if let Some(folder) = path.parent() {
                // A file that is replaced is another file: its directory is what stays.
                watcher.watch(folder, RecursiveMode::NonRecursive)?;
            }
        }
        self.watcher = Some(watcher);
        Ok(())
    }

    fn read(&mut self) -> Result<(Vec<Arc<Document>>, Report), String> {
        let (documents, report) = read_documents(&self.paths, &mut self.written)?;
        if documents.is_empty() && !self.known.is_empty() && !self.may_be_empty && !self.is_confirmed {
            return Err(format!(
                "the files say nothing any more: the {} objects that they had stay",
                self.known.len()
            ));
        }
        Ok((documents, report))
    }

    fn keep_state(&mut self) {
        let revision = self.config.revision();
        let Some((path, kept)) =
            self.state.as_mut().filter(|(path, kept)| *kept != revision || !path.exists())
        else {
            return;
        };
        match state::save(path, &self.config) {
            Ok(()) => *kept = revision,
            Err(problem) => tracing::warn!(problem, "the state is not kept"),
        }
    }

    /// Takes in what the files say now; what they no longer have goes, unless something could not be read.
    ///
    /// # Errors
    /// Too much would go.
    fn take_in(&mut self, documents: Vec<Arc<Document>>, mut report: Report) -> Result<Report, String> {
        let accept = ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() };
        let there = ConfigSet::new().apply_with(documents.iter().cloned().map(Change::Upsert), accept);
        let is_whole = !report
            .iter()
            .chain(there.report.iter())
            .any(|problem| problem.code.stage() == Stage::Read && is_error(problem));
        let gone: Vec<ResourceKey> =
            self.known.difference(&there.changed).filter(|_| is_whole).cloned().collect();
        // What is confirmed is this change, and none after it.
        if !std::mem::take(&mut self.is_confirmed) && !documents.is_empty() {
            self.drops.look(gone.len(), self.known.len())?;
        }
        for key in &gone {
            self.known.remove(key);
        }
        self.known.extend(there.changed);
        let changes = documents.into_iter().map(Change::Upsert);
        let changes = gone.into_iter().map(Change::Remove).chain(changes);
        report.merge(self.config.apply_with(changes, kept_packed()).report);
        Ok(report)
    }

    fn mesh_config(&self, report: &mut Report) -> Result<Arc<MeshConfig>, String> {
        let defaults = MeshConfig::with_defaults();
        let Some(path) = &self.mesh_config else { return Ok(Arc::new(defaults)) };
        let loaded = load(&path.display().to_string(), &read(path)?, &LoadOptions::default());
        report.merge(loaded.report);
        let written =
            loaded.documents.first().and_then(|document| read_bare(document, Unknown::Warning, report));
        match written {
            Some(written) => Ok(Arc::new(defaults.overlay(written))),
            None => Err(format!("{}: no MeshConfig can be read", path.display())),
        }
    }
}

impl ConfigSource for Files {
    fn load(&mut self) -> Result<Loaded, String> {
        // Changes from here on are seen by the next load.
        if self.watcher.is_none()
            && let Err(error) = self.watch()
        {
            tracing::warn!(%error, "files are not watched");
        }
        let mut report = Report::new();
        let mesh = self.mesh_config(&mut report)?;
        let read = self.read().and_then(|(documents, report)| {
            let report = self.take_in(documents.clone(), report)?;
            self.certificates.take_secrets(documents.iter().map(|document| &**document));
            Ok(report)
        });
        report.merge(match read {
            Ok(report) => report,
            Err(problem) if !self.has_begun && !self.known.is_empty() => as_before(&problem),
            Err(problem) => return Err(problem),
        });
        self.certificates.touch();
        let (snapshot, problems) = MeshSnapshot::resolve(&self.config, mesh);
        report.merge(problems);
        let (config, problems): (ProxyConfig, Report) = compile(&View::new(&snapshot, &self.proxy));
        report.merge(problems);
        self.has_begun = true;
        self.keep_state();
        Ok(Loaded { config, report })
    }

    fn changed(&mut self) -> Changed<'_> {
        // Files that are being written are let come to rest.
        Box::pin(settled(&self.changes))
    }

    fn confirm(&mut self) {
        self.is_confirmed = true;
    }
}

/// Whether a file or directory that is watched changed, and not a neighbour of it.
fn concerns(event: &notify::Event, watched: &[PathBuf]) -> bool {
    !event.kind.is_access()
        && (event.need_rescan()
            || event.paths.iter().any(|path| watched.iter().any(|watched| is_of(path, watched))))
}

/// Whether a path is a watched one or below it, or the link that a mounted volume puts in the place of another to change
/// all its files at once (`..data`).
fn is_of(path: &Path, watched: &Path) -> bool {
    path.starts_with(watched) || (is_of_volume(path) && path.parent() == watched.parent())
}

/// Names that mounted volumes keep for themselves.
fn is_of_volume(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."))
}

/// The finding of a start with nothing but the state.
fn as_before(problem: &str) -> Report {
    let message = format!("{problem}; what was in force before the start is in force again");
    let mut report = Report::new();
    report.push(Diagnostic::new(Code::KeptLastGood, Place::default(), message));
    report
}

/// What runs for long and seldom asks for a text keeps it small.
fn kept_packed() -> ApplyOptions {
    ApplyOptions { texts: TextAtRest::Packed, ..ApplyOptions::default() }
}

fn is_error(problem: &mesh_model::diagnostic::Diagnostic) -> bool {
    problem.severity == mesh_model::diagnostic::Severity::Error
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The documents of all files. `before`: files that said something the last time, replaced by those that do now.
fn read_documents(
    paths: &[PathBuf],
    before: &mut BTreeSet<PathBuf>,
) -> Result<(Vec<Arc<Document>>, Report), String> {
    let mut written = BTreeSet::new();
    let mut documents = Vec::new();
    let mut report = Report::new();
    for path in paths {
        for file in expand(path)? {
            let text = read(&file)?;
            if !text.is_empty() {
                written.insert(file.clone());
            } else if before.contains(&file) {
                // Whoever writes a file in place empties it first. Who means it removes the file.
                return Err(format!("{}: the file was emptied; it may be being written", file.display()));
            }
            let loaded = load(&file.display().to_string(), &text, &LoadOptions::default());
            report.merge(loaded.report);
            documents.extend(loaded.documents);
        }
    }
    *before = written;
    Ok((documents, report))
}

/// A file, or the configuration files of a directory and those below it, in order of their names.
fn expand(path: &Path) -> Result<Vec<PathBuf>, String> {
    const DEPTH_MAX: usize = 16;
    let mut files = Vec::new();
    let mut folders = vec![(path.to_owned(), 0)];
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    while let Some((folder, depth)) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries.flatten() {
            let path = entry.path();
            if is_of_volume(&path) {
                continue;
            }
            let ending = path.extension().and_then(|ending| ending.to_str());
            if path.is_dir() && depth < DEPTH_MAX {
                folders.push((path, depth + 1));
            } else if ending.is_some_and(|ending| ENDINGS.contains(&ending)) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn find_proxy(argument: &str, config: &ConfigSet) -> Result<Proxy, String> {
    let pod = match argument.split_once(':') {
        Some(("sidecar", pod)) => Some((ProxyKind::Sidecar, pod)),
        Some(("gateway", pod)) => Some((ProxyKind::Gateway, pod)),
        _ => None,
    };
    let Some((kind, pod)) = pod else {
        return serde_json::from_slice(&read(Path::new(argument))?)
            .map_err(|error| format!("{argument}: {error}"));
    };
    let (namespace, name) = pod.split_once('/').unwrap_or(("default", pod));
    Proxy::of_pod(kind, namespace, name, config)
        .ok_or_else(|| format!("the configuration has no Pod `{name}` in namespace `{namespace}`"))
}
