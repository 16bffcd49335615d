//! Values that people write in fields: durations, percentages, address blocks, patterns.

mod cel;
mod duration;
mod ip_block;
mod path_template;
mod pem;
mod percent;
mod regex;

pub use cel::{CEL_CHARS_MAX, CelError, CelProblem, check_cel};
pub use duration::{Duration, DurationError};
pub use ip_block::{IpBlock, IpBlockError};
pub use path_template::{PathTemplate, PathTemplateError};
pub use pem::{Pem, PemFlaw, PublicKeyMark, read_pem};
pub use percent::{Percent, PercentError};
pub use regex::{PATTERN_BYTES_MAX, Re2Pattern, RegexError};
