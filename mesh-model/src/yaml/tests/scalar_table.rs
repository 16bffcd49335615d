//! The scalar table of the Kubernetes reader, row by row, as lenient and as strict reading have it.
#![allow(clippy::needless_pass_by_value, reason = "rows read best with the values in them")]

use super::*;

/// What becomes of a document.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// Read as this.
    Is(Json),
    /// Refused.
    Error,
}

use Outcome::{Error, Is};

fn outcome(loaded: &Loaded) -> Outcome {
    match loaded.documents.as_slice() {
        [document] if !loaded.report.has_errors() => Is(document.root().to_json()),
        [] => Error,
        _ => panic!("{:?}", loaded.report),
    }
}

/// The same in both modes.
fn both(text: &str, wanted: Outcome) {
    assert_eq!(outcome(&lenient(text)), wanted, "lenient: {text:?}");
    assert_eq!(outcome(&strict(text)), wanted, "strict: {text:?}");
}

fn value(text: &str, wanted: Json) {
    both(&format!("k: {text}"), Is(json!({"k": wanted})));
}

/// Accepted with a warning, refused by strict reading.
fn only_lenient(text: &str, wanted: Json) {
    assert_eq!(outcome(&lenient(text)), Is(wanted), "lenient: {text:?}");
    assert_eq!(outcome(&strict(text)), Error, "strict: {text:?}");
}

#[test]
fn booleans_and_nulls() {
    for text in ["y", "Y", "yes", "on", "true"] {
        value(text, json!(true));
        both(&format!("{text}: x"), Is(json!({"true": "x"})));
    }
    for text in ["n", "No", "OFF", "false"] {
        value(text, json!(false));
        both(&format!("{text}: x"), Is(json!({"false": "x"})));
    }
    for text in ["~", "Null", "null", ""] {
        value(text, json!(null));
    }
    for key in ["null", "~"] {
        both(&format!("{key}: x"), Error);
    }
}

#[test]
fn numbers() {
    for (text, wanted) in [("012", 10), ("0777", 511), ("08", 8), ("0o14", 12), ("0x1F", 31), ("0b11", 3)] {
        value(text, json!(wanted));
    }
    for (text, wanted) in
        [("1_000", 1000), ("1__0", 10), ("+1", 1), ("-0", 0), ("1.", 1), ("1e3", 1000), ("1.0", 1)]
    {
        value(text, json!(wanted));
    }
    value("685_230.15", json!(685_230.15));
    value(".5", json!(0.5));
    value("18446744073709551615", json!(u64::MAX));
    value("100000000000000000000", json!(1e20));
    value("123456789012345678901234567890", json!(1.234_567_890_123_456_8e29));
    for text in [".inf", "-.inf", ".nan"] {
        both(&format!("k: {text}"), Error);
    }
    for text in ["1e500", "0x", "_1", "nan"] {
        value(text, json!(text));
    }
    both("1: x", Is(json!({"1": "x"})));
    both("1.5: x", Is(json!({"1.5": "x"})));
}

#[test]
fn texts_that_look_like_something_else() {
    for text in ["2001-01-01", "12:30:45", "190:20:30"] {
        value(text, json!(text));
    }
    value("[2001:db8::]", json!(["2001:db8::"]));
    both("k: [::1]", Error);
    both("k: |\n  x", Is(json!({"k": "x"})));
    both("k: |\n  x\n", Is(json!({"k": "x\n"})));
}

#[test]
fn tags() {
    only_lenient("k: !foo b", json!({"k": "b"}));
    only_lenient("k: !!binary aGk=", json!({"k": "hi"}));
    value("!!str 5", json!("5"));
    value("!!int \"5\"", json!(5));
}

#[test]
fn maps_and_streams() {
    both("<<: {x: 1}", Is(json!({"x": 1})));
    only_lenient("k: 1\nk: 2", json!({"k": 2}));
    both("[a, b]: c", Error);
    // The reader of the table takes the first document; here the stream is split before it.
    let texts: Vec<_> = lenient("k: 1\n---\nk: 2").documents.iter().map(|it| it.root().to_json()).collect();
    assert_eq!(texts, [json!({"k": 1}), json!({"k": 2})]);
}
