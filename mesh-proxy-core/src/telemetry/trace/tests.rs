//! Traces as Envoy's tracers read and tell them, and what hostile headers come to.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::dice::SeededDice;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
const ID: &str = "00000000-0000-4000-8000-000000000000";

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn settings(which: Headers) -> Settings {
    Settings {
        headers: which,
        sampling_percent: 0.0,
        request_id_decides: true,
        is_told_on: true,
        ..Settings::default()
    }
}

/// What became of the headers, and the span.
fn run(lines: &[(&str, &str)], settings: &Settings) -> (HeaderMap, Begun) {
    let mut headers = headers(lines);
    let begun = begin(&mut headers, settings, &mut SeededDice::new(1));
    (headers, begun)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

#[test]
fn a_w3c_trace_goes_on_with_a_new_span() {
    for (flags, sampled) in [("01", true), ("00", false), ("03", true)] {
        let parent = format!("00-{TRACE}-{SPAN}-{flags}");
        let (headers, begun) =
            run(&[("traceparent", &parent), ("tracestate", "a=1,b=2")], &settings(Headers::W3c));
        assert_eq!(begun.context.trace.digits(false), TRACE);
        assert_eq!(begun.parent.unwrap().to_string(), SPAN);
        assert_eq!(begun.context.sampled, sampled, "the caller has decided");
        let told = format!("00-{TRACE}-{}-0{}", begun.context.span, u8::from(sampled));
        assert_eq!(text(&headers, "traceparent"), Some(&*told));
        assert_eq!(text(&headers, "tracestate"), Some("a=1,b=2"));
        assert_ne!(begun.context.span.to_string(), SPAN);
    }
    // A later version is read as far as it is known.
    let later = format!("cc-{TRACE}-{SPAN}-01-what-the-future-holds");
    let (headers, begun) = run(&[("traceparent", &later)], &settings(Headers::W3c));
    assert_eq!(begun.context.trace.digits(false), TRACE);
    assert!(text(&headers, "traceparent").unwrap().starts_with("00-"));
}

#[test]
fn l02_malformed_w3c_traces_are_begun_anew() {
    for bad in [
        String::new(),
        "0".repeat(10_000),
        format!("00-{TRACE}-{SPAN}"),
        format!("00-{TRACE}-{SPAN}-1"),
        format!("00-{TRACE}-{SPAN}-01-more"),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("0g-{TRACE}-{SPAN}-01"),
        format!("cc-{TRACE}-{SPAN}-01x"),
        format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
        format!("00-{}-{SPAN}-01", "0".repeat(32)),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00-+{}-{SPAN}-01", &TRACE[1..]),
        format!("00_{TRACE}_{SPAN}_01"),
        format!("00-{TRACE}\u{e9}-{SPAN}-1"),
    ] {
        let lines = [("traceparent", bad.as_str()), ("tracestate", "a=1"), ("x-request-id", ID)];
        let (headers, begun) = run(&lines, &settings(Headers::W3c));
        assert_eq!(begun.parent, None, "{bad}");
        assert_ne!(begun.context.trace.digits(false), TRACE, "{bad}");
        assert!(matches!(w3c::read(&headers), Arrived::Parent(told, _) if told.trace == begun.context.trace));
        assert_eq!(text(&headers, "tracestate"), None, "it belonged to another trace: {bad}");
    }
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let (_, begun) = run(&[("traceparent", &parent), ("traceparent", &parent)], &settings(Headers::W3c));
    assert_eq!(begun.parent, None, "two of them are none");
}

#[test]
fn l02_a_trace_state_that_is_too_long_goes_no_further() {
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let (long, many) = (format!("a={}", "b".repeat(10_240)), vec!["a=1"; 33].join(","));
    for state in [long, many] {
        let (headers, begun) =
            run(&[("traceparent", &parent), ("tracestate", &state)], &settings(Headers::W3c));
        assert_eq!(text(&headers, "tracestate"), None);
        assert_eq!(begun.context.trace.digits(false), TRACE, "the trace itself goes on");
    }
}

#[test]
fn b3_traces_go_on_in_either_form() {
    let single = format!("{TRACE}-{SPAN}-1-05e3ac9a4f6e3b90");
    let single_only = format!("{TRACE}-{SPAN}");
    let cases: [(&[(&str, &str)], bool); 5] = [
        (&[("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN), ("x-b3-sampled", "1")], true),
        (&[("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN), ("x-b3-sampled", "0")], false),
        (&[("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN), ("x-b3-flags", "1")], true),
        (&[("b3", &single)], true),
        // The decision is left to this hop, which samples nothing.
        (&[("b3", &single_only)], false),
    ];
    for (lines, sampled) in cases {
        let (headers, begun) = run(lines, &settings(Headers::B3));
        assert_eq!(begun.context.trace.digits(false), TRACE, "{lines:?}");
        assert_eq!((begun.parent.unwrap().to_string().as_str(), begun.context.sampled), (SPAN, sampled));
        assert_eq!(text(&headers, "x-b3-traceid"), Some(TRACE));
        assert_eq!(text(&headers, "x-b3-spanid"), Some(&*begun.context.span.to_string()));
        assert_eq!(text(&headers, "x-b3-parentspanid"), Some(SPAN));
        assert_eq!(text(&headers, "x-b3-sampled"), Some(if sampled { "1" } else { "0" }));
        // Whichever form is read next, it is the same trace and the same span.
        let Arrived::Parent(told, _) = b3::read(&headers) else { panic!("{headers:?}") };
        assert_eq!((told.trace, told.span), (begun.context.trace, begun.context.span));
    }
}

#[test]
fn b3_ids_of_64_bits_stay_short() {
    let lines = [("x-b3-traceid", "a3ce929d0e0e4736"), ("x-b3-spanid", SPAN), ("x-b3-sampled", "1")];
    let (headers, _) = run(&lines, &settings(Headers::B3));
    assert_eq!(text(&headers, "x-b3-traceid"), Some("a3ce929d0e0e4736"));
    let short = Settings { short_ids: true, ..settings(Headers::B3) };
    let (headers, _) = run(&[], &short);
    assert_eq!(text(&headers, "x-b3-traceid").unwrap().len(), 16);
    let (headers, _) = run(&[], &settings(Headers::B3));
    assert_eq!(text(&headers, "x-b3-traceid").unwrap().len(), 32);
}

#[test]
fn a_b3_wish_without_a_trace_decides() {
    for (lines, sampled) in [
        ([("x-b3-sampled", "1")], true),
        ([("b3", "1")], true),
        ([("b3", "d")], true),
        ([("b3", "0")], false),
    ] {
        let percent = if sampled { 0.0 } else { 100.0 };
        let settings = Settings { sampling_percent: percent, ..settings(Headers::B3) };
        let (_, begun) = run(&lines, &settings);
        assert_eq!((begun.context.sampled, begun.parent), (sampled, None), "{lines:?}");
    }
}

#[test]
fn l02_malformed_b3_is_begun_anew() {
    let long = "1".repeat(10_000);
    let double = format!("{TRACE}-{SPAN}-1-{SPAN}-1");
    let bad_parent = format!("{TRACE}-{SPAN}-1-zz");
    let cases: [&[(&str, &str)]; 9] = [
        &[("b3", "")],
        &[("b3", &long)],
        &[("b3", &double)],
        &[("b3", &bad_parent)],
        &[("x-b3-traceid", TRACE)],
        &[("x-b3-traceid", "xyz"), ("x-b3-spanid", SPAN)],
        &[("x-b3-traceid", TRACE), ("x-b3-spanid", "0000000000000000")],
        &[("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN), ("x-b3-sampled", "maybe")],
        &[("x-b3-traceid", TRACE), ("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN)],
    ];
    for lines in cases {
        let (headers, begun) = run(lines, &settings(Headers::B3));
        assert_eq!((begun.parent, begun.context.sampled), (None, false), "{lines:?}");
        assert_ne!(begun.context.trace.digits(false), TRACE);
        let Arrived::Parent(told, _) = b3::read(&headers) else { panic!("{headers:?}") };
        assert_eq!(told.trace, begun.context.trace);
    }
}

#[test]
fn b3_comes_before_w3c_and_both_are_told() {
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let other = "11111111111111111111111111111111";
    let both = settings(Headers::B3AndW3c);
    let (headers, begun) = run(&[("traceparent", &parent)], &both);
    assert_eq!(begun.context.trace.digits(false), TRACE);
    assert_eq!(text(&headers, "x-b3-traceid"), Some(TRACE));
    let lines = [("traceparent", &*parent), ("x-b3-traceid", other), ("x-b3-spanid", SPAN)];
    let (headers, begun) = run(&lines, &both);
    assert_eq!(begun.context.trace.digits(false), other);
    assert!(text(&headers, "traceparent").unwrap().contains(other));
}

#[test]
fn the_request_id_is_the_dice_and_remembers() {
    let with = |percent: f64| Settings { sampling_percent: percent, ..settings(Headers::W3c) };
    // 0x00001387 is 4,999: sampled from 50 % on.
    let id = "00001387-0000-4000-8000-000000000000";
    for (percent, sampled) in [(0.0, false), (49.9, false), (50.0, true), (100.0, true)] {
        let (headers, begun) = run(&[("x-request-id", id)], &with(percent));
        assert_eq!(begun.context.sampled, sampled, "{percent}");
        let noted = text(&headers, "x-request-id").unwrap();
        assert_eq!(noted.as_bytes()[14], if sampled { b'9' } else { b'4' });
        // The next hop comes to the same, whatever its own share is.
        let (_, next) = run(&[("x-request-id", noted)], &with(if sampled { 0.0 } else { 49.9 }));
        assert_eq!(next.context.sampled, sampled);
    }
    let exact = (0..10_000u32).filter(|n| {
        let id = format!("{n:08x}-0000-4000-8000-000000000000");
        run(&[("x-request-id", &id)], &with(12.5)).1.context.sampled
    });
    assert_eq!(exact.count(), 1250);
}

#[test]
fn traces_are_forced_by_headers() {
    for (name, note) in [("x-client-trace-id", b'b'), ("x-envoy-force-trace", b'a')] {
        let (headers, begun) = run(&[("x-request-id", ID), (name, "1")], &settings(Headers::W3c));
        assert!(begun.context.sampled);
        assert_eq!(text(&headers, "x-request-id").unwrap().as_bytes()[14], note);
    }
}

#[test]
fn a_request_id_that_is_none_is_left_alone() {
    let all = Settings { sampling_percent: 100.0, ..settings(Headers::W3c) };
    for id in ["", "not-hexadecimal-at-all", "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"] {
        let (headers, begun) = run(&[("x-request-id", id), ("x-client-trace-id", "1")], &all);
        assert!(!begun.context.sampled, "{id}");
        assert_eq!(headers.get("x-request-id").unwrap().as_bytes(), id.as_bytes());
    }
    let free = Settings { request_id_decides: false, ..settings(Headers::W3c) };
    assert!(run(&[("x-request-id", "x")], &free).1.context.sampled);
}

#[test]
fn nothing_is_told_on_where_that_is_switched_off() {
    let quiet = Settings { is_told_on: false, ..settings(Headers::B3AndW3c) };
    let (headers, begun) = run(&[("traceparent", "x")], &quiet);
    assert_eq!(text(&headers, "traceparent"), Some("x"));
    assert_eq!((headers.len(), begun.parent), (1, None));
    let (headers, _) = run(&[("traceparent", "x")], &settings(Headers::Untouched));
    assert_eq!(headers.len(), 1);
}

#[test]
fn the_request_upstream_may_have_a_span_of_its_own() {
    let own = Settings { upstream_span: true, ..settings(Headers::B3) };
    let (headers, begun) = run(&[("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN)], &own);
    let upstream = begun.upstream.unwrap().to_string();
    assert_eq!(text(&headers, "x-b3-spanid"), Some(&*upstream));
    assert_eq!(text(&headers, "x-b3-parentspanid"), Some(&*begun.context.span.to_string()));
}

proptest! {
    #[test]
    fn whatever_arrives_the_next_hop_reads_one_good_trace(
        lines in prop::collection::vec((0usize..8, "[ -~]{0,60}|[0-9a-f]{16}|[0-9a-f]{32}|[01d]"), 0..6),
        which in prop::sample::select(vec![Headers::W3c, Headers::B3, Headers::B3AndW3c]),
        seed: u64,
    ) {
        const NAMES: [&str; 8] = [
            "traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled",
            "x-request-id",
        ];
        let lines: Vec<(&str, &str)> = lines.iter().map(|(name, value)| (NAMES[*name], value.as_str())).collect();
        let mut headers = headers(&lines);
        let begun = begin(&mut headers, &settings(which), &mut SeededDice::new(seed));
        for arrived in [
            matches!(which, Headers::W3c | Headers::B3AndW3c).then(|| w3c::read(&headers)),
            matches!(which, Headers::B3 | Headers::B3AndW3c).then(|| b3::read(&headers)),
        ].into_iter().flatten() {
            let Arrived::Parent(told, sampled) = arrived else { panic!("{headers:?}") };
            prop_assert_eq!((told.trace, told.span), (begun.context.trace, begun.context.span));
            prop_assert_eq!(sampled, Some(begun.context.sampled));
        }
    }
}
