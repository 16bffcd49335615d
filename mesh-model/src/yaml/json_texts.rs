//! Several JSON texts one after the other: JSON Lines, and what `kubectl get -o json` of several queries prints.

use serde::de::IgnoredAny;

use super::text::Chunk;

/// The texts of a chunk, if it holds more than one good object and begins with one; in YAML such a chunk has no meaning.
///
/// Asked only of a chunk that could not be read. After a broken text the next is looked for at a line that begins with a
/// brace, so that one bad line costs itself alone. Texts that are never closed cost all that follows them: where that
/// comes to a few times the chunk, the rest is taken for one text. No more than `most` texts are given.
pub(super) fn split<'a>(chunk: &Chunk<'a>, most: usize) -> Option<Vec<Chunk<'a>>> {
    let mut texts = Vec::new();
    let mut work_left = WORK_MAX * chunk.bytes.len();
    let mut good = 0;
    let (mut at, mut line) = (0, chunk.line);
    loop {
        let rest = chunk.bytes.get(at..)?;
        let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        line += breaks(rest.get(..blank)?);
        let rest = rest.get(blank..)?;
        at += blank;
        if rest.is_empty() || texts.len() >= most {
            break;
        }
        let length = match length_of_text(rest) {
            Ok(length) => {
                good += 1;
                length
            }
            Err(_) if texts.is_empty() => return None,
            Err(looked_at) => {
                work_left = work_left.saturating_sub(looked_at);
                let next = (work_left > 0).then(|| next_line_with_brace(rest)).flatten();
                next.unwrap_or(rest.len())
            }
        };
        let bytes = rest.get(..length)?;
        texts.push(Chunk { bytes, offset: chunk.offset + at, line });
        line += breaks(bytes);
        at += length;
    }
    (good > 1).then_some(texts)
}

/// How many times the bytes of a chunk may be looked at in vain.
const WORK_MAX: usize = 4;

/// Bytes of the object that a text begins with. `Err`: it begins with none, which so many bytes have told.
fn length_of_text(text: &[u8]) -> Result<usize, usize> {
    if text.first() != Some(&b'{') {
        return Err(1);
    }
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => Ok(values.byte_offset()),
        Some(Err(error)) if !error.is_eof() => {
            let before = text.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
            Err(before.map(<[u8]>::len).sum::<usize>() + error.column())
        }
        _ => Err(text.len()),
    }
}

fn next_line_with_brace(text: &[u8]) -> Option<usize> {
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    ends.into_iter().find(|at| text.get(*at) == Some(&b'{'))
}

/// Lines that end in the text.
fn breaks(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}
