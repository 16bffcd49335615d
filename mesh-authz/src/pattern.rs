//! The string forms of policy values: `*`, `*x`, `x*`, `x` (S-119).

/// A value of a policy, ready to compare with bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum StringPattern {
    /// `*`: anything that is not empty (S-120).
    NonEmpty,
    /// The whole text.
    Exact(Box<str>),
    /// `x*`
    Prefix(Box<str>),
    /// `*x`
    Suffix(Box<str>),
}

impl StringPattern {
    /// Reads a value; the star in front is looked at first, so that `*x*` is the suffix `x*` (S-119).
    pub(crate) fn parse(value: &str) -> Self {
        if value == "*" {
            return Self::NonEmpty;
        }
        if let Some(suffix) = value.strip_prefix('*') {
            return Self::Suffix(suffix.into());
        }
        match value.strip_suffix('*') {
            Some(prefix) => Self::Prefix(prefix.into()),
            None => Self::Exact(value.into()),
        }
    }

    /// Byte by byte.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        match self {
            // Envoy compares with the expression `.+`, whose dot is no line feed.
            Self::NonEmpty => !text.is_empty() && !text.contains(&b'\n'),
            Self::Exact(wanted) => text == wanted.as_bytes(),
            Self::Prefix(wanted) => text.starts_with(wanted.as_bytes()),
            Self::Suffix(wanted) => text.ends_with(wanted.as_bytes()),
        }
    }

    /// Letters of ASCII in either case.
    pub(crate) fn matches_ignoring_case(&self, text: &[u8]) -> bool {
        let same = |part: Option<&[u8]>, wanted: &str| {
            part.is_some_and(|part| part.eq_ignore_ascii_case(wanted.as_bytes()))
        };
        match self {
            Self::NonEmpty => self.matches(text),
            Self::Exact(wanted) => same(Some(text), wanted),
            Self::Prefix(wanted) => same(text.get(..wanted.len()), wanted),
            Self::Suffix(wanted) => {
                same(text.len().checked_sub(wanted.len()).and_then(|start| text.get(start..)), wanted)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(value: &str, text: &str) -> bool {
        StringPattern::parse(value).matches(text.as_bytes())
    }

    #[test]
    fn s119_leading_star_is_read_first() {
        assert!(holds("*foo*", "a/foo*"));
        assert!(!holds("*foo*", "a/foo/b"));
        assert!(holds("/a/*/c", "/a/*/c"));
        assert!(!holds("/a/*/c", "/a/b/c"));
        assert!(holds("/foo/*", "/foo/") && !holds("/foo/*", "/foo"));
        assert!(holds("*.txt", "a.txt") && !holds("*.txt", "a.TXT"));
    }

    #[test]
    fn s120_star_needs_a_character() {
        assert!(holds("*", "x"));
        assert!(!holds("*", ""));
    }

    #[test]
    fn s180_hosts_ignore_case_in_every_form() {
        for (value, host) in [("a.COM", "A.com"), ("*.X.com", "deny.x.COM"), ("Prefix.x.*", "pREFIX.X.com")] {
            assert!(StringPattern::parse(value).matches_ignoring_case(host.as_bytes()), "{value} {host}");
        }
        assert!(!StringPattern::parse("*abc").matches_ignoring_case(b"bc"));
    }
}
