//! Durations, percentages, regexes and string matches.

use super::{Checked, Checker, Path, Problem, short};
use crate::diagnostic::{Code, nearest};
use crate::part::StringMatch;
use crate::value::{Duration, PATTERN_BYTES_MAX, Re2Pattern};

const NANOS_PER_MILLI: i64 = 1_000_000;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// At least 1 ms, in whole milliseconds (T-168).
pub(crate) fn duration(duration: Duration) -> Checked {
    if duration.as_nanos() < NANOS_PER_MILLI {
        return Err(Problem::invalid(format!("`{duration}` is shorter than 1ms"))
            .help("write a duration of at least `1ms`"));
    }
    whole_millis(duration)
}

/// Whole milliseconds.
pub(crate) fn whole_millis(duration: Duration) -> Checked {
    if duration.as_nanos() % NANOS_PER_MILLI != 0 {
        return Err(Problem::invalid(format!("`{duration}` is finer than a millisecond"))
            .help("round it to whole milliseconds"));
    }
    Ok(())
}

/// Whole seconds.
pub(crate) fn whole_seconds(duration: Duration) -> Checked {
    if duration.as_nanos() % NANOS_PER_SECOND != 0 {
        return Err(Problem::invalid(format!("`{duration}` is finer than a second"))
            .help("round it to whole seconds"));
    }
    Ok(())
}

/// 0 to 100.
pub(crate) fn percent(percent: i32) -> Checked {
    if (0..=100).contains(&percent) {
        return Ok(());
    }
    Err(Problem::invalid(format!("`{percent}` is not a percentage of 0 to 100"))
        .help("write a percentage from 0 to 100"))
}

/// 0 to 100, any fraction.
pub(crate) fn share(percent: f64) -> Checked {
    if (0.0..=100.0).contains(&percent) {
        return Ok(());
    }
    Err(Problem::invalid(format!("`{percent}` is not a percentage of 0 to 100"))
        .help("write a percentage from 0 to 100"))
}

/// 0, or 0.0001 to 100: what can be told apart in parts of a million.
pub(crate) fn fault_share(percent: f64) -> Checked {
    share(percent)?;
    if percent > 0.0 && percent < 0.0001 {
        return Err(Problem::invalid(format!("`{percent}` is less than 0.0001 percent, but not 0"))
            .help("write 0, or at least 0.0001"));
    }
    Ok(())
}

/// Base64 of the standard alphabet with its padding, as bytes are written in JSON; line breaks do not count.
pub(crate) fn base64(text: &str) -> Checked {
    let text: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    let digits = text.len() - padding;
    if text.len().is_multiple_of(4) && padding <= 2 && text.iter().take(digits).all(is_digit) {
        return Ok(());
    }
    Err(Problem::invalid("not base64")
        .help("encode the bytes as `base64` does, with padding; or use `string`"))
}

/// 200 to 600: one more than Istio's own message says.
pub(crate) fn http_status(status: i64) -> Checked {
    if (200..=600).contains(&status) {
        return Ok(());
    }
    Err(Problem::invalid(format!("HTTP status `{status}` is not in 200 to 599"))
        .help("use a status such as `200`, `301` or `503`"))
}

/// RE2, not empty, at most 1024 bytes (T-147).
pub(crate) fn regex(pattern: &str) -> Checked {
    if pattern.is_empty() {
        return Err(Problem::new(Code::InvalidRegex, "the regex is empty")
            .help("write an expression; `.*` fits everything"));
    }
    if pattern.len() > PATTERN_BYTES_MAX {
        // Only admission has this bound: Istio lets proxies take programs of any size.
        let problem = format!(
            "`{}`: the pattern has {} bytes, Istio's validation takes at most {PATTERN_BYTES_MAX}",
            short(pattern),
            pattern.len()
        );
        return Err(Problem::new(Code::InvalidRegex, problem).help(
            "shorten it; the webhook refuses the object, and without a webhook proxies match with it",
        ));
    }
    match Re2Pattern::check(pattern) {
        Ok(()) => Ok(()),
        Err(error) => Err(Problem::new(Code::InvalidRegex, format!("`{}`: {error}", short(pattern)))
            .help("patterns are RE2: https://github.com/google/re2/wiki/Syntax")),
    }
}

/// A string match: neither an empty prefix nor a bad regex (T-142, T-147).
pub(crate) fn string_match(found: &mut Checker<'_>, at: &Path<'_>, text: &StringMatch) {
    if matches!(text, StringMatch::Prefix(prefix) if prefix.is_empty()) {
        let problem = Problem::invalid("an empty prefix matches everything");
        found.find(&at.field("prefix"), problem.help("leave the match out, or name a prefix"));
    }
    regex_of(found, at, text);
}

/// The regex of a string match.
pub(crate) fn regex_of(found: &mut Checker<'_>, at: &Path<'_>, text: &StringMatch) {
    if let StringMatch::Regex(pattern) = text {
        found.check(&at.field("regex"), regex(pattern));
    }
}

/// A doubt about a method, which is compared letter by letter (T-140, S-176).
pub(crate) fn lower_case(method: &str) -> Option<Problem> {
    method.bytes().any(|byte| byte.is_ascii_lowercase()).then(|| {
        Problem::doubtful(format!("no usual method is `{}`: methods are in capitals", short(method)))
            .help(format!("write `{}`", short(&method.to_ascii_uppercase())))
    })
}

/// A doubt about the start of a path.
pub(crate) fn no_slash(path: &str) -> Option<Problem> {
    (!path.is_empty() && !path.starts_with(['/', '*'])).then(|| {
        Problem::doubtful(format!("no path is like `{}`: every path starts with `/`", short(path)))
            .help(format!("write `/{}`", short(path)))
    })
}

/// One of a few words, or none: what is left out is another check's business.
pub(crate) fn one_of(written: &str, words: &[&str]) -> Checked {
    if written.is_empty() || words.contains(&written) {
        return Ok(());
    }
    let problem = Problem::invalid(format!("`{}` is not a word for this field", short(written)));
    let near = nearest(written, words.iter().copied())
        .or_else(|| words.iter().copied().find(|word| word.eq_ignore_ascii_case(written)))
        .or_else(|| words.iter().copied().find(|word| written.len() >= 4 && word.ends_with(written)));
    Err(match near {
        Some(word) => problem.help(format!("did you mean `{word}`?")),
        None => problem.help(format!("one of `{}`", words.join("`, `"))),
    })
}
