//! A long JSON `List`: each item by itself, on several threads where there are some.
//!
//! Such a list is one document of many. Its items are found by their brackets, and each is read as the text that it will
//! keep, so the tree of the whole is never built. Ordinary lists only: whatever is odd about one, down to a single item,
//! and the whole is read as any other document, which is the oracle of this road.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::list::is_list_of_any;
use super::super::text::{Chunk, find, narrow};
use super::super::{Budget, LoadOptions};
use super::{Reader, again, is_ordinary};
use crate::document::{Tree, TreeBuilder};

/// Shorter texts are as quickly read whole.
const TEXT_MIN: usize = 16 << 10;

/// Items that a thread takes at once.
const SHARE: usize = 64;

/// The trees of the items, in order, each with its own piece of the text; `None`: the text is to be read whole.
pub(in super::super) fn read(
    text: &str,
    chunk: &Chunk<'_>,
    options: &LoadOptions,
    threads: usize,
) -> Option<Vec<Tree>> {
    if text.len() < TEXT_MIN { None } else { read_any(text, chunk, options, threads) }
}

pub(super) fn read_any(
    text: &str,
    chunk: &Chunk<'_>,
    options: &LoadOptions,
    threads: usize,
) -> Option<Vec<Tree>> {
    let budget = &options.budget;
    let list = List::of(text.as_bytes()).filter(|list| list.items.len() <= budget.documents)?;
    if !is_ordinary(text) {
        return None;
    }
    let nodes_left = list.nodes_left(text, budget)?;
    let places = places(text, chunk, &list.items);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut builder = TreeBuilder::default();
        let mut done = Vec::new();
        loop {
            let start = next.fetch_add(SHARE, Ordering::Relaxed).min(places.len());
            let share = places.get(start..places.len().min(start + SHARE)).unwrap_or_default();
            if share.is_empty() {
                return Some(done);
            }
            let items = share.iter().map(|place| item(text, place, budget, &mut builder));
            let Some(items) = items.collect::<Option<Vec<_>>>() else {
                // One odd item, and none counts: the other threads need not go on.
                next.fetch_max(places.len(), Ordering::Relaxed);
                return None;
            };
            done.push((start, items));
        }
    };
    let threads = threads.min(places.len().div_ceil(SHARE)).max(1);
    let done: Option<Vec<_>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        // A thread that panicked would be a bug of ours: its panic goes on here.
        let others = others
            .into_iter()
            .map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        [own].into_iter().chain(others).collect()
    });
    let mut shares: Vec<_> = done?.into_iter().flatten().collect();
    shares.sort_unstable_by_key(|(start, _)| *start);
    let mut nodes = 0_usize;
    let items = shares.into_iter().flat_map(|(_, items)| items);
    let trees = items.map(|(tree, size)| {
        nodes = nodes.saturating_add(size);
        tree
    });
    let trees = trees.collect();
    (nodes <= nodes_left).then_some(trees)
}

/// Where the items of a list seem to be. A scan for brackets may be led astray; who reads the pieces finds out.
struct List {
    /// What stands between the brackets of `items`.
    inside: Range<usize>,
    items: Vec<Range<usize>>,
}

impl List {
    fn of(text: &[u8]) -> Option<Self> {
        let mut at = skip_blanks(text, 0);
        if text.get(at) != Some(&b'{') {
            return None;
        }
        at += 1;
        loop {
            let found = at + find(text.get(at..)?, *b"\"{}[]")?;
            at = match text.get(found)? {
                b'"' => {
                    let end = end_of_string(text, found + 1)?;
                    match items_start(text, found..end) {
                        Some(start) => return Self::from(text, start),
                        None => end,
                    }
                }
                b'{' | b'[' => end_of_brackets(text, found)?,
                _ => return None,
            }
        }
    }

    /// Goes over the items; `start`: after the opening bracket.
    fn from(text: &[u8], start: usize) -> Option<Self> {
        let mut items = Vec::new();
        let mut at = start;
        loop {
            at = skip_blanks(text, at);
            if text.get(at) != Some(&b'{') {
                return None;
            }
            let end = end_of_brackets(text, at)?;
            items.push(at..end);
            at = skip_blanks(text, end);
            match text.get(at)? {
                b',' => at += 1,
                b']' => return Some(Self { inside: start..at, items }),
                _ => return None,
            }
        }
    }

