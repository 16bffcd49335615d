//! A page for each diagnostic code: its wrong example has the problem and no other, its right example has not, and the
//! pages under `docs/diagnostics` are those of the library.
//!
//! `UPDATE=1 cargo test --test diagnostics` writes the pages.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mesh::authz::differences;
use mesh::compile::analyze::{Input, Options, analyze};
use mesh::compile::snapshot::MeshSnapshot;
use mesh::model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh::model::diagnostic::{Code, Page, Stage, index};
use mesh::model::mesh_config::MeshConfig;
use mesh::model::yaml::{LoadOptions, load};

fn pages() -> impl Iterator<Item = Page> {
    Code::ALL.iter().map(|code| Page::of(*code).unwrap_or_else(|| panic!("`{}` has no page", code.as_str())))
}

/// Those whose problem a file can have.
fn with_examples() -> impl Iterator<Item = Page> {
    pages().filter(|page| page.shown_by.is_empty())
}

/// Examples of several files need the program that reads files.
fn is_of_several_files(text: &str) -> bool {
    text.starts_with("# file: ")
}

const HARDENED: &str = "hardened";

/// The profile that a code is told under.
fn profile(code: Code) -> &'static str {
    if matches!(code, Code::HardenedPolicy | Code::HardenedTokenRule) { HARDENED } else { "istio" }
}

/// The findings as `mesh check` has them, each as stage and code: read, apply, resolve.
fn findings(text: &str, profile: &str) -> BTreeSet<(Stage, &'static str)> {
    let loaded = load("example.yaml", text, &LoadOptions::default());
    let mut report = loaded.report;
    let mut config = ConfigSet::new();
    report.merge(config.apply(loaded.documents.into_iter().map(Change::Upsert)).report);
    let mesh = std::sync::Arc::new(MeshConfig::with_defaults());
    report.merge(MeshSnapshot::resolve(&config, std::sync::Arc::clone(&mesh)).1);
    let mut all = ConfigSet::new();
    let accept = ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() };
    let documents = load("example.yaml", text, &LoadOptions::default()).documents;
    all.apply_with(documents.into_iter().map(Change::Upsert), accept);
    report.merge(analyze(&Input::new(&all, &mesh), &Options::default()).report);
    if profile == HARDENED {
        all.authorization_policies
            .iter()
            .filter_map(differences::of_policy)
            .for_each(|found| report.push(found));
        all.request_authentications.iter().for_each(|rules| report.merge(differences::of_token_rules(rules)));
    }
    report.iter().map(|found| (found.code.stage(), found.code.as_str())).collect()
}

/// Of a small example, later stages may say that it is only a piece of a mesh: that is not what its page is about.
fn up_to(stage: Stage, findings: &BTreeSet<(Stage, &str)>) -> BTreeSet<String> {
    findings.iter().filter(|(found, _)| *found <= stage).map(|(_, code)| (*code).to_owned()).collect()
}

fn expected(page: &Page) -> BTreeSet<String> {
    let along = page.along.split(", ").filter(|code| !code.is_empty());
    along.chain([page.code.as_str()]).map(str::to_owned).collect()
}

#[test]
fn wrong_examples_have_the_problem_and_no_other() {
    let mut wrong = Vec::new();
    for page in with_examples().filter(|page| !is_of_several_files(page.wrong)) {
        let found = up_to(page.code.stage(), &findings(page.wrong, profile(page.code)));
        if found != expected(&page) {
            wrong.push(format!("`{}` has {found:?}", page.code.as_str()));
        }
    }
    assert!(wrong.is_empty(), "wrong examples:\n{}", wrong.join("\n"));
}

#[test]
fn right_examples_have_no_problem() {
    let mut wrong = Vec::new();
    for page in with_examples().filter(|page| !is_of_several_files(page.right)) {
        let mut found = up_to(page.code.stage(), &findings(page.right, profile(page.code)));
        found.retain(|code| !page.along.split(", ").any(|along| along == code));
        if !found.is_empty() {
            wrong.push(format!("`{}` has {found:?}", page.code.as_str()));
        }
    }
    assert!(wrong.is_empty(), "right examples:\n{}", wrong.join("\n"));
}

const NOT_APPLIED: &str = "patch-not-applied";

