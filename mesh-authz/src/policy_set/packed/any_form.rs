//! Asking values of forms that are less usual: a byte says which (`op`), and what it compares with follows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value as Json;

use super::layout::what;
use super::reader::Reader;
use super::{Asked, Packed, op};
use crate::policy_set::attribute::{Attribute, find_claim};
use crate::policy_set::identity;
use crate::request_header;

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

fn value<'r>(attribute: &'r Attribute, asked: &'r Asked<'_>) -> Value<'r> {
    let facts = asked.facts;
    let request = |value: Value<'r>| if facts.request.is_some() { value } else { Value::Absent };
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
        Attribute::Path => request(Value::Text(asked.path().as_bytes())),
        Attribute::RequestPrincipal | Attribute::FilterMetadata => Value::Other,
    }
}

impl Packed {
    /// Reads the number of an attribute, then its values; whether one fits.
    #[inline(never)]
    pub(super) fn one_of_any_form(&self, values: &[u8], count: usize, asked: &Asked<'_>) -> bool {
        let mut reader = Reader::new(values);
        let Some(attribute) = self.attributes.get(reader.number()) else { return false };
        let value = value(attribute, asked);
        (0..count).any(|_| self.fits(attribute, value, &mut reader, asked))
    }

    /// One value among the texts of a field.
    #[inline(never)]
    pub(super) fn is_of_any_form(&self, kind: u8, code: &[u8], asked: &Asked<'_>) -> bool {
        let attribute = match kind {
            what::IDENTITY => &Attribute::Identity,
            what::PATH => &Attribute::Path,
            what::METHOD => &Attribute::Method,
            _ => &Attribute::Sni,
        };
        self.fits(attribute, value(attribute, asked), &mut Reader::new(code), asked)
    }

    /// Reads one value of the field, all of it, and says whether it fits.
    fn fits(
        &self,
        attribute: &Attribute,
        value: Value<'_>,
        reader: &mut Reader<'_>,
        asked: &Asked<'_>,
    ) -> bool {
        let operation = reader.byte();
        let any_text = |fits: &mut dyn FnMut(&[u8], bool) -> bool| any_text(value, asked, fits);
        match operation {
            op::EXACT | op::PREFIX | op::SUFFIX => {
                let wanted = reader.text();
                any_text(&mut |text, fold| compare(operation, text, wanted, fold))
            }
            op::NON_EMPTY => any_text(&mut |text, _| !text.is_empty() && !text.contains(&b'\n')),
            op::PRESENT => any_text(&mut |_, _| true),
            op::PORT => {
                let wanted = u16::from_le_bytes(reader.array());
                matches!(value, Value::Port(port) if port == wanted)
            }
            op::IPV4 => {
                let bits = u32::from(reader.byte());
                let network = Ipv4Addr::from(reader.array::<4>()).to_bits();
                let mask = u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0);
                matches!(value, Value::Address(IpAddr::V4(address)) if address.to_bits() & mask == network)
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
                many.is_some_and(|many| many.any_fits(asked))
            }
            _ => {
                let pattern = self.odd.get(reader.number());
                pattern.is_some_and(|pattern| attribute.fits(pattern, asked.facts))
            }
        }
    }
}

/// Whether one of the texts fits; the flag says that letter case does not count.
fn any_text(value: Value<'_>, asked: &Asked<'_>, fits: &mut dyn FnMut(&[u8], bool) -> bool) -> bool {
    match value {
        Value::Text(text) => fits(text, false),
        Value::Identity(peer) => fits(peer.as_bytes(), false),
        Value::Host(text) => fits(text, true),
        Value::Header(name) => {
            let request = asked.facts.request;
            request.is_some_and(|request| request_header::any(request, name, |line| fits(line, false)))
        }
        Value::Claim(Json::String(text)) => fits(text.as_bytes(), false),
        Value::Claim(Json::Array(texts)) => {
            texts.iter().filter_map(Json::as_str).any(|text| fits(text.as_bytes(), false))
        }
        Value::Absent | Value::Address(_) | Value::Port(_) | Value::Claim(_) | Value::Other => false,
    }
}

fn compare(operation: u8, text: &[u8], wanted: &[u8], fold: bool) -> bool {
    let part = match operation {
        op::EXACT => Some(text),
        op::PREFIX => text.get(..wanted.len()),
        _ => text.len().checked_sub(wanted.len()).and_then(|start| text.get(start..)),
    };
    part.is_some_and(|part| if fold { part.eq_ignore_ascii_case(wanted) } else { part == wanted })
}
