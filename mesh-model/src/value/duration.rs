//! A length of time as configuration writes it: Go's duration grammar in, protobuf JSON out.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A signed length of time in nanoseconds, about ±292 years.
///
/// Istio reads durations with Go's `time.ParseDuration`, so `1h30m` and `.5s` are as good as `5400s` (T-002).
///
/// ```
/// use mesh_model::value::Duration;
///
/// let timeout: Duration = "1m1.5s".parse()?;
/// assert_eq!(timeout, Duration::from_millis(61_500));
/// assert_eq!(timeout.to_string(), "61.5s");
/// assert!("10".parse::<Duration>().is_err()); // a unit is required
/// # Ok::<(), mesh_model::value::DurationError>(())
/// ```
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Duration {
    nanos: i64,
}

/// Why a text is not a duration (T-002).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DurationError {
    /// Empty text, a sign alone, or a part that does not start with a digit.
    #[error("invalid duration, write for example `1.5s`")]
    Invalid,
    /// A number without a unit.
    #[error("missing unit in duration, write for example `10s`")]
    MissingUnit,
    /// A unit other than `ns`, `us`, `µs`, `ms`, `s`, `m` and `h`.
    #[error("unknown unit in duration, use one of `h`, `m`, `s`, `ms`, `us`, `ns`")]
    UnknownUnit,
    /// More than 64 bits of nanoseconds.
    #[error("duration is out of range")]
    OutOfRange,
}

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_MILLI: i64 = 1_000_000;
/// Magnitude of the most negative duration.
const MAX_MAGNITUDE: u64 = 1 << 63;

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self { nanos: 0 };

    /// From nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self { nanos }
    }

    /// From milliseconds; saturates at the ends of the range.
    pub const fn from_millis(millis: i64) -> Self {
        Self { nanos: millis.saturating_mul(NANOS_PER_MILLI) }
    }

    /// From seconds; saturates at the ends of the range.
    pub const fn from_secs(secs: i64) -> Self {
        Self { nanos: secs.saturating_mul(NANOS_PER_SECOND) }
    }

    /// Whole nanoseconds.
    pub const fn as_nanos(self) -> i64 {
        self.nanos
    }

    /// Whole milliseconds, truncated towards zero.
    pub const fn as_millis(self) -> i64 {
        self.nanos / NANOS_PER_MILLI
    }

    /// Seconds with their fraction; beyond 2^53 ns the last digits are lost.
    #[expect(clippy::cast_precision_loss, reason = "documented")]
    pub const fn as_secs_f64(self) -> f64 {
        self.nanos as f64 / NANOS_PER_SECOND as f64
    }

    /// Whether it is exactly zero.
    pub const fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Whether it is below zero.
    pub const fn is_negative(self) -> bool {
        self.nanos < 0
    }

    /// As the standard library's unsigned type; `None` below zero.
    pub fn to_std(self) -> Option<std::time::Duration> {
        u64::try_from(self.nanos).ok().map(std::time::Duration::from_nanos)
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if unsigned == "0" {
            return Ok(Self::ZERO);
        }
        if unsigned.is_empty() {
            return Err(DurationError::Invalid);
        }
        let mut total: u64 = 0;
        let mut rest = unsigned;
        while !rest.is_empty() {
            let (nanos, after) = take_part(rest)?;
            total = total
                .checked_add(nanos)
                .filter(|&sum| sum <= MAX_MAGNITUDE)
                .ok_or(DurationError::OutOfRange)?;
            rest = after;
        }
        let nanos = if negative { 0_i64.checked_sub_unsigned(total) } else { i64::try_from(total).ok() };
        nanos.map(Self::from_nanos).ok_or(DurationError::OutOfRange)
    }
}

/// One `<number><unit>` at the start of `text`: its nanoseconds, and what follows.
fn take_part(text: &str) -> Result<(u64, &str), DurationError> {
    let (whole, after_whole) = take_digits(text);
    let (fraction, after_number) = match after_whole.strip_prefix('.') {
        Some(after_point) => take_digits(after_point),
        None => ("", after_whole),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(DurationError::Invalid);
    }
    let value = whole_number(whole)?;
    let unit_end = after_number.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after_number.len());
    let (unit, rest) = after_number.split_at(unit_end);
    let nanos_per_unit = nanos_per_unit(unit)?;
    let nanos = value
        .checked_mul(nanos_per_unit)
        .and_then(|nanos| nanos.checked_add(fraction_nanos(fraction, nanos_per_unit)))
        .filter(|&nanos| nanos <= MAX_MAGNITUDE)
        .ok_or(DurationError::OutOfRange)?;
    Ok((nanos, rest))
}

fn take_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn whole_number(digits: &str) -> Result<u64, DurationError> {
    if digits.is_empty() {
        return Ok(0);
    }
    digits.parse().ok().filter(|&value| value <= MAX_MAGNITUDE).ok_or(DurationError::OutOfRange)
}

