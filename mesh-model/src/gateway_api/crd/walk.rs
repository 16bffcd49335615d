//! The walk over a document along the table: each field against what is asked of it.

use std::collections::BTreeSet;

use super::facts::{self, Bounds, Field, Holds};
use super::rules;
use crate::check::value::one_of;
use crate::check::{Checker, Path, Problem, short};
use crate::diagnostic::Code;
use crate::document::{Node, Value};

/// A message of a document: a map, with what the table asks of its fields.
#[derive(Clone, Copy)]
pub(super) struct Message<'n> {
    node: Node<'n>,
    fields: &'static [Field],
}

impl<'n> Message<'n> {
    /// What is written in a field; null is not written.
    pub(super) fn get(self, name: &str) -> Option<Node<'n>> {
        self.node.get(name).filter(|node| !node.is_null())
    }

    /// Whether a field is written.
    pub(super) fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The text of a field: what is written, or what the API server puts there; empty where neither is.
    pub(super) fn text(self, name: &str) -> &'n str {
        let default = || self.fields.iter().find(|field| field.name == name).and_then(|field| field.default);
        self.get(name).map_or_else(|| default().unwrap_or_default(), |node| node.as_str().unwrap_or_default())
    }

    /// The number of a field.
    pub(super) fn number(self, name: &str) -> Option<i128> {
        self.get(name).and_then(whole)
    }

    /// A message within.
    pub(super) fn message(self, name: &str) -> Option<Message<'n>> {
        let field = self.fields.iter().find(|field| field.name == name)?;
        let node = self.get(name).filter(|node| node.is_map())?;
        Some(Message { node, fields: facts::fields_of(field.of) })
    }

    /// The messages of a list, as many as may stand there.
    pub(super) fn messages(self, name: &str) -> impl Iterator<Item = Message<'n>> + Clone {
        let field = self.fields.iter().find(|field| field.name == name);
        let fields = field.map_or(&[][..], |field| facts::fields_of(field.of));
        let most = field.map_or(0, most_items);
        let items = self.get(name).map(Node::items);
        items.into_iter().flatten().take(most).map(move |node| Message { node, fields })
    }

    /// The texts of a list, as many as may stand there.
    pub(super) fn texts(self, name: &str) -> impl Iterator<Item = &'n str> + Clone {
        let most = self.fields.iter().find(|field| field.name == name).map_or(0, most_items);
        let items = self.get(name).map(Node::items);
        items.into_iter().flatten().take(most).filter_map(Node::as_str)
    }
}

/// How many elements of a list are looked at: more than may be there are one finding, and would cost without bound.
fn most_items(field: &Field) -> usize {
    const UNBOUNDED_LIST_MAX: usize = 1024;
    field.count.most.and_then(|most| usize::try_from(most).ok()).unwrap_or(UNBOUNDED_LIST_MAX)
}

/// A whole number, however it is written.
fn whole(node: Node<'_>) -> Option<i128> {
    match node.value() {
        Value::Integer(number) => Some(number),
        #[expect(clippy::cast_possible_truncation, reason = "a whole number within the bounds of `i64`")]
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => Some(number as i128),
        _ => None,
    }
}

/// Goes through a document and says what is found.
pub(super) struct Walk<'w, 'c> {
    pub(super) check: &'w mut Checker<'c>,
    /// Whether the document is of version `v1alpha2`.
    pub(super) is_alpha: bool,
}

impl Walk<'_, '_> {
    /// A map of the type `of`; the depth of the table bounds the recursion.
    pub(super) fn message(&mut self, node: Node<'_>, of: &str, at: &Path<'_>) {
        let message = Message { node, fields: facts::fields_of(of) };
        for field in message.fields {
            let asked = if self.is_alpha { facts::alpha(of, field.name).unwrap_or(field) } else { field };
            let at = at.field(field.name);
            match message.get(field.name) {
                Some(value) => self.value(value, asked, field.each.as_deref(), &at),
                None => self.check.require(!asked.is_required, &at, || missing(asked)),
            }
        }
        rules::check(self.check, of, message, at);
    }

    fn value(&mut self, node: Node<'_>, field: &Field, each: Option<&Field>, at: &Path<'_>) {
        match (field.holds, node.value()) {
            (Holds::Text, Value::String(text)) => self.text(text, field, at),
            (Holds::Integer, Value::Integer(_) | Value::Float(_)) if whole(node).is_some() => {
                self.number(whole(node).unwrap_or_default(), field, at);
            }
            (Holds::Boolean, Value::Bool(_)) => {}
            (Holds::Map, Value::Map(entries)) => {
                self.count(entries.len(), field.count, at);
                match each {
                    Some(each) => entries.take(most_items(field)).for_each(|entry| {
                        self.value(entry.value, each, None, &at.field(entry.key));
                    }),
                    None => self.message(node, field.of, at),
                }
            }
            (Holds::List, Value::List(items)) => {
                self.count(items.len(), field.count, at);
                self.told_apart(node, field, at);
                for (index, item) in items.enumerate().take(most_items(field)) {
                    let at = at.index(index);
                    match each {
                        Some(each) => self.value(item, each, None, &at),
                        None if item.is_map() => self.message(item, field.of, &at),
                        None => self.check.find(&at, wrong_type(Holds::Map, item)),
                    }
                }
            }
            _ => self.check.find(at, wrong_type(field.holds, node)),
        }
    }

