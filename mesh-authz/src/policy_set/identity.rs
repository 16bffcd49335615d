//! What policies ask of a peer's identity, `spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/ACCOUNT` (S-131, S-133 to S-135).
//!
//! Istio compiles these to regular expressions; here each is the few comparisons that its expression amounts to,
//! linear in the identity, with every literal taken literally (S-173).

use crate::pattern::StringPattern;
use crate::{byte_places, short_text};

const SCHEME: &str = "spiffe://";

/// One value of an identity field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum IdentityPattern {
    /// `principals`: the text after `spiffe://`.
    Principal(StringPattern),
    /// `namespaces`: literals that stand in this order; the first begins with `/ns/`, the last ends with `/`.
    Namespace(Vec<String>),
    /// `serviceAccounts`
    ServiceAccount {
        /// `/ns/NAMESPACE/`
        namespace: String,
        /// `sa/ACCOUNT`
        account: String,
    },
    /// `trustDomains` without a star, or nothing but a star: what the identity begins with.
    TrustDomain(String),
    /// `trustDomains` with a star: before and after it.
    TrustDomainGlob(String, String),
}

impl IdentityPattern {
    /// `principals`, `source.principal`. A value that brings its own `spiffe://` never matches (S-161).
    pub(super) fn principal(value: &str) -> Self {
        Self::Principal(match StringPattern::parse(value) {
            StringPattern::Exact(text) => StringPattern::Exact(format!("{SCHEME}{text}").into()),
            StringPattern::Prefix(text) => StringPattern::Prefix(format!("{SCHEME}{text}").into()),
            other => other,
        })
    }

    /// `namespaces`, `source.namespace`; stars may stand anywhere.
    pub(super) fn namespace(value: &str) -> Self {
        Self::Namespace(format!("/ns/{value}/").split('*').map(str::to_owned).collect())
    }

    /// `serviceAccounts`, `source.serviceAccount`; a bare name is of the policy's namespace.
    pub(super) fn service_account(value: &str, policy_namespace: &str) -> Self {
        let (namespace, account) = value.split_once('/').unwrap_or((policy_namespace, value));
        Self::ServiceAccount { namespace: format!("/ns/{namespace}/"), account: format!("sa/{account}") }
    }

    /// `trustDomains`, `source.trustDomain`.
    pub(super) fn trust_domain(value: &str) -> Self {
        match value.split_once('*') {
            _ if value == "*" => Self::TrustDomain(SCHEME.to_owned()),
            None => Self::TrustDomain(format!("{SCHEME}{value}/")),
            Some((before, after)) => Self::TrustDomainGlob(before.to_owned(), after.to_owned()),
        }
    }

    /// Whether the identity of a verified peer fits.
    pub(super) fn matches(&self, identity: &str) -> bool {
        match self {
            Self::Principal(StringPattern::Suffix(suffix)) => {
                one_line(identity)
                    && identity.strip_prefix(SCHEME).is_some_and(|rest| rest.ends_with(&**suffix))
            }
            Self::Principal(pattern) => pattern.matches(identity.as_bytes()),
            Self::Namespace(literals) => one_line(identity) && in_order(identity, literals),
            Self::ServiceAccount { namespace, account } => {
                one_line(identity) && is_account(identity, namespace, account)
            }
            Self::TrustDomain(start) => identity.starts_with(&**start),
            Self::TrustDomainGlob(before, after) => {
                one_line(identity) && in_trust_domain(identity, before, after)
            }
        }
    }
}

/// `namespaces` without stars: the literal stands somewhere.
pub(super) fn is_in_namespace(identity: &str, literal: &[u8]) -> bool {
    let bytes = identity.as_bytes();
    let mut found = false;
    byte_places::each(bytes, b'/', |at| {
        found = bytes.get(at..).is_some_and(|rest| short_text::begins(rest, literal));
        !found
    });
    found && one_line(identity)
}

/// `serviceAccounts`: `/ns/NAMESPACE/` and `sa/ACCOUNT`.
pub(super) fn is_of_account(identity: &str, namespace: &str, account: &str) -> bool {
    one_line(identity) && is_account(identity, namespace, account)
}

/// `principals` with a star in front.
pub(super) fn ends_with(identity: &str, suffix: &[u8]) -> bool {
    one_line(identity) && identity.strip_prefix(SCHEME).is_some_and(|rest| rest.as_bytes().ends_with(suffix))
}

/// A dot of a regular expression is no line feed.
fn one_line(identity: &str) -> bool {
    !identity.contains('\n')
}