    /// Reads what is round the items: a list of resources. Gives the nodes that the budget leaves for them.
    fn nodes_left(&self, text: &str, budget: &Budget) -> Option<usize> {
        let frame = [text.get(..self.inside.start)?, text.get(self.inside.end..)?].concat();
        let mut builder = TreeBuilder::default();
        let mut reader =
            Reader::of(&frame, &mut builder, budget.nodes, budget.depth_limit(), budget.scalar_bytes);
        reader.flow_document()?;
        if !reader.doubled.is_empty() {
            return None;
        }
        let left = reader.nodes_left;
        let tree = builder.finish(frame.as_str().into(), 0, 1);
        let items = tree.root().entry("items")?.value;
        let is_there =
            items.is_list() && tree.range(items.position()).start as usize + 1 == self.inside.start;
        (is_there && is_list_of_any(tree.root())).then_some(left)
    }
}

/// Where an item stands.
struct Place {
    /// In the chunk.
    bytes: Range<usize>,
    /// In the file.
    offset: u32,
    line: u32,
    /// Characters of the line before it.
    column: u32,
}

fn places(text: &str, chunk: &Chunk<'_>, items: &[Range<usize>]) -> Vec<Place> {
    let (mut at, mut line, mut column) = (0, narrow(chunk.line), 0_u32);
    let place = |bytes: &Range<usize>| {
        let passed = text.get(at..bytes.start).unwrap_or_default();
        let mut rest = passed;
        if passed.as_bytes().contains(&b'\n')
            && let Some((lines, last)) = passed.rsplit_once('\n')
        {
            line = line.saturating_add(narrow(lines.matches('\n').count() + 1));
            (rest, column) = (last, 0);
        }
        column = column.saturating_add(narrow(rest.chars().count()));
        at = bytes.start;
        Place { bytes: bytes.clone(), offset: narrow(chunk.offset + bytes.start), line, column }
    };
    items.iter().map(place).collect()
}

/// The tree of an item that is a resource and no list, and its number of nodes.
fn item(text: &str, place: &Place, budget: &Budget, builder: &mut TreeBuilder) -> Option<(Tree, usize)> {
    let text = text.get(place.bytes.clone())?;
    builder.clear();
    // A map and a list are round it.
    let depth = budget.depth_limit().checked_sub(2)?;
    let mut reader = Reader::of(text, builder, budget.nodes, depth, budget.scalar_bytes);
    reader.flow_document()?;
    // Their findings name the place in the list, which is not known here.
    if !reader.doubled.is_empty() {
        return None;
    }
    let nodes = budget.nodes - reader.nodes_left;
    let tree = builder.finish_piece(text.into(), place.offset, (place.line, place.column), again);
    let root = tree.root();
    let has = |key| root.get(key).is_some();
    (root.is_map() && has("kind") && has("apiVersion") && !has("items")).then_some((tree, nodes))
}

/// Where the items start, if the string at `key` is their name.
fn items_start(text: &[u8], key: Range<usize>) -> Option<usize> {
    let end = key.end;
    let colon = (text.get(key)? == b"\"items\"").then(|| skip_blanks(text, end))?;
    let bracket = (text.get(colon) == Some(&b':')).then(|| skip_blanks(text, colon + 1))?;
    (text.get(bracket) == Some(&b'[')).then_some(bracket + 1)
}

/// The end of what the bracket at `start` opens. Which brackets belong together is for who reads it.
fn end_of_brackets(text: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut depth) = (start, 0_usize);
    loop {
        let byte = *text.get(at)?;
        at += 1;
        match byte {
            b'"' => at = end_of_string(text, at)?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return Some(at),
            b'}' | b']' => depth -= 1,
            // Outside of quotes these are for the long road: better known before the items are read than after.
            b'!' | b'&' | b'*' | b'#' => return None,
            _ => {}
        }
    }
}

/// After the closing quote of a string; `at`: after the opening one.
fn end_of_string(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let found = at + find(text.get(at..)?, *b"\"\\")?;
        match text.get(found)? {
            b'"' => return Some(found + 1),
            _ => at = found + 2,
        }
    }
}

