use mesh_compile::route_table::matcher::Case;
use mesh_compile::route_table::pattern::Pattern;

use super::*;

mod simulation;

fn prefix(text: &str) -> PathMatch {
    PathMatch::Prefix(text.into(), Case::Sensitive)
}

#[test]
fn the_matched_part_is_replaced_and_slashes_are_not_minded() {
    let to = |text: &str| PathRewrite::Matched(text.into());
    // Match, replacement, path, result (T-174, E-104).
    let table = [
        (prefix("/foo"), "/", "/foo/bar?q=1", "//bar?q=1"),
        (prefix("/foo/"), "/", "/foo/bar", "/bar"),
        (prefix("/"), "/v1", "/a?b", "/v1a?b"),
        (PathMatch::SegmentPrefix("/foo".into()), "/v1", "/foo", "/v1"),
        (PathMatch::Exact("/e".into(), Case::Sensitive), "/done", "/e?z", "/done?z"),
        (PathMatch::Regex(Pattern::full_match("/re.*").unwrap()), "/done", "/re/x?y", "/done?y"),
        (PathMatch::Prefix("/FOO".into(), Case::Insensitive), "/x", "/foo/a", "/x/a"),
    ];
    for (matched, replacement, path, wanted) in table {
        assert_eq!(rewrite_path(&to(replacement), &matched, path), wanted, "{path}");
    }
}

#[test]
fn a_whole_path_keeps_the_query() {
    assert_eq!(rewrite_path(&PathRewrite::Whole("/fixed".into()), &prefix("/"), "/a/b?c=d"), "/fixed?c=d");
}

#[test]
fn every_match_of_a_regex_is_substituted_before_the_query() {
    let rewrite =
        PathRewrite::Regex { pattern: Pattern::search("/(a+)").unwrap(), substitution: r"/\1b".into() };
    assert_eq!(rewrite_path(&rewrite, &prefix("/"), "/aa/c/a?/a"), "/aab/c/ab?/a");
}
