//! Where a resource may be seen from (T-025).

use std::fmt;

use super::{NameError, Namespace};

/// One value of `exportTo` (T-025).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExportTo {
    /// `.`: the resource's own namespace.
    OwnNamespace,
    /// `*`: every namespace.
    All,
    /// `~`: nowhere; services only.
    None,
    /// One namespace by name.
    Namespace(Namespace),
}

impl ExportTo {
    /// Reads one value.
    ///
    /// # Errors
    /// When it is neither `.`, `*`, `~` nor a namespace name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        Ok(match text {
            "." => Self::OwnNamespace,
            "*" => Self::All,
            "~" => Self::None,
            name => Self::Namespace(Namespace::parse(name)?),
        })
    }

    /// Whether this value alone lets `viewer` see a resource of `owner`.
    pub fn includes(&self, owner: &str, viewer: &str) -> bool {
        match self {
            Self::OwnNamespace => viewer == owner,
            Self::All => true,
            Self::None => false,
            Self::Namespace(namespace) => viewer == namespace.as_str(),
        }
    }
}

impl fmt::Display for ExportTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OwnNamespace => ".",
            Self::All => "*",
            Self::None => "~",
            Self::Namespace(namespace) => namespace.as_str(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_includes_its_viewers() {
        for (value, own, other) in
            [(".", true, false), ("*", true, true), ("~", false, false), ("b", false, true)]
        {
            let export_to = ExportTo::parse(value).unwrap();
            assert_eq!(export_to.to_string(), value);
            assert_eq!(export_to.includes("a", "a"), own, "{value}");
            assert_eq!(export_to.includes("a", "b"), other, "{value}");
        }
        assert!(ExportTo::parse("").is_err());
        assert!(ExportTo::parse("a.b").is_err());
    }
}
