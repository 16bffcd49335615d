//! Changes one document and compares decisions before and after: `cargo run --example 07_what_if`

use std::sync::Arc;

use mesh::model::config_set::Change;
use mesh::model::mesh_config::MeshConfig;
use mesh::model::yaml::{LoadOptions, load};
use mesh::proxy_core::probe;
use mesh::{Mesh, decide};
use serde_json::Value;

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
        let was = serde_json::to_value(decide(&old, &query, &mut ()))?;
        let is = serde_json::to_value(decide(&new, &query, &mut ()))?;
        println!("{}: {}", probe.id, if was == is { "as before" } else { "changes" });
        for (fact, value) in is.as_object().into_iter().flatten() {
            if was.get(fact) != Some(value) {
                println!("  {fact} was {}\n  {fact} is  {value}", was.get(fact).unwrap_or(&Value::Null));
            }
        }
    }
    Ok(())
}
