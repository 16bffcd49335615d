//! Rewrites of the path (T-174, E-104).

use mesh_compile::route_table::action::PathRewrite;
use mesh_compile::route_table::matcher::PathMatch;

/// The path with query that the upstream receives.
pub fn rewrite_path(rewrite: &PathRewrite, matched: &PathMatch, path: &str) -> String {
    match rewrite {
        PathRewrite::Matched(replacement) => replace_prefix(matched, path, replacement),
        PathRewrite::Whole(replacement) => {
            let (_, query) = split_query(path);
            format!("{replacement}{query}")
        }
        PathRewrite::Regex { pattern, substitution } => {
            let (before, query) = split_query(path);
            pattern.replace_all(before, substitution) + query
        }
    }
}

/// The path with what was matched replaced: the prefix of prefix matches, otherwise all before the query.
pub(crate) fn replace_prefix(matched: &PathMatch, path: &str, replacement: &str) -> String {
    let (before, _) = split_query(path);
    let length = match matched {
        PathMatch::Prefix(prefix, _) | PathMatch::SegmentPrefix(prefix) => prefix.len(),
        PathMatch::Exact(..) | PathMatch::Regex(_) => before.len(),
    };
    format!("{replacement}{}", path.get(length..).unwrap_or_default())
}

/// Path, and query with its `?`.
fn split_query(path: &str) -> (&str, &str) {
    let at = path.find('?').unwrap_or(path.len());
    path.split_at_checked(at).unwrap_or((path, ""))
}

#[cfg(test)]
mod tests;
