//! A host without a wildcard.

use super::NameError;
use super::dns::{check_labels, check_length, is_plain_name, name_type};

fn check(text: &str) -> Result<(), NameError> {
    if is_plain_name(text) {
        return Ok(());
    }
    check_length(text)?;
    check_labels(text)
}

name_type! {
    /// A DNS name without a wildcard (T-047): labels of letters, digits and hyphens in either case, a trailing
    /// dot allowed, the last label not all digits (so an IPv4 address is not a hostname).
    ///
    /// ```
    /// # use mesh_model::name::Hostname;
    /// assert_eq!(Hostname::parse("Reviews.default").map(|host| host.to_string()), Ok("Reviews.default".into()));
    /// assert!(Hostname::parse("10.0.0.1").is_err());
    /// ```
    Hostname, check
}
