//! A port that exists.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A port number, 1 to 65535 (T-147, T-327).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct PortNumber(NonZeroU16);

/// A number outside 1..=65535, or not a number (T-147).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("port number must be in the range 1..65535")]
pub struct PortNumberError;

impl PortNumber {
    /// The port of this number.
    ///
    /// # Errors
    /// When it is not in 1..=65535.
    pub fn new(number: i64) -> Result<Self, PortNumberError> {
        u16::try_from(number).ok().and_then(NonZeroU16::new).map(Self).ok_or(PortNumberError)
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl FromStr for PortNumber {
    type Err = PortNumberError;

    fn from_str(text: &str) -> Result<Self, PortNumberError> {
        text.parse().map_err(|_| PortNumberError).and_then(Self::new)
    }
}

impl fmt::Display for PortNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::PortNumber;

    #[test]
    fn zero_and_beyond_sixteen_bits_are_refused() {
        assert_eq!(PortNumber::new(65_535).map(PortNumber::get), Ok(65_535));
        for bad in [0, -1, 65_536] {
            assert!(PortNumber::new(bad).is_err());
        }
        assert!("http".parse::<PortNumber>().is_err());
        assert!(serde_json::from_str::<PortNumber>("0").is_err());
    }
}
