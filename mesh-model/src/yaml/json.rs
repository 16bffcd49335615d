//! JSON text without the YAML parser: the same trees, without places inside of a document.

use super::LoadOptions;
use super::problems::Problems;
use super::text::{Chunk, narrow};
use crate::diagnostic::Code;
use crate::document::{Node, Span, Tree, TreeBuilder};

/// The values of a chunk that holds JSON texts one after the other.
pub(super) fn read(
    text: &str,
    chunk: &Chunk<'_>,
    options: &LoadOptions,
    _: &mut TreeBuilder,
    problems: &mut Problems<'_>,
) -> Vec<Tree> {
    let text = text.strip_prefix("---").unwrap_or(text);
    let mut trees = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>() {
        match value {
            Ok(value) => {
                let span = Span { line: narrow(chunk.line), column: 1, ..Span::default() };
                let tree = Tree::from_json(&value, span);
                let limit = options.budget.nodes;
                if count(tree.root()) > limit {
                    let message = format!("more than {limit} keys and values in one document");
                    let code = Code::BudgetExceeded;
                    problems.note(code, code.severity(), span, "", message).help(super::advice::of(code));
                    continue;
                }
                let limit = options.budget.depth_limit();
                if depth(tree.root()) > limit {
                    let message = format!("more than {limit} levels of nesting");
                    let code = Code::BudgetExceeded;
                    problems.note(code, code.severity(), span, "", message).help(super::advice::of(code));
                    continue;
                }
                problems.name_resource(tree.root());
                trees.push(tree);
            }
            Err(error) => {
                let line = narrow(error.line().saturating_sub(1) + chunk.line);
                let span = Span { line, column: narrow(error.column()), ..Span::default() };
                problems
                    .note(Code::Syntax, Code::Syntax.severity(), span, "", format!("not JSON: {error}"))
                    .help("without the feature `yaml` only JSON is read");
                break;
            }
        }
    }
    trees
}

/// Values in a tree; the JSON reader refuses more than 128 levels.
fn count(node: Node<'_>) -> usize {
    1 + node.items().map(count).sum::<usize>()
        + node.entries().map(|entry| 1 + count(entry.value)).sum::<usize>()
}

/// Levels of collections in a tree.
fn depth(node: Node<'_>) -> usize {
    let inner = node.items().chain(node.entries().map(|entry| entry.value)).map(depth).max();
    if node.is_list() || node.is_map() { 1 + inner.unwrap_or(0) } else { 0 }
}
