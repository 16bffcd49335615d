//! What the black-box tests share: cases of the corpus and of `examples/shop`, and the road from text to tables.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mesh::compile::compiler::compile;
use mesh::compile::proxy::ProxyConfig;
use mesh::compile::proxy_identity::Proxy;
use mesh::compile::snapshot::MeshSnapshot;
use mesh::compile::view::View;
use mesh::model::config_set::{Change, ConfigSet};
use mesh::model::decode::{DecodeOptions, Unknown, decode};
use mesh::model::diagnostic::{Place, Report};
use mesh::model::document::Document;
use mesh::model::mesh_config::MeshConfig;
use mesh::model::yaml::{LoadOptions, load};
use mesh::proxy_core::probe::{self, Probe};

/// Seconds since 1970 at which tokens are checked: some time in 2026.
pub(crate) const NOW: i64 = 1_780_000_000;

/// One mesh seen by one proxy, and what is asked of it.
#[derive(Debug)]
pub(crate) struct Case {
    /// `area/case`.
    pub(crate) name: String,
    /// `config.yaml`.
    pub(crate) text: String,
    /// `config.CLUSTER.yaml`: clusters beside the first, by name.
    pub(crate) clusters: Vec<(String, String)>,
    /// `mesh.yaml`.
    pub(crate) mesh: Option<String>,
    /// `proxy.json`.
    pub(crate) proxy: Proxy,
    /// `probes.jsonl`, the lines that can be read.
    pub(crate) probes: Vec<Probe>,
}

/// Tables and everything they were made from.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// Typed objects.
    pub(crate) set: ConfigSet,
    /// What the proxy runs.
    pub(crate) config: ProxyConfig,
    /// Findings of every stage after reading.
    pub(crate) report: Report,
}

/// A folder of the shared conformance data; `None`, with a line that says so, where it is absent.
pub(crate) fn conformance(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("MESH_SHARED")
        .map_or_else(|| root().join("../shared"), PathBuf::from)
        .join("conformance")
        .join(name);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: no {}", path.display());
    None
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folders of all decision cases, sorted; empty where the shared data is absent. `MESH_AREA` picks one area.
pub(crate) fn corpus() -> Vec<PathBuf> {
    let Some(folder) = conformance("decide") else { return Vec::new() };
    let only = std::env::var("MESH_AREA").ok();
    let is_wanted = |area: &PathBuf| only.as_deref().is_none_or(|only| area.ends_with(only));
    let mut cases: Vec<PathBuf> =
        folders(&folder).into_iter().filter(is_wanted).flat_map(|area| folders(&area)).collect();
    cases.sort();
    cases
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(of).unwrap();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

impl Case {
    /// Reads a case's folder.
    pub(crate) fn read(folder: &Path) -> Self {
        let text = |name: &str| std::fs::read_to_string(folder.join(name));
        let part = |path: Option<&Path>| {
            path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
        };
        Self {
            name: format!("{}/{}", part(folder.parent()), part(Some(folder))),
            text: text("config.yaml").unwrap(),
            clusters: clusters(folder),
            mesh: text("mesh.yaml").ok(),
            proxy: serde_json::from_str(&text("proxy.json").unwrap()).unwrap(),
            probes: probe::read(&text("probes.jsonl").unwrap()).filter_map(Result::ok).collect(),
        }
    }

    /// The documents of `config.yaml`, and those of further clusters.
    pub(crate) fn documents(&self) -> Vec<Arc<Document>> {
        let mut documents = load("config.yaml", &self.text, &LoadOptions::default()).documents;
        for (cluster, text) in &self.clusters {
            let options = LoadOptions::default().with_cluster(cluster.as_str());
            documents.extend(load("config.yaml", text, &options).documents);
        }
        documents
    }

    /// What the proxy of this case runs.
    pub(crate) fn compile(&self) -> Compiled {
        self.compile_documents(self.documents())
    }

    /// What the proxy runs when the mesh is made of `documents`.
    pub(crate) fn compile_documents(&self, documents: Vec<Arc<Document>>) -> Compiled {
        let mut set = ConfigSet::new();
        let mut report = set.apply(documents.into_iter().map(Change::Upsert)).report;
        let mesh = mesh_config(self.mesh.as_deref());
        let (snapshot, problems) = MeshSnapshot::resolve(&set, mesh);
        report.merge(problems);
        let (config, problems) = compile(&View::new(&snapshot, &self.proxy));
        report.merge(problems);
        Compiled { set, config, report }
    }
}

/// The files `config.CLUSTER.yaml` of a case, by cluster.
fn clusters(folder: &Path) -> Vec<(String, String)> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = files
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            let cluster = name.strip_prefix("config.")?.strip_suffix(".yaml")?.to_owned();
            Some((cluster, std::fs::read_to_string(&path).unwrap()))
        })
        .collect();
    found.sort();
    found
}

