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
    let mut normal = Normal { out: Vec::with_capacity(path.len()), bare_percent: None };
    while let Some((&byte, after)) = rest.split_first() {
        if let Some(after_dot) = strip_dot(rest) {
            rest = normal.dot(after_dot);
            continue;
        }
        rest = match byte {
            b'\\' => {
                normal.out.push(b'/');
                after
            }
            b'%' => normal.escape(after)?,
            _ if must_be_escaped(byte) => {
                push_escaped(byte, &mut normal.out);
                after
            }
            _ => {
                normal.out.push(byte);
                after
            }
        };
    }
    // What is not ASCII was escaped above, so this is text.
    Ok(Cow::Owned(String::from_utf8_lossy(&normal.out).into_owned()))
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

/// What is done of a path.
struct Normal {
    out: Vec<u8>,
    /// Where the last `%` stands that begins no escape.
    bare_percent: Option<usize>,
}

impl Normal {
    /// Behind a `.`; what is left to do is returned, here and below. Behind `/.` comes a segment `.` or `..`, or a name
    /// that begins with a dot.
    fn dot<'t>(&mut self, rest: &'t [u8]) -> &'t [u8] {
        if self.out.last() == Some(&b'/') {
            if let Some(after) = strip_segment_end(rest) {
                return after;
            }
            if let Some(after) = strip_dot(rest).and_then(strip_segment_end) {
                self.drop_last_segment();
                return after;
            }
        }
        self.out.push(b'.');
        rest
    }

    /// `/a/b/` becomes `/a/`; `/` stays.
    fn drop_last_segment(&mut self) {
        self.bare_percent = None;
        self.out.pop();
        while self.out.last().is_some_and(|byte| *byte != b'/') {
            self.out.pop();
        }
        if self.out.is_empty() {
            self.out.push(b'/');
        }
    }

    /// Behind a `%`: unreserved characters are decoded, all else is kept as it was written (S-199).
    fn escape<'t>(&mut self, rest: &'t [u8]) -> Result<&'t [u8], EscapedNul> {
        let escape = rest.split_first_chunk::<2>();
        let byte = escape.and_then(|([high, low], _)| Some(hex(*high)? * 16 + hex(*low)?));
        let Some((byte, (digits, after))) = byte.zip(escape) else {
            // No escape: the sign stands for itself.
            self.bare_percent = Some(self.out.len());
            self.out.push(b'%');
            return Ok(rest);
        };
        match byte {
            0 => return Err(EscapedNul),
            byte if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') => {
                self.out.push(byte);
                self.keep_percent_bare(after);
            }
            _ => {
                self.out.push(b'%');
                self.out.extend(digits);
            }
        }
        Ok(after)
    }

    /// A decoded character may not make an escape of a bare `%` before it: then the `%` is escaped itself, and
    /// `%%32e` is `%252e`, not `%2e`.
    fn keep_percent_bare(&mut self, rest: &[u8]) {
        let Some(at) = self.bare_percent else { return };
        let digits = match (self.out.get(at..), rest.first()) {
            (Some(&[b'%', high]), Some(&low)) => [high, low],
            (Some(&[b'%', high, low]), _) => [high, low],
            _ => return,
        };
        if digits.iter().all(u8::is_ascii_hexdigit) {
            let behind = at + 1;
            self.out.splice(behind..behind, *b"25");
        }
    }
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
