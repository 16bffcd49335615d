//! Single values of a rule.

use super::{Problem, short};
use crate::check::{Checked, host};

/// Longest service account, with its namespace.
const SERVICE_ACCOUNT_BYTES_MAX: usize = 320;

/// Any text but the empty one.
pub(super) fn not_empty(text: &str) -> Checked {
    if text.is_empty() {
        Err(Problem::invalid("an empty value matches nothing")
            .help("remove the value, or write the text that is meant"))
    } else {
        Ok(())
    }
}

/// An IP address or a CIDR block.
pub(super) fn address(text: &str) -> Checked {
    not_empty(text)?;
    host::subnet(text)
}

/// A port from 0 to 65535, in decimal (S-181).
pub(super) fn port(text: &str) -> Checked {
    not_empty(text)?;
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    if is_decimal && text.parse::<u32>().is_ok_and(|port| port <= 65535) {
        return Ok(());
    }
    Err(Problem::invalid(format!("`{}` is not a port", short(text)))
        .help("ranges and names are not understood"))
}

/// One `*` at most, at the start or the end.
pub(super) fn one_wildcard(text: &str) -> Checked {
    not_empty(text)?;
    let inner = text.strip_prefix('*').or_else(|| text.strip_suffix('*')).unwrap_or(text);
    if inner.contains('*') {
        return Err(Problem::invalid(format!("`{}`: one `*` at most, at the start or the end", short(text)))
            .help("write `abc`, `abc*`, `*abc` or `*`"));
    }
    Ok(())
}

/// A trust domain, with one `*` at most at the start or the end.
pub(super) fn trust_domain(text: &str) -> Checked {
    one_wildcard(text)?;
    if text.contains('/') {
        return Err(Problem::invalid(format!("`{}` is not a trust domain", short(text)))
            .help("the part of the identity between `spiffe://` and the next `/`"));
    }
    Ok(())
}

/// `NAME` or `NAMESPACE/NAME`, without wildcards.
pub(super) fn service_account(text: &str) -> Checked {
    not_empty(text)?;
    if text.contains('*') {
        return Err(Problem::invalid(format!("`{}`: service accounts take no wildcard", short(text)))
            .help("use `principals` for patterns"));
    }
    if text.len() > SERVICE_ACCOUNT_BYTES_MAX {
        return Err(
            Problem::invalid(format!("longer than {SERVICE_ACCOUNT_BYTES_MAX} bytes")).help("shorten it")
        );
    }
    let mut parts = text.split('/');
    let has_empty = text.split('/').any(str::is_empty);
    if parts.by_ref().count() > 2 || has_empty {
        return Err(Problem::invalid(format!("`{}` is neither `NAME` nor `NAMESPACE/NAME`", short(text)))
            .help("write `NAME` for an account of the own namespace, or `NAMESPACE/NAME`"));
    }
    Ok(())
}

/// A path: braces only as the operators `{*}` and `{**}`, the latter last, and plain characters beside them
/// (S-184 to S-187).
pub(super) fn path(text: &str) -> Checked {
    not_empty(text)?;
    let is_template = text.contains("{*}") || text.contains("{**}");
    let mut has_rest = false;
    for segment in text.trim_matches('/').split('/') {
        if matches!(segment, "{*}" | "{**}") {
            if has_rest {
                return Err(Problem::invalid(format!(
                    "`{}`: `{{**}}` must be the last operator",
                    short(text)
                ))
                .help("move `{**}` to the end, or use `{*}` for one segment"));
            }
            has_rest = segment == "{**}";
            continue;
        }
        if segment.contains(['{', '}']) {
            return Err(Problem::invalid(format!(
                "`{}` holds a brace beside `{{*}}` and `{{**}}`",
                short(text)
            ))
            .help("an operator stands for a whole segment"));
        }
        if is_template && !is_literal(segment) {
            return Err(Problem::invalid(format!(
                "`{}` is not a segment of a path template",
                short(segment)
            ))
            .help("letters, digits and `-._~%!$&'()+,;:@=`; `*` only as `{*}`"));
        }
    }
    Ok(())
}

/// A segment beside operators (S-186).
pub(super) fn is_literal(segment: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()+,;:@=".contains(&byte);
    !segment.is_empty() && segment.bytes().all(fits)
}
