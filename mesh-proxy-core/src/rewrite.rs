//! Rewrites of the path (T-174, E-104).

use std::borrow::Cow;

use mesh_compile::route_table::action::PathRewrite;
use mesh_compile::route_table::matcher::PathMatch;

/// The path with query that the upstream receives.
pub fn rewrite_path<'p>(rewrite: &PathRewrite, matched: &PathMatch, path: &'p str) -> Cow<'p, str> {
    match rewrite {
        PathRewrite::Matched(replacement) => Cow::Owned(replace_prefix(matched, path, replacement)),
        PathRewrite::Whole(replacement) => {
            let (_, query) = split_query(path);
            Cow::Owned(format!("{replacement}{query}"))
        }
        PathRewrite::Regex { pattern, substitution } => {
            let (before, query) = split_query(path);
            let mut out = String::with_capacity(path.len());
            let mut copied = 0;
            for captures in pattern.engine().captures_iter(before) {
                let Some(found) = captures.get_group(0) else { continue };
                out.push_str(before.get(copied..found.start).unwrap_or_default());
                substitute(substitution, |group| {
                    captures.get_group(group).and_then(|span| before.get(span.start..span.end)).unwrap_or_default()
                }, &mut out);
                copied = found.end;
            }
            out.push_str(before.get(copied..).unwrap_or_default());
            out.push_str(query);
            Cow::Owned(out)
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

/// RE2's substitution: `\0` to `\9` are groups, `\\` is a backslash.
fn substitute<'p>(substitution: &str, group: impl Fn(usize) -> &'p str, out: &mut String) {
    let mut characters = substitution.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some(digit) if digit.is_ascii_digit() => {
                let index = digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok());
                out.push_str(index.map(&group).unwrap_or_default());
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;
