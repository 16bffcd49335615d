//! Values that people write in fields: durations, percentages, address blocks, patterns.

mod duration;

pub use duration::{Duration, DurationError};
