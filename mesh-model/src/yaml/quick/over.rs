//! A document with more nodes than it may have: what is said of it, without asking the long road.

use std::ops::Range;

use super::super::advice;
use super::super::aliases::too_many;
use super::super::places::shorten;
use super::super::problems::Problems;
use super::super::text::{Chunk, narrow, place_after};
use crate::diagnostic::Code;
use crate::document::{TreeBuilder, join_key};

/// Says that the node at `range` of the text is one too many. `tree` holds all before it.
pub(super) fn report(
    text: &str,
    chunk: &Chunk<'_>,
    most: usize,
    range: &Range<usize>,
    tree: &TreeBuilder,
    problems: &mut Problems<'_>,
) {
    let (path, kind) = place_of_next(text, tree);
    let mut span = place_after(text.get(..range.start).unwrap_or_default(), chunk);
    span.end = narrow(chunk.offset + range.end);
    let code = Code::BudgetExceeded;
    problems.note(code, code.severity(), span, &path, too_many(most)).help(advice::of(code));
    problems.name_kind(kind);
}

/// The field path of the node that would come next, and the `kind` of the document as far as it was read.
fn place_of_next<'t>(text: &'t str, tree: &'t TreeBuilder) -> (String, Option<&'t str>) {
    let (mut path, mut kind) = (String::new(), None);
    let mut open = (tree.len() > 0 && tree.is_open(0)).then_some(0);
    while let Some(at) = open.take() {
        let is_map = tree.is_map(at);
        let mut next = at + 1;
        let mut elements = 0;
        let mut waiting = None;
        while next < tree.len() {
            if is_map && waiting.is_none() {
                waiting = Some(next);
                next += 1;
                continue;
            }
            if tree.is_open(next) {
                open = Some(next);
                break;
            }
            if at == 0 && waiting.take().is_some_and(|key| tree.string(text, key) == Some("kind")) {
                kind = tree.string(text, next);
            }
            waiting = None;
            elements += 1;
            next += tree.size(next);
        }
        match waiting {
            Some(key) => path = join_key(&path, &shorten(tree.string(text, key).unwrap_or_default())),
            None if !is_map => path.push_str(&format!("[{elements}]")),
            None => {}
        }
    }
    (path, kind)
}
