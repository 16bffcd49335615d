//! The pages under `docs/support` have every field of every kind, and say what is done with it.
//!
//! They are made from the types, the table of the API's fields, and `docs/support/states.tsv`, which people write:
//! `UPDATE=1 cargo test --test support` writes the pages anew.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;

use mesh::model::schema::{Fact, Field, FieldType, facts, fields, subjects};

/// What is done with a field, from nothing to all.
const STATES: [&str; 4] = ["typed", "validated", "decided", "executed"];

/// A line of the table that people write: what is done with the fields at and below a path.
struct Row {
    kind: String,
    /// Empty: all fields; with `..` in front: wherever these names follow each other.
    path: String,
    state: String,
    remark: String,
}

impl Row {
    /// How far into `path` this row reaches, if it is about it at all.
    fn reach(&self, path: &str) -> Option<usize> {
        let ends_there = |end: usize| {
            path.get(end..).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '{']))
        };
        match self.path.strip_prefix("..") {
            None if self.path.is_empty() => Some(0),
            None => path.starts_with(&self.path).then_some(self.path.len()).filter(|end| ends_there(*end)),
            Some(names) => path
                .match_indices(names)
                .filter(|(at, _)| *at > 0 && path.as_bytes()[at - 1] == b'.')
                .map(|(at, _)| at + names.len())
                .find(|end| ends_there(*end)),
        }
    }
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(common::root().join("docs/support/states.tsv")).unwrap();
    let mut rows = Vec::new();
    for line in text.lines().skip(1) {
        let [kind, path, state, remark] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("four cells: {line}")
        };
        assert!(STATES.contains(&state), "{line}: one of {STATES:?}");
        rows.push(Row { kind: kind.into(), path: path.into(), state: state.into(), remark: remark.into() });
    }
    rows
}

/// A kind, a message, or the status of every Istio kind.
struct Page {
    /// As in the table: `VirtualService`, `core/Pod`.
    id: String,
    title: String,
    versions: Vec<String>,
    fields: Vec<Field>,
    facts: BTreeMap<&'static str, Fact<'static>>,
}

impl Page {
    fn file(&self) -> String {
        format!("{}.md", self.id.to_lowercase().replace('/', "-"))
    }
}

fn pages() -> Vec<Page> {
    let of_kind =
        |kind: &str| facts().filter(|fact| fact.kind == kind).map(|fact| (fact.path, fact)).collect();
    let mut pages: Vec<Page> = subjects()
        .into_iter()
        .map(|subject| {
            let is_ours = !subject.is_object || subject.group.ends_with(".istio.io");
            let group = if subject.group.is_empty() { "core" } else { subject.group };
            let name = format!("{group}/{}", subject.kind);
            let id = if is_ours { subject.kind.to_owned() } else { name.clone() };
            let mut fields = fields(if subject.is_object { &name } else { subject.kind }).unwrap();
            // These have a page of their own.
            fields.retain(|field| subject.is_object || !field.path.starts_with("defaultConfig."));
            let facts = if is_ours { of_kind(subject.kind) } else { BTreeMap::new() };
            Page { title: subject.kind.to_owned(), versions: subject.api_versions(), id, fields, facts }
        })
        .collect();
    pages.push(Page {
        id: "status".to_owned(),
        title: "status of every Istio kind".to_owned(),
        versions: Vec::new(),
        fields: fields("status").unwrap(),
        facts: of_kind("(every kind)"),
    });
    pages
}

/// `list of string`, `one of A, B`.
fn type_of(page: &Page, field: &Field) -> String {
    let element = |mark: &str| {
        let path = format!("{}{mark}", field.path);
        page.fields
            .iter()
            .find(|field| field.path == path)
            .map(|field| type_of(page, field))
            .unwrap_or_default()
    };
    match &field.holds {
        FieldType::List => format!("list of {}", element("[]")),
        FieldType::Map => format!("map of {}", element("{}")),
        FieldType::Enum(words) => format!("one of {}", words.join(", ")),
        FieldType::Struct => "free JSON".to_owned(),
        holds => holds.as_str().to_owned(),
    }
}

/// What the API says of a field beyond its type.
fn notes(page: &Page, field: &Field) -> String {
    let Some(fact) = page.facts.get(field.path.as_str()) else { return String::new() };
    let mut notes: Vec<String> = Vec::new();
    let words = [
        ("required", "required"),
        ("nullable", "may be null"),
        ("deprecated", "deprecated"),
        ("hidden", "undocumented"),
        ("new", "newest Istio only"),
        ("unlisted", "in Istio's code only"),
    ];
    notes.extend(words.iter().filter(|(flag, _)| fact.has(flag)).map(|(_, word)| (*word).to_owned()));
    if !fact.oneof.is_empty() {
        let name = field.path.rsplit('.').next().unwrap();
        let others: Vec<_> =
            fact.oneof.split('|').filter(|other| *other != name).map(|other| format!("`{other}`")).collect();
        notes.push(format!("excludes {}", others.join(", ")));
    }
    let parent = field.path.rsplit_once('.').map_or("", |(parent, _)| parent);
    let name = field.path.rsplit('.').next().unwrap();
    let second = page.facts.values().find(|other| {
        other.alias_of == name && other.path.rsplit_once('.').map_or("", |(parent, _)| parent) == parent
    });
    notes.extend(second.map(|other| format!("also `{}`", other.path.rsplit('.').next().unwrap())));
    notes.join("; ")
}

