//! The trust domain of a mesh.

use super::NameError;
use super::dns::{check_length, is_dns_label, name_type};

fn check(text: &str) -> Result<(), NameError> {
    check_length(text)?;
    let without_trailing_dot = text.strip_suffix('.').unwrap_or(text);
    match without_trailing_dot.split('.').find(|label| !is_dns_label(label)) {
        Some(label) => Err(NameError::BadLabel { label: label.to_owned() }),
        None => Ok(()),
    }
}

name_type! {
    /// The first part of every identity in a mesh (`cluster.local`): dotted DNS labels, a trailing dot
    /// allowed (S-336, S-338).
    TrustDomain, check
}

#[cfg(test)]
mod tests {
    use super::TrustDomain;

    #[test]
    fn labels_are_checked_and_digits_are_fine() {
        for good in ["cluster.local", "td1", "1.2", "a."] {
            assert!(TrustDomain::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "a..b", "a/b", "a_b", "*"] {
            assert!(TrustDomain::parse(bad).is_err(), "{bad}");
        }
    }
}
