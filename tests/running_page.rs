//! `docs/running.md` names just the arguments that the two programs have, and just the paths of the administration
//! endpoint.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

const PAGE: &str = include_str!("../docs/running.md");

/// The arguments that are written in a text: `--` and a word of lower case.
fn arguments(text: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter == '-';
    text.split(|letter: char| !is_part(letter))
        .filter_map(|word| word.strip_prefix("--"))
        .filter(|word| word.starts_with(|letter: char| letter.is_ascii_lowercase()))
        .map(str::to_owned)
        .collect()
}

/// Those of the programs: fields under `#[arg(long`.
fn known() -> BTreeSet<String> {
    let source = include_str!("../examples/serve/args.rs");
    let fields = source.split("#[arg(long").skip(1).map(|rest| {
        let field = rest.lines().nth(1).unwrap().trim();
        field.split(':').next().unwrap().trim_start_matches("pub(super) ").replace('_', "-")
    });
    fields.collect()
}

#[test]
fn the_table_has_every_argument_and_no_other() {
    let (_, section) = PAGE.split_once("## Arguments").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows: String = section.lines().filter_map(|line| line.split('|').nth(1)).collect();
    assert_eq!(arguments(&rows), known());
    assert!(known().len() > 10);
}

#[test]
fn the_commands_use_no_argument_that_is_not_there() {
    let commands = PAGE.split("```sh").skip(1).map(|block| block.split("```").next().unwrap());
    let mut seen = 0;
    for command in commands.flat_map(|block| block.split("\n\n").map(str::to_owned).collect::<Vec<_>>()) {
        if command.trim_start().starts_with("target/release/examples/") {
            let unknown: Vec<_> = arguments(&command).difference(&known()).cloned().collect();
            assert!(unknown.is_empty(), "{unknown:?}");
            seen += 1;
        }
    }
    assert_eq!(seen, 2);
}

#[test]
fn the_paths_of_the_administration_endpoint_are_those_that_it_tells() {
    let source = include_str!("../mesh-proxy-core/src/runtime/admin.rs");
    let help = source.lines().find(|line| line.contains("\"GET /ready")).unwrap();
    let help = help.split('"').nth(1).unwrap();
    let paths = |text: &str| -> BTreeSet<String> {
        text.split([' ', ',', '`', '|', '\\'])
            .filter(|word| word.starts_with('/'))
            .map(str::to_owned)
            .collect()
    };
    let (_, section) = PAGE.split_once("## What it tells").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows: String =
        section.lines().filter(|line| line.starts_with("| `GET") || line.starts_with("| `POST")).collect();
    assert_eq!(paths(&rows), paths(help));
}

/// Comments and blank lines do not count.
#[test]
fn the_programs_are_put_together_in_under_150_lines() {
    let shared = [
        include_str!("../examples/serve/mod.rs"),
        include_str!("../examples/serve/args.rs"),
        include_str!("../examples/serve/allocator.rs"),
    ];
    for program in [include_str!("../examples/gateway.rs"), include_str!("../examples/sidecar.rs")] {
        let lines = shared.iter().chain([&program]).flat_map(|text| text.lines()).map(str::trim);
        let count = lines.filter(|line| !line.is_empty() && !line.starts_with("//")).count();
        assert!(count < 150, "{count}");
    }
}
