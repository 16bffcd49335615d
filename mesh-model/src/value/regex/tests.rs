//! Facts recorded from RE2 itself, which this dialect must reproduce.

use proptest::prelude::*;
use regex_automata::meta::{Config, Regex};
use regex_automata::util::syntax;

use super::*;

/// (pattern, texts RE2 matches in full, texts it does not).
#[rustfmt::skip]
const MATCHES: &[(&str, &[&str], &[&str])] = &[
    ("\\d", &["1"], &["\u{663}", "a"]),
    ("\\D", &["\u{663}", "\n"], &["1"]),
    ("\\s", &[" ", "\u{9}", "\u{c}"], &["\u{b}", "\u{a0}"]),
    ("\\S", &["\u{b}", "é"], &[" "]),
    ("\\w+", &["aZ_9"], &["é", "\u{17f}"]),
    ("(?i)\\w", &["\u{17f}", "\u{212a}", "k"], &[]),
    ("(?i)\\W", &["-"], &["\u{17f}", "\u{212a}"]),
    ("(?i)k", &["K", "\u{212a}"], &[]),
    ("(?i)[k]", &["\u{212a}"], &[]),
    ("(?i)[^k]", &[], &["\u{212a}", "K"]),
    ("a\\b.*", &["a b", "aé"], &["ab"]),
    ("é\\b.*", &["éa"], &["é "]),
    ("a\\B.", &["ab"], &["aé"]),
    (".", &["é", "\u{d}", "\u{1f600}"], &["\n"]),
    ("(?s).", &["\n"], &[]),
    ("(?s-i:.)b", &["\nb"], &[]),
    ("[^a]", &["\n", "é"], &["a"]),
    ("[^\\D]", &["1"], &["a"]),
    ("[^\\S]", &[" "], &["é"]),
    ("[a&&b]", &["&", "a", "b"], &["c"]),
    ("[a-z--b]", &["-", "c", "A"], &[]),
    ("[[a]", &["[", "a"], &[]),
    ("[[a]]", &["[]", "a]"], &["a"]),
    ("[a~~b]", &["~"], &[]),
    ("[]a]", &["]", "a"], &[]),
    ("[^]a]", &["b"], &["]"]),
    ("[\\d-z]", &["-", "5", "z"], &["m"]),
    ("[a-]", &["-", "a"], &[]),
    ("[-a]", &["-"], &[]),
    ("[a-c-e]", &["b", "-", "e"], &["d"]),
    ("[--/]", &[".", "-"], &["0"]),
    ("[\\]]", &["]"], &[]),
    ("[[:alpha:]_]", &["b", "_"], &["1"]),
    ("[[:^digit:]]", &["x", "é"], &["1"]),
    ("[[:word:]]+", &["a_1"], &["é"]),
    ("[[:foo]", &["[", ":", "f"], &["x"]),
    ("[\\x41-\\x43]", &["B"], &["D"]),
    ("[\\101]", &["A"], &[]),
    ("[\\n]", &["\n"], &[]),
    ("[ #]", &[" ", "#"], &[]),
    ("[\\pL\\d]+", &["é1"], &["-"]),
    ("[^\\pL]", &["1"], &["é"]),
    ("\\Qa.b\\E", &["a.b"], &["axb"]),
    ("\\Qab\\E*", &["abbb", "a"], &["abab"]),
    ("\\Qa(b", &["a(b"], &[]),
    ("\\Q\\\\E", &["\\"], &[]),
    ("\\101", &["A"], &[]),
    ("\\12", &["\n"], &[]),
    ("\\0", &["\u{0}"], &[]),
    ("\\777", &["\u{1ff}"], &[]),
    ("\\1011", &["A1"], &[]),
    ("\\x{e9}", &["é"], &[]),
    ("\\x41\\x{1F600}", &["A\u{1f600}"], &[]),
    ("\\a\\f\\v", &["\u{7}\u{c}\u{b}"], &[]),
    ("\\_\\-\\!", &["_-!"], &[]),
    ("{", &["{"], &[]),
    ("a{", &["a{"], &[]),
    ("x{,3}", &["x{,3}"], &["xx"]),
    ("a{,}", &["a{,}"], &[]),
    ("a{01}", &["a{01}"], &["a"]),
    ("a{b}", &["a{b}"], &[]),
    ("a{2}", &["aa"], &["a"]),
    ("a{2,}", &["aaa"], &["a"]),
    ("a{1,2}?", &["aa"], &["aaa"]),
    ("a{0}", &[""], &["a"]),
    ("}", &["}"], &[]),
    ("]", &["]"], &[]),
    ("a{2", &["a{2"], &["aa"]),
    ("(?P<n>a)b", &["ab"], &[]),
    ("(?<n>a)b", &["ab"], &[]),
    ("(?P<1>a)", &["a"], &[]),
    ("(?i)(?-i)a", &["a"], &["A"]),
    ("(?ii)a", &["A"], &[]),
    ("(?i-i)a", &["a"], &["A"]),
    ("(?)a", &["a"], &[]),
    ("a(?i)b|c", &["aB", "C"], &["AB"]),
    ("(?U)a+", &["aaa"], &[]),
    ("(?m)^a$", &["a"], &["a\nb"]),
    ("a$", &["a"], &["a\n"]),
    ("a\\z", &["a"], &["a\n"]),
    ("\\Aa", &["a"], &[]),
    ("^*a", &["a"], &[]),
    ("(|a)b", &["b", "ab"], &[]),
    ("a||b", &["", "a"], &[]),
    ("()", &[""], &[]),
    ("", &[""], &["a"]),
    ("(?:a*)*b", &["aab"], &[]),
    ("\\pN", &["1", "\u{2167}"], &["a"]),
    ("\\pL+", &["é"], &["1"]),
    ("\\p{Greek}", &["α"], &["a"]),
    ("\\P{Greek}", &["a"], &["α"]),
    ("\\p{^Greek}", &["a"], &["α"]),
    ("\\P{^Greek}", &["α"], &[]),
    ("\\p{Lu}", &["É"], &["é"]),
    ("\\p{Any}", &["x", "\n"], &[]),
    ("\\pC", &["\u{0}"], &["\u{378}", "a"]),
    ("\\p{Cs}", &[], &["a"]),
    ("\\P{Cs}", &["a"], &[]),
    ("\\p{Zs}", &["\u{a0}"], &[]),
    ("a # b", &["a # b"], &["a"]),
    ("a&b~c-d", &["a&b~c-d"], &[]),
    ("/api/v[0-9]+/.*", &["/api/v12/x"], &["/api/v/x"]),
    (".*\\.foo\\.com", &["x.foo.com"], &["xfoo.com"]),
    ("a|b", &["a", "b"], &["ab"]),
    ("(?:a|ab)(?:c|bcd)", &["abcd", "ac", "abc"], &[]),
    ("é+", &["éé"], &["e"]),
];

