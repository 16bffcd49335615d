//! Documentation that the compiler does not check: every file says what it is for, every fallible public function says
//! when it fails, every rule that is cited exists, and the pages that newcomers open name what is there.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const CRATES: [&str; 4] = ["mesh-model", "mesh-authz", "mesh-compile", "mesh-proxy-core"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn library() -> impl Iterator<Item = (PathBuf, String)> {
    CRATES.iter().flat_map(|name| sources(&root().join(name).join("src"))).map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    })
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let is_test = |path: &Path| path.iter().any(|part| part.to_string_lossy().starts_with("tests"));
    let silent: Vec<_> = library()
        .filter(|(path, text)| !is_test(path) && !text.starts_with("//!"))
        .map(|(path, _)| path)
        .collect();
    assert!(silent.is_empty(), "files without a `//!` line: {silent:#?}");
}

#[test]
fn files_stay_small_enough_to_read() {
    const LINES_MAX: usize = 450;
    let long: Vec<_> =
        library().map(|(path, text)| (text.lines().count(), path)).filter(|(n, _)| *n > LINES_MAX).collect();
    assert!(long.is_empty(), "one idea a file, at most {LINES_MAX} lines: {long:#?}");
}

/// Public functions of inherent impls and modules that return a `Result` have an `# Errors` section.
#[test]
fn fallible_functions_say_when_they_fail() {
    let mut silent = Vec::new();
    for (path, text) in library() {
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            if !line.trim_start().starts_with("pub fn ") {
                continue;
            }
            let signature: String =
                lines[index..].iter().take_while(|line| !line.contains('{')).copied().collect();
            let signature = signature + lines[index..].iter().find(|line| line.contains('{')).unwrap_or(&"");
            let returns = signature.split("->").nth(1).unwrap_or_default();
            if !returns.trim_start().starts_with("Result<") {
                continue;
            }
            let is_doc =
                |line: &&&str| line.trim_start().starts_with("///") || line.trim_start().starts_with("#[");
            let documented =
                lines[..index].iter().rev().take_while(is_doc).any(|line| line.contains("# Errors"));
            if !documented {
                silent.push(format!("{}:{}: {}", path.display(), index + 1, line.trim()));
            }
        }
    }
    assert!(silent.is_empty(), "public functions that can fail without `# Errors`:\n{}", silent.join("\n"));
}

/// `T-115`, `S-041`, `E-030` in a text.
fn cited(text: &str) -> BTreeSet<String> {
    let mut rules = BTreeSet::new();
    for (at, _) in text.match_indices('-') {
        let Some(kind) = at.checked_sub(1).and_then(|start| text.get(start..at)) else { continue };
        let before = at.checked_sub(2).and_then(|start| text.as_bytes().get(start));
        let digits = text.get(at + 1..at + 4).unwrap_or_default();
        let next = text.as_bytes().get(at + 4);
        if ["T", "S", "E"].contains(&kind)
            && before.is_none_or(|byte| !byte.is_ascii_alphanumeric())
            && digits.len() == 3
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && next.is_none_or(|byte| !byte.is_ascii_alphanumeric())
        {
            rules.insert(format!("{kind}-{digits}"));
        }
    }
    rules
}

#[test]
fn cited_rules_exist() {
    let folder = std::env::var_os("MESH_SHARED")
        .map_or_else(|| root().join("../shared"), PathBuf::from)
        .join("semantics");
    let Ok(entries) = fs::read_dir(&folder) else {
        println!("skipped: no {}", folder.display());
        return;
    };
    let known: BTreeSet<String> =
        entries.flat_map(|entry| cited(&fs::read_to_string(entry.unwrap().path()).unwrap())).collect();
    let unknown: Vec<_> = library()
        .flat_map(|(path, text)| cited(&text).into_iter().map(move |rule| (path.clone(), rule)))
        .filter(|(_, rule)| !known.contains(rule))
        .collect();
    assert!(unknown.is_empty(), "rules that no semantics file has: {unknown:#?}");
}

#[test]
fn support_page_names_every_kind_that_is_read() {
    let page = fs::read_to_string(root().join("docs/support.md")).unwrap();
    for (kind, group, ..) in mesh::model::kind_table::KINDS {
        let group = if group.is_empty() { "core" } else { group };
        assert!(
            page.contains(&format!("| {kind} | {group} |")),
            "docs/support.md has no row `| {kind} | {group} |`"
        );
    }
}

#[test]
fn top_level_pages_are_there() {
    for page in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "LICENSE"]
    {
        let text = fs::read_to_string(root().join(page)).unwrap_or_default();
        assert!(text.lines().count() > 5, "{page} is missing or empty");
    }
}
