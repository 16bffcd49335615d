//! Every public item says where its rule comes from: a numbered rule, a message of an API, a standard, or that it is
//! the library's own design and why. A counter reads the sources, is tried on small snippets, and knows no exceptions.
//!
//! What counts as a source, anywhere in a doc comment:
//!
//! | form | for instance |
//! |---|---|
//! | a numbered rule | `T-136`, `S-119`, `E-008` |
//! | `API: group/version` and a name in backticks | ``API: networking.istio.io/v1 `HTTPRoute.rewrite` `` |
//! | `Spec: ` and where to read | `Spec: RE2, doc/syntax`, `RFC 3986, 6.2.2` |
//! | `Ours: ` and the reason | `Ours: an answer without a place cannot be explained` |
//!
//! Fields, variants and methods are covered by their type's text, free functions, constants and types by the head of
//! their file: what a file or a type says once need not be said again below.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The crates, and at least how many public items the counter must see in each to be believed.
const COVERED: &[(&str, usize)] =
    &[("mesh-model", 2000), ("mesh-authz", 200), ("mesh-compile", 900), ("mesh-proxy-core", 500), (".", 8)];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

// ---------------------------------------------------------------------------------------------------------------------
// What a source is.

fn has_source(doc: &str) -> bool {
    has_rule(doc)
        || has_rfc(doc)
        || !cited_apis(doc).is_empty()
        || says(doc, "Spec: ", 2)
        || says(doc, "Ours: ", 4)
}

