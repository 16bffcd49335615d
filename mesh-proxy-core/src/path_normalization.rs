//! The one form of a path that every rule and the upstream see (E-004, E-011, E-012, E-080, E-088; T-453, S-191 to S-217).

use std::borrow::Cow;

use mesh_compile::proxy::listener::PathNormalization;

/// The path holds an escaped NUL (`%00`), which no normalised path may (E-011).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the path holds an escaped NUL")]
pub struct EscapedNul;

/// Path and query in normal form. Borrows where nothing changes.
///
/// In order (S-195): the fragment is cut (in every mode: E-080), escaped slashes are decoded, RFC 3986 dot segments
/// go, slashes are merged. The query is never touched.
///
/// # Errors
/// [`EscapedNul`], in every mode but [`PathNormalization::None`].
pub fn normalize(target: &str, mode: PathNormalization) -> Result<Cow<'_, str>, EscapedNul> {
    let without_fragment = target.split_once('#').map_or(target, |(before, _)| before);
    let query_at = without_fragment.find('?').unwrap_or(without_fragment.len());
    let (path, query) = without_fragment.split_at_checked(query_at).unwrap_or((without_fragment, ""));
    let normal = match mode {
        PathNormalization::None => Cow::Borrowed(path),
        PathNormalization::Base => remove_dot_segments(path)?,
        PathNormalization::MergeSlashes => map(remove_dot_segments(path)?, merge_slashes),
        PathNormalization::DecodeAndMergeSlashes => {
            let decoded = decode_slashes(path);
            let dotless = remove_dot_segments(&decoded)?;
            Cow::Owned(merge_slashes(&dotless).into_owned())
        }
    };
    Ok(match normal {
        Cow::Borrowed(same) if same.len() == path.len() => Cow::Borrowed(without_fragment),
        changed => Cow::Owned(changed.into_owned() + query),
    })
}

fn map<'t>(text: Cow<'t, str>, change: impl Fn(&str) -> Cow<'_, str>) -> Cow<'t, str> {
    match change(&text) {
        Cow::Borrowed(same) if same.len() == text.len() => text,
        changed => Cow::Owned(changed.into_owned()),
    }
}

/// `%2F` to `/`, `%5C` to `\`, either case, once.
fn decode_slashes(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        let (text, taken) = match rest.get(..3) {
            Some("%2F" | "%2f") => ("/", 3),
            Some("%5C" | "%5c") => ("\\", 3),
            _ => (rest.get(..first.len_utf8()).unwrap_or_default(), first.len_utf8()),
        };
        out.push_str(text);
        rest = rest.get(taken..).unwrap_or_default();
    }
    Cow::Owned(out)
}

/// Runs of `/` become one; a path of slashes alone keeps its first and its last (E-004).
fn merge_slashes(path: &str) -> Cow<'_, str> {
    if !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    if path.starts_with('/') {
        out.push('/');
    }
    for (index, segment) in path.split('/').filter(|segment| !segment.is_empty()).enumerate() {
        if index > 0 {
            out.push('/');
        }
        out.push_str(segment);
    }
    if path.ends_with('/') {
        out.push('/');
    }
    Cow::Owned(out)
}

/// Whether nothing in the path needs a look: no dots, escapes, backslashes or characters to escape.
fn is_plain(path: &str) -> bool {
    path.bytes().all(|byte| !matches!(byte, b'.' | b'%' | b'\\') && !must_be_escaped(byte))
}

/// E-012; bytes above 0x7f never get here.
fn must_be_escaped(byte: u8) -> bool {
    byte <= b' ' || byte >= 0x7f || matches!(byte, b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}')
}

/// Dot segments removed, `\` to `/`, unreserved escapes decoded, what must not stand bare escaped.
fn remove_dot_segments(path: &str) -> Result<Cow<'_, str>, EscapedNul> {
    if is_plain(path) {
        return Ok(Cow::Borrowed(path));
    }
    let stripped = strip_dot_segment_parameters(path);
    let mut rest = stripped.as_bytes();
    let mut out: Vec<u8> = Vec::with_capacity(rest.len());
    while let Some((&byte, after)) = rest.split_first() {
        if let Some(after_dot) = strip_dot(rest) {
            rest = if out.last() == Some(&b'/') {
                after_slash_dot(after_dot, &mut out)
            } else {
                dot(after_dot, &mut out)
            };
            continue;
        }
        rest = match byte {
            b'\\' => {
                out.push(b'/');
                after
            }
            b'%' => escape(after, &mut out)?,
            _ if must_be_escaped(byte) => {
                push_escaped(byte, &mut out);
                after
            }
            _ => {
                out.push(byte);
                after
            }
        };
    }
    // What is not ASCII was escaped above, so this is text.
    Ok(Cow::Owned(String::from_utf8_lossy(&out).into_owned()))
}

/// A raw segment that begins with `.;` or `..;` loses its parameters, here in every profile (E-088).
fn strip_dot_segment_parameters(path: &str) -> Cow<'_, str> {
    if !path.contains(".;") {
        return Cow::Borrowed(path);
    }
    let segments: Vec<&str> = path
        .split('/')
        .map(|segment| {
            if segment.starts_with("..;") {
                ".."
            } else if segment.starts_with(".;") {
                "."
            } else {
                segment
            }
        })
        .collect();
    Cow::Owned(segments.join("/"))
}

/// What follows a `.`, written bare or escaped.
fn strip_dot(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b".").or_else(|| text.strip_prefix(b"%2e")).or_else(|| text.strip_prefix(b"%2E"))
}

/// What follows the slash that ends a segment; the end of the path ends one too.
fn strip_segment_end(text: &[u8]) -> Option<&[u8]> {
    match text.split_first() {
        None => Some(text),
        Some((b'/' | b'\\', after)) => Some(after),
        Some(_) => None,
    }
}

fn dot<'t>(rest: &'t [u8], out: &mut Vec<u8>) -> &'t [u8] {
    out.push(b'.');
    rest
}

/// Behind `/.`: a segment `.` or `..`, or a name that begins with a dot.
fn after_slash_dot<'t>(rest: &'t [u8], out: &mut Vec<u8>) -> &'t [u8] {
    if let Some(after) = strip_segment_end(rest) {
        return after;
    }
    if let Some(after) = strip_dot(rest).and_then(strip_segment_end) {
        drop_last_segment(out);
        return after;
    }
    dot(rest, out)
}

/// `/a/b/` becomes `/a/`; `/` stays.
fn drop_last_segment(out: &mut Vec<u8>) {
    out.pop();
    while out.last().is_some_and(|byte| *byte != b'/') {
        out.pop();
    }
    if out.is_empty() {
        out.push(b'/');
    }
}

/// Behind a `%`: unreserved characters are decoded, all else is kept as it was written (S-199).
fn escape<'t>(rest: &'t [u8], out: &mut Vec<u8>) -> Result<&'t [u8], EscapedNul> {
    let Some((&[high, low], after)) = rest.split_first_chunk::<2>() else {
        out.push(b'%');
        return Ok(rest);
    };
    match hex(high).zip(hex(low)).map(|(high, low)| high * 16 + low) {
        Some(0) => return Err(EscapedNul),
        Some(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') => {
            out.push(byte);
        }
        Some(_) => out.extend([b'%', high, low]),
        // No escape: the sign stands for itself.
        None => {
            out.push(b'%');
            return Ok(rest);
        }
    }
    Ok(after)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn push_escaped(byte: u8, out: &mut Vec<u8>) {
    out.push(b'%');
    for nibble in [byte >> 4, byte & 0xf] {
        out.push(if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 });
    }
}

#[cfg(test)]
mod tests;
