//! Kubernetes' rules for names, namespaces and labels. Each function gives the rule that a text breaks.

/// DNS-1123 subdomain of at most 253 characters: names of resources.
pub(super) fn name_problem(name: &str) -> Option<&'static str> {
    let fits = name.len() <= 253 && name.as_bytes().split(|byte| *byte == b'.').all(are_dns_bytes);
    (!fits).then_some("is not a resource name: at most 253 lower-case letters, digits, `-` and `.`, parts start and end with a letter or digit")
}

/// DNS-1123 label of at most 63 characters: names of namespaces.
pub(super) fn namespace_problem(name: &str) -> Option<&'static str> {
    let fits = name.len() <= 63 && is_dns_part(name);
    (!fits).then_some("is not a namespace name: at most 63 lower-case letters, digits and `-`, a letter or digit at both ends")
}

/// `name` or `prefix/name`: keys of labels and annotations.
pub(crate) fn label_key_problem(key: &str) -> Option<&'static str> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let fits =
        prefix.is_none_or(|prefix| name_problem(prefix).is_none()) && !name.is_empty() && is_label_text(name);
    (!fits).then_some("is not a label key: a name of at most 63 letters, digits, `-`, `_` and `.`, after a DNS name and `/` if wanted")
}

/// At most 63 characters, empty allowed: values of labels.
pub(crate) fn label_value_problem(value: &str) -> Option<&'static str> {
    let fits = value.is_empty() || is_label_text(value);
    (!fits).then_some(
        "is not a label value: at most 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends",
    )
}

/// DNS-1123 label of any length.
pub(crate) fn is_dns_part(part: &str) -> bool {
    are_dns_bytes(part.as_bytes())
}

fn are_dns_bytes(part: &[u8]) -> bool {
    let is_inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    part.first().is_some_and(|first| *first != b'-')
        && part.last() != Some(&b'-')
        && part.iter().all(is_inner)
}

fn is_label_text(text: &str) -> bool {
    let text = text.as_bytes();
    text.len() <= 63
        && text.first().is_some_and(u8::is_ascii_alphanumeric)
        && text.last().is_some_and(u8::is_ascii_alphanumeric)
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}
