//! The stages from text to what a proxy runs, called one after the other. No logic of its own.

use std::path::Path;
use std::sync::Arc;

use mesh_authz::profile::Profile;
use mesh_compile::compiler::compile;
use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy_identity::{Proxy, ProxyKind};
use mesh_compile::snapshot::MeshSnapshot;
use mesh_compile::view::View;
use mesh_model::config_set::{ApplyOptions, Change, ConfigSet};
use mesh_model::diagnostic::Report;
use mesh_model::mesh_config::MeshConfig;
use mesh_model::yaml::{LoadOptions, load};

/// A mesh, read and resolved: ask it what a proxy runs.
/// Ours: the road from files to decisions in a few calls, for programs that have one mesh.
///
/// The few lines that most programs need. Programs that keep a mesh up to date, read from several clusters or choose
/// their own budgets call the stages themselves: [`load`], [`ConfigSet::apply`], [`MeshSnapshot::resolve`],
/// [`View::new`], [`compile()`](fn@compile).
///
/// ```
/// use mesh::Mesh;
///
/// let (mesh, report) = Mesh::from_texts([("reviews.yaml", r#"
/// apiVersion: v1
/// kind: Service
/// metadata: {name: reviews, namespace: shop}
/// spec:
///   clusterIP: 10.96.0.20
///   ports: [{name: http, port: 9080}]
/// "#)]);
/// assert!(report.is_empty());
/// assert_eq!(mesh.config().services.len(), 1);
/// ```
#[derive(Debug, Clone)]
pub struct Mesh {
    config: ConfigSet,
    snapshot: MeshSnapshot,
}

impl Mesh {
    /// Reads texts of YAML or JSON documents, each with the name of its file, and resolves them with Istio's default
    /// mesh configuration.
    ///
    /// What is broken is in the report and left out; the rest works. Long texts and many documents are read on as many
    /// threads as there are processors, with the same outcome.
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> (Self, Report) {
        let mut report = Report::new();
        let mut config = ConfigSet::new();
        let mut documents = Vec::new();
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        for (file, text) in texts {
            let loaded = load(file, text, &LoadOptions::default().with_threads(threads));
            documents.extend(loaded.documents);
            report.merge(loaded.report);
        }
        let options = ApplyOptions { threads, ..ApplyOptions::default() };
        report.merge(config.apply_with(documents.into_iter().map(Change::Upsert), options).report);
        let (mesh, problems) = Self::resolve(config, Arc::new(MeshConfig::with_defaults()));
        report.merge(problems);
        (mesh, report)
    }

    /// [`from_texts`](Self::from_texts) with the files of a directory that end in `.yaml`, `.yml` or `.json`, in order
    /// of their names. Directories below it are not read.
    ///
    /// # Errors
    ///
    /// The directory or a file of it cannot be read.
    pub fn from_dir(directory: impl AsRef<Path>) -> std::io::Result<(Self, Report)> {
        let mut texts = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            let ending = path.extension().and_then(|ending| ending.to_str());
            if matches!(ending, Some("yaml" | "yml" | "json")) {
                let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
                texts.push((path.display().to_string(), text));
            }
        }
        texts.sort();
        Ok(Self::from_texts(texts.iter().map(|(file, text)| (file.as_str(), text.as_str()))))
    }

    /// Resolves typed objects. `mesh_config` is the configuration over its defaults.
    pub fn resolve(config: ConfigSet, mesh_config: Arc<MeshConfig>) -> (Self, Report) {
        let (snapshot, report) = MeshSnapshot::resolve(&config, mesh_config);
        (Self { config, snapshot }, report)
    }

    /// The same mesh with another reading of its policies and token rules.
    #[must_use]
    pub fn with_profile(self, profile: Profile) -> Self {
        Self { snapshot: self.snapshot.with_profile(profile), ..self }
    }

    /// The objects in force, typed, each with its place in the text.
    pub fn config(&self) -> &ConfigSet {
        &self.config
    }

    /// The mesh as a whole.
    pub fn snapshot(&self) -> &MeshSnapshot {
        &self.snapshot
    }

    /// The sidecar of a Pod; `None`: there is no such Pod.
    pub fn sidecar(&self, namespace: &str, pod: &str) -> Option<Proxy> {
        Proxy::of_pod(ProxyKind::Sidecar, namespace, pod, &self.config)
    }

    /// The gateway that runs as a Pod; `None`: there is no such Pod.
    pub fn gateway(&self, namespace: &str, pod: &str) -> Option<Proxy> {
        Proxy::of_pod(ProxyKind::Gateway, namespace, pod, &self.config)
    }

    /// Compiles what a proxy runs; problems that only this proxy has are in the report.
    pub fn proxy_config(&self, proxy: &Proxy) -> (ProxyConfig, Report) {
        compile(&View::new(&self.snapshot, proxy))
    }
}