fn skip_blanks(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n')).count()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::super::list::expand;
    use super::super::super::problems::Problems;
    use super::super::{Outcome, read as read_whole};
    use super::*;

    /// Whether the items are read by themselves; fails where that gives other trees than the whole does.
    fn reads(text: &str, budget: Budget) -> bool {
        let options = LoadOptions::default().with_budget(budget);
        let chunk = Chunk { bytes: text.as_bytes(), offset: 11, line: 3 };
        let own = read_any(text, &chunk, &options, 1);
        let mut problems = Problems::new("t.yaml");
        let whole = match read_whole(text, &chunk, &options, &mut TreeBuilder::default(), &mut problems) {
            Outcome::Tree(tree) => expand(tree, usize::MAX),
            Outcome::Refused | Outcome::Declined => Vec::new(),
        };
        for trees in [own.as_ref(), read_any(text, &chunk, &options, 3).as_ref()] {
            assert_eq!(trees.is_some(), own.is_some(), "{text}");
            let Some(trees) = trees else { continue };
            assert_eq!(trees.len(), whole.len(), "{text}");
            for (tree, part) in trees.iter().zip(&whole) {
                let (root, other) = (tree.root(), part.tree.root());
                assert!(
                    part.at == 0 && root == other && tree.quick_text() == part.tree.quick_text(),
                    "{text}"
                );
                assert_eq!(root.slots(), other.slots());
                let slots = 0..u32::try_from(root.slots()).unwrap();
                slots.for_each(|at| assert_eq!(tree.range(at), part.tree.range(at), "{text}"));
            }
        }
        own.is_some()
    }

    fn list(count: usize) -> serde_json::Value {
        let item = |number| {
            json!({
                "apiVersion": "a/v1", "kind": "A\u{e9}\"}", "metadata": {"name": format!("n{number}"), "labels": {}},
                "spec": {"list": [1, 70_000, -1, 2.5, true, null, "]", "\\"], "long": "x".repeat(number)},
            })
        };
        json!({"apiVersion": "v1", "metadata": {"x": ["{"]}, "kind": "List", "items": (0..count).map(item).collect::<Vec<_>>()})
    }

    #[test]
    fn ordinary_lists_are_read_item_by_item() {
        for count in [1, 3, 300] {
            for text in [list(count).to_string(), serde_json::to_string_pretty(&list(count)).unwrap()] {
                assert!(reads(&text, Budget::default()));
                assert!(reads(&format!("\n  {text}\n\n"), Budget::default()));
            }
        }
    }

    #[test]
    fn odd_lists_are_read_whole() {
        let text = list(3).to_string();
        let odd = [
            text.replace("\"List\"", "\"AList\"").replacen("\"kind\":\"A", "\"sort\":\"A", 1),
            text.replace("\"List\"", "\"Other\""),
            text.replacen("\"spec\"", "\"items\"", 1),
            text.replacen("\"spec\"", "\"kind\"", 1),
            text.replace("\"items\":[", "\"items\":[1,"),
            text.replace("\"items\":[", "\"items\":[],\"items\":["),
            text.replace("}}],\"kind\"", "}},],\"kind\""),
            text.replace("\"v1\"", "\"v1"),
            text.replacen('{', "{'a': '\"', ", 1),
            text.replace(",\"kind\":\"List\"", ",\"kind\":\"List\",\"spec\":1"),
            text.replacen("2.5", "2.5\t", 1),
            json!({"apiVersion": "v1", "kind": "List", "items": []}).to_string(),
            format!("{text} x"),
            text.replacen("2.5", "!a 2.5", 1),
            text.trim_end_matches('}').to_owned(),
        ];
        for text in odd {
            assert!(!reads(&text, Budget::default()), "{text}");
        }
        for budget in [
            Budget::default().with_nodes(60),
            Budget::default().with_depth(3),
            Budget::default().with_documents(2),
            Budget::default().with_scalar_bytes(4),
        ] {
            assert!(!reads(&text, budget));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_changed_it_reads_as_the_whole_does(
            count in 1_usize..4,
            is_pretty in any::<bool>(),
            nodes in prop_oneof![Just(1_000), 20_usize..120],
            changes in prop::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}\": ',\n\\\\a1]{0,2}"), 0..3),
        ) {
            let list = list(count);
            let mut text = if is_pretty { serde_json::to_string_pretty(&list).unwrap() } else { list.to_string() };
            for (at, new) in changes {
                let places: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
                let at = *at.get(&places);
                let end = at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
                text.replace_range(at..end, &new);
            }
            reads(&text, Budget::default().with_nodes(nodes));
        }
    }
}
