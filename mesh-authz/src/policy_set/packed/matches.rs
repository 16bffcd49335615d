//! Asking a packed rule.

use std::net::IpAddr;

use super::layout::{self, ANY_FORM, EXACT, Field, IN_KEY, SUFFIX, form_of, is_text, key, length_of, what};
use super::{Asked, Packed};

impl Packed {
    /// Whether the fields of a rule hold.
    #[inline(always)]
    pub(super) fn holds(&self, mut fields: &[u8], asked: &Asked<'_>) -> bool {
        while !fields.is_empty() {
            let Some((field, values)) = Field::read(fields) else { return false };
            let one_fits = self.one_fits(&field, values, asked);
            let next = if one_fits == (field.what & what::NOT == 0) {
                field.then
            } else if field.otherwise == 0 {
                return false;
            } else {
                field.otherwise
            };
            fields = fields.get(next as usize..).unwrap_or_default();
        }
        true
    }

    /// Whether one of the values fits.
    #[inline(always)]
    fn one_fits(&self, field: &Field, values: &[u8], asked: &Asked<'_>) -> bool {
        let facts = asked.facts;
        let count = field.count as usize;
        let text = match field.what & !what::NOT {
            what::IDENTITY => facts.peer.map(str::as_bytes),
            what::PATH => facts.request.map(|_| asked.path().as_bytes()),
            what::METHOD => facts.request.map(|request| request.method.as_bytes()),
            what::SNI => facts.sni.map(str::as_bytes),
            what::SOURCE_IP => return one_block(values, count, facts.direct_ip),
            what::REMOTE_IP => return one_block(values, count, facts.remote_ip),
            what::DESTINATION_IP => return one_block(values, count, facts.dst_ip),
            what::PORT => {
                let ports = values.as_chunks::<2>().0.iter().take(count);
                return ports.into_iter().any(|port| u16::from_le_bytes(*port) == facts.dst_port);
            }
            _ => return self.one_of_any_form(values, count, asked),
        };
        text.is_some_and(|text| self.one_text(field.what & !what::NOT, text, values, count, asked))
    }

    #[inline(always)]
    fn one_text(&self, kind: u8, text: &[u8], mut values: &[u8], count: usize, asked: &Asked<'_>) -> bool {
        let whole = key(text);
        for _ in 0..count {
            let Some((wanted, rest)) = values.split_first_chunk::<8>() else { return false };
            let wanted = u64::from_le_bytes(*wanted);
            let length = length_of(wanted);
            let Some((before, rest)) = rest.split_at_checked(length.saturating_sub(IN_KEY)) else {
                return false;
            };
            let form = form_of(wanted);
            let fits = if form == EXACT {
                wanted == whole && is_text(text, EXACT, wanted, before)
            } else if form == ANY_FORM {
                self.is_of_any_form(kind, before, asked)
            } else {
                let start = if form == SUFFIX { text.len().wrapping_sub(length) } else { 0 };
                let part = text.get(start..).and_then(|text| text.get(..length));
                part.is_some_and(|part| is_text(part, form, wanted, before))
            };
            if fits {
                return true;
            }
            values = rest;
        }
        false
    }
}

/// Whether an address is in one of the blocks.
#[inline(always)]
fn one_block(blocks: &[u8], count: usize, address: IpAddr) -> bool {
    // Blocks of mapped addresses are kept as IPv4.
    let IpAddr::V4(address) = address.to_canonical() else { return false };
    let address = address.to_bits();
    blocks.as_chunks::<8>().0.iter().take(count).any(|block| layout::is_in_block(address, *block))
}
