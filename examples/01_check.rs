//! Reads a mesh and lists what is wrong with it: `cargo run --example 01_check`.

use mesh::Mesh;

/// A misspelt field, a wrong type, and a document that is right.
const YAML: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http:
  - timeuot: 2s
    route:
    - destination: {host: reviews}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: shop}
spec:
  host: [reviews]
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
";

fn main() -> std::io::Result<()> {
    // The bundled mesh has no problems.
    let (shop, report) = Mesh::from_dir("examples/shop")?;
    println!("examples/shop: {} objects, {} findings\n", shop.config().len(), report.len());

    // A bad document never sinks the others: each problem has a code, a place and, where possible, help.
    let (mesh, report) = Mesh::from_texts([("reviews.yaml", YAML)]);
    for finding in &report {
        println!("{finding}");
    }
    println!("\nin force: {} objects", mesh.config().len());
    Ok(())
}
