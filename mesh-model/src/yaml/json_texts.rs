//! Several JSON texts one after the other: JSON Lines, and what `kubectl get -o json` of several queries prints.

use serde::de::IgnoredAny;

use super::text::Chunk;

/// The texts of a chunk, if it holds more than one good object and begins with one; in YAML such a chunk has no meaning.
///
/// Asked only of a chunk that could not be read. After a broken text the next is looked for at a line that begins with a
/// brace, so that one bad line costs itself alone.
pub(super) fn split<'a>(chunk: &Chunk<'a>) -> Option<Vec<Chunk<'a>>> {
    let mut texts = Vec::new();
    let mut good = 0;
    let (mut at, mut line) = (0, chunk.line);
    loop {
        let rest = chunk.bytes.get(at..)?;
        let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        line += breaks(rest.get(..blank)?);
        let rest = rest.get(blank..)?;
        at += blank;
        if rest.is_empty() {
            break;
        }
        let length = match length_of_text(rest) {
            Some(length) => {
                good += 1;
                length
            }
            None if texts.is_empty() => return None,
            None => next_line_with_brace(rest).unwrap_or(rest.len()),
        };
        let bytes = rest.get(..length)?;
        texts.push(Chunk { bytes, offset: chunk.offset + at, line });
        line += breaks(bytes);
        at += length;
    }
    (good > 1).then_some(texts)
}

/// Bytes of the object that a text begins with; `None`: it begins with none.
fn length_of_text(text: &[u8]) -> Option<usize> {
    if text.first() != Some(&b'{') {
        return None;
    }
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    Some(values.byte_offset())
}

fn next_line_with_brace(text: &[u8]) -> Option<usize> {
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    ends.into_iter().find(|at| text.get(*at) == Some(&b'{'))
}

/// Lines that end in the text.
fn breaks(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}
