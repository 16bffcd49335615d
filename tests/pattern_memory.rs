//! Ten thousand patterns that are small to write and large to run: what they cost, counted.
//!
//! One test, since the counter sees every thread.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use mesh::proxy_core::probe;
use mesh::{Action, Mesh, ProxyConfig, Severity, decide};
use peak_alloc::PeakAlloc;
use serde_json::json;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// 1 July 2026.
const NOW: i64 = 1_782_864_000;

const PATTERNS: usize = 10_000;

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web-0, namespace: t}\nstatus: {phase: Running, podIP: 10.9.1.1}\n---\n";

/// `PATTERNS` hosts, each with one route that answers 299 to what `pattern` of its number matches.
fn text(pattern: impl Fn(usize) -> serde_json::Value) -> String {
    let object = |number: usize| {
        let host = format!("h{number}.example.com");
        let metadata = json!({"name": format!("h{number}"), "namespace": "t"});
        let entry = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": metadata,
            "spec": {"hosts": [host], "resolution": "DNS", "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]},
        });
        let service = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata,
            "spec": {"hosts": [host], "http": [{"match": [{"uri": pattern(number)}], "directResponse": {"status": 299}}]},
        });
        format!("{entry}\n---\n{service}\n---\n")
    };
    POD.to_owned() + &(0..PATTERNS).map(object).collect::<String>()
}

fn compile(text: &str) -> ProxyConfig {
    let (mesh, report) = Mesh::from_texts([("mesh.yaml", text)]);
    assert!(report.iter().all(|finding| finding.severity != Severity::Error), "{:?}", report.iter().next());
    mesh.proxy_config(&mesh.sidecar("t", "web-0").unwrap()).0
}

fn status(config: &ProxyConfig, number: usize, path: &str) -> u16 {
    let probe = json!({
        "id": "p", "direction": "outbound", "conn": {"dst_ip": "192.0.2.1", "dst_port": 80},
        "http": {"method": "GET", "authority": format!("h{number}.example.com"), "path": path},
    });
    let probe = probe::read(&probe.to_string()).next().unwrap().unwrap();
    match decide(config, &probe.query(NOW), &mut ()).action {
        Action::LocalReply(reply) => reply.status,
        other => panic!("{other:?}"),
    }
}

#[test]
fn r04_ten_thousand_hostile_patterns_cost_what_their_texts_cost_until_they_are_asked() {
    let before = MEMORY.current_usage();
    let plain = compile(&text(|number| json!({"prefix": format!("/{}{number}", "x".repeat(20))})));
    let cost = MEMORY.current_usage() - before;
    drop(plain);

    let before = MEMORY.current_usage();
    let hostile = [r"/\pL{150}", r"/[\pL\pN]{50}x", "(?i)/kkkkkkkkkkk", r"/(\pL\d.){60}", r"/[^a]{900}"];
    let regex = |number: usize| json!({"regex": format!("{}{number}", hostile[number % hostile.len()])});
    let config = compile(&text(regex));
    let hostile_cost = MEMORY.current_usage() - before;
    println!("{} MB with prefixes, {} MB with hostile patterns", cost >> 20, hostile_cost >> 20);
    assert!(hostile_cost < cost + (16 << 20), "{hostile_cost} beside {cost}");

    // All that are asked keep no more than their room; what has none is answered all the same.
    let unasked = MEMORY.current_usage();
    for number in 0..200 {
        let matching = match number % hostile.len() {
            0 => format!("/{}{number}", "a".repeat(150)),
            1 => format!("/{}x{number}", "a".repeat(50)),
            2 => format!("/KKKKKKKKKKK{number}"),
            3 => format!("/{}{number}", "a1-".repeat(60)),
            _ => format!("/{}{number}", "b".repeat(900)),
        };
        assert_eq!(status(&config, number, &matching), 299, "{number}");
        assert_eq!(status(&config, number, "/none"), 404, "{number}");
    }
    let asked = MEMORY.current_usage().saturating_sub(unasked);
    println!("{} MB more after 200 were asked", asked >> 20);
    assert!(asked < 300 << 20, "{asked}");
}