/// Patterns that RE2 or Go refuses.
#[rustfmt::skip]
const REFUSED: &[&str] = &[
    "\\C", "(?x)a", "(?R)", "(?u)a", "\\u0041", "a**", "a*+", "a+*?", "a*??", "a{2}{3}", "a{2}*", "a{1001}", "a{1,1001}", "a{2,1}", "(?:a{100}){100}", "(?:(?:a{10}){10}){11}", "*", "|*", "(*)", "{2}", "\\E", "[\\Qa\\E]", "(?-)", "(?i-)", "(?i)*", "\\é", "\\1", "\\8", "\\x1", "\\x{}", "\\x{110000}", "\\p", "\\p{L", "\\p{greek}", "\\p{Letter}", "\\p{Cn}", "[[:foo:]]", "[a-\\d]", "[b-a]", "[", "[]", "[a", "[^]", "(a", "a)", "[\\b]", "\\Z", "\\h", "\\G", "(?=a)", "(?!a)", "(?<=a)", "(?P=n)", "(?P>n)", "(?P<n", "(?<>a)", "(?P<a-b>c)", "(?>a)", "(?#c)", "(", "\\", "[a-\\", "a{1000}{2}", "(?iz)a", "(?",
];

fn compile(pattern: &str) -> Regex {
    let hir =
        Re2Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}")).full_match_hir();
    let config = Config::new().utf8_empty(false);
    Regex::builder()
        .configure(config)
        .syntax(syntax::Config::new().utf8(false))
        .build_many_from_hir(&[hir])
        .unwrap()
}