/// A mesh configuration over its defaults.
pub(crate) fn mesh_config(text: Option<&str>) -> Arc<MeshConfig> {
    let defaults = MeshConfig::with_defaults();
    let loaded = load("mesh.yaml", text.unwrap_or_default(), &LoadOptions::default());
    let Some(document) = loaded.documents.first() else { return Arc::new(defaults) };
    let place = |_: &str, span| Place::in_file("mesh.yaml", span);
    let options = DecodeOptions { protobuf: true, unknown: Unknown::Warning };
    let written = decode::<MeshConfig>(document.root(), "", options, &place, &mut Report::new());
    Arc::new(written.map_or_else(MeshConfig::with_defaults, |written| defaults.overlay(written)))
}

/// The documents of `examples/shop` as one text.
pub(crate) fn shop_text() -> String {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join("examples/shop"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    let texts: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    texts.join("---\n")
}

/// The shop seen by its front end, by a back end, and by the gateway: cases that every clone has.
pub(crate) fn shop() -> Vec<Case> {
    let outbound = std::fs::read_to_string(root().join("examples/shop/probes.jsonl")).unwrap();
    let peer = "spiffe://cluster.local/ns/shop/sa/web";
    let inbound: Vec<String> = [("GET", "/reviews/7"), ("POST", "/reviews/7"), ("GET", "/admin/x")]
        .map(|(method, path)| {
            format!(
                r#"{{"id":"{method} {path}","direction":"inbound","conn":{{"dst_ip":"10.0.1.21","dst_port":9080,"tls":{{"alpn":["istio"],"peer":"{peer}"}}}},"http":{{"method":"{method}","authority":"reviews","path":"{path}"}}}}"#
            )
        })
        .into();
    let gateway: Vec<String> = ["/reviews/7", "/catalogue.html", "/"]
        .iter()
        .flat_map(|path| {
            [(8080, "null"), (8443, r#"{"sni":"shop.example.com","alpn":["http/1.1"]}"#)].map(|(port, tls)| {
                format!(
                    r#"{{"id":"{port} {path}","direction":"gateway","conn":{{"dst_port":{port},"tls":{tls}}},"http":{{"method":"GET","authority":"shop.example.com","path":"{path}"}}}}"#
                )
            })
        })
        .collect();
    vec![
        shop_case(
            "web",
            r#"{"type":"sidecar","namespace":"shop","name":"web-0","labels":{"app":"web","version":"v1"},"ip":"10.0.1.10","service_account":"web"}"#,
            &outbound,
        ),
        shop_case(
            "reviews",
            r#"{"type":"sidecar","namespace":"shop","name":"reviews-v1-0","labels":{"app":"reviews","version":"v1"},"ip":"10.0.1.21","service_account":"reviews"}"#,
            &inbound.join("\n"),
        ),
        shop_case(
            "ingress",
            r#"{"type":"gateway","namespace":"istio-system","name":"ingress-0","labels":{"istio":"ingress"},"ip":"10.0.1.5","service_account":"ingress"}"#,
            &gateway.join("\n"),
        ),
    ]
}

fn shop_case(name: &str, proxy: &str, probes: &str) -> Case {
    Case {
        name: format!("shop/{name}"),
        text: shop_text(),
        clusters: Vec::new(),
        mesh: None,
        proxy: serde_json::from_str(proxy).unwrap(),
        probes: probe::read(probes).map(Result::unwrap).collect(),
    }
}

/// A small generator with a fixed sequence for each seed.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// A sequence of its own for each seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // xorshift64*: the high half is good enough to shuffle with.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        usize::try_from(high).unwrap() % bound.max(1)
    }

    /// Puts items into some order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// Runs `check` over all items on two threads and gathers what it says, in the order of the items.
pub(crate) fn on_two_threads<T: Sync, R: Send>(items: &[T], check: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let half = |parity: usize| {
        let check = &check;
        move || -> Vec<R> { items.iter().skip(parity).step_by(2).map(check).collect() }
    };
    std::thread::scope(|scope| {
        let odd = scope.spawn(half(1));
        let even = half(0)();
        let mut odd = odd.join().unwrap().into_iter();
        let mut all = Vec::with_capacity(items.len());
        for item in even {
            all.push(item);
            all.extend(odd.next());
        }
        all
    })
}