    fn text(&mut self, text: &str, field: &Field, at: &Path<'_>) {
        if !field.words.is_empty() {
            if text.is_empty() {
                self.check.find(at, missing(field));
            }
            self.check.check(at, one_of(text, &field.words));
            return;
        }
        let length = i128::try_from(text.chars().count()).unwrap_or(i128::MAX);
        if field.length.least.is_some_and(|least| length < least) {
            self.check.find(at, missing(field));
        } else if let Some(most) = field.length.most.filter(|most| length > *most) {
            let problem = Problem::invalid(format!("longer than {most} characters"));
            self.check.find(at, problem.help("shorten it"));
        } else if let Some(pattern) = field.pattern.filter(|pattern| !(pattern.fits)(text)) {
            let problem = Problem::invalid(format!("`{}` is not right here", short(text)));
            self.check.find(at, problem.help(format!("write {}", pattern.words)));
        }
    }

    fn number(&mut self, number: i128, field: &Field, at: &Path<'_>) {
        let Bounds { least, most } = field.range;
        if least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most) {
            let written = number.to_string();
            if !field.words.is_empty() {
                self.check.check(at, one_of(&written, &field.words));
            }
            return;
        }
        let help = match (least, most) {
            (Some(least), Some(most)) => format!("write a number from {least} to {most}"),
            (Some(least), None) => format!("write a number of at least {least}"),
            (_, most) => format!("write a number of at most {}", most.unwrap_or_default()),
        };
        self.check.find(at, Problem::invalid(format!("`{number}` is out of range")).help(help));
    }

    fn count(&mut self, count: usize, bounds: Bounds, at: &Path<'_>) {
        let counted = i128::try_from(count).unwrap_or(i128::MAX);
        if bounds.least.is_some_and(|least| counted < least) {
            let problem = Problem::missing("at least one entry is needed, this is empty");
            self.check.find(at, problem.help("write one"));
        }
        if let Some(most) = bounds.most.and_then(|most| usize::try_from(most).ok()) {
            self.check.at_most(at, count, most);
        }
    }

    /// Elements of a list that may not come twice.
    fn told_apart(&mut self, list: Node<'_>, field: &Field, at: &Path<'_>) {
        if !field.is_set && field.keys.is_empty() {
            return;
        }
        let mut seen = BTreeSet::new();
        for (index, item) in list.items().enumerate().take(most_items(field)) {
            let key = match field.keys.as_slice() {
                [] => plain(item),
                keys => keys
                    .iter()
                    .map(|key| item.get(key).and_then(plain))
                    .collect::<Option<Vec<_>>>()
                    .map(|key| key.join("/")),
            };
            let Some(key) = key.filter(|key| !seen.insert(key.clone())) else { continue };
            let at = at.index(index);
            let problem =
                |what: &str| Problem::invalid(format!("`{}` {what} before this one too", short(&key)));
            match field.keys.first() {
                Some(name) => {
                    let help = format!("give each entry a `{name}` of its own");
                    self.check.find(&at.field(name), problem("is that of an entry").help(help));
                }
                None => self.check.find(&at, problem("stands").help("remove one of them")),
            }
        }
    }
}

fn plain(node: Node<'_>) -> Option<String> {
    node.as_str().map(str::to_owned).or_else(|| whole(node).map(|number| number.to_string()))
}

fn missing(field: &Field) -> Problem {
    let problem = Problem::missing(format!("`{}` is needed", field.name));
    match (field.words.as_slice(), field.pattern) {
        ([], Some(pattern)) => problem.help(format!("write {}", pattern.words)),
        ([], None) => problem.help("write it"),
        (words, _) => problem.help(format!("one of `{}`", words.join("`, `"))),
    }
}

fn wrong_type(wanted: Holds, node: Node<'_>) -> Problem {
    let wanted = match wanted {
        Holds::Text => "a text",
        Holds::Integer => "a whole number",
        Holds::Boolean => "`true` or `false`",
        Holds::Map => "a map",
        Holds::List => "a list",
    };
    Problem::new(Code::WrongType, format!("expected {wanted}, found {}", node.value().kind()))
}
