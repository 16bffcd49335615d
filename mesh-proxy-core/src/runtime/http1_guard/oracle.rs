//! The same grammar, slow and plain: a connection's bytes as a whole, split into lines and words.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::Rules;

/// Bytes of complete messages, one after the other, and how the rest is: refused with a status, or not complete.
pub(crate) fn read(mut bytes: &[u8], rules: Rules) -> (Vec<usize>, Option<u16>) {
    let mut messages = Vec::new();
    loop {
        match message(bytes, rules) {
            Ok(None) => return (messages, None),
            Err(status) => return (messages, Some(status)),
            Ok(Some((length, asks_tunnel))) => {
                messages.push(length);
                bytes = &bytes[length..];
                if asks_tunnel {
                    return (messages, None);
                }
            }
        }
    }
}

fn message(bytes: &[u8], rules: Rules) -> Result<Option<(usize, bool)>, u16> {
    let mut at = 0;
    let mut lines: Vec<&[u8]> = Vec::new();
    let mut empty = 0;
    loop {
        let Some(end) = bytes[at..].iter().position(|byte| *byte == b'\n') else {
            return if bytes.len() >= rules.bytes_max { Err(431) } else { Ok(None) };
        };
        if at + end >= rules.bytes_max {
            return Err(431);
        }
        let line = bytes[at..at + end].strip_suffix(b"\r").ok_or(400_u16)?;
        at += end + 1;
        match (line.is_empty(), lines.is_empty()) {
            (true, true) => {
                empty += 1;
                if empty > 4 {
                    return Err(400);
                }
            }
            (true, false) => break,
            (false, is_first) => {
                if is_first {
                    request_line(line)?;
                } else if lines.len() > rules.lines_max {
                    return Err(431);
                } else {
                    let before: Vec<Vec<u8>> =
                        lines[1..].iter().filter_map(|line| known(line)).map(|(name, _)| name).collect();
                    field(line, &before)?;
                }
                lines.push(line);
            }
        }
    }
    let fields: Vec<(Vec<u8>, &[u8])> = lines[1..].iter().filter_map(|line| known(line)).collect();
    let all = |wanted: &'static str| fields.iter().filter(move |(name, _)| name == wanted.as_bytes());
    let is_old = lines[0].ends_with(b"1.0");
    let chunked = all("transfer-encoding").count() > 0;
    let length =
        all("content-length").next().map(|(_, value)| String::from_utf8_lossy(value).parse::<usize>());
    if chunked && (length.is_some() || is_old) {
        return Err(400);
    }
    let hosts = all("host").count();
    if hosts > 1 || hosts == 0 && !is_old {
        return Err(400);
    }
    let lists_upgrade = all("connection").any(|(_, value)| {
        String::from_utf8_lossy(value).split(',').any(|token| token.trim().eq_ignore_ascii_case("upgrade"))
    });
    let asks_tunnel =
        lines[0].starts_with(b"CONNECT ") || lists_upgrade && all("upgrade").count() > 0 && !is_old;
    let body = if chunked {
        chunks(&bytes[at..], rules)?
    } else {
        let length = length.map_or(0, Result::unwrap);
        (bytes.len() - at >= length).then_some(length)
    };
    Ok(body.map(|body| (at + body, asks_tunnel)))
}

const TOKEN: &str = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| TOKEN.as_bytes().contains(byte))
}

fn is_text(text: &[u8]) -> bool {
    text.iter().all(|byte| *byte == b'\t' || *byte >= 32 && *byte != 127)
}

fn request_line(line: &[u8]) -> Result<(), u16> {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let [method, target, version] = words[..] else { return Err(400) };
    let is_upper = !method.iter().any(u8::is_ascii_lowercase);
    let is_good = is_token(method)
        && is_upper
        && !target.is_empty()
        && target.iter().all(|byte| *byte > 32 && *byte != 127)
        && (version == b"HTTP/1.1" || version == b"HTTP/1.0")
        && (method != b"CONNECT" || is_tunnel_target(target));
    if is_good { Ok(()) } else { Err(400) }
}

/// A name or an address, and a port.
fn is_tunnel_target(target: &[u8]) -> bool {
    let text = String::from_utf8_lossy(target);
    if let Ok(std::net::SocketAddr::V6(address)) = text.parse() {
        return address.scope_id() == 0 && !text.contains('%');
    }
    let parts: Vec<&str> = text.split(':').collect();
    let [host, port] = parts[..] else { return false };
    let letters = "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let is_port = !port.is_empty() && port.chars().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok();
    is_port && !host.is_empty() && host.chars().all(|c| letters.contains(c))
}

