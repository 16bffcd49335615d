//! Points in time as logs write them. Envoy: `START_TIME`, `EMIT_TIME` and the ends of certificates.

use std::fmt::Write;
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::values::iso;
use crate::telemetry::record::Record;

/// Which time, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Time {
    is_now: bool,
    form: TimeForm,
}

/// How a time is written; without parts: ISO 8601 to the millisecond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimeForm {
    parts: Vec<Part>,
    is_local: bool,
}

/// A piece of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// What the C library knows.
    Strftime(String),
    /// `%s`
    Seconds,
    /// `%3f`
    Fraction(usize),
    /// `%E3S`; `None`: `%E*S`, as many digits as there are.
    SecondsWith(Option<usize>),
}

impl Time {
    pub(super) fn of(is_now: bool, form: TimeForm) -> Self {
        Self { is_now, form }
    }

    pub(super) fn write(&self, record: &Record, out: &mut String) -> bool {
        self.form.write(if self.is_now { SystemTime::now() } else { record.start }, out)
    }
}

impl TimeForm {
    /// # Errors
    /// It would break the line.
    pub(super) fn of(written: &str, is_local: bool) -> Result<Self, String> {
        let mut form = Self { parts: Vec::new(), is_local };
        let mut rest = written;
        while !rest.is_empty() {
            rest = form.take(rest)?;
        }
        Ok(form)
    }

    /// Reads one piece; what is left.
    fn take<'w>(&mut self, written: &'w str) -> Result<&'w str, String> {
        let Some(after) = written.strip_prefix('%') else {
            let end = written.find('%').unwrap_or(written.len());
            let (plain, rest) = written.split_at_checked(end).unwrap_or((written, ""));
            self.plain(plain);
            return Ok(rest);
        };
        let flags = after.trim_start_matches(|flag: char| "-_0^#123456789EO".contains(flag));
        if flags.starts_with('n') {
            return Err("the form of a time would break the line".to_owned());
        }
        if let Some((part, rest)) = special(after) {
            self.parts.push(part);
            return Ok(rest);
        }
        let end = after.find(|it: char| it.is_ascii_alphabetic() && it != 'E' && it != 'O' || it == '%');
        let length = end.map_or(written.len(), |end| end + 2);
        let (directive, rest) = written.split_at_checked(length).unwrap_or((written, ""));
        // What nobody knows stands for itself.
        let known = strtime::format(translated(directive), Timestamp::UNIX_EPOCH).is_ok();
        if known {
            self.strftime(translated(directive));
        } else {
            self.plain(directive);
        }
        Ok(rest)
    }

    fn plain(&mut self, text: &str) {
        self.strftime(&text.replace('%', "%%"));
    }

    fn strftime(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Strftime(before)) => before.push_str(text),
            _ => self.parts.push(Part::Strftime(text.to_owned())),
        }
    }

    /// Writes a time; whether it can be told.
    pub(super) fn write(&self, time: SystemTime, out: &mut String) -> bool {
        let Ok(timestamp) = Timestamp::try_from(time) else { return false };
        if self.parts.is_empty() {
            if !self.is_local {
                return iso(timestamp, out);
            }
            let local = timestamp.to_zoned(TimeZone::system());
            return strtime::format("%Y-%m-%dT%H:%M:%S.%3f%z", &local)
                .map(|text| out.push_str(&text))
                .is_ok();
        }
        self.parts.iter().all(|part| part.write(timestamp, self.is_local, out))
    }
}

impl Part {
    fn write(&self, time: Timestamp, is_local: bool, out: &mut String) -> bool {
        let formatted = |form: &str| {
            if is_local {
                strtime::format(form, &time.to_zoned(TimeZone::system()))
            } else {
                strtime::format(form, time)
            }
        };
        let fraction = |digits: usize| {
            let nanos = format!("{:09}", time.subsec_nanosecond().unsigned_abs());
            nanos.get(..digits.min(9)).unwrap_or_default().to_owned()
        };
        match self {
            Self::Strftime(form) => {
                let Ok(text) = formatted(form) else { return false };
                out.push_str(&text);
            }
            Self::Seconds => {
                // Writing to a string cannot fail.
                let _ = write!(out, "{}", time.as_second());
            }
            Self::Fraction(digits) => out.push_str(&fraction(*digits)),
            Self::SecondsWith(digits) => {
                out.push_str(&formatted("%S").unwrap_or_default());
                let all = fraction(digits.unwrap_or(9));
                let told = if digits.is_none() { all.trim_end_matches('0') } else { &*all };
                if !told.is_empty() {
                    out.push('.');
                    out.push_str(told);
                }
            }
        }
        true
    }
}

/// Envoy's own pieces, after their `%`, and what follows.
fn special(after: &str) -> Option<(Part, &str)> {
    if let Some(rest) = after.strip_prefix('s') {
        return Some((Part::Seconds, rest));
    }
    if let Some(rest) = after.strip_prefix('f') {
        return Some((Part::Fraction(9), rest));
    }
    let digit =
        |text: &str| text.chars().next().and_then(|digit| digit.to_digit(10)).map(|digit| digit as usize);
    if let Some(digits) = digit(after).filter(|digits| *digits > 0)
        && let Some(rest) = after.get(1..).and_then(|rest| rest.strip_prefix('f'))
    {
        return Some((Part::Fraction(digits), rest));
    }
    let extended = after.strip_prefix('E')?;
    if let Some(rest) = extended.strip_prefix("*S") {
        return Some((Part::SecondsWith(None), rest));
    }
    if let Some(rest) = extended.strip_prefix("*f") {
        return Some((Part::Fraction(9), rest));
    }
    let (digits, rest) = (digit(extended)?, extended.get(1..)?);
    if let Some(rest) = rest.strip_prefix('S') {
        return Some((Part::SecondsWith(Some(digits)), rest));
    }
    rest.strip_prefix('f').map(|rest| (Part::Fraction(digits), rest))
}

/// As the library here has it.
fn translated(directive: &str) -> &str {
    match directive {
        "%Ez" => "%:z",
        "%E*z" => "%::z",
        "%E4Y" => "%Y",
        "%c" => "%a %b %e %H:%M:%S %Y",
        "%x" => "%m/%d/%y",
        "%X" => "%H:%M:%S",
        "%r" => "%I:%M:%S %p",
        other => other,
    }
}
