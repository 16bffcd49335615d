//! The form of a path, one plain step after another: the twin that the fast one is compared with, and where each step
//! can be left out or done wrong, to see who notices.

use mesh_compile::proxy::listener::PathNormalization;

/// A step that somebody once forgot, or did once too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bug {
    FragmentStays,
    QueryIsPath,
    DotSegmentsStay,
    DotSegmentsOfEscapesStay,
    DotSegmentsBehindBackslashesStay,
    ParametersOfDotSegmentsStay,
    AllParametersGo,
    SlashesStay,
    SlashesMergeInQueries,
    EscapedSlashesStay,
    EscapedSlashesGoInEveryMode,
    DecodesTwice,
    DecodesEverything,
    EscapesAppear,
    DecodesOverlongSlashes,
    NulPasses,
    ControlsPass,
    HighBytesPass,
    LowerCase,
    BracesStay,
}

/// Each, with the rows of the list of attacks whose fault it is.
pub(super) const BUGS: &[(Bug, &[&str])] = &[
    (Bug::FragmentStays, &["P01", "P02", "P04", "9", "10"]),
    (Bug::QueryIsPath, &["P01", "P02", "P06", "10"]),
    (Bug::DotSegmentsStay, &["P01", "P02", "P05", "12"]),
    (Bug::DotSegmentsOfEscapesStay, &["P01", "P02", "P05", "12"]),
    (Bug::DotSegmentsBehindBackslashesStay, &["P01", "P02", "P05", "11"]),
    (Bug::ParametersOfDotSegmentsStay, &["P01", "P02", "P05", "13"]),
    (Bug::AllParametersGo, &["P01", "P02", "14"]),
    (Bug::SlashesStay, &["P01", "P02", "11"]),
    (Bug::SlashesMergeInQueries, &["P01", "P02", "P06"]),
    (Bug::EscapedSlashesStay, &["P01", "P02", "11"]),
    (Bug::EscapedSlashesGoInEveryMode, &["P01", "P02"]),
    (Bug::DecodesTwice, &["P01", "P02", "P05"]),
    (Bug::DecodesEverything, &["P01", "P02", "P05"]),
    (Bug::EscapesAppear, &["P01", "P05"]),
    (Bug::DecodesOverlongSlashes, &["P01", "P05"]),
    (Bug::NulPasses, &["P01", "P02", "P03"]),
    (Bug::ControlsPass, &["P01", "P02", "P03"]),
    (Bug::HighBytesPass, &["P01", "P02", "P03"]),
    (Bug::LowerCase, &["P01", "P02", "P07"]),
    (Bug::BracesStay, &["P01"]),
];

