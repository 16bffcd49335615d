use super::*;

fn rewritten(pattern: &str, substitution: &str, input: &str) -> String {
    Pattern::search(pattern).unwrap().replace_all(input, substitution)
}

#[test]
fn t_174_all_matches_are_replaced_with_references() {
    assert_eq!(rewritten("/v([0-9])/", r"/w\1/", "/v1/a/v2/b"), "/w1/a/w2/b");
    assert_eq!(rewritten("a+", r"<\0>", "baac"), "b<aa>c");
    assert_eq!(
        rewritten("^/service/([^/]+)(/.*)$", r"\2/instance/\1", "/service/foo/v1/api"),
        "/v1/api/instance/foo"
    );
    assert_eq!(rewritten("x", r"\\", "axb"), r"a\b");
    assert_eq!(rewritten("x", "$0", "axb"), "a$0b");
}

#[test]
fn an_empty_match_is_replaced_where_it_stands_alone() {
    assert_eq!(rewritten("b*", "-", "abc"), "-a-c-");
    assert_eq!(rewritten("", "-", "ab"), "-a-b-");
}

#[test]
fn a_group_that_took_no_part_is_empty() {
    assert_eq!(rewritten("(a)|(b)", r"[\1|\2]", "ab"), "[a|][|b]");
}

#[test]
fn a_malformed_substitution_changes_nothing() {
    for substitution in [r"\x", r"\", r"\1"] {
        assert_eq!(rewritten("a", substitution, "cab"), "cab", "{substitution}");
        assert!(!Pattern::search("a").unwrap().accepts_substitution(substitution));
    }
}

#[test]
fn a_match_inside_a_character_never_panics() {
    let _ = rewritten(r"\B", "-", "é€");
}

#[test]
fn bytes_that_are_not_utf8_are_matched_as_bytes() {
    assert!(!Pattern::full_match(".").unwrap().is_match(b"\xff"));
    assert!(Pattern::full_match("a.*").unwrap().is_match("aé".as_bytes()));
}
