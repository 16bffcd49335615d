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
#[path = "../../benches/benches/mesh_text/worst.rs"]
#[expect(unreachable_pub, reason = "a bench has it too")]
mod worst;

/// Bytes that a `ConfigSet` may keep of an object of the workload, text and all.
const KEPT_MAX: usize = 6_500;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

#[test]
fn y05_reading_costs_a_bounded_amount_of_memory() {
    let mut lines = Vec::new();
    for (name, text) in worst::texts() {
        let text = text();
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
    for (name, text, peak_max) in bombs() {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let loaded = load("t", &text, &LoadOptions::default());
        let read = MEMORY.peak_usage() - before;
        assert!(loaded.report.has_errors(), "{name} is taken");
        assert!(read < peak_max, "{name}: {read} bytes for {} of text", text.len());
        lines.push(format!("{name}: {:.1} MB of at most {:.0}", read as f64 / 1e6, peak_max as f64 / 1e6));
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
        assert!(kept < KEPT_MAX, "{kept} bytes kept per object");
        lines.push(format!("{kept} bytes kept per object of {} bytes of text", text / count));
    }
    println!("{}", lines.join("\n"));
}

/// Texts that ask for far more than they are, and the bytes that their refusal may cost (rows Y01, Y02 and Y04).
fn bombs() -> Vec<(&'static str, String, usize)> {
    let mut exponential = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        exponential.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let amplifying = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 20_000].join(", "));
    let mut bombs = vec![
        ("y01, aliases of aliases", exponential, 16_000_000),
        ("y02, a long text many times", amplifying, 16_000_000),
    ];
    for (name, opening) in [("y04 [", "["), ("y04 {a:", "{a: "), ("y04 -", "- "), ("y04 ?", "? ")] {
        // Six times the text, as ordinary documents cost.
        bombs.push((name, opening.repeat(1_000_000), 6 * opening.len() * 1_000_000));
    }
    bombs
}
