//! Asking a packed rule.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value as Json;

use super::reader::Reader;
use super::{Asked, op};
use crate::policy_set::attribute::{Attribute, Pattern, find_claim};
use crate::policy_set::identity;
use crate::policy_set::many_values::ManyValues;
use crate::{request_header, short_text};

/// What a rule is asked with.
pub(super) struct Matcher<'m> {
    pub(super) attributes: &'m [Attribute],
    pub(super) odd: &'m [Pattern],
    pub(super) many: &'m [ManyValues],
    pub(super) asked: &'m Asked<'m>,
}

/// What the request has of an attribute.
#[derive(Clone, Copy)]
enum Value<'r> {
    Absent,
    Address(IpAddr),
    Port(u16),
    Text(&'r [u8]),
    /// Letters of either case are the same.
    Host(&'r [u8]),
    Identity(&'r str),
    /// Each of its lines.
    Header(&'r str),
    /// A text, or each text of a list.
    Claim(&'r Json),
    /// Read by those values that ask for it.
    Other,
}

impl<'m> Matcher<'m> {
    /// Whether the rule matches; the rest of it is read as far as that needs.
    #[inline(always)]
    pub(super) fn holds(&self, mut rule: Reader<'_>) -> bool {
        self.alternatives(&mut rule) && self.alternatives(&mut rule) && self.fields(&mut rule)
    }

    /// Whether there are none, or one holds.
    #[inline(always)]
    fn alternatives(&self, reader: &mut Reader<'_>) -> bool {
        match reader.number() {
            0 => true,
            1 => self.fields(reader),
            count => self.several(count, reader.sized()),
        }
    }

    /// Whether one of several holds.
    #[inline(never)]
    fn several(&self, count: usize, mut alternatives: Reader<'_>) -> bool {
        (0..count).any(|_| self.fields(&mut alternatives.sized()))
    }

    /// Whether all hold.
    // Readers are handed on by value: one whose address is known elsewhere does not stay in registers.
    #[inline(always)]
    fn fields(&self, reader: &mut Reader<'_>) -> bool {
        for _ in 0..reader.number() {
            let Some(rest) = self.field(*reader) else { return false };
            *reader = rest;
        }
        true
    }

    /// Whether one of the values fits, if there are any, and none of the `not` values: then what follows. One loop for
    /// each sort of value, so that what is usual in it takes few steps.
    #[inline(always)]
    fn field<'c>(&self, mut reader: Reader<'c>) -> Option<Reader<'c>> {
        let attribute = self.attributes.get(reader.number())?;
        match self.value(attribute) {
            value @ Value::Text(text) => {
                fit(reader, &Text { text, other: Other { matcher: self, attribute, value } })
            }
            value @ Value::Identity(peer) => {
                let text = peer.as_bytes();
                fit(reader, &Text { text, other: Other { matcher: self, attribute, value } })
            }
            value @ Value::Address(IpAddr::V4(address)) => {
                let address = address.to_bits();
                fit(reader, &Address { address, other: Other { matcher: self, attribute, value } })
            }
            value => fit(reader, &Other { matcher: self, attribute, value }),
        }
    }

    #[inline(always)]
    fn value(&self, attribute: &'m Attribute) -> Value<'m> {
        let facts = self.asked.facts;
        let request = |value: Value<'m>| if facts.request.is_some() { value } else { Value::Absent };
        match attribute {
            Attribute::SourceIp => Value::Address(facts.direct_ip.to_canonical()),
            Attribute::RemoteIp => Value::Address(facts.remote_ip.to_canonical()),
            Attribute::DestinationIp => Value::Address(facts.dst_ip.to_canonical()),
            Attribute::DestinationPort => Value::Port(facts.dst_port),
            Attribute::Sni => facts.sni.map_or(Value::Absent, |sni| Value::Text(sni.as_bytes())),
            Attribute::Identity => facts.peer.map_or(Value::Absent, Value::Identity),
            Attribute::Claim(path) => {
                let claim = facts.claims.and_then(|claims| find_claim(path, claims.payload()));
                claim.map_or(Value::Absent, Value::Claim)
            }
            Attribute::Header(name) => request(Value::Header(name)),
            Attribute::Host => {
                facts.request.map_or(Value::Absent, |request| Value::Host(request.authority.as_bytes()))
            }
            Attribute::Method => {
                facts.request.map_or(Value::Absent, |request| Value::Text(request.method.as_bytes()))
            }
            Attribute::Path => request(Value::Text(self.asked.path.as_bytes())),
            Attribute::RequestPrincipal | Attribute::FilterMetadata => Value::Other,
        }
    }

    /// Reads one value of the field, all of it, and says whether it fits.
    fn fits(&self, attribute: &Attribute, value: Value<'_>, reader: &mut Reader<'_>) -> bool {
        let operation = reader.byte();
        match operation {
            op::EXACT | op::PREFIX | op::SUFFIX => {
                let wanted = reader.text();
                self.any_text(value, |text, fold| compare(operation, text, wanted, fold))
            }
            op::NON_EMPTY => self.any_text(value, |text, _| !text.is_empty() && !text.contains(&b'\n')),
            op::PRESENT => self.any_text(value, |_, _| true),
            op::PORT => {
                let wanted = u16::from_le_bytes(reader.array());
                matches!(value, Value::Port(port) if port == wanted)
            }
            op::IPV4 => {
                let address =
                    if let Value::Address(IpAddr::V4(address)) = value { Some(address) } else { None };
                let is_inside = in_block(address.map_or(0, Ipv4Addr::to_bits), reader);
                is_inside && address.is_some()
            }
            op::IPV6 => {
                let bits = u32::from(reader.byte());
                let network = Ipv6Addr::from(reader.array::<16>()).to_bits();
                let mask = u128::MAX.checked_shl(128 - bits.min(128)).unwrap_or(0);
                matches!(value, Value::Address(IpAddr::V6(address)) if address.to_bits() & mask == network)
            }
            op::NAMESPACE => {
                let wanted = reader.text();
                matches!(value, Value::Identity(peer) if identity::is_in_namespace(peer, wanted))
            }
            op::ACCOUNT => {
                let (namespace, account) = (reader.text(), reader.text());
                let texts = std::str::from_utf8(namespace).ok().zip(std::str::from_utf8(account).ok());
                let Some((namespace, account)) = texts else { return false };
                matches!(value, Value::Identity(peer) if identity::is_of_account(peer, namespace, account))
            }
            op::PRINCIPAL_SUFFIX => {
                let wanted = reader.text();
                matches!(value, Value::Identity(peer) if identity::ends_with(peer, wanted))
            }
            op::MANY => {
                let many = self.many.get(reader.number());
                many.is_some_and(|many| many.any_fits(self.asked))
            }
            _ => {
                let pattern = self.odd.get(reader.number());
                pattern.is_some_and(|pattern| attribute.fits(pattern, self.asked.facts))
            }
        }
    }

    /// Whether one of the texts fits; the flag says that letter case does not count.
    fn any_text(&self, value: Value<'_>, mut fits: impl FnMut(&[u8], bool) -> bool) -> bool {
        match value {
            Value::Text(text) => fits(text, false),
            Value::Identity(peer) => fits(peer.as_bytes(), false),
            Value::Host(text) => fits(text, true),
            Value::Header(name) => {
                let request = self.asked.facts.request;
                request.is_some_and(|request| request_header::any(request, name, |line| fits(line, false)))
            }
            Value::Claim(Json::String(text)) => fits(text.as_bytes(), false),
            Value::Claim(Json::Array(texts)) => {
                texts.iter().filter_map(Json::as_str).any(|text| fits(text.as_bytes(), false))
            }
            Value::Absent | Value::Address(_) | Value::Port(_) | Value::Claim(_) | Value::Other => false,
        }
    }
}

/// Reads a value and says whether it fits.
trait Fits {
    fn fits<'c>(&self, reader: Reader<'c>) -> (bool, Reader<'c>);
}

/// Any attribute.
struct Other<'m> {
    matcher: &'m Matcher<'m>,
    attribute: &'m Attribute,
    value: Value<'m>,
}

impl Fits for Other<'_> {
    #[inline(never)]
    fn fits<'c>(&self, mut reader: Reader<'c>) -> (bool, Reader<'c>) {
        let fits = self.matcher.fits(self.attribute, self.value, &mut reader);
        (fits, reader)
    }
}