/// `.*` before, between and after: the leftmost place of each literal leaves the most for the rest.
fn in_order(identity: &str, literals: &[String]) -> bool {
    let mut rest = identity;
    literals.iter().all(|literal| match rest.split_once(&**literal) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

/// `spiffe://.+/ns/NS/(.+/|)sa/SA(/.+)?`
fn is_account(identity: &str, namespace: &str, account: &str) -> bool {
    let Some(rest) = identity.strip_prefix(SCHEME) else { return false };
    // `.+` takes at least one character; the leftmost namespace after it leaves a tail that holds all others.
    let Some(tail) = rest.char_indices().nth(1).and_then(|(second, _)| {
        let (_, searched) = rest.split_at_checked(second)?;
        searched.split_once(namespace).map(|(_, tail)| tail)
    }) else {
        return false;
    };
    let ends = |after: &str| after.is_empty() || after.strip_prefix('/').is_some_and(|more| !more.is_empty());
    if tail.strip_prefix(account).is_some_and(ends) {
        return true;
    }
    // With other segments before `sa/`: at least one character, then a slash.
    tail.match_indices('/').filter(|(at, _)| *at > 0).any(|(at, _)| {
        tail.split_at_checked(at + 1).is_some_and(|(_, after)| after.strip_prefix(account).is_some_and(ends))
    })
}

/// `spiffe://BEFORE[^/]*AFTER/.*`
fn in_trust_domain(identity: &str, before: &str, after: &str) -> bool {
    let Some(rest) = identity.strip_prefix(SCHEME).and_then(|rest| rest.strip_prefix(before)) else {
        return false;
    };
    let run = rest.find('/').unwrap_or(rest.len());
    rest.char_indices().map(|(at, _)| at).take_while(|at| *at <= run).any(|at| {
        rest.split_at_checked(at)
            .and_then(|(_, tail)| tail.strip_prefix(after))
            .is_some_and(|tail| tail.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "spiffe://td1/ns/a/sa/b";

    #[test]
    fn s131_principals_are_written_without_the_scheme() {
        let holds = |value| IdentityPattern::principal(value).matches(PEER);
        assert!(holds("td1/ns/a/sa/b") && holds("td1/*") && holds("*/sa/b") && holds("*"));
        assert!(!holds("spiffe://td1/ns/a/sa/b") && !holds("*x") && !holds("td2/ns/a/sa/b"));
        assert!(!IdentityPattern::principal("*/sa/a.b").matches("spiffe://td/ns/x/sa/aXb"));
    }

    #[test]
    fn s133_namespaces_take_stars_anywhere_and_dots_literally() {
        let holds = |value, peer| IdentityPattern::namespace(value).matches(peer);
        assert!(holds("a", PEER) && holds("*", PEER));
        assert!(holds("te*t-*", "spiffe://td/ns/teXt-1/sa/x"));
        assert!(!holds("te*t-*", "spiffe://td/ns/text/sa/x"));
        assert!(!holds("a.b", "spiffe://td/ns/aXb/sa/x"));
        assert!(!holds("b", PEER));
    }

    #[test]
    fn s134_service_accounts_default_to_the_policys_namespace() {
        let holds = |value, peer| IdentityPattern::service_account(value, "p").matches(peer);
        assert!(holds("b", "spiffe://td/ns/p/sa/b"));
        assert!(!holds("b", "spiffe://td/ns/q/sa/b"));
        assert!(holds("q/b", "spiffe://td/ns/q/sa/b"));
        assert!(holds("q/b", "spiffe://td/ns/q/x/y/sa/b/z/1"));
        assert!(holds("q/b", "spiffe://td/k/v/ns/q/ns/q/sa/b"));
        assert!(!holds("q/b", "spiffe://td/ns/q/sa/bb"));
        assert!(!holds("q/b", "spiffe://td/ns/q/sa/b/"));
        assert!(!holds("q/a.b", "spiffe://td/ns/q/sa/aXb"));
        assert!(!holds("q/b", "spiffe:///ns/q/sa/b"));
    }

    #[test]
    fn s135_trust_domains_end_at_the_slash() {
        let holds = |value| IdentityPattern::trust_domain(value).matches(PEER);
        assert!(holds("td1") && holds("*") && holds("t*") && holds("*1") && holds("t*1") && holds("td1*"));
        assert!(!holds("td") && !holds("*d") && !holds("td1/ns*x") && !holds("x*"));
    }
}
