//! RE2's replacement text: `\0` is the match, `\1` to `\9` its groups, `\\` a backslash.

use regex_automata::meta;
use regex_automata::util::captures::Captures;

/// A parsed replacement text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Substitution<'s> {
    parts: Vec<Part<'s>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'s> {
    Text(&'s str),
    Group(usize),
}

impl<'s> Substitution<'s> {
    /// `None`: a backslash stands before something else than a digit or a backslash.
    pub(super) fn parse(text: &'s str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('\\') {
            parts.push(Part::Text(before));
            let mut chars = after.chars();
            parts.push(match chars.next()? {
                '\\' => Part::Text("\\"),
                digit => Part::Group(digit.to_digit(10)? as usize),
            });
            rest = chars.as_str();
        }
        parts.push(Part::Text(rest));
        Some(Self { parts })
    }

    /// The highest group it names.
    pub(super) fn highest_group(&self) -> usize {
        let groups = self.parts.iter().map(|part| if let Part::Group(group) = part { *group } else { 0 });
        groups.max().unwrap_or(0)
    }

    /// Replaces every match, from left to right, without overlap.
    pub(super) fn replace_all(&self, regex: &meta::Regex, input: &str) -> String {
        let bytes = input.as_bytes();
        let mut output = Vec::with_capacity(bytes.len());
        let mut copied = 0;
        for captures in regex.captures_iter(bytes) {
            let Some(whole) = captures.get_match() else { continue };
            output.extend_from_slice(bytes.get(copied..whole.start()).unwrap_or_default());
            self.append(&captures, bytes, &mut output);
            copied = whole.end();
        }
        output.extend_from_slice(bytes.get(copied..).unwrap_or_default());
        String::from_utf8(output)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// A group that took no part in the match is empty.
    fn append(&self, captures: &Captures, input: &[u8], output: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => output.extend_from_slice(text.as_bytes()),
                Part::Group(group) => {
                    let span = captures.get_group(*group);
                    output
                        .extend_from_slice(span.and_then(|span| input.get(span.range())).unwrap_or_default());
                }
            }
        }
    }
}
