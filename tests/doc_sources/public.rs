//! What is public, and what its text or those above it say. The sources are formatted: the parts of an item are indented
//! one step more than the item.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::source::has_source;

/// A public item.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) path: PathBuf,
    pub(crate) line: usize,
    pub(crate) text: String,
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

/// All public items of some files, those without a source.
pub(crate) fn missing(files: &[(PathBuf, String)]) -> (usize, Vec<Item>) {
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

#[cfg(test)]
mod tests;
