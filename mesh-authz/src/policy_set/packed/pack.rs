//! From rules to bytes.

use std::hash::BuildHasher;
use std::net::IpAddr;

use smallvec::SmallVec;

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

pub(super) fn number(code: &mut Vec<u8>, number: usize) {
    number_into(number, |byte| code.push(byte));
}

fn number_into(mut number: usize, mut push: impl FnMut(u8)) {
    while number >= 0x80 {
        // The lowest seven bits.
        push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    push(number as u8);
}

/// What `write` appends, with its length in front.
fn sized(code: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = code.len();
    // Room for the usual length; a longer one pushes the rest aside.
    code.push(0);
    write(code);
    let written = code.len() - start - 1;
    let mut length = SmallVec::<[u8; 8]>::new();
    number_into(written, |byte| length.push(byte));
    match (length.as_slice(), code.get_mut(start)) {
        ([short], Some(place)) => *place = *short,
        _ => drop(code.splice(start..=start, length)),
    }
}

fn text(code: &mut Vec<u8>, operation: u8, text: &str) {
    code.push(operation);
    number(code, text.len());
    code.extend(text.as_bytes());
}

impl Packed {
    pub(super) fn pack_condition(
        &mut self,
        code: &mut Vec<u8>,
        from: &[Vec<Field<'_>>],
        to: &[Vec<Field<'_>>],
        when: &[Field<'_>],
    ) {
        self.alternatives(code, from);
        self.alternatives(code, to);
        self.fields(code, when);
    }

    fn alternatives(&mut self, code: &mut Vec<u8>, alternatives: &[Vec<Field<'_>>]) {
        number(code, alternatives.len());
        match alternatives {
            [] => {}
            [only] => self.fields(code, only),
            several => sized(code, |code| {
                several.iter().for_each(|fields| sized(code, |code| self.fields(code, fields)));
            }),
        }
    }

    fn fields(&mut self, code: &mut Vec<u8>, fields: &[Field<'_>]) {
        number(code, fields.len());
        for Field { attribute, any, none, .. } in fields {
            number(code, self.attribute(attribute));
            if let Some(many) = (any.len() > MANY).then(|| ManyValues::new(attribute, any)).flatten() {
                number(code, 1);
                code.push(op::MANY);
                number(code, self.many.len());
                self.many.push(many);
                number(code, none.len());
                none.iter().for_each(|pattern| self.pattern(code, attribute, pattern));
                continue;
            }
            number(code, any.len());
            match any.as_slice() {
                [] => {}
                [only] => self.pattern(code, attribute, only),
                several => sized(code, |code| {
                    several.iter().for_each(|pattern| self.pattern(code, attribute, pattern));
                }),
            }
            number(code, none.len());
            none.iter().for_each(|pattern| self.pattern(code, attribute, pattern));
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

    fn pattern(&mut self, code: &mut Vec<u8>, attribute: &Attribute, pattern: &Pattern) {
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
