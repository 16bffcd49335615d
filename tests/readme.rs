//! What README.md shows is what the command prints: every line of the excerpt, in order.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::Command;

/// The command line, which `cargo test` builds beside the tests.
fn binary() -> Option<PathBuf> {
    let tests = std::env::current_exe().ok()?;
    let path =
        tests.parent()?.parent()?.join("examples").join(format!("mesh{}", std::env::consts::EXE_SUFFIX));
    path.exists().then_some(path)
}

#[test]
fn the_excerpt_is_what_the_first_command_prints() {
    let Some(binary) = binary() else {
        println!("skipped: the example `mesh` is not built");
        return;
    };
    let readme = include_str!("../README.md");
    let command = readme.lines().find_map(|line| line.strip_prefix("$ cargo run ")).expect("no command");
    let (_, arguments) = command.split_once(" -- ").expect("no arguments");
    let output = Command::new(binary).args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut printed = printed.lines();

    let (_, section) = readme.split_once("## What it prints").expect("no excerpt");
    let excerpt = section.split("```").nth(1).expect("no excerpt");
    for line in excerpt.lines().skip(1).filter(|line| line.trim() != "...") {
        assert!(printed.any(|other| other == line), "not printed, or not in this order: {line}");
    }
}
