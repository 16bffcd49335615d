//! Every public item says where its rule comes from: a numbered rule, a message of an API, a standard, or that it is
//! the library's own design and why. A counter reads the sources, is tried on small snippets, and knows no exceptions.
//!
//! What counts as a source, anywhere in a doc comment:
//!
//! | form | for instance |
//! |---|---|
//! | a numbered rule | `T-136`, `S-119`, `E-008` |
//! | `API: group/version` and a name in backticks | ``API: networking.istio.io/v1 `HTTPRoute.rewrite` `` |
//! | `Spec: ` and where to read | `Spec: RE2, doc/syntax`, `RFC 3986, 6.2.2` |
//! | `Ours: ` and the reason | `Ours: an answer without a place cannot be explained` |
//!
//! Fields, variants and methods are covered by their type's text, free functions, constants and types by the head of
//! their file: what a file or a type says once need not be said again below.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod apis;
mod public;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use apis::{gateway_api_types, istio_messages, kubernetes_types, unknown};
use public::missing;
use source::cited_apis;

/// The crates, and at least how many public items the counter must see in each to be believed.
const COVERED: &[(&str, usize)] =
    &[("mesh-model", 2000), ("mesh-authz", 200), ("mesh-compile", 900), ("mesh-proxy-core", 500), (".", 8)];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            files.extend(sources(&path));
        } else if name.ends_with(".rs") && name != "tests.rs" {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn library(name: &str) -> Vec<(PathBuf, String)> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    };
    sources(&root().join(name).join("src")).into_iter().map(read).collect()
}

#[test]
fn every_public_item_names_the_source_of_its_rule() {
    let mut list = Vec::new();
    for (name, at_least) in COVERED {
        let (count, missing) = missing(&library(name));
        assert!(count >= *at_least, "{name}: only {count} public items: the counter sees too little");
        list.extend(
            missing.iter().map(|item| format!("{}:{}: {}", item.path.display(), item.line, item.text)),
        );
    }
    assert!(list.is_empty(), "{} public items without a source:\n{}", list.len(), list.join("\n"));
}

#[test]
fn cited_messages_and_fields_exist() {
    let folder = std::env::var_os("MESH_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let Ok(ledger) = fs::read_to_string(folder.join("ledger/fields.tsv")) else {
        println!("skipped: no ledger in {}", folder.display());
        return;
    };
    let mut messages = istio_messages(&ledger);
    let table = |path: &str| fs::read_to_string(root().join("mesh-model/src").join(path)).unwrap();
    let kubernetes = kubernetes_types(&table("kind_table/api_fields.tsv"));
    let gateway_api = gateway_api_types(&table("gateway_api/crd/facts.tsv"));
    let types = kubernetes.into_iter().chain(gateway_api);
    messages.extend(types.map(|(name, fields)| (format!("kubernetes {name}"), fields)));
    assert!(messages["networking.HTTPRoute"].contains("rewrite"));
    assert!(messages["mesh.MeshConfig"].contains("rootNamespace"));
    assert!(unknown(&messages, "networking.istio.io/v1", "HTTPRoute.rewrote").is_some());
    assert!(unknown(&messages, "security.istio.io/v1", "HTTPRoute").is_some());
    assert!(unknown(&messages, "core/v1", "PodSpec.containers").is_none());
    assert!(unknown(&messages, "core/v1", "PodSpec.container").is_some());
    assert!(unknown(&messages, "gateway.networking.k8s.io/v1", "HTTPRouteRule").is_none());
    assert!(unknown(&messages, "gateway.networking.k8s.io/v1", "HttpRouteRule").is_some());
    let mut wrong = Vec::new();
    for (path, text) in COVERED.iter().flat_map(|(name, _)| library(name)) {
        let docs: Vec<&str> =
            text.lines().map(str::trim_start).filter_map(|line| line.strip_prefix("//")).collect();
        let docs = docs.iter().map(|line| line.trim_start_matches(['/', '!'])).collect::<String>();
        for (group, name) in cited_apis(&docs) {
            wrong.extend(unknown(&messages, &group, &name).map(|why| format!("{}: {why}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "citations of what is not there:\n{}", wrong.join("\n"));
}
