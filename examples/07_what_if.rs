//! Changes one document and compares decisions before and after: `cargo run --example 07_what_if`

use std::sync::Arc;

use mesh::model::config_set::Change;
use mesh::model::mesh_config::MeshConfig;
use mesh::model::yaml::{LoadOptions, load};
use mesh::proxy_core::probe;
use mesh::{Mesh, decide};

/// Version 2 for everyone, and no rule for reports any more.
const CHANGED: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http:
  - name: everyone
    timeout: 5s
    route:
    - destination: {host: reviews, subset: v2}
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (before, _) = Mesh::from_dir("examples/shop")?;

    // Objects are shared: the copy costs little, and only the changed one is read again.
    let mut config = before.config().clone();
    let loaded = load("changed.yaml", CHANGED, &LoadOptions::default());
    config.apply(loaded.documents.into_iter().map(Change::Upsert));
    let (after, _) = Mesh::resolve(config, Arc::new(MeshConfig::with_defaults()));

    let web = before.sidecar("shop", "web-0").ok_or("no such Pod")?;
    let (old, _) = before.proxy_config(&web);
    let (new, _) = after.proxy_config(&web);
    let probes = std::fs::read_to_string("examples/shop/probes.jsonl")?;
    for probe in probe::read(&probes) {
        let probe = probe?;
        let query = probe.query(0);
        let (was, is) = (decide(&old, &query, &mut ()), decide(&new, &query, &mut ()));
        if was == is {
            println!("{}: as before", probe.id);
        } else {
            println!("{}:", probe.id);
            println!("  was {}", serde_json::to_string(&was)?);
            println!("  is  {}", serde_json::to_string(&is)?);
        }
    }
    Ok(())
}