/// `T-136`, `S-041`, `E-008`.
fn has_rule(doc: &str) -> bool {
    doc.split(|character: char| !character.is_ascii_alphanumeric() && character != '-').any(|word| {
        let number = word.strip_prefix("T-").or(word.strip_prefix("S-")).or(word.strip_prefix("E-"));
        number.is_some_and(|number| number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// `RFC 3986`.
fn has_rfc(doc: &str) -> bool {
    doc.split("RFC ").skip(1).any(|after| after.bytes().take_while(u8::is_ascii_digit).count() == 4)
}

/// A mark with at least so many words behind it.
fn says(doc: &str, mark: &str, words: usize) -> bool {
    doc.split(mark).skip(1).any(|after| after.split_whitespace().count() >= words)
}

/// Group with version, and name, of each ``API: group/version `Name` ``; further names may follow: `` and `Other` ``.
fn cited_apis(doc: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for after in doc.split("API: ").skip(1) {
        let Some((group, rest)) = after.split_once(" `") else { continue };
        let versioned = group.split_once('/').is_some_and(|(_, version)| {
            version.starts_with('v')
                && version.len() > 1
                && version[1..].starts_with(|c: char| c.is_ascii_digit())
        });
        if !versioned || group.contains(char::is_whitespace) {
            continue;
        }
        let mut rest = rest;
        while let Some((name, behind)) = rest.split_once('`') {
            found.push((group.to_owned(), name.to_owned()));
            match [", `", " and `", ", and `", " or `"].iter().find_map(|link| behind.strip_prefix(link)) {
                Some(next) => rest = next,
                None => break,
            }
        }
    }
    found
}

// ---------------------------------------------------------------------------------------------------------------------
// What is public. The sources are formatted: an item's parts are indented one step more than the item.

/// A public item.
#[derive(Clone)]
struct Item {
    path: PathBuf,
    line: usize,
    text: String,
    /// Whether its own text names a source; of what is no part of a type: or the head of its file.
    own: bool,
    /// For a field, variant or method: its type.
    of: Option<String>,
}

#[derive(PartialEq)]
enum Place {
    Fields,
    Variants,
    Trait,
    Impl,
    Macro,
    Other,
}

/// Macros that are given the name of a type and its text.
const TYPE_MACROS: [&str; 2] = ["open_enum! {", "name_type! {"];

const ITEMS: &[&str] =
    &["struct ", "enum ", "trait ", "type ", "fn ", "const ", "static ", "async fn ", "unsafe fn ", "union "];

/// Items of one file, and the types that it defines: whether their texts name a source, nothing for private ones.
#[derive(Default)]
struct Found {
    items: Vec<Item>,
    types: BTreeMap<String, Option<bool>>,
}

fn scan(path: &Path, text: &str) -> Found {
    let head = text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join(" ");
    let head = has_source(&head);
    let mut found = Found::default();
    let mut places: Vec<(usize, Place, String)> = Vec::new();
    let mut doc = String::new();
    let mut inside_attribute: Option<usize> = None;
    let mut inside_header: Option<(usize, Place, String)> = None;
    let mut inside_macro: Option<usize> = None;
    let mut generated: Option<usize> = None;
    for (index, raw) in text.lines().enumerate() {
        if raw == "mod tests {" {
            break;
        }
        let line = raw.trim_start();
        let indent = raw.len() - line.len();
        if let Some(start) = inside_attribute {
            if indent == start && line.starts_with([')', ']']) {
                inside_attribute = None;
            }
            continue;
        }
        if let Some(start) = inside_macro {
            if indent == start && line.starts_with('}') {
                inside_macro = None;
            } else if line.contains(" $name") {
                // What is generated is told of where the macro is used.
                doc.clear();
                generated = Some(indent);
            }
            if let Some(start) = generated {
                if indent == start && line.ends_with('}') {
                    generated = None;
                }
                continue;
            }
        }
        if let Some((start, ..)) = &inside_header {
            if indent == *start && line.ends_with('{') {
                places.extend(inside_header.take());
            } else if indent == *start && (line.ends_with(';') || line.ends_with('}')) {
                inside_header = None;
            }
            continue;
        }
        if let Some(words) = line.strip_prefix("///") {
            doc.push_str(words);
            continue;
        }
        if line.starts_with("//") {
            continue;
        }
        if line.starts_with("#[") {
            if !line.ends_with(']') {
                inside_attribute = Some(indent);
            }
            continue;
        }
        while line.starts_with('}') && places.last().is_some_and(|(start, ..)| *start >= indent) {
            places.pop();
        }
        if line.starts_with("macro_rules!") {
            inside_macro = Some(indent);
        }
        let words = std::mem::take(&mut doc);
        let part = places.last().filter(|(start, ..)| *start + 4 == indent);
        let in_variant =
            places.last().is_some_and(|(start, place, _)| *place == Place::Variants && *start + 8 == indent);
        let is_part = match part {
            Some((_, Place::Fields, _)) => line.starts_with("pub "),
            Some((_, Place::Variants, _)) => line.starts_with(char::is_uppercase),
            Some((_, Place::Trait, _)) => {
                ["fn ", "const ", "type "].iter().any(|word| line.starts_with(word))
            }
            Some((_, Place::Impl, _)) => line.starts_with("pub "),
            _ => in_variant && line.split_once(": ").is_some_and(|(name, _)| is_field(name)),
        };
        if is_part {
            let of = places.last().map(|(.., name)| name.clone());
            let own = has_source(&words);
            found.items.push(Item { path: path.into(), line: index + 1, text: line.into(), own, of });
            continue;
        }
        // `open_enum! { Name { ... } }`, `name_type! { Name, check }`: the type is public, the macro says so.
        if places.last().is_some_and(|(start, place, _)| *place == Place::Macro && *start + 4 == indent)
            && line.starts_with(char::is_uppercase)
        {
            let own = has_source(&words);
            let name = word(line);
            found.types.insert(name.clone(), Some(own));
            found.items.push(Item {
                path: path.into(),
                line: index + 1,
                text: line.into(),
                own: own || head,
                of: None,
            });
            if line.ends_with('{') {
                places.push((indent, Place::Variants, name));
            }
            continue;
        }
        if let Some(name) = private_type(line) {
            found.types.insert(name, None);
        }
        let Some((place, name)) = opened(line) else { continue };
        let named = line.strip_prefix("pub ").filter(|_| place != Place::Impl);
        if let Some(declared) = named.filter(|declared| ITEMS.iter().any(|word| declared.starts_with(word))) {
            let own = has_source(&words);
            found.items.push(Item {
                path: path.into(),
                line: index + 1,
                text: line.into(),
                own: own || head,
                of: None,
            });
            if ["struct ", "enum ", "trait ", "type "].iter().any(|word| declared.starts_with(word)) {
                found.types.insert(name.clone(), Some(own));
            }
        }
        if line.ends_with('{') {
            places.push((indent, place, name));
        } else if !line.ends_with(['}', ';']) {
            inside_header = Some((indent, place, name));
        }
    }
    found
}

fn is_field(name: &str) -> bool {
    let name = name.strip_prefix("r#").unwrap_or(name);
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn word(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

/// `struct Name`, `pub(crate) enum Name`, ...
fn private_type(line: &str) -> Option<String> {
    let declared = match line.strip_prefix("pub(") {
        Some(limited) => limited.split_once(") ")?.1,
        None => line,
    };
    ["struct ", "enum ", "trait "].iter().find_map(|start| declared.strip_prefix(start)).map(word)
}

/// What a line opens, with the name of the type: `pub struct Name<T> {`, `impl<T> Name<T> {`, `pub const fn name(`.
fn opened(line: &str) -> Option<(Place, String)> {
    if let Some(rest) = line.strip_prefix("impl") {
        let mut rest = rest;
        if rest.starts_with('<') {
            let mut depth = 0;
            let end = rest.char_indices().find_map(|(at, character)| {
                match character {
                    '<' => depth += 1,
                    '>' if !rest[..at].ends_with('-') => depth -= 1,
                    _ => {}
                }
                (depth == 0).then_some(at)
            })?;
            rest = &rest[end + 1..];
        }
        return Some((Place::Impl, word(rest.trim_start())));
    }
    if TYPE_MACROS.contains(&line) {
        return Some((Place::Macro, String::new()));
    }
    let Some(declared) = line.strip_prefix("pub ") else {
        return line.ends_with('{').then(|| (Place::Other, String::new()));
    };
    for (start, place) in [("struct ", Place::Fields), ("enum ", Place::Variants), ("trait ", Place::Trait)] {
        if let Some(rest) = declared.strip_prefix(start) {
            return Some((place, word(rest)));
        }
    }
    Some((Place::Other, declared.strip_prefix("type ").map(word).unwrap_or_default()))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            files.extend(sources(&path));
        } else if name.ends_with(".rs") && name != "tests.rs" {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// All public items of some files, those without a source.
fn missing(files: &[(PathBuf, String)]) -> (usize, Vec<Item>) {
    let scanned: Vec<(&PathBuf, Found)> = files.iter().map(|(path, text)| (path, scan(path, text))).collect();
    // An impl may be in another file than its type: the definition nearest to it is meant.
    let nearest = |item: &Item, of: &str| {
        let shared = |path: &Path| path.iter().zip(item.path.iter()).take_while(|(a, b)| a == b).count();
        scanned
            .iter()
            .filter_map(|(path, found)| {
                found.types.get(of).map(|own| (**path == item.path, shared(path), *own))
            })
            .max_by_key(|(same, near, _)| (*same, *near))
            .map(|(.., own)| own)
    };
    // Nothing about a private type is public.
    let judged: Vec<(&Item, bool)> = scanned
        .iter()
        .flat_map(|(_, found)| &found.items)
        .filter_map(|item| match item.of.as_ref().map(|of| nearest(item, of)) {
            Some(Some(None)) => None,
            Some(Some(Some(of))) => Some((item, item.own || of)),
            Some(None) | None => Some((item, item.own)),
        })
        .collect();
    let missing = judged.iter().filter(|(_, covered)| !covered).map(|(item, _)| (*item).clone()).collect();
    (judged.len(), missing)
}

fn library(name: &str) -> Vec<(PathBuf, String)> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    };
    sources(&root().join(name).join("src")).into_iter().map(read).collect()
}

#[test]
fn every_public_item_names_the_source_of_its_rule() {
    for (name, at_least) in COVERED {
        let (count, missing) = missing(&library(name));
        assert!(count >= *at_least, "{name}: only {count} public items: the counter sees too little");
        let list: Vec<String> = missing
            .iter()
            .map(|item| format!("{}:{}: {}", item.path.display(), item.line, item.text))
            .collect();
        assert!(
            list.is_empty(),
            "{name}: {} of {count} public items without a source:\n{}",
            list.len(),
            list.join("\n")
        );
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Cited messages and fields exist.

/// Fields of each message of Istio's API: `networking.HTTPRoute` -> `rewrite`, ...
fn istio_messages(ledger: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut types: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut lines = ledger.lines();
    let header: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let column = |name: &str| header.iter().position(|cell| *cell == name).unwrap();
    let (kind, path, message) = (column("kind"), column("path"), column("proto_type"));
    for line in lines {
        let cells: Vec<&str> = line.split('\t').collect();
        // `istio.networking.v1alpha3.HTTPRoute` -> `networking.HTTPRoute`; the versions of an API share their messages.
        let parts: Vec<&str> = cells[message].split('.').collect();
        if let ["istio", package, _version, name @ ..] = parts.as_slice() {
            let message = format!("{package}.{}", name.join("."));
            messages.entry(message.clone()).or_default();
            types.insert((cells[kind].into(), cells[path].into()), message);
        }
        let Some((parent, field)) = cells[path].rsplit_once('.') else {
            // Mesh-wide messages have no `spec` around them.
            messages.entry(format!("mesh.{}", cells[kind])).or_default().insert(cells[path].into());
            continue;
        };
        if let Some(parent) = types.get(&(cells[kind].into(), parent.into())) {
            let field = field.trim_end_matches("[]").trim_end_matches("{}");
            messages.entry(parent.clone()).or_default().insert(field.into());
        }
    }
    messages
}

/// Why a cited name is not in the ledger, if it is one of Istio's API.
fn unknown(messages: &BTreeMap<String, BTreeSet<String>>, group: &str, name: &str) -> Option<String> {
    let package = group.split(['/', '.']).next()?;
    if !(group.split('/').next()?.ends_with(".istio.io") || ["mesh", "type"].contains(&package)) {
        return None;
    }
    let (message, field) = match name.rsplit_once('.') {
        Some((message, field)) if field.starts_with(|c: char| c.is_ascii_lowercase()) => {
            (message, Some(field))
        }
        _ => (name, None),
    };
    let fields = messages.iter().find(|(known, _)| {
        known.split_once('.').is_some_and(|(home, known)| home == package && known == message)
    });
    match (fields, field) {
        (None, _) => Some(format!("{group} has no message or enum `{message}`")),
        (Some((_, fields)), Some(field)) if !fields.contains(field) => {
            Some(format!("{group} `{message}` has no field `{field}`"))
        }
        _ => None,
    }
}

#[test]
fn cited_messages_and_fields_exist() {
    let folder = std::env::var_os("MESH_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let Ok(ledger) = fs::read_to_string(folder.join("ledger/fields.tsv")) else {
        println!("skipped: no ledger in {}", folder.display());
        return;
    };
    let messages = istio_messages(&ledger);
    assert!(messages["networking.HTTPRoute"].contains("rewrite"));
    assert!(messages["mesh.MeshConfig"].contains("rootNamespace"));
    assert!(unknown(&messages, "networking.istio.io/v1", "HTTPRoute.rewrote").is_some());
    assert!(unknown(&messages, "security.istio.io/v1", "HTTPRoute").is_some());
    let mut wrong = Vec::new();
    for (path, text) in COVERED.iter().flat_map(|(name, _)| library(name)) {
        let docs: Vec<&str> =
            text.lines().map(str::trim_start).filter_map(|line| line.strip_prefix("//")).collect();
        let docs = docs.iter().map(|line| line.trim_start_matches(['/', '!'])).collect::<String>();
        for (group, name) in cited_apis(&docs) {
            wrong.extend(unknown(&messages, &group, &name).map(|why| format!("{}: {why}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "citations of what is not there:\n{}", wrong.join("\n"));
}

// ---------------------------------------------------------------------------------------------------------------------
// The counter can fail.

/// Items, and the lines without a source, of one snippet.
fn counted(text: &str) -> (usize, Vec<usize>) {
    let (count, missing) = missing(&[(PathBuf::from("src/a.rs"), text.to_owned())]);
    (count, missing.iter().map(|item| item.line).collect())
}

#[test]
fn an_item_without_a_source_is_counted() {
    assert_eq!(counted("/// A thing.\npub struct Thing;\n"), (1, vec![2]));
    assert_eq!(counted("/// A thing (T-136).\npub struct Thing;\n"), (1, vec![]));
    assert_eq!(counted("/// A number.\npub const N: u8 = 1;\n/// Does.\npub fn go() {}\n"), (2, vec![2, 4]));
    assert_eq!(
        counted("struct A {\n    pub a: u8,\n}\n\nimpl A {\n    pub fn b() {}\n}\npub(crate) fn go() {}\n").0,
        0
    );
}

#[test]
fn parts_are_covered_by_their_type_or_by_themselves() {
    let of = |head: &str, field: &str| {
        format!(
            "{head}\n// INVARIANT: even.\n#[derive(Debug)]\n#[serde(\n    default,\n)]\npub struct A {{\n    {field}\n    pub a: u8,\n}}\n"
        )
    };
    assert_eq!(counted(&of("/// A.", "/// B.")), (2, vec![7, 9]));
    assert_eq!(counted(&of("/// A (T-001).", "/// B.")), (2, vec![]));
    assert_eq!(counted(&of("/// A.", "/// B (T-001).")), (2, vec![7]));
    let list = "/// A.\npub enum A {\n    /// B (T-001).\n    B,\n    /// C.\n    C {\n        /// D.\n        d: u8,\n    },\n}\n";
    assert_eq!(counted(list), (4, vec![2, 6, 8]));
    let methods = "/// A (T-001).\npub struct A(u8);\n\nimpl A {\n    /// B.\n    pub fn b(&self) {}\n}\n\nimpl<T: Into<u8>> C<T> {\n    /// D.\n    pub fn d(&self) {}\n}\n";
    assert_eq!(counted(methods), (3, vec![11]));
    let seam = "/// A.\npub trait A: Send {\n    /// B (T-001).\n    fn b(&self);\n    /// C.\n    const C: u8;\n}\n";
    assert_eq!(counted(seam), (3, vec![2, 6]));
}

#[test]
fn types_that_macros_make_are_counted_where_they_are_named() {
    let made = "open_enum! {\n    /// A (T-001).\n    A {\n        /// B.\n        B = \"B\",\n    }\n}\n\nname_type! {\n    /// C.\n    C, check\n}\n";
    assert_eq!(counted(made), (3, vec![11]));
    let making = "macro_rules! open_enum {\n    ($name:ident) => {\n        /// A.\n        pub enum $name {\n            /// B.\n            B,\n        }\n\n        impl $name {\n            /// C.\n            pub fn c(&self) {}\n        }\n\n        /// D.\n        pub struct D;\n    };\n}\n\n/// E.\npub struct E;\n";
    assert_eq!(counted(making), (2, vec![15, 20]));
}

#[test]
fn the_head_of_a_file_covers_free_items_but_no_parts() {
    let text = "//! Limits (S-109).\n\n/// A.\npub const A: u8 = 1;\n\n/// B.\npub struct B {\n    /// C.\n    pub c: u8,\n}\n";
    assert_eq!(counted(text), (3, vec![9]));
}

#[test]
fn an_impl_is_covered_by_the_nearest_type_of_its_name() {
    let file = |path: &str, text: &str| (PathBuf::from(path), text.to_owned());
    let far = file("src/b/spec.rs", "/// A (T-001).\npub struct A;\n");
    let near = file("src/a/spec.rs", "/// A, ours.\npub struct A;\n");
    let methods = file("src/a/more.rs", "impl A {\n    /// B.\n    pub fn b() {}\n}\n");
    assert_eq!(missing(&[far.clone(), methods.clone()]).1.len(), 0);
    assert_eq!(missing(&[far, near, methods]).1.len(), 2);
}

#[test]
fn only_words_that_lead_somewhere_are_sources() {
    for doc in [
        "prefix match (T-136)",
        "see E-008.",
        "RFC 3986, 6.2.2",
        "Spec: RE2, doc/syntax",
        "Ours: it is shorter so",
    ] {
        assert!(has_source(doc), "{doc}");
    }
    for doc in [
        "",
        "the API",
        "T-13",
        "T-1366",
        "GET-136",
        "RFC",
        "Ours: yes",
        "API: something",
        "API: `Foo`",
        "API: a/b `C`",
    ] {
        assert!(!has_source(doc), "{doc}");
    }
    let two = cited_apis(" API: networking.istio.io/v1 `Gateway` and `Server.tls`. API: core/v1 `Pod`.");
    let two: Vec<_> = two.iter().map(|(group, name)| (group.as_str(), name.as_str())).collect();
    assert_eq!(
        two,
        [("networking.istio.io/v1", "Gateway"), ("networking.istio.io/v1", "Server.tls"), ("core/v1", "Pod")]
    );
}