#[test]
fn matches_what_re2_matches() {
    for (pattern, matching, others) in MATCHES {
        let regex = compile(pattern);
        for text in *matching {
            assert!(regex.is_match(text.as_bytes()), "{pattern:?} must match {text:?}");
        }
        for text in *others {
            assert!(!regex.is_match(text.as_bytes()), "{pattern:?} must not match {text:?}");
        }
    }
}

#[test]
fn refuses_what_re2_or_go_refuses() {
    for pattern in REFUSED {
        assert!(Re2Pattern::parse(pattern).is_err(), "{pattern:?}");
    }
    assert!(Re2Pattern::parse("(?P<n>a)(?P<n>b)").is_err());
    assert!(Re2Pattern::parse("(?P<é>a)").is_err());
    assert!(Re2Pattern::parse("a{99999999999}").is_err());
}

#[test]
fn errors_point_into_the_pattern_as_written() {
    for (pattern, offset) in
        [(r"\d\d(", 4), ("ab**", 3), (r"[\d]\Z", 4), ("é[b-a]", 3), (r"\d)", 2), ("a|*", 2)]
    {
        assert_eq!(Re2Pattern::parse(pattern).unwrap_err().offset, offset, "{pattern}");
    }
}

#[test]
fn length_is_bounded_and_depth_compiles() {
    assert!(Re2Pattern::parse(&"a".repeat(PATTERN_BYTES_MAX)).is_ok());
    assert!(Re2Pattern::parse(&"a".repeat(PATTERN_BYTES_MAX + 1)).is_err());
    compile(&format!("{}a{}", "(".repeat(200), ")".repeat(200)));
}

#[test]
fn groups_keep_their_numbers() {
    let hir = Re2Pattern::parse("(?P<x>a)(?:b)(c)").unwrap().search_hir();
    assert_eq!(hir.properties().explicit_captures_len(), 2);
}

/// What both say of a pattern.
fn both_say(pattern: &str) -> [Option<RegexError>; 2] {
    [Re2Pattern::check(pattern).err(), Re2Pattern::parse(pattern).err()]
}

#[test]
fn checking_says_what_parsing_says() {
    let known = MATCHES.iter().map(|(pattern, ..)| *pattern).chain(REFUSED.iter().copied());
    let repeated =
        ["(a{40}){40}", "((){40}b{0}){1000}{2}", "(?:a{1000}){1}", "(a{1000}){0}{9}", "(a*){1000}"];
    let nested = ["(".repeat(251), format!("{}a{}", "(".repeat(251), ")".repeat(251)), "a".repeat(1025)];
    for pattern in known.chain(repeated).chain(nested.iter().map(String::as_str)) {
        let [check, parse] = both_say(pattern);
        assert_eq!(check, parse, "{pattern}");
    }
}

proptest! {
    #[test]
    fn checking_random_patterns_says_what_parsing_says(
        pattern in r"[\\\[\](){}?*+|^$.,:<>&~a-cPQECdbxpiU0-9é-]{0,24}",
        groups in r"(\(|\)|a|b|\||\*|\+|\?|\{[0-9]\}|\{[0-9]{2},\}|\{1,[0-9]{2}\}|\\pL|\(\?i\)|\^|\[a-z\]){0,16}",
    ) {
        for pattern in [pattern, groups] {
            let [check, parse] = both_say(&pattern);
            prop_assert_eq!(check, parse, "{}", pattern);
        }
    }

    #[test]
    fn no_pattern_panics(pattern in r"[\\\[\](){}?*+|^$.,:<>&~a-cPQECdbxpiU0-9é-]{0,24}") {
        let _ = Re2Pattern::parse(&pattern);
    }
}