/// A text whose letters count as they are.
struct Text<'m> {
    text: &'m [u8],
    other: Other<'m>,
}

impl Fits for Text<'_> {
    #[inline(always)]
    fn fits<'c>(&self, reader: Reader<'c>) -> (bool, Reader<'c>) {
        let mut rest = reader;
        let fits = match rest.byte() {
            op::EXACT => short_text::equal(self.text, rest.text()),
            op::PREFIX => short_text::begins(self.text, rest.text()),
            op::SUFFIX => short_text::ends(self.text, rest.text()),
            _ => return self.other.fits(reader),
        };
        (fits, rest)
    }
}

/// An IPv4 address.
struct Address<'m> {
    address: u32,
    other: Other<'m>,
}

impl Fits for Address<'_> {
    #[inline(always)]
    fn fits<'c>(&self, reader: Reader<'c>) -> (bool, Reader<'c>) {
        let mut rest = reader;
        match rest.byte() {
            op::IPV4 => (in_block(self.address, &mut rest), rest),
            _ => self.other.fits(reader),
        }
    }
}

/// Whether one of the values fits, if there are any, and none of the `not` values: then what follows.
#[inline(always)]
fn fit<'c>(mut reader: Reader<'c>, value: &impl Fits) -> Option<Reader<'c>> {
    let count = reader.number();
    let mut rest = reader;
    if count > 1 {
        reader = rest.sized();
    }
    if count > 0 {
        let mut left = count;
        loop {
            let (fits, behind) = value.fits(reader);
            left -= 1;
            reader = behind;
            if fits {
                break;
            }
            if left == 0 {
                return None;
            }
        }
        if count == 1 {
            rest = reader;
        }
    }
    let none = rest.number();
    if none == 0 { Some(rest) } else { fit_none(none, rest, value) }
}

/// What follows values none of which fits.
#[inline(never)]
fn fit_none<'c>(count: usize, mut reader: Reader<'c>, value: &impl Fits) -> Option<Reader<'c>> {
    for _ in 0..count {
        let (fits, behind) = value.fits(reader);
        if fits {
            return None;
        }
        reader = behind;
    }
    Some(reader)
}

/// Reads a block; whether the address is in it.
#[inline(always)]
fn in_block(address: u32, reader: &mut Reader<'_>) -> bool {
    let bits = u32::from(reader.byte());
    let network = u32::from_be_bytes(reader.array());
    let mask = u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0);
    address & mask == network
}

fn compare(operation: u8, text: &[u8], wanted: &[u8], fold: bool) -> bool {
    let part = match operation {
        op::EXACT => Some(text),
        op::PREFIX => text.get(..wanted.len()),
        _ => text.len().checked_sub(wanted.len()).and_then(|start| text.get(start..)),
    };
    part.is_some_and(|part| if fold { part.eq_ignore_ascii_case(wanted) } else { part == wanted })
}
