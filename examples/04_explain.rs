//! The road of a decision, candidate by candidate: `cargo run --example 04_explain`

use mesh::proxy_core::probe;
use mesh::{Mesh, Outcome, explain};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mesh, _) = Mesh::from_dir("examples/shop")?;
    let web = mesh.sidecar("shop", "web-0").ok_or("no such Pod")?;
    let (config, _) = mesh.proxy_config(&web);

    // Probes are requests as JSON, one a line; `02_route_a_request` builds one by hand.
    let text = std::fs::read_to_string("examples/shop/probes.jsonl")?;
    let probe = probe::read(&text).next().ok_or("no probe")??;
    println!("probe {}", probe.id);

    // The decision is the one that `decide` makes: explaining is the same function with a listener.
    let (decision, trace) = explain(&config, &probe.query(0));
    for step in &trace.steps {
        let fate = match step.outcome {
            Outcome::Won => "won",
            Outcome::Lost => "lost",
            Outcome::NotAsked => "not asked",
        };
        print!("{:?}: {fate}: {}", step.stage, step.rule);
        if let Some(because) = &step.because {
            print!(" ({}: wanted {}, got {})", because.field, because.wanted, because.got);
        }
        if let Some((file, line, column)) = step.origin.as_ref().and_then(|origin| origin.place()) {
            print!(" at {file}:{line}:{column}");
        }
        println!();
    }
    println!("\n{}", serde_json::to_string_pretty(&decision)?);
    Ok(())
}
