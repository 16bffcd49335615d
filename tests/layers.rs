//! The layers of ARCHITECTURE.md hold: modules use smaller layers only, and the pure crates know no clock, dice or socket.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Crate -> module -> layer, from the table in ARCHITECTURE.md.
fn layers() -> BTreeMap<String, BTreeMap<String, u32>> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut table: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, layer, modules, _] = cells.as_slice() else { continue };
        let (Ok(layer), true) = (layer.parse(), name.starts_with("mesh-")) else { continue };
        for module in modules.split(',').map(|module| module.trim().trim_matches('`')) {
            let before = table.entry((*name).to_owned()).or_default().insert(module.to_owned(), layer);
            assert!(before.is_none(), "ARCHITECTURE.md lists {name} {module} twice");
        }
    }
    assert!(table.len() == 4, "ARCHITECTURE.md: the layer table names {} crates", table.len());
    table
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

/// Files that only tests see.
fn is_test(path: &Path) -> bool {
    path.components().any(|part| {
        let name = part.as_os_str().to_string_lossy();
        name == "tests"
            || name == "tests.rs"
            || name == "testing.rs"
            || name.starts_with("test_")
            || name.ends_with("_test.rs")
    })
}

/// Numbered lines of code: no comments, nothing from the first `#[cfg(test)] mod` on.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    let kept = text.get(..end).unwrap_or(text);
    kept.lines().enumerate().map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default()))
}

/// The crate's own modules that a line of code names after `crate::`.
fn used(line: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let before = line.get(..at).and_then(|head| head.chars().next_back());
        if before.is_some_and(|character| character.is_alphanumeric() || character == '_') {
            continue;
        }
        let rest = line.get(at + "crate::".len()..).unwrap_or_default();
        match rest.strip_prefix('{') {
            Some(list) => {
                let mut depth = 0;
                let mut word = String::new();
                for character in list.chars() {
                    match character {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 0 => modules.push(std::mem::take(&mut word)),
                        _ if depth == 0 => word.push(character),
                        _ => {}
                    }
                }
                modules.push(word);
            }
            None => modules.push(rest.to_owned()),
        }
    }
    let first = |path: &String| {
        path.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_owned()
    };
    modules.iter().map(first).filter(|name| name.chars().next().is_some_and(char::is_lowercase)).collect()
}

#[test]
fn modules_use_smaller_layers_only() {
    let mut broken = Vec::new();
    for (name, layers) in layers() {
        let folder = root().join(&name).join("src");
        for path in sources(&folder).into_iter().filter(|path| !is_test(path)) {
            let relative = path.strip_prefix(&folder).unwrap();
            let top = relative.components().next().unwrap().as_os_str().to_string_lossy();
            let top = top.trim_end_matches(".rs").to_owned();
            if top == "lib" {
                continue;
            }
            let Some(layer) = layers.get(&top) else {
                broken.push(format!("{name}/src/{}: `{top}` is not in ARCHITECTURE.md", relative.display()));
                continue;
            };
            let text = fs::read_to_string(&path).unwrap();
            for (number, line) in code(&text) {
                for module in used(line).into_iter().filter(|module| *module != top) {
                    match layers.get(&module) {
                        Some(other) if other < layer => {}
                        Some(other) => broken.push(format!(
                            "{name}/src/{}:{number}: `{top}` (layer {layer}) uses `{module}` (layer {other}): {}",
                            relative.display(),
                            line.trim()
                        )),
                        None => {}
                    }
                }
            }
        }
        for module in layers.keys() {
            let exists = folder.join(module).is_dir() || folder.join(format!("{module}.rs")).is_file();
            assert!(exists, "ARCHITECTURE.md lists {name} {module}, which is not there");
        }
    }
    assert!(broken.is_empty(), "layers of ARCHITECTURE.md are broken:\n{}", broken.join("\n"));
}

#[test]
fn nothing_below_the_edge_knows_time_dice_sockets_or_files() {
    const BANNED: [&str; 12] = [
        "SystemTime",
        "Instant::now",
        "std::fs",
        "std::env",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "tokio::",
        "rand::",
        "std::thread",
        "println!",
        "Timestamp::now",
    ];
    let mut broken = Vec::new();
    for name in ["mesh-model", "mesh-authz", "mesh-compile", "mesh-proxy-core"] {
        let folder = root().join(name).join("src");
        // The edge itself: the running proxy, the traits through which it meets the world, its records.
        let is_edge = |path: &Path| {
            name == "mesh-proxy-core"
                && ["runtime", "seam", "telemetry"].iter().any(|edge| path.starts_with(folder.join(edge)))
        };
        for path in sources(&folder).into_iter().filter(|path| !is_test(path) && !is_edge(path)) {
            let text = fs::read_to_string(&path).unwrap();
            for (number, line) in code(&text) {
                // Documents of one text or batch may be read on several threads: scoped, joined, and without an effect
                // on what comes out.
                let may_share = [
                    "mesh-model/src/yaml/mod.rs",
                    "mesh-model/src/yaml/quick/items.rs",
                    "mesh-model/src/config_set/mod.rs",
                ];
                let is_scoped =
                    line.contains("std::thread::scope") && may_share.iter().any(|home| path.ends_with(home));
                for word in BANNED.iter().filter(|word| line.contains(**word) && !is_scoped) {
                    broken.push(format!("{}:{number}: {word}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn pure_crates_depend_on_nothing_that_does_io() {
    const ALLOWED: [&str; 28] = [
        "mesh-model",
        "mesh-authz",
        "serde",
        "serde_json",
        "serde_yaml",
        "granit-parser",
        "thiserror",
        "ipnet",
        "jiff",
        "regex-syntax",
        "regex-automata",
        "schemars",
        "prefix-trie",
        "http",
        "hashbrown",
        "foldhash",
        "smallvec",
        "indexmap",
        "aws-lc-rs",
        "base64",
        // The same and bytes in a text, by vector instructions.
        "base64-simd",
        "memchr",
        "lz4_flex",
        // Forms of certificates and keys: no cryptography, no I/O.
        "rustls-pki-types",
        "x509-parser",
        "annotate-snippets",
        "serde_path_to_error",
        "serde_ignored",
    ];
    for name in ["mesh-model", "mesh-authz", "mesh-compile"] {
        let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        let mut inside = false;
        for line in manifest.lines() {
            if line.starts_with('[') {
                inside = line == "[dependencies]";
                continue;
            }
            let dependency = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if inside && !dependency.is_empty() && !dependency.starts_with('#') {
                assert!(
                    ALLOWED.contains(&dependency),
                    "{name} depends on `{dependency}`: say in tests/layers.rs why it may"
                );
            }
        }
    }
}

#[test]
fn one_module_names_the_yaml_library_and_one_the_jwt_library() {
    let only = |name: &str, word: &str, home: &str| {
        for path in sources(&root().join(name).join("src")).into_iter().filter(|path| !is_test(path)) {
            let text = fs::read_to_string(&path).unwrap();
            let named = code(&text).find(|(_, line)| line.contains(word));
            let allowed = path.to_string_lossy().contains(home);
            assert!(
                named.is_none() || allowed,
                "{}: only {home} may name `{word}`: {named:?}",
                path.display()
            );
        }
    };
    only("mesh-model", "granit_parser", "src/yaml/");
    only("mesh-model", "serde_yaml", "src/yaml/");
    only("mesh-authz", "aws_lc_rs", "src/jwt/verify.rs");
}
