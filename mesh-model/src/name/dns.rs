//! The DNS syntax that all host-like names share (T-047), and the text newtype around it.

/// Why a text is not a name (T-047).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// No text.
    #[error("empty name")]
    Empty,
    /// More than `max` bytes.
    #[error("name is longer than {max} bytes")]
    TooLong {
        /// The limit in bytes.
        max: usize,
    },
    /// A label that is not letters, digits and inner hyphens, at most 63 bytes.
    #[error("`{label}` is not a DNS label")]
    BadLabel {
        /// The label as written.
        label: String,
    },
    /// `foo.123` could be mistaken for an address.
    #[error("the last label `{label}` must not be all digits")]
    NumericTopLabel {
        /// The label as written.
        label: String,
    },
}

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// Longest label, in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// Whether `text` is one DNS-1123 label in either case, the way Istio checks it.
pub fn is_dns_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= LABEL_BYTES_MAX
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().copied().all(inner)
}

/// A first label that may be `*`, `*label` or `*-label`.
pub(super) fn is_wildcard_label(text: &str) -> bool {
    text.len() <= LABEL_BYTES_MAX
        && text.strip_prefix('*').map_or_else(
            || is_dns_label(text),
            |rest| rest.is_empty() || is_dns_label(rest.strip_prefix('-').unwrap_or(rest)),
        )
}

/// 1 to 255 bytes.
pub(super) fn check_length(text: &str) -> Result<(), NameError> {
    match text.len() {
        0 => Err(NameError::Empty),
        length if length > NAME_BYTES_MAX => Err(NameError::TooLong { max: NAME_BYTES_MAX }),
        _ => Ok(()),
    }
}

/// Dotted labels: an empty last one is fine (trailing dot), an all-digit last one is not.
pub(super) fn check_labels(text: &str) -> Result<(), NameError> {
    let mut labels = text.split('.').peekable();
    while let Some(label) = labels.next() {
        let is_last = labels.peek().is_none();
        if is_last && label.is_empty() {
            return Ok(());
        }
        if !is_dns_label(label) {
            return Err(NameError::BadLabel { label: label.to_owned() });
        }
        if is_last && label.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NameError::NumericTopLabel { label: label.to_owned() });
        }
    }
    Ok(())
}

/// Whether a text is letters, digits and inner hyphens between dots for certain, short enough, and does not end like an
/// address: a look at each byte once. What it does not know is for the checks above.
pub(super) fn is_plain_name(text: &str) -> bool {
    let (mut length, mut has_letter, mut before) = (0, false, b'.');
    for byte in text.bytes() {
        match byte {
            b'.' if length == 0 || before == b'-' => return false,
            b'.' => (length, has_letter) = (0, false),
            b'-' if length == 0 => return false,
            b'a'..=b'z' | b'A'..=b'Z' | b'-' => (length, has_letter) = (length + 1, true),
            b'0'..=b'9' => length += 1,
            _ => return false,
        }
        if length > LABEL_BYTES_MAX {
            return false;
        }
        before = byte;
    }
    length > 0 && has_letter && before != b'-' && text.len() <= NAME_BYTES_MAX
}

/// A checked, shared text: everything but the check itself.
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Checks the text and keeps it as written.
            ///
            /// # Errors
            /// When the text breaks the syntax described on the type.
            pub fn parse(text: &str) -> Result<Self, $crate::name::NameError> {
                Self::check(text)?;
                Ok(Self(text.into()))
            }

            /// Whether the text is one, without keeping it.
            pub(crate) fn check(text: &str) -> Result<(), $crate::name::NameError> {
                $check(text)
            }

            /// The text as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::name::NameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        // Equality, order and hash are those of the text, so maps can be asked with a `&str`.
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(super) use name_type;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_letters_digits_and_inner_hyphens() {
        for good in ["a", "A-b", "1", "a--b", &"x".repeat(63)] {
            assert!(is_dns_label(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a_b", "ä", "a.b", &"x".repeat(64)] {
            assert!(!is_dns_label(bad), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_plain_name_is_a_name(text in "([a-cZ0-2.-]{0,6}|[a-z0-9]{60,66})(\\.[a-c0-1-]{0,4}){0,3}") {
            if is_plain_name(&text) {
                proptest::prop_assert_eq!((check_length(&text), check_labels(&text)), (Ok(()), Ok(())), "{}", text);
            }
        }
    }

    #[test]
    fn common_names_are_plain_and_others_are_not() {
        for plain in ["a", "reviews.default.svc.cluster.local", "A-b.c--d", "1.a", "svc-0.ns1"] {
            assert!(is_plain_name(plain), "{plain}");
        }
        for other in [
            "",
            ".",
            "a.",
            ".a",
            "-a",
            "a-",
            "a-.b",
            "a..b",
            "a.1",
            "*.a",
            "a_b",
            &"x".repeat(64),
            &"a.".repeat(130),
        ] {
            assert!(!is_plain_name(other), "{other}");
        }
    }

    #[test]
    fn the_star_stands_first_in_the_first_label() {
        for good in ["*", "*foo", "*-foo", "foo"] {
            assert!(is_wildcard_label(good), "{good}");
        }
        for bad in ["", "**", "*--foo", "foo*", "*-", "f*o"] {
            assert!(!is_wildcard_label(bad), "{bad}");
        }
    }
}
