//! Label maps (T-008).

use super::{Checker, Path, Problem, short};
use crate::name::StringMap;
use crate::object::{label_key_problem, label_value_problem};

/// Labels as Istio takes them in its own kinds; what no Pod could carry is remarked on.
pub(crate) fn labels(found: &mut Checker<'_>, at: &Path<'_>, labels: &StringMap) {
    for (key, value) in labels {
        if let Some(problem) = label_key_problem(key) {
            let message = format!("label key `{}` {problem}", short(key));
            let help = "a key such as `app` or `example.com/app`";
            let problem = if is_key(key) { Problem::doubtful(message) } else { Problem::invalid(message) };
            found.find(&at.field(key), problem.help(help));
        }
        if let Some(problem) = label_value_problem(value) {
            let message = format!("label value `{}` {problem}", short(value));
            let is_taken = value.is_empty() || is_name(value);
            let problem = if is_taken { Problem::doubtful(message) } else { Problem::invalid(message) };
            found.find(&at.field(key), problem.help("use letters, digits, `-`, `_` and `.`"));
        }
    }
}

/// `name` of at most 63 characters, or `prefix/name` where the prefix has at most 253, in any case.
fn is_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let is_part = |part: &str| is_name(part) && !part.contains('_');
    let is_prefix = |prefix: &str| prefix.len() <= 253 && prefix.split('.').all(is_part);
    prefix.is_none_or(is_prefix) && name.len() <= 63 && is_name(name)
}

/// Letters, digits and inner `-`, `_` and `.`, of any length.
fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.ends_with(|last: char| last.is_ascii_alphanumeric())
}
