//! Who opens the folder of a kind finds the same few file names: `mod.rs`, `spec.rs` (what is written), `validate.rs`
//! (what Istio refuses) and `tests.rs`, each of the last two with a folder of its name where it is long. Other files
//! hold parts of the model that have names of their own.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Groups whose kinds have one file each, and why.
const ONE_FILE_A_KIND: &[(&str, &str)] = &[
    (
        "kubernetes",
        "cut down to what a mesh reads of them; the API server has checked them, so there is little to validate",
    ),
    (
        "gateway_api",
        "cut down to what Istio reads; what is checked is words and lengths, for all kinds alike",
    ),
];

/// Kinds that live in another kind's folder, and why.
const GUESTS: &[(&str, &str, &str)] = &[
    ("MeshNetworks", "mesh_config/networks.rs", "the three messages of a mesh are checked together"),
    ("ProxyConfig", "mesh_config/proxy_config.rs", "a field of MeshConfig too, checked with it"),
];

const FILES: [&str; 4] = ["mod.rs", "spec.rs", "validate.rs", "tests.rs"];

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

/// The kinds that a file defines: `impl Kind for Name`, or `kind!(Name, ...)` of the Gateway API.
fn kinds(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("impl Kind for ").or(line.strip_prefix("kind!(")))
        .map(|rest| rest.split([' ', ',', '{']).next().unwrap())
        .collect()
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

/// What is wrong with the place of a kind; `relative`: its file, `has`: whether a file is there.
fn misplaced(kind: &str, relative: &str, has: &dyn Fn(&str) -> bool) -> Vec<String> {
    let (folder, file) = relative.rsplit_once('/').unwrap_or(("", relative));
    if ONE_FILE_A_KIND.iter().any(|(group, _)| *group == folder)
        || GUESTS.iter().any(|(guest, home, _)| *guest == kind && *home == relative)
    {
        return Vec::new();
    }
    if file != "spec.rs" {
        return vec![format!("{relative}: `{kind}` belongs in a `spec.rs`")];
    }
    let mut wrong = Vec::new();
    let name = folder.rsplit('/').next().unwrap();
    if name != snake_case(kind) {
        wrong.push(format!("{relative}: the folder of `{kind}` is called `{name}`"));
    }
    wrong.extend(
        FILES
            .iter()
            .filter(|file| !has(&format!("{folder}/{file}")))
            .map(|file| format!("{folder} has no `{file}`")),
    );
    for second in ["validate/mod.rs", "validate/tests.rs", "spec/mod.rs", "tests/mod.rs"] {
        if has(&format!("{folder}/{second}")) {
            wrong.push(format!("{folder}/{second} is a second way to name what is found elsewhere"));
        }
    }
    wrong
}

#[test]
fn every_kinds_folder_has_the_same_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("mesh-model/src");
    let has = |relative: &str| root.join(relative).is_file();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    let mut folders = 0;
    for path in sources(&root) {
        let relative = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        for kind in kinds(&text) {
            wrong.extend(misplaced(kind, &relative, &has));
            folders += usize::from(relative.ends_with("/spec.rs"));
            seen.insert((kind.to_owned(), relative.clone()));
        }
    }
    assert!(folders > 14, "only {folders} kinds with a folder were found");
    for (group, why) in ONE_FILE_A_KIND {
        let used =
            seen.iter().any(|(_, path)| path.rsplit_once('/').is_some_and(|(folder, _)| folder == *group));
        assert!(used, "{group} is no exception any more ({why})");
    }
    for (kind, home, why) in GUESTS {
        assert!(
            seen.contains(&((*kind).to_owned(), (*home).to_owned())),
            "{kind} is not in {home} any more ({why})"
        );
    }
    assert!(wrong.is_empty(), "kinds whose folder looks different:\n{}", wrong.join("\n"));
}

#[test]
fn a_kind_in_the_wrong_place_is_found() {
    let full = |path: &str| FILES.iter().any(|file| path == format!("networking/side_car/{file}"));
    let none: Vec<String> = Vec::new();
    assert_eq!(misplaced("SideCar", "networking/side_car/spec.rs", &full), none);
    assert_eq!(misplaced("SideCar", "networking/side_car/model.rs", &full).len(), 1);
    assert_eq!(misplaced("Sidecar", "networking/side_car/spec.rs", &full).len(), 1);
    assert_eq!(misplaced("SideCar", "networking/side_car/spec.rs", &|_| false).len(), 4);
    assert_eq!(misplaced("SideCar", "networking/side_car/spec.rs", &|_| true).len(), 4);
    assert_eq!(misplaced("Pod", "kubernetes/pod.rs", &|_| false), none);
    assert_eq!(misplaced("ProxyConfig", "mesh_config/proxy_config.rs", &|_| false), none);
    assert_eq!(
        kinds("impl Kind for Pod {\nkind!(TcpRoute, \"TCPRoute\");\nimpl Kindred for X {"),
        ["Pod", "TcpRoute"]
    );
}
