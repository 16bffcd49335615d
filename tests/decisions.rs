//! Explaining never changes a decision, and every origin points at the very characters that it names.
//!
//! Walks all decision cases of the conformance folder, and `examples/shop` in every clone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::{Case, NOW, corpus, on_two_threads, shop};
use mesh::model::document::{Document, Node, snake_case};
use mesh::proxy_core::decide::{decide, explain};
use mesh::proxy_core::describe;
use serde_json::Value;

/// What a walk over one case found.
#[derive(Default)]
struct Walk {
    probes: usize,
    origins: usize,
    problems: Vec<String>,
}

/// Every `stride`-th case of the corpus is walked: `MESH_STRIDE`, all of them unless set.
fn stride() -> usize {
    std::env::var("MESH_STRIDE").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

#[test]
fn the_shop_is_explained_as_it_is_decided() {
    report(&shop(), walk);
}

#[test]
fn the_corpus_is_explained_as_it_is_decided() {
    let stride = stride();
    let folders: Vec<_> = corpus().into_iter().step_by(stride).collect();
    if stride > 1 {
        println!("every {stride}th case");
    }
    report(&folders, |folder| walk(&Case::read(folder)));
}

fn report<T: Sync>(items: &[T], walk: impl Fn(&T) -> Walk + Sync) {
    let walks = on_two_threads(items, walk);
    let probes: usize = walks.iter().map(|walk| walk.probes).sum();
    let origins: usize = walks.iter().map(|walk| walk.origins).sum();
    println!("{} cases, {probes} probes, {origins} origins", items.len());
    let problems: Vec<String> = walks.into_iter().flat_map(|walk| walk.problems).collect();
    let shown = problems.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(problems.is_empty(), "{} problems\n{shown}", problems.len());
    assert!(items.is_empty() || origins > 0, "no step names an origin");
}

fn walk(case: &Case) -> Walk {
    let documents = case.documents();
    let objects: BTreeSet<_> = documents.iter().map(identity).collect();
    let lines: Vec<&str> = case.text.lines().collect();
    let config = case.compile_documents(documents).config;
    let mut walk = Walk::default();
    let mut origins = BTreeSet::new();
    for probe in &case.probes {
        walk.probes += 1;
        let query = probe.query(NOW);
        let plain = decide(&config, &query, &mut ());
        let (mut explained, trace) = explain(&config, &query);
        explained.why.clear();
        if plain != explained {
            walk.problems.push(format!("{} {}: {plain:?}\nexplained: {explained:?}", case.name, probe.id));
        }
        for origin in trace.steps.iter().filter_map(|step| step.origin.as_deref()) {
            collect(&serde_json::to_value(origin).unwrap(), &mut origins);
        }
    }
    let shown = [describe::listeners, describe::route_tables, describe::clusters, describe::policies];
    for show in shown {
        collect(&show(&config), &mut origins);
    }
    walk.origins = origins.len();
    let wrong = |origin: &Origin| {
        let problem = check_origin(origin, &lines, &objects).err()?;
        Some(format!("{}: {origin:?}: {problem}", case.name))
    };
    walk.problems.extend(origins.iter().filter_map(wrong));
    walk
}

/// An origin as it is printed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    kind: String,
    namespace: String,
    name: String,
    field: String,
    line: usize,
    column: usize,
}

/// Gathers what has the shape of a written origin, at any depth.
fn collect(value: &Value, origins: &mut BTreeSet<Origin>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, origins)),
        Value::Object(map) => {
            if let Some(file) = map.get("file") {
                assert_eq!(file, "config.yaml");
                let text = |key: &str| map[key].as_str().unwrap().to_owned();
                let number = |key: &str| usize::try_from(map[key].as_u64().unwrap()).unwrap();
                origins.insert(Origin {
                    kind: text("kind"),
                    namespace: text("namespace"),
                    name: text("name"),
                    field: text("field"),
                    line: number("line"),
                    column: number("column"),
                });
            }
            map.values().for_each(|item| collect(item, origins));
        }
        _ => {}
    }
}

/// Kind, namespace as written, name.
fn identity(document: &Arc<Document>) -> (String, String, String) {
    let text = |node: Option<Node<'_>>| node.and_then(Node::as_str).unwrap_or_default().to_owned();
    let meta = document.root().get("metadata");
    let field = |name| text(meta.and_then(|meta| meta.get(name)));
    (text(document.root().get("kind")), field("namespace"), field("name"))
}

fn check_origin(
    origin: &Origin,
    lines: &[&str],
    objects: &BTreeSet<(String, String, String)>,
) -> Result<(), String> {
    let named =
        |namespace: &str| objects.contains(&(origin.kind.clone(), namespace.to_owned(), origin.name.clone()));
    // A document that leaves its namespace out is in `default`, or in none.
    let is_default = origin.namespace == "default" && named("");
    if !is_default && !named(&origin.namespace) {
        return Err("names an object that is not in the text".to_owned());
    }
    let Some(text) = lines.get(origin.line.wrapping_sub(1)) else {
        return Err("the line is not in the text".to_owned());
    };
    let before: String = text.chars().take(origin.column - 1).collect();
    let after: String = text.chars().skip(origin.column - 1).collect();
    let field = &*origin.field;
    if field.is_empty() {
        return Ok(());
    }
    if field.ends_with(']') && !field.ends_with("\"]") {
        return element(&before, &after);
    }
    let key = last_key(field);
    let spelt = [key.clone(), snake_case(&key)];
    let stands = spelt.iter().any(|key| {
        let unquoted = after.trim_start_matches(['"', '\'']);
        unquoted
            .strip_prefix(key.as_str())
            .is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':'))
    });
    if stands { Ok(()) } else { Err(format!("`{key}` does not stand before `{after}`")) }
}

/// The first character of a list element: after a dash, a bracket, or a comma.
fn element(before: &str, after: &str) -> Result<(), String> {
    let lead = before.trim_end();
    // An element whose map begins on the line below its dash has nothing before it.
    let opens = lead.is_empty() || lead.ends_with(['-', '[', ',']) || lead.contains("- &");
    let begins = after.starts_with(|first: char| !first.is_whitespace()) && !after.starts_with("- ");
    // A list in a list does begin with a dash; no field of a mesh is one.
    if opens && begins { Ok(()) } else { Err(format!("no element begins at `{before}` | `{after}`")) }
}

fn last_key(field: &str) -> String {
    if let Some(quoted) = field.strip_suffix("\"]") {
        return quoted.rsplit_once("[\"").map_or(quoted, |(_, key)| key).to_owned();
    }
    field.rsplit_once('.').map_or(field, |(_, key)| key).to_owned()
}