/// The same through the program, files and all.
#[test]
fn the_program_finds_what_the_pages_say() {
    let own = std::env::current_exe().unwrap();
    let built = own.ancestors().nth(2).unwrap();
    let mesh = built.join("examples").join(format!("mesh{}", std::env::consts::EXE_SUFFIX));
    if !mesh.is_file() {
        println!("skipped: no {}, build it with `cargo build --example mesh`", mesh.display());
        return;
    }
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("diagnostics");
    let _ = fs::remove_dir_all(&root);
    let mut wrong = Vec::new();
    for page in with_examples() {
        for (name, text, expected) in
            [("wrong", page.wrong, expected(&page)), ("right", page.right, BTreeSet::new())]
        {
            let folder = root.join(page.code.as_str()).join(name);
            write_files(&folder, text);
            let profile = ["--profile", profile(page.code)];
            let check = ["check", "--format", "json"];
            let output = Command::new(&mesh).args(check).args(profile).arg(&folder).output().unwrap();
            let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            let mut found: BTreeSet<String> = answer["findings"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|found| is_up_to(page.code.stage(), found["stage"].as_str().unwrap()))
                .map(|found| found["code"].as_str().unwrap().to_owned())
                // The program alone says of every patch whether this proxy core does what it asks.
                .filter(|code| code != NOT_APPLIED || page.code.as_str() == NOT_APPLIED)
                .collect();
            if name == "right" {
                found.retain(|code| !page.along.split(", ").any(|along| along == code));
            }
            if found != expected {
                wrong.push(format!("the {name} example of `{}` has {found:?}", page.code.as_str()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_up_to(stage: Stage, found: &str) -> bool {
    [Stage::Read, Stage::Validate, Stage::Analyze].iter().any(|one| *one <= stage && one.as_str() == found)
}

/// One file, or those that `# file: NAME` lines start.
fn write_files(folder: &Path, text: &str) {
    fs::create_dir_all(folder).unwrap();
    if !is_of_several_files(text) {
        // Examples are shown with a line break at their end.
        fs::write(folder.join("example.yaml"), format!("{text}\n")).unwrap();
        return;
    }
    for part in text.split("# file: ").skip(1) {
        let (name, content) = part.split_once('\n').unwrap();
        fs::write(folder.join(name), content).unwrap();
    }
}

#[test]
fn the_pages_under_docs_are_those_of_the_library() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/diagnostics");
    let mut wanted: BTreeMap<PathBuf, String> =
        pages().map(|page| (folder.join(format!("{}.md", page.code.as_str())), page.markdown())).collect();
    wanted.insert(folder.join("README.md"), index());
    let is_there = |path: &Path| fs::read_dir(path).is_ok();
    if std::env::var_os("UPDATE").is_some() {
        if is_there(&folder) {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        for (path, text) in &wanted {
            fs::write(path, text).unwrap();
        }
    }
    assert!(is_there(&folder), "no {}: UPDATE=1 writes it", folder.display());
    let found: BTreeMap<PathBuf, String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap().replace("\r\n", "\n")))
        .collect();
    let other: Vec<_> = wanted
        .keys()
        .chain(found.keys())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter(|path| wanted.get(*path) != found.get(*path))
        .collect();
    assert!(
        other.is_empty(),
        "out of date (`UPDATE=1 cargo test --test diagnostics` writes them): {other:#?}"
    );
}

/// Messages are one line in lower case; help is there for everything that cannot be read.
#[test]
fn findings_of_the_examples_follow_the_grammar_and_come_with_help() {
    let mut wrong = Vec::new();
    for page in with_examples().filter(|page| !is_of_several_files(page.wrong)) {
        let loaded = load("example.yaml", page.wrong, &LoadOptions::default());
        let mut report = loaded.report;
        let mut config = ConfigSet::new();
        report.merge(config.apply(loaded.documents.into_iter().map(Change::Upsert)).report);
        report.merge(MeshSnapshot::resolve(&config, MeshConfig::with_defaults().into()).1);
        for found in &report {
            let starts_well = !found.message.starts_with(|first: char| first.is_ascii_uppercase());
            if !starts_well || found.message.ends_with('.') || found.message.contains('\n') {
                wrong.push(format!("grammar of `{}`: {}", found.code.as_str(), found.message));
            }
            if found.help.is_none() {
                wrong.push(format!("no help for `{}`: {}", found.code.as_str(), found.message));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
