//! Text that another tool has to render before it is YAML: Go templates, as in Helm charts.

use super::text::{Chunk, place_after};
use crate::diagnostic::{Code, Diagnostic, Place};

/// The finding that takes the place of all others of a text that cannot be read and holds a template action outside
/// of comments; `None`: it holds none.
pub(super) fn finding(file: &str, text: &str, chunk: &Chunk<'_>) -> Option<Diagnostic> {
    let (at, length) = first_action(text)?;
    let span = place_after(text.get(..at)?, chunk);
    let end = span.start.saturating_add(u32::try_from(length).ok()?);
    let action: String = text.get(at..at + length)?.chars().take(60).collect();
    let action: String = action.chars().flat_map(char::escape_debug).collect();
    let place = Place { end, ..Place::in_file(file, span) };
    let message = format!("the text is a template, not YAML: `{action}` is to be filled in first");
    Some(
        Diagnostic::new(Code::Template, place, message)
            .help("check what comes out of it: `helm template CHART | mesh check -`"),
    )
}

/// Offset and length of the first `{{ ... }}` on a line, comments left out.
fn first_action(text: &str) -> Option<(usize, usize)> {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let code = line.find(" #").map_or(line, |comment| line.get(..comment).unwrap_or(line));
        if !line.trim_start().starts_with('#')
            && let Some(start) = code.find("{{")
            && let Some(length) = line.get(start..).and_then(|rest| rest.find("}}"))
        {
            return Some((offset + start, length + 2));
        }
        offset += line.len();
    }
    None
}
