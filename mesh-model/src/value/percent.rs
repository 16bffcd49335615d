//! A share of requests.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A percentage from 0 to 100, fractions included (T-182).
///
/// ```
/// use mesh_model::value::Percent;
///
/// let share = Percent::new(0.5)?;
/// assert_eq!(share.per_million(), 5_000);
/// assert!(Percent::new(100.1).is_err());
/// # Ok::<(), mesh_model::value::PercentError>(())
/// ```
// INVARIANT: finite, 0..=100, and never negative zero; so equality of the number is equality of the share.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Percent(f64);

impl Eq for Percent {}

/// A number outside 0..=100, or not a number (T-182).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("percentage must be in the range 0..100")]
pub struct PercentError;

impl Percent {
    /// Nothing.
    pub const ZERO: Self = Self(0.0);
    /// Everything.
    pub const HUNDRED: Self = Self(100.0);

    /// The percentage of this value.
    ///
    /// # Errors
    /// When it is not in 0..=100, or not a number.
    pub fn new(value: f64) -> Result<Self, PercentError> {
        // Adding zero turns -0 into 0.
        if (0.0..=100.0).contains(&value) { Ok(Self(value + 0.0)) } else { Err(PercentError) }
    }

    /// The value, 0 to 100.
    pub fn value(self) -> f64 {
        self.0
    }

    /// Whole parts per million, truncated: the precision that the proxy draws with (T-182).
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0..=1_000_000 by the invariant"
    )]
    pub fn per_million(self) -> u32 {
        (self.0 * 10_000.0) as u32
    }

    /// Whether `draw` (a uniform number below one million) falls into the share.
    pub fn includes(self, draw: u32) -> bool {
        draw % 1_000_000 < self.per_million()
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zero_to_a_hundred_is_a_percentage() {
        for bad in [-0.1, 100.000_1, f64::NAN, f64::INFINITY] {
            assert!(Percent::new(bad).is_err(), "{bad}");
        }
        assert_eq!(Percent::new(-0.0).unwrap().to_string(), "0%");
        assert_eq!(serde_json::from_str::<Percent>("50").unwrap().value(), 50.0);
    }

    #[test]
    fn parts_per_million_are_truncated() {
        for (value, expected) in
            [(0.0, 0), (100.0, 1_000_000), (0.000_09, 0), (0.000_1, 1), (33.333_39, 333_333)]
        {
            assert_eq!(Percent::new(value).unwrap().per_million(), expected, "{value}");
        }
    }

    #[test]
    fn a_share_includes_its_draws() {
        assert!(!Percent::ZERO.includes(0));
        assert!(Percent::HUNDRED.includes(999_999));
        assert!(!Percent::new(50.0).unwrap().includes(500_000));
    }
}