/// Lower-case name and trimmed value.
fn known(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let value = line[colon + 1..].trim_ascii();
    Some((line[..colon].to_ascii_lowercase(), value))
}

fn field(line: &[u8], before: &[Vec<u8>]) -> Result<(), u16> {
    let (name, value) = known(line).ok_or(400_u16)?;
    let raw = &line[name.len() + 1..];
    if !is_token(&name) || !is_text(raw) {
        return Err(400);
    }
    let again = before.contains(&name);
    match &name[..] {
        b"content_length" | b"transfer_encoding" => Err(400),
        b"content-length" => {
            let is_number = !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit);
            if is_number && !again { Ok(()) } else { Err(400) }
        }
        b"transfer-encoding" if again => Err(400),
        b"transfer-encoding" if value.eq_ignore_ascii_case(b"chunked") => Ok(()),
        b"transfer-encoding" => Err(if is_token(value) { 501 } else { 400 }),
        _ => Ok(()),
    }
}

/// Length of a chunked body; `None`: not complete. A line is looked at as soon as any of it is wrong.
fn chunks(bytes: &[u8], rules: Rules) -> Result<Option<usize>, u16> {
    let mut at = 0;
    let mut extensions = 0;
    loop {
        let rest = &bytes[at..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        if digits > 16 {
            return Err(400);
        }
        let Some(after) = rest.get(digits) else { return Ok(None) };
        if digits == 0 {
            return Err(400);
        }
        let size = u64::from_str_radix(std::str::from_utf8(&rest[..digits]).unwrap(), 16).unwrap();
        let mut end = digits;
        if *after == b';' {
            let text = rest[digits + 1..].iter().take_while(|byte| is_text(&[**byte])).count();
            extensions += text;
            if extensions > 16 * 1024 {
                return Err(400);
            }
            end = digits + 1 + text;
        }
        match (rest.get(end), rest.get(end + 1)) {
            (None, _) | (Some(b'\r'), None) => return Ok(None),
            (Some(b'\r'), Some(b'\n')) if size <= i64::MAX as u64 => {}
            _ => return Err(400),
        }
        at += end + 2;
        if size == 0 {
            return trailers(&bytes[at..], rules).map(|length| length.map(|length| at + length));
        }
        let size = usize::try_from(size).unwrap();
        if bytes.len() - at < size {
            return Ok(None);
        }
        at += size;
        match (bytes.get(at), bytes.get(at + 1)) {
            (None, _) | (Some(b'\r'), None) => return Ok(None),
            (Some(b'\r'), Some(b'\n')) => at += 2,
            _ => return Err(400),
        }
    }
}

fn trailers(bytes: &[u8], rules: Rules) -> Result<Option<usize>, u16> {
    let mut at = 0;
    let mut lines = 0;
    loop {
        let rest = &bytes[at..];
        match (rest.first(), rest.get(1)) {
            (None, _) | (Some(b'\r'), None) => return Ok(None),
            (Some(b'\r'), Some(b'\n')) => return Ok(Some(at + 2)),
            (Some(b'\r'), Some(_)) => return Err(400),
            _ => {}
        }
        lines += 1;
        let name = rest.iter().take_while(|byte| is_token(&[**byte])).count();
        let value = rest[name..].iter().skip(1).take_while(|byte| is_text(&[**byte])).count();
        // Where the first wrong byte is, or the one that is too many, decides which of the two is told.
        let wrong = if name == 0 {
            Some(0)
        } else if rest.get(name).is_some_and(|byte| *byte != b':') {
            Some(name)
        } else if rest.get(name + 1 + value).is_some_and(|byte| *byte != b'\r') {
            Some(name + 1 + value)
        } else if rest.get(name + 2 + value).is_some_and(|byte| *byte != b'\n') {
            Some(name + 2 + value)
        } else {
            None
        };
        let line_end = wrong.map_or(rest.len().min(name + 3 + value), |wrong| wrong + 1);
        if lines > rules.lines_max || at + line_end > rules.bytes_max {
            return Err(431);
        }
        if wrong.is_some() {
            return Err(400);
        }
        if rest.len() < name + 3 + value {
            return Ok(None);
        }
        at += name + 3 + value;
    }
}
