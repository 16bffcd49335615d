use proptest::prelude::*;

use super::{CEL_CHARS_MAX, CelProblem, check_cel};

fn problem(text: &str) -> Option<(CelProblem, usize)> {
    check_cel(text).err().map(|error| (error.problem, error.at))
}

#[test]
fn expressions_are_read() {
    for text in [
        "true",
        "response.code >= 400",
        "connection.mtls && request.url_path.contains('v1beta3')",
        "a ? b : c ? d : e",
        "-1 - -2 + 3u * 4.5 / .5 % 1e3",
        "-9223372036854775808 < 0x7fffffffffffffff",
        "!!a || --b == c",
        "!-1",
        "'it\\'s' + \"\\u00e9\\x41\\101\" + r'\\' + b'\\xff' + '''a\n'b''' + \"\"\"\"\"\"",
        "x in [1, 2,] && {'a': 1, 'b': [],}['a'] == 1",
        "[,] == {,}",
        "has(request.headers) && request.headers.all(h, h != '') && [1].map(x, x > 0, x + 1).exists_one(y, y == 2)",
        "has((a.b))",
        ".google.protobuf.Any{type_url: 'a', value: b''}.value",
        "Message{}",
        "a.if.for",
        "1.type",
        "a // why\n && b",
        "f()(1)".trim_end_matches("(1)"),
        "size(a, b, c)",
        "all(1, 2)",
        "01",
    ] {
        assert_eq!(problem(text), None, "{text}");
    }
}

#[test]
fn what_is_no_expression_is_refused_where_it_stops_being_one() {
    use CelProblem::{Character, Incomplete, Macro, Number, Reserved, Text, Unexpected};
    for (text, expected) in [
        ("", (Incomplete, 0)),
        (")++++", (Unexpected, 0)),
        ("a &&", (Incomplete, 4)),
        ("a & b", (Character, 2)),
        ("a = b", (Character, 2)),
        ("a b", (Unexpected, 2)),
        ("a ? b", (Incomplete, 5)),
        ("a ? b ? c : d : e", (Unexpected, 6)),
        ("(a", (Incomplete, 2)),
        ("f(a,)", (Unexpected, 4)),
        ("a.", (Incomplete, 2)),
        ("a.in", (Unexpected, 2)),
        ("a.?b", (Unexpected, 2)),
        ("a[?b]", (Unexpected, 2)),
        ("a.`b`", (Character, 2)),
        ("!-a", (Unexpected, 2)),
        ("-!a", (Unexpected, 1)),
        ("'a", (Text, 0)),
        ("'a\nb'", (Text, 0)),
        ("'\\q'", (Text, 0)),
        ("'\\ud800'", (Text, 0)),
        ("'\\U00110000'", (Text, 0)),
        ("'\\400'", (Text, 0)),
        ("b'\\u0041'", (Text, 0)),
        ("9223372036854775808", (Number, 0)),
        ("18446744073709551616u", (Number, 0)),
        ("1e400", (Number, 0)),
        ("if", (Reserved, 0)),
        ("package(1)", (Reserved, 0)),
        ("has(a)", (Macro, 6)),
        ("has(a[0])", (Macro, 9)),
        ("a.all(b.c, true)", (Macro, 16)),
        ("[1].map(1, 2)", (Macro, 13)),
        ("a().b{}", (Unexpected, 5)),
        ("é", (Character, 0)),
        ("{1}", (Unexpected, 2)),
    ] {
        assert_eq!(problem(text), Some(expected), "{text}");
    }
}

#[test]
fn depth_and_length_are_bounded() {
    let nested = |levels: usize| format!("{}1{}", "(".repeat(levels), ")".repeat(levels));
    assert_eq!(problem(&nested(249)), None);
    assert!(matches!(problem(&nested(250)), Some((CelProblem::TooDeep, _))));
    assert!(matches!(problem(&nested(45_000)), Some((CelProblem::TooDeep, _))));
    assert!(matches!(problem(&format!("1{}", "+1".repeat(300))), Some((CelProblem::TooDeep, _))));
    assert!(matches!(problem(&format!("a{}", ".b".repeat(300))), Some((CelProblem::TooDeep, _))));
    assert_eq!(problem(&format!("a{}", " && a".repeat(1000))), None);
    assert_eq!(problem(&"a".repeat(CEL_CHARS_MAX + 1)), Some((CelProblem::TooLong, 0)));
    assert_eq!(problem(&"!".repeat(CEL_CHARS_MAX)), Some((CelProblem::Incomplete, CEL_CHARS_MAX)));
}

/// Expressions that are well-formed by construction.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-z]{3}x".prop_map(String::from),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| format!("{number}u")),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(|number| format!("{number:?}")),
        ".{0,6}"
            .prop_map(|text| format!("{text:?}").replace("\\u{", "").replace('}', ""))
            .prop_filter("Rust's other escapes", |text| text.is_ascii()
                && !text.contains("\\0")
                && !text[1..text.len() - 1].contains('\\')),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b} == {a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{{a}: {b},}}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("f({a}, {b}).g[{a}]")),
            (inner.clone(), inner)
                .prop_map(|(a, b)| format!("({a}).exists(v, {b}) ? {a} : {b}"))
                .prop_map(|c| format!("({c})")),
        ]
    })
}

proptest! {
    #[test]
    fn what_the_grammar_makes_is_read(text in expression()) {
        prop_assert_eq!(problem(&text), None, "{}", text);
    }

    #[test]
    fn a_closing_bracket_more_is_refused(text in expression()) {
        prop_assert_eq!(problem(&format!("{text})")), Some((CelProblem::Unexpected, text.len())));
    }

    #[test]
    fn no_text_panics(text in "[a-c0-9.,:?!&|<>=+*/%(){}'\"\\\\br \n\u{e9}-]{0,60}") {
        let _ = check_cel(&text);
    }
}
