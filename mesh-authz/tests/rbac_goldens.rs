//! The RBAC filters beside those that Istio's own tests expect, where the corpus is there (`MESH_SHARED`).
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a case that is not as written must fail")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mesh_authz::policy_set::rbac::ext_authz::{self, Upstream};
use mesh_authz::policy_set::rbac::{RbacOptions, filters};
use mesh_authz::policy_set::{Protocol, applicable};
use mesh_model::config_set::{Change, ConfigSet};
use mesh_model::document::Document;
use mesh_model::mesh_config::ExtensionProvider;
use mesh_model::yaml::{LoadOptions, load};
use serde_json::Value;

fn folder() -> Option<PathBuf> {
    let near = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("MESH_SHARED").map_or(near, PathBuf::from);
    Some(shared.join("conformance/authz-rbac")).filter(|folder| folder.join("cases.json").is_file())
}

fn documents(file: &Path) -> Vec<Arc<Document>> {
    let loaded = load("case.yaml", std::fs::read(file).unwrap(), &LoadOptions::default());
    assert!(!loaded.report.has_errors(), "{}: {:?}", file.display(), loaded.report);
    loaded.documents
}

/// One value of a file that holds one.
fn value(file: &Path) -> Value {
    documents(file).first().unwrap().root().to_json()
}

struct Golden {
    folder: PathBuf,
    proxy: Value,
    authorizer: String,
}

impl Golden {
    fn check(&self, case: &Value) {
        let text = |name: &str| case[name].as_str();
        let id = text("id").unwrap();
        let mut config = ConfigSet::new();
        let policies = documents(&self.folder.join(text("policies").unwrap()));
        config.apply(policies.into_iter().map(Change::Upsert));

        let mesh = text("mesh_config").map(|file| value(&self.folder.join(file)));
        let mesh = mesh.map_or_else(Vec::new, |mut mesh| {
            serde_json::from_value::<Vec<ExtensionProvider>>(mesh["extensionProviders"].take()).unwrap()
        });
        let upstream = |service: &str, port: u16| {
            let host = service.rsplit('/').next().unwrap_or(service);
            let cluster = format!("outbound|{port}||{host}");
            (host == self.authorizer).then(|| Upstream { host: host.to_owned(), cluster })
        };
        let aliases = case["trust_domain"]["aliases"].as_array().into_iter().flatten();
        let aliases: Vec<String> = aliases.map(|alias| alias.as_str().unwrap().to_owned()).collect();
        let options = RbacOptions {
            trust_domain: case["trust_domain"]["trust_domain"].as_str().unwrap_or(""),
            trust_domain_aliases: &aliases,
            providers: ext_authz::all(&mesh, &upstream),
            multiple_custom_providers: false,
        };

        let (namespace, root) = (&self.proxy["namespace"], &self.proxy["root_namespace"]);
        let labels = serde_json::from_value(self.proxy["labels"].clone()).unwrap();
        let (namespace, root) = (namespace.as_str().unwrap(), root.as_str().unwrap());
        let found = applicable(config.authorization_policies.iter(), root, namespace, &labels);
        let protocol = if case["for_tcp"] == true { Protocol::Tcp } else { Protocol::Http };
        let filters = filters(&found, protocol, &options);
        let ours = if case["custom_builder"] == true { filters.external } else { filters.enforced };

        let expected = case["expected_filters"].as_array().unwrap().iter();
        let theirs: Vec<Value> =
            expected.map(|file| value(&self.folder.join(file.as_str().unwrap()))).collect();
        assert_eq!(ours, theirs, "{id}");
    }
}

#[test]
fn filters_are_those_of_the_control_plane() {
    let Some(folder) = folder() else {
        println!("skipped: no conformance cases");
        return;
    };
    let corpus: Value = serde_json::from_slice(&std::fs::read(folder.join("cases.json")).unwrap()).unwrap();
    let authorizer = corpus["ext_authz_service"]["hostname"].as_str().unwrap().to_owned();
    let golden = Golden { folder, proxy: corpus["proxy"].clone(), authorizer };
    let cases = corpus["cases"].as_array().unwrap();
    cases.iter().for_each(|case| golden.check(case));
    assert!(!cases.is_empty());
    println!("{} cases", cases.len());
}
