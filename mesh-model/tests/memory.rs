//! What reading costs in memory, counted: the worst texts within 64 MB, ordinary ones within six times their size, and
//! what a [`ConfigSet`] keeps of an object.
//!
//! One test, since the counter sees every thread.
#![cfg(feature = "yaml")]
#![allow(clippy::unwrap_used, clippy::panic)]

use mesh_model::config_set::{Change, ConfigSet};
use mesh_model::yaml::{LoadOptions, load};
use peak_alloc::PeakAlloc;

#[path = "../../benches/benches/mesh_text/mod.rs"]
#[expect(unreachable_pub, reason = "a bench has it too")]
mod mesh_text;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The size that etcd allows an object, and that one file must not be a danger with.
const SIZE: usize = 3 << 19;

fn repeat(part: &str) -> String {
    part.repeat(SIZE / part.len())
}

fn numbered(part: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0.. {
        if text.len() >= SIZE {
            break;
        }
        text.push_str(&part(number));
    }
    text
}

/// Texts of 1.5 MiB of every sort that may cost much.
fn texts() -> Vec<(&'static str, String)> {
    vec![
        ("mesh", mesh_text::stream(&mesh_text::documents(1_100))),
        ("mesh JSON", mesh_text::json_list(&mesh_text::documents(1_100))),
        ("short flow list", format!("[{}]", repeat("a,"))),
        ("short block list", repeat("- a\n")),
        ("maps in a list", format!("[{}]", repeat("{},"))),
        ("maps of one", repeat("- a: b\n")),
        ("distinct keys", numbered(|number| format!("{number}k:\n"))),
        ("distinct quoted keys", numbered(|number| format!("\"\\x6b{number}\": 1\n"))),
        ("fractions", format!("[{}]", repeat("1.5,"))),
        ("escapes", format!("[{}]", repeat("\"\\n\","))),
        ("one plain scalar", repeat("x")),
        ("a block scalar", format!("a: |\n{}", repeat("  x\n"))),
        ("a comment", format!("# {}\na: 1\n", repeat("x"))),
        ("comments", format!("{}a: 1\n", repeat("#\n"))),
        ("opening brackets", repeat("[")),
        ("dashes", repeat("- ")),
        ("empty documents", repeat("---\n")),
        ("short documents", repeat("a\n---\n")),
        ("broken documents", repeat("[\n---\n")),
        ("anchors", format!("[{}]", numbered(|number| format!("&a{number} b,")))),
        ("aliases", format!("a: &a x\nb: [{}]\n", repeat("*a,"))),
        (
            "aliases of a long scalar",
            format!("a: &a {}\nb: [{}]\n", "x".repeat(400_000), "*a,".repeat(100_000)),
        ),
        (
            "growing merges",
            numbered(|number| {
                format!("b{number}: &b{number} {{<<: *b{}, k{number}: v}}\n", number.max(1) - 1)
            }),
        ),
        ("tags", format!("[{}]", repeat("!a b,"))),
        ("bad numbers", format!("[{}]", repeat(".inf,"))),
        ("binary", repeat("\u{1}\u{2}")),
        ("carriage returns", repeat("a: 1\r")),
        (
            "unknown fields",
            format!(
                "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: a}}\nspec:\n{}",
                numbered(|number| format!("  f{number}: 1\n"))
            ),
        ),
        (
            "routes",
            format!(
                "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: a}}\nspec:\n  hosts: [a]\n  http:\n{}",
                repeat("  - {}\n")
            ),
        ),
    ]
}

#[test]
fn y05_reading_costs_a_bounded_amount_of_memory() {
    let mut lines = Vec::new();
    for (name, text) in texts() {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let loaded = load("t", &text, &LoadOptions::default());
        let read = MEMORY.peak_usage() - before;
        let applied = ConfigSet::new().apply(loaded.documents.into_iter().map(Change::Upsert));
        let typed = MEMORY.peak_usage() - before;
        drop(applied);
        println!("{name}");
        let ratio = read as f64 / text.len() as f64;
        lines.push(format!(
            "{name}: {:.1} MB to read ({ratio:.1} x), {:.1} MB typed",
            read as f64 / 1e6,
            typed as f64 / 1e6
        ));
        assert!(typed < 64_000_000, "{}", lines.join("\n"));
        assert!(!name.starts_with("mesh") || ratio <= 6.0, "{}", lines.join("\n"));
    }
    let count = 5_000;
    let documents = mesh_text::documents(count);
    {
        let before = MEMORY.current_usage();
        let mut set = ConfigSet::new();
        for part in documents.chunks(100) {
            let loaded = load("t", mesh_text::stream(part), &LoadOptions::default());
            assert!(!loaded.report.has_errors(), "{:?}", loaded.report);
            let applied = set.apply(loaded.documents.into_iter().map(Change::Upsert));
            assert!(!applied.report.has_errors(), "{:?}", applied.report);
        }
        assert_eq!(set.len(), count);
        let kept = (MEMORY.current_usage() - before) / count;
        let text: usize = documents.iter().map(String::len).sum();
        lines.push(format!("{kept} bytes kept per object of {} bytes of text", text / count));
    }
    println!("{}", lines.join("\n"));
}