/// Go computes the fraction in floating point and truncates: the rounding is part of the grammar.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the same float arithmetic as Go's, on values below one unit"
)]
fn fraction_nanos(digits: &str, nanos_per_unit: u64) -> u64 {
    let mut value: u64 = 0;
    let mut scale: f64 = 1.0;
    for digit in digits.bytes() {
        // Digits beyond 63 bits are read and ignored.
        if value > (MAX_MAGNITUDE - 1) / 10 {
            break;
        }
        let next = value * 10 + u64::from(digit - b'0');
        if next > MAX_MAGNITUDE {
            break;
        }
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (nanos_per_unit as f64 / scale)) as u64
}

fn nanos_per_unit(unit: &str) -> Result<u64, DurationError> {
    Ok(match unit {
        "ns" => 1,
        // MICRO SIGN and GREEK SMALL LETTER MU look the same.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "" => return Err(DurationError::MissingUnit),
        _ => return Err(DurationError::UnknownUnit),
    })
}

/// Seconds with the shortest exact fraction: `0s`, `1.5s`, `-0.001s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.nanos.unsigned_abs();
        let per_second = NANOS_PER_SECOND.unsigned_abs();
        let (secs, nanos) = (magnitude / per_second, magnitude % per_second);
        if self.is_negative() {
            f.write_str("-")?;
        }
        if nanos == 0 {
            return write!(f, "{secs}s");
        }
        let fraction = format!("{nanos:09}");
        write!(f, "{secs}.{}s", fraction.trim_end_matches('0'))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[-+]?(0|(([0-9]+\\.?[0-9]*|\\.[0-9]+)(ns|us|\u{b5}s|\u{3bc}s|ms|s|m|h))+)$",
            "format": "go-duration"
        })
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(DurationVisitor)
    }
}

/// Says what was expected, also where the value is no text at all.
struct DurationVisitor;

impl serde::de::Visitor<'_> for DurationVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as `5s`, `100ms` or `1h30m`")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Duration, E> {
        text.parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nanos(text: &str) -> Result<i64, DurationError> {
        text.parse::<Duration>().map(Duration::as_nanos)
    }

    #[test]
    fn reads_what_go_reads() {
        for (text, expected) in [
            ("0", 0),
            ("-0", 0),
            ("+0", 0),
            ("0s", 0),
            ("5s", 5_000_000_000),
            ("+5s", 5_000_000_000),
            ("-1s", -1_000_000_000),
            ("1h30m", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("1us", 1_000),
            ("1µs", 1_000),
            ("1\u{3bc}s", 1_000),
            ("12ns", 12),
            ("3s1h", 3_603_000_000_000),
            ("0.3333333333333333333h", 1_200_000_000_000),
            ("0.100000000000000000000h", 360_000_000_000),
            ("0.9223372036854775807h", 3_320_413_933_267),
            ("9223372036854775807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
            ("9223372036.854775807s", i64::MAX),
        ] {
            assert_eq!(nanos(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_go_refuses() {
        use DurationError::{Invalid, MissingUnit, OutOfRange, UnknownUnit};
        for (text, expected) in [
            ("", Invalid),
            ("-", Invalid),
            ("s", Invalid),
            (".", Invalid),
            (".s", Invalid),
            ("--1s", Invalid),
            (" 1s", Invalid),
            ("10", MissingUnit),
            ("1.5", MissingUnit),
            ("00", MissingUnit),
            ("1d", UnknownUnit),
            ("1e3s", UnknownUnit),
            ("1S", UnknownUnit),
            ("1s ", UnknownUnit),
            ("1 s", UnknownUnit),
            ("1s-1s", UnknownUnit),
            ("9223372036854775808ns", OutOfRange),
            ("-9223372036854775809ns", OutOfRange),
            ("9999999999999999999999h", OutOfRange),
            ("2562048h", OutOfRange),
            ("2562047h2562047h", OutOfRange),
        ] {
            assert_eq!(nanos(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn prints_the_shortest_exact_seconds() {
        for (nanos, expected) in [
            (0, "0s"),
            (1_500_000_000, "1.5s"),
            (-1_000_000, "-0.001s"),
            (1, "0.000000001s"),
            (3_600_000_000_000, "3600s"),
            (i64::MIN, "-9223372036.854775808s"),
        ] {
            assert_eq!(Duration::from_nanos(nanos).to_string(), expected);
        }
    }

    #[test]
    fn is_a_string_in_json() {
        assert_eq!(serde_json::to_string(&Duration::from_millis(1_500)).unwrap(), r#""1.5s""#);
        assert_eq!(serde_json::from_str::<Duration>(r#""1h""#).unwrap(), Duration::from_secs(3_600));
        assert!(serde_json::from_str::<Duration>("10").is_err());
    }

    #[test]
    fn millis_truncate_and_constructors_saturate() {
        assert_eq!(Duration::from_nanos(1_999_999).as_millis(), 1);
        assert_eq!(Duration::from_nanos(-1_999_999).as_millis(), -1);
        assert_eq!(Duration::from_secs(i64::MAX).as_nanos(), i64::MAX);
        assert_eq!(Duration::from_secs(-1).to_std(), None);
    }

    proptest! {
        #[test]
        fn whole_nanoseconds_survive_printing(nanos: i64) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "[-+.0-9hmsnuµ e]{0,40}") {
            let _ = text.parse::<Duration>();
        }
    }
}
