//! The keys of a value: what a request must have for the value to fit.

use mesh_model::value::IpBlock;
use smallvec::SmallVec;

use crate::pattern::StringPattern;
use crate::policy_set::attribute::{Attribute, Pattern};
use crate::policy_set::identity::IdentityPattern;
use crate::policy_set::request_principal::RequestPrincipal;

/// What is looked up in the request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    SourceIp,
    RemoteIp,
    DestinationIp,
    Sni,
    /// The whole identity.
    Identity,
    /// Any part of the identity between two slashes.
    IdentitySegment,
    /// What follows any `/ns/` of the identity.
    AfterNamespace,
    /// `iss`
    Iss,
    /// `sub`
    Sub,
    /// By its path.
    Claim(Vec<String>),
    Header(String),
    /// In lower case.
    Host,
    Method,
    Path,
}

/// Where the text must stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    Exact,
    Start,
    End,
}

/// Something that a request has or has not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Text(Subject, Shape, Box<[u8]>),
    /// A namespace and an account, without slashes, after each other in the identity.
    Account(Box<str>, Box<str>),
    /// A segment of the path by its position.
    Segment(usize, Box<str>),
    Port(u16),
    Block(Subject, IpBlock),
}

/// The keys of a value; there is seldom more than one.
pub(super) type Keys = SmallVec<[Key; 1]>;

/// The keys of one value: each of them is found in every request that the value fits, so one of them is enough.
/// Empty: nothing is known of such requests.
pub(super) fn of(attribute: &Attribute, pattern: &Pattern) -> Keys {
    let text = |subject, pattern: &StringPattern| Keys::from_iter([text(subject, pattern)]);
    let block = |subject, block: &IpBlock| Keys::from_iter([Key::Block(subject, *block)]);
    let one = |key| Keys::from_iter([key]);
    match (attribute, pattern) {
        (Attribute::SourceIp, Pattern::Ip(found)) => block(Subject::SourceIp, found),
        (Attribute::RemoteIp, Pattern::Ip(found)) => block(Subject::RemoteIp, found),
        (Attribute::DestinationIp, Pattern::Ip(found)) => block(Subject::DestinationIp, found),
        (Attribute::DestinationPort, Pattern::Port(port)) => one(Key::Port(*port)),
        (Attribute::Sni, Pattern::Text(found)) => text(Subject::Sni, found),
        (Attribute::Identity, Pattern::Identity(found)) => identity(found),
        (Attribute::RequestPrincipal, Pattern::RequestPrincipal(found)) => request_principal(found),
        (Attribute::Claim(claim), Pattern::Text(found)) => text(Subject::Claim(claim.clone()), found),
        (Attribute::Header(name), Pattern::Text(found)) => text(Subject::Header(name.clone()), found),
        (Attribute::Header(name), Pattern::Present) => one(present(Subject::Header(name.clone()))),
        (Attribute::Host, Pattern::Text(found)) => text(Subject::Host, &lower_case(found)),
        (Attribute::Host, Pattern::Present) => one(present(Subject::Host)),
        (Attribute::Method, Pattern::Text(found)) => text(Subject::Method, found),
        (Attribute::Method, Pattern::Present) => one(present(Subject::Method)),
        (Attribute::Path, Pattern::Text(found)) => text(Subject::Path, found),
        (Attribute::Path, Pattern::Template(template)) => {
            let segments = template.literal_segments();
            let segments = segments.map(|(at, text)| Key::Segment(at, text.into()));
            let end = template.literal_end().map(|end| key(Subject::Path, Shape::End, end));
            // Every path has a start, so there is always a key.
            segments.chain(end).chain([present(Subject::Path)]).collect()
        }
        _ => Keys::new(),
    }
}

fn key(subject: Subject, shape: Shape, text: &str) -> Key {
    Key::Text(subject, shape, text.as_bytes().into())
}

/// Found wherever the subject is there at all.
fn present(subject: Subject) -> Key {
    key(subject, Shape::Start, "")
}

fn text(subject: Subject, pattern: &StringPattern) -> Key {
    match pattern {
        StringPattern::NonEmpty => present(subject),
        StringPattern::Exact(text) => key(subject, Shape::Exact, text),
        StringPattern::Prefix(text) => key(subject, Shape::Start, text),
        StringPattern::Suffix(text) => key(subject, Shape::End, text),
    }
}

fn lower_case(pattern: &StringPattern) -> StringPattern {
    let lower = |text: &str| text.to_ascii_lowercase().into();
    match pattern {
        StringPattern::NonEmpty => StringPattern::NonEmpty,
        StringPattern::Exact(text) => StringPattern::Exact(lower(text)),
        StringPattern::Prefix(text) => StringPattern::Prefix(lower(text)),
        StringPattern::Suffix(text) => StringPattern::Suffix(lower(text)),
    }
}

fn identity(pattern: &IdentityPattern) -> Keys {
    let one = |key| Keys::from_iter([key]);
    let start = |text: &str| one(key(Subject::Identity, Shape::Start, text));
    match pattern {
        IdentityPattern::Principal(pattern) => one(text(Subject::Identity, pattern)),
        IdentityPattern::Namespace(literals) => {
            let first = literals.first().and_then(|literal| literal.strip_prefix(NAMESPACE));
            let start = key(Subject::AfterNamespace, Shape::Start, first.unwrap_or(""));
            // Where the first literal is not the last, the last is all behind a star.
            let last = literals.get(1..).and_then(<[String]>::last).and_then(|last| last.strip_suffix('/'));
            std::iter::once(start).chain(last.and_then(segment_end)).collect()
        }
        IdentityPattern::ServiceAccount { namespace, account } => {
            let name = namespace.strip_prefix(NAMESPACE).and_then(|rest| rest.strip_suffix('/'));
            match (name, account.strip_prefix("sa/")) {
                (Some(name), Some(account)) if !name.contains('/') && !account.contains('/') => {
                    one(Key::Account(name.into(), account.into()))
                }
                _ => one(present(Subject::Identity)),
            }
        }
        IdentityPattern::TrustDomain(text) => start(text),
        IdentityPattern::TrustDomainGlob(before, after) => {
            let start = key(Subject::Identity, Shape::Start, &format!("spiffe://{before}"));
            std::iter::once(start).chain(segment_end(after)).collect()
        }
    }
}

/// Text that stands before a slash, behind something else.
fn segment_end(text: &str) -> Option<Key> {
    let is_one_segment = !text.is_empty() && !text.contains('/');
    is_one_segment.then(|| key(Subject::IdentitySegment, Shape::End, text))
}

/// What stands before a namespace in an identity.
pub(super) const NAMESPACE: &str = "/ns/";

fn request_principal(pattern: &RequestPrincipal) -> Keys {
    Keys::from_iter([text(Subject::Iss, &pattern.issuer), text(Subject::Sub, &pattern.subject)])
}
