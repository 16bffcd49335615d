//! What a route asks of a request: a conjunction of predicates, each closed and inspectable.

use std::sync::Arc;

use super::few::Few;
use super::pattern::Pattern;

/// All must hold (T-115).
#[derive(Debug, Clone)]
pub struct RouteMatch {
    /// The path, without query.
    pub path: PathMatch,
    /// Headers and pseudo-headers (`:method`, `:authority`, `:scheme`).
    pub headers: Few<HeaderMatch>,
    /// Query parameters.
    pub query: Few<QueryMatch>,
    /// JWT claims (T-145).
    pub claims: Few<ClaimMatch>,
}

impl RouteMatch {
    /// A match on the path alone.
    pub fn path(path: PathMatch) -> Self {
        Self { path, headers: Few::default(), query: Few::default(), claims: Few::default() }
    }

    /// Whether there are predicates on something else than the path.
    pub fn looks_beyond_path(&self) -> bool {
        !(self.headers.is_empty() && self.query.is_empty() && self.claims.is_empty())
    }
}

/// A predicate on the path (T-135..T-139).
#[derive(Debug, Clone)]
pub enum PathMatch {
    /// Equal.
    Exact(Arc<str>, Case),
    /// Starts with, byte by byte (T-136).
    Prefix(Arc<str>, Case),
    /// Equal, or continues with `/` (Ingress, Gateway API). Written without the final `/`.
    SegmentPrefix(Arc<str>),
    /// RE2, the whole path.
    Regex(Pattern),
}

impl PathMatch {
    /// Bytes of the text that a path has to begin with.
    pub(super) fn literal_length(&self) -> usize {
        match self {
            Self::Exact(text, _) | Self::Prefix(text, _) | Self::SegmentPrefix(text) => text.len(),
            Self::Regex(pattern) => pattern.literal_start().len(),
        }
    }
}

/// Whether ASCII case counts (T-138).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Case {
    /// It does.
    #[default]
    Sensitive,
    /// It does not (`ignoreUriCase`, T-138).
    Insensitive,
}

/// A predicate on a header (E-001, E-002, E-003).
#[derive(Debug, Clone)]
pub struct HeaderMatch {
    /// Lower case; `:method` and the like for pseudo-headers.
    pub name: Arc<str>,
    /// What a value must be.
    pub value: ValueMatch,
    /// Holds when no value matches.
    pub invert: bool,
    /// A missing header counts as one empty value.
    pub missing_is_empty: bool,
}

/// A predicate on a query parameter: the first occurrence of the key in the raw query (T-144).
#[derive(Debug, Clone)]
pub struct QueryMatch {
    /// The key, case-sensitive.
    pub name: Arc<str>,
    /// What its value must be.
    pub value: ValueMatch,
}

/// A predicate on a claim of the verified token (T-145).
#[derive(Debug, Clone)]
pub struct ClaimMatch {
    /// Claim names from the outside in.
    pub path: Vec<Arc<str>>,
    /// What the claim must be; for a list claim, any element.
    pub value: ValueMatch,
    /// Holds when the claim is absent or does not match.
    pub invert: bool,
}

/// A predicate on a value that may be absent (T-142, T-143).
#[derive(Debug, Clone)]
pub enum ValueMatch {
    /// There is one.
    Present,
    /// There is none.
    Absent,
    /// There is one and its text matches.
    Text(TextMatch),
}

/// A predicate on text (T-140, T-141).
#[derive(Debug, Clone)]
pub enum TextMatch {
    /// Equal.
    Exact(Arc<str>),
    /// Starts with.
    Prefix(Arc<str>),
    /// Ends with.
    Suffix(Arc<str>),
    /// Contains.
    Contains(Arc<str>),
    /// RE2, the whole text.
    Regex(Pattern),
}

impl TextMatch {
    /// Whether the text fits.
    pub fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Exact(wanted) => text == wanted.as_bytes(),
            Self::Prefix(wanted) => text.starts_with(wanted.as_bytes()),
            Self::Suffix(wanted) => text.ends_with(wanted.as_bytes()),
            Self::Contains(wanted) => {
                wanted.is_empty() || text.windows(wanted.len()).any(|window| window == wanted.as_bytes())
            }
            Self::Regex(pattern) => pattern.is_match(text),
        }
    }
}
