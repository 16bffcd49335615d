//! JSON text without the YAML parser: the same trees, without places inside of a document.

use super::LoadOptions;
use super::problems::Problems;
use super::text::{Chunk, narrow};
use crate::diagnostic::Code;
use crate::document::{Node, Span, Value};

/// The values of a chunk that holds JSON texts one after the other.
pub(super) fn read(
    text: &str,
    chunk: &Chunk<'_>,
    options: &LoadOptions,
    problems: &mut Problems<'_>,
) -> Vec<Node> {
    let text = text.strip_prefix("---").unwrap_or(text);
    let mut trees = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>() {
        match value {
            Ok(value) => {
                let span = Span { line: narrow(chunk.line), column: 1, ..Span::default() };
                let node = Node::from_json(&value, span);
                let limit = options.budget.nodes;
                if count(&node) > limit {
                    let message = format!("more than {limit} values in one document");
                    problems
                        .note(Code::BudgetExceeded, Code::BudgetExceeded.severity(), span, "", message)
                        .help(super::advice::of(Code::BudgetExceeded));
                    continue;
                }
                let limit = options.budget.depth_limit();
                if depth(&node) > limit {
                    let message = format!("more than {limit} levels of nesting");
                    problems
                        .note(Code::BudgetExceeded, Code::BudgetExceeded.severity(), span, "", message)
                        .help(super::advice::of(Code::BudgetExceeded));
                    continue;
                }
                trees.extend(problems.name_resource(Some(node)));
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
fn count(node: &Node) -> usize {
    1 + node.items().iter().map(count).sum::<usize>()
        + node.entries().iter().map(|entry| count(&entry.value)).sum::<usize>()
}

/// Levels of collections in a tree.
fn depth(node: &Node) -> usize {
    let inner = node.items().iter().chain(node.entries().iter().map(|entry| &entry.value)).map(depth).max();
    match node.value {
        Value::List(_) | Value::Map(_) => 1 + inner.unwrap_or(0),
        _ => 0,
    }
}