/// Elements are told with their list or map.
fn is_element(field: &Field) -> bool {
    field.path.ends_with([']', '}'])
}

struct Answers {
    rows: Vec<Row>,
    used: BTreeSet<usize>,
}

impl Answers {
    /// The row that reaches furthest; one that names the whole path before one that names a part of it.
    fn of(&mut self, id: &str, path: &str) -> usize {
        let reaching = self.rows.iter().enumerate().filter(|(_, row)| row.kind == id);
        let best = reaching
            .filter_map(|(at, row)| Some(((row.reach(path)?, !row.path.starts_with("..")), at)))
            .max_by_key(|(reach, _)| *reach);
        let (_, at) = best.unwrap_or_else(|| panic!("docs/support/states.tsv has no row for {id} {path}"));
        self.used.insert(at);
        at
    }
}

fn text_of(page: &Page, answers: &mut Answers, counts: &mut BTreeMap<String, usize>) -> String {
    let mut text = format!(
        "<!-- Made by `UPDATE=1 cargo test --test support`; write in states.tsv. -->\n\n# {}\n\n",
        page.title
    );
    if !page.versions.is_empty() {
        let versions: Vec<_> = page.versions.iter().map(|version| format!("`{version}`")).collect();
        writeln!(text, "Read as {}; every version has the same fields.\n", versions.join(", ")).unwrap();
    }
    if page.fields.is_empty() {
        text.push_str("Only its metadata is read: name, labels, annotations.\n");
        return text;
    }
    text.push_str("| field | type | in the API | state | |\n|---|---|---|---|---|\n");
    for field in &page.fields {
        let at = answers.of(&page.id, &field.path);
        if is_element(field) {
            continue;
        }
        // A remark on a part is said once, where the part begins.
        let parent = field.path.rsplit_once('.').map(|(parent, _)| answers.of(&page.id, parent));
        let Row { state, remark, .. } = &answers.rows[at];
        let remark = if parent == Some(at) { "" } else { remark };
        *counts.entry(state.clone()).or_default() += 1;
        let (holds, notes) = (type_of(page, field), notes(page, field));
        writeln!(text, "| `{}` | {holds} | {notes} | {state} | {remark} |", field.path).unwrap();
    }
    text
}

#[test]
fn pages_have_an_answer_for_every_field() {
    let mut answers = Answers { rows: rows(), used: BTreeSet::new() };
    let mut files = BTreeMap::new();
    let mut index = String::from(
        "<!-- Made by `UPDATE=1 cargo test --test support`. -->\n\n# Fields\n\n\
         What is done with each field of each kind. *typed*: read, with its place, and nothing acts on it. *validated*:\n\
         checked, and nothing else acts on it. *decided*: compiled into what proxies run and into decisions. *executed*:\n\
         the running proxy (feature `runtime`) does it as well. The answers are in `states.tsv`, one line for a part of a\n\
         kind; the rest is made from the types.\n\n\
         | kind | fields | typed | validated | decided | executed |\n|---|---|---|---|---|---|\n",
    );
    for page in pages() {
        let mut counts = BTreeMap::new();
        let text = text_of(&page, &mut answers, &mut counts);
        let of = |state: &str| counts.get(state).copied().unwrap_or_default();
        let cells: Vec<_> = STATES.iter().map(|state| of(state).to_string()).collect();
        let total: usize = counts.values().sum();
        writeln!(index, "| [{}]({}) | {total} | {} |", page.id, page.file(), cells.join(" | ")).unwrap();
        files.insert(page.file(), text);
    }
    files.insert("README.md".to_owned(), index);
    let idle: Vec<_> = answers
        .rows
        .iter()
        .enumerate()
        .filter(|(at, _)| !answers.used.contains(at))
        .map(|(_, row)| format!("{} {}", row.kind, row.path))
        .collect();
    assert!(idle.is_empty(), "rows of docs/support/states.tsv that no field needs: {idle:#?}");
    compare(&files);
}

fn compare(files: &BTreeMap<String, String>) {
    let folder = common::root().join("docs/support");
    let there: BTreeSet<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".md"))
        .collect();
    if std::env::var_os("UPDATE").is_some() {
        there
            .iter()
            .filter(|name| !files.contains_key(*name))
            .for_each(|name| fs::remove_file(folder.join(name)).unwrap());
        files.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
        return;
    }
    assert_eq!(
        there,
        files.keys().cloned().collect(),
        "`UPDATE=1 cargo test --test support` writes the pages"
    );
    for (name, text) in files {
        let written = fs::read_to_string(folder.join(name)).unwrap();
        let line = written.lines().zip(text.lines()).position(|(written, made)| written != made);
        assert!(
            &written == text,
            "docs/support/{name} is stale from line {}: `UPDATE=1 cargo test --test support`",
            line.unwrap_or_else(|| written.lines().count().min(text.lines().count())) + 1
        );
    }
}

#[test]
fn the_longest_path_wins() {
    let row = |path: &str| Row {
        kind: String::new(),
        path: path.into(),
        state: String::new(),
        remark: String::new(),
    };
    assert_eq!(row("").reach("spec.a"), Some(0));
    assert_eq!(row("spec.a").reach("spec.a[].b"), Some(6));
    assert_eq!(row("spec.a").reach("spec.ab"), None);
    assert_eq!(row("..tls.mode").reach("spec.x[].tls.mode"), Some(17));
    assert_eq!(row("..tls").reach("spec.mtls"), None);
}