/// `None`: refused.
pub(super) fn normalize(target: &str, mode: PathNormalization, bug: Option<Bug>) -> Option<String> {
    let has = |one: Bug| bug == Some(one);
    let is_good = |letter: char| match letter {
        '!'..='~' => true,
        '\0'..=' ' | '\x7f' => has(Bug::ControlsPass),
        _ => has(Bug::HighBytesPass),
    };
    if !target.starts_with('/') || !target.chars().all(is_good) {
        return None;
    }
    let target = if has(Bug::FragmentStays) { target } else { target.split('#').next()? };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) if !has(Bug::QueryIsPath) => (path, format!("?{query}")),
        _ => (target, String::new()),
    };
    let mut path = if has(Bug::LowerCase) { path.to_lowercase() } else { path.to_owned() };
    let query = if has(Bug::SlashesMergeInQueries) { query.replace("//", "/") } else { query };
    if mode == PathNormalization::None {
        return Some(path + &query);
    }
    let decodes = mode == PathNormalization::DecodeAndMergeSlashes && !has(Bug::EscapedSlashesStay);
    if decodes || has(Bug::EscapedSlashesGoInEveryMode) {
        path = path.replace("%2f", "/").replace("%2F", "/").replace("%5c", "\\").replace("%5C", "\\");
    }
    if has(Bug::DecodesOverlongSlashes) {
        path = path.replace("%c0%af", "/");
    }
    if !has(Bug::ParametersOfDotSegmentsStay) {
        path = on_segments(&path, |segment| match segment {
            dots if dots.starts_with("..;") => "..".to_owned(),
            dot if dot.starts_with(".;") => ".".to_owned(),
            other => other.to_owned(),
        });
    }
    if has(Bug::AllParametersGo) {
        path = on_segments(&path, |segment| segment.split(';').next().unwrap().to_owned());
    }
    if has(Bug::DotSegmentsOfEscapesStay) {
        path = without_dot_segments(&path.replace('\\', "/"));
    }
    if has(Bug::DotSegmentsBehindBackslashesStay) {
        path = without_dot_segments(&decoded(&path, false, false));
    }
    path = decoded(&path, has(Bug::DecodesEverything), has(Bug::EscapesAppear)).replace('\\', "/");
    if has(Bug::DecodesTwice) {
        path = decoded(&path.replace("%25", "%"), false, true);
    }
    if path.contains("%00") && !has(Bug::NulPasses) {
        return None;
    }
    if !has(Bug::BracesStay) {
        path = escaped(&path);
    }
    let leaves_dots =
        [Bug::DotSegmentsStay, Bug::DotSegmentsOfEscapesStay, Bug::DotSegmentsBehindBackslashesStay];
    if !leaves_dots.into_iter().any(has) {
        path = without_dot_segments(&path);
    }
    if mode != PathNormalization::Base && !has(Bug::SlashesStay) {
        path = merged(&path);
    }
    Some(path + &query)
}

fn on_segments(path: &str, change: impl Fn(&str) -> String) -> String {
    path.split('/').map(change).collect::<Vec<_>>().join("/")
}

/// Escapes of what needs none, decoded; a NUL is left for others to see. Nothing becomes an escape by that.
fn decoded(path: &str, all: bool, nested: bool) -> String {
    // Every character, and whether it was an escape.
    let mut letters: Vec<(char, bool)> = Vec::new();
    let mut rest = path;
    while let Some(letter) = rest.chars().next() {
        let digits = rest.strip_prefix('%').and_then(|rest| rest.get(..2));
        let byte = digits
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (found, taken) = match byte.map(char::from) {
            Some(byte) if byte.is_ascii_alphanumeric() || "-._~".contains(byte) => (vec![(byte, true)], 3),
            Some(byte) if all && byte.is_ascii_graphic() => (vec![(byte, true)], 3),
            Some(_) => (rest.chars().take(3).map(|kept| (kept, false)).collect(), 3),
            None => (vec![(letter, false)], letter.len_utf8()),
        };
        letters.extend(found);
        rest = &rest[taken..];
    }
    let mut out = String::new();
    for (at, (letter, _)) in letters.iter().enumerate() {
        out.push(*letter);
        let next = letters.get(at + 1).zip(letters.get(at + 2));
        let is_new = next.is_some_and(|((high, first), (low, second))| {
            high.is_ascii_hexdigit() && low.is_ascii_hexdigit() && (*first || *second)
        });
        if *letter == '%' && is_new && !nested {
            out.push_str("25");
        }
    }
    out
}

fn escaped(path: &str) -> String {
    let escape = |letter: char| match letter {
        '"' | '<' | '>' | '^' | '`' | '{' | '|' | '}' => format!("%{:02X}", u32::from(letter)),
        letter => letter.to_string(),
    };
    path.chars().map(escape).collect()
}

/// RFC 3986, 5.2.4.
fn without_dot_segments(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    if matches!(path.rsplit('/').next(), Some("." | "..")) {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

/// E-004.
fn merged(path: &str) -> String {
    let mut out = path.to_owned();
    if out.len() > 1 && out.bytes().all(|byte| byte == b'/') {
        return "//".to_owned();
    }
    while out.contains("//") {
        out = out.replace("//", "/");
    }
    out
}
