//! Decision cases acted out: the probe is sent as bytes, and what client and upstream saw is compared with the decision.
//!
//! Every cluster has one endpoint that stands for it, so that an upstream knows which cluster it is. Not acted out, and
//! counted as such: what chance decides, injected delays, questions to external authorizers, requests that no client of
//! ours can send.

mod acting;
mod compare;
mod stage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use stage::Stage;
pub use stage::issue as certificate;

/// What became of a probe.
#[derive(Debug)]
pub enum Played {
    Same,
    Different(String),
    NotActed(&'static str),
}

#[derive(Debug, Default)]
struct Score {
    same: usize,
    different: Vec<String>,
    not_acted: BTreeMap<&'static str, usize>,
}

fn shared() -> Option<PathBuf> {
    let root = std::env::var_os("MESH_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let folder = root.join("conformance/decide");
    folder.is_dir().then_some(folder)
}

fn cases(area: &Path) -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(area)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|case| case.join("expect.jsonl").is_file())
        .collect();
    cases.sort();
    cases
}

async fn play(case: &Path, score: &mut Score) {
    let read = |name: &str| std::fs::read_to_string(case.join(name)).unwrap_or_default();
    let stage = Arc::new(Stage::build(&read("config.yaml"), &read("mesh.yaml"), &read("proxy.json")));
    let expected: BTreeMap<String, Value> = read("expect.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|value| (value["id"].as_str().unwrap().to_owned(), value))
        .collect();
    for probe in mesh::proxy_core::probe::read(&read("probes.jsonl")) {
        let probe = probe.unwrap();
        let Some(expected) = expected.get(&probe.id) else { continue };
        let name = format!("{} {}", case.file_name().unwrap().to_string_lossy(), probe.id);
        match acting::act(&stage, &probe, expected).await {
            Played::Same => score.same += 1,
            Played::Different(how) => score.different.push(format!("{name}: {how}")),
            Played::NotActed(why) => *score.not_acted.entry(why).or_default() += 1,
        }
    }
}

/// All cases of an area; `acted_min`: so many of its decisions can be acted out.
async fn area(name: &str, acted_min: usize) {
    let Some(folder) = shared() else {
        println!("skipped: the conformance cases are not here");
        return;
    };
    let mut score = Score::default();
    for case in cases(&folder.join(name)) {
        play(&case, &mut score).await;
    }
    let acted = score.same + score.different.len();
    println!("{name}: {} of {acted} acted out as decided; not acted out: {:?}", score.same, score.not_acted);
    for line in &score.different {
        println!("  {line}");
    }
    assert!(score.different.is_empty(), "{name}: {}", score.different.len());
    assert!(acted >= acted_min, "{name}: {acted} acted out, not {acted_min}");
}

#[tokio::test]
async fn outbound_http() {
    area("outbound-http", 2_800).await;
}

#[tokio::test]
async fn inbound_security() {
    area("inbound-security", 4_400).await;
}

#[tokio::test]
async fn gateway() {
    area("gateway", 2_400).await;
}

#[tokio::test]
async fn destination() {
    area("destination", 5_280).await;
}

#[tokio::test]
async fn registry() {
    area("registry", 3_200).await;
}

#[tokio::test]
async fn scenarios() {
    area("scenarios", 4_690).await;
}

#[tokio::test]
async fn gateway_api() {
    area("gateway-api", 2_280).await;
}
