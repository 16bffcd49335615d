//! From rules to bytes.

use std::hash::BuildHasher;
use std::net::IpAddr;

use smallvec::SmallVec;

use super::layout::{self, what};
use super::{Packed, op};
use crate::pattern::StringPattern;
use crate::policy_set::attribute::{Attribute, Pattern};
use crate::policy_set::identity::IdentityPattern;
use crate::policy_set::many_values::{MANY, ManyValues};
use crate::policy_set::rule::Field;

/// Of configuration; the seed need not be secret.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    foldhash::quality::FixedState::with_seed(1).hash_one(bytes)
}

pub(super) fn number(code: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        // The lowest seven bits.
        code.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    code.push(number as u8);
}

fn text(code: &mut Vec<u8>, operation: u8, text: &str) {
    code.push(operation);
    number(code, text.len());
    code.extend(text.as_bytes());
}

impl Packed {
    /// What `from`, `to` and `when` ask for, one after the other.
    pub(super) fn pack_condition(
        &mut self,
        code: &mut Vec<u8>,
        from: &[Vec<Field<'_>>],
        to: &[Vec<Field<'_>>],
        when: &[Field<'_>],
    ) {
        self.alternatives(code, from.iter().map(Vec::as_slice));
        self.alternatives(code, to.iter().map(Vec::as_slice));
        self.alternatives(code, std::iter::once(when));
    }

    /// Fields of alternatives, each of which says where to go on.
    fn alternatives<'f>(
        &mut self,
        code: &mut Vec<u8>,
        alternatives: impl Iterator<Item = &'f [Field<'f>]> + Clone,
    ) {
        let asks_nothing = |field: &Field<'_>| field.any.is_empty() && field.none.is_empty();
        if alternatives.clone().any(|fields| fields.iter().all(asks_nothing)) {
            // It holds always.
            return;
        }
        // Where each field begins, and the alternative it belongs to.
        let mut starts = SmallVec::<[(usize, usize); 8]>::new();
        for (number, fields) in alternatives.enumerate() {
            for Field { attribute, any, none, .. } in fields {
                for (values, not) in [(any, 0), (none, what::NOT)] {
                    if !values.is_empty() {
                        starts.push((code.len(), number));
                        self.field(code, attribute, values, not);
                    }
                }
            }
        }
        let end = code.len();
        for (at, (start, number)) in starts.iter().enumerate() {
            let behind = starts.get(at + 1..).unwrap_or_default();
            let next = behind.first().filter(|(_, other)| other == number);
            let other = behind.iter().find(|(_, other)| other != number);
            let far = |to: usize| u32::try_from(to - start).unwrap_or(u32::MAX);
            let then = far(next.map_or(end, |(next, _)| *next));
            let otherwise = other.map_or(0, |(other, _)| far(*other));
            layout::Field::aim(code, *start, then, otherwise);
        }
    }

    fn field(&mut self, code: &mut Vec<u8>, attribute: &Attribute, values: &[Pattern], not: u8) {
        let count = u32::try_from(values.len()).unwrap_or(u32::MAX);
        let head = |what: u8, count: u32| layout::Field { then: 0, otherwise: 0, count, what: what | not };
        let start = code.len();
        if not != 0 || values.len() <= MANY {
            let usual = match attribute {
                Attribute::Identity => Some(what::IDENTITY),
                Attribute::Path => Some(what::PATH),
                Attribute::Method => Some(what::METHOD),
                Attribute::Sni => Some(what::SNI),
                Attribute::SourceIp => Some(what::SOURCE_IP),
                Attribute::RemoteIp => Some(what::REMOTE_IP),
                Attribute::DestinationIp => Some(what::DESTINATION_IP),
                Attribute::DestinationPort => Some(what::PORT),
                _ => None,
            };
            if let Some(usual) = usual {
                let is_exact = |value| text_of(value).is_some_and(|(form, _)| form == layout::EXACT);
                let mixed = if values.iter().all(is_exact) { 0 } else { what::MIXED };
                head(usual | mixed, count).write(code);
                let mut rests = Vec::new();
                if values.iter().all(|value| self.usual(code, &mut rests, attribute, value)) {
                    code.extend(rests);
                    return;
                }
                code.truncate(start);
            }
        }
        let many = if not == 0 && values.len() > MANY { ManyValues::new(attribute, values) } else { None };
        head(what::OTHER, if many.is_some() { 1 } else { count }).write(code);
        number(code, self.attribute(attribute));
        if let Some(many) = many {
            code.push(op::MANY);
            number(code, self.many.len());
            self.many.push(many);
        } else {
            values.iter().for_each(|value| self.any_form(code, attribute, value));
        }
    }

    /// Appends a value if it can stand in a field of this attribute that is laid out in the usual way.
    fn usual(
        &mut self,
        code: &mut Vec<u8>,
        rests: &mut Vec<u8>,
        attribute: &Attribute,
        value: &Pattern,
    ) -> bool {
        match (attribute, value) {
            (Attribute::SourceIp | Attribute::RemoteIp | Attribute::DestinationIp, Pattern::Ip(block)) => {
                let IpAddr::V4(network) = block.network() else { return false };
                code.extend(layout::block(network, block.prefix_bits()));
                true
            }
            (Attribute::DestinationPort, Pattern::Port(port)) => {
                code.extend(port.to_le_bytes());
                true
            }
            (Attribute::Identity | Attribute::Path | Attribute::Method | Attribute::Sni, value) => {
                if let Some((form, text)) = text_of(value) {
                    return layout::write_text(code, rests, form, text);
                }
                let mut written = Vec::new();
                self.any_form(&mut written, attribute, value);
                layout::write_any_form(code, rests, &written)
            }
            _ => false,
        }
    }

    fn attribute(&mut self, attribute: &Attribute) -> usize {
        // Few are asked for, most of them again and again.
        if let Some(at) = self.attributes.iter().take(8).position(|known| known == attribute) {
            return at;
        }
        if let Some(at) = self.making.attributes.get(attribute) {
            return *at;
        }
        let at = self.attributes.len();
        self.attributes.push(attribute.clone());
        self.making.attributes.insert(attribute.clone(), at);
        at
    }

    /// The operation of a value, and what it compares with.
    fn any_form(&mut self, code: &mut Vec<u8>, attribute: &Attribute, pattern: &Pattern) {
        match (attribute, pattern) {
            (Attribute::FilterMetadata, _) => self.odd(code, pattern),
            (_, Pattern::Ip(block)) => match block.network() {
                IpAddr::V4(network) => {
                    code.extend([op::IPV4, block.prefix_bits()]);
                    code.extend(network.octets());
                }
                IpAddr::V6(network) => {
                    code.extend([op::IPV6, block.prefix_bits()]);
                    code.extend(network.octets());
                }
            },
            (_, Pattern::Port(port)) => {
                code.push(op::PORT);
                code.extend(port.to_le_bytes());
            }
            (_, Pattern::Present) => code.push(op::PRESENT),
            (_, Pattern::Text(pattern)) => string(code, pattern),
            (_, Pattern::Identity(identity)) => match identity {
                IdentityPattern::Principal(StringPattern::Suffix(suffix)) => {
                    text(code, op::PRINCIPAL_SUFFIX, suffix);
                }
                IdentityPattern::Principal(pattern) => string(code, pattern),
                IdentityPattern::Namespace(literals) if literals.len() == 1 => {
                    literals.iter().for_each(|literal| text(code, op::NAMESPACE, literal));
                }
                IdentityPattern::ServiceAccount { namespace, account } => {
                    text(code, op::ACCOUNT, namespace);
                    number(code, account.len());
                    code.extend(account.as_bytes());
                }
                IdentityPattern::TrustDomain(start) => text(code, op::PREFIX, start),
                IdentityPattern::Namespace(_) | IdentityPattern::TrustDomainGlob(..) => {
                    self.odd(code, pattern);
                }
            },
            (_, Pattern::RequestPrincipal(_) | Pattern::Template(_)) => self.odd(code, pattern),
        }
    }

    fn odd(&mut self, code: &mut Vec<u8>, pattern: &Pattern) {
        code.push(op::ODD);
        number(code, self.odd.len());
        self.odd.push(pattern.clone());
    }
}

fn string(code: &mut Vec<u8>, pattern: &StringPattern) {
    match pattern {
        StringPattern::NonEmpty => code.push(op::NON_EMPTY),
        StringPattern::Exact(wanted) => text(code, op::EXACT, wanted),
        StringPattern::Prefix(wanted) => text(code, op::PREFIX, wanted),
        StringPattern::Suffix(wanted) => text(code, op::SUFFIX, wanted),
    }
}

/// The text that a value compares with, and how, where it is one that can be compared as it stands.
fn text_of(value: &Pattern) -> Option<(u64, &[u8])> {
    match value {
        Pattern::Text(StringPattern::Exact(text))
        | Pattern::Identity(IdentityPattern::Principal(StringPattern::Exact(text))) => {
            Some((layout::EXACT, text.as_bytes()))
        }
        Pattern::Text(StringPattern::Prefix(text))
        | Pattern::Identity(IdentityPattern::Principal(StringPattern::Prefix(text))) => {
            Some((layout::PREFIX, text.as_bytes()))
        }
        Pattern::Text(StringPattern::Suffix(text)) => Some((layout::SUFFIX, text.as_bytes())),
        Pattern::Identity(IdentityPattern::TrustDomain(start)) => Some((layout::PREFIX, start.as_bytes())),
        _ => None,
    }
}
