//! Asking a packed rule.

use std::net::IpAddr;

use super::layout::{
    self, ANY_FORM, EXACT, Field, PREFIX, SUFFIX, form_of, in_rest, is_before, is_text, key, length_of, what,
};
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
        let kind = field.what & !(what::NOT | what::MIXED);
        let text = match kind {
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
        let Some(text) = text else { return false };
        let Some((keys, rests)) = values.split_at_checked(count * 8) else { return false };
        let keys = keys.as_chunks::<8>().0;
        if field.what & what::MIXED == 0 {
            one_is(text, keys, rests)
        } else {
            self.one_text(kind, text, keys, rests, asked)
        }
    }

    /// Whether one of the values fits a text.
    fn one_text(&self, kind: u8, text: &[u8], keys: &[[u8; 8]], mut rests: &[u8], asked: &Asked<'_>) -> bool {
        keys.iter().any(|wanted| {
            let wanted = u64::from_le_bytes(*wanted);
            let (form, length) = (form_of(wanted), length_of(wanted));
            let (before, behind) = rests.split_at_checked(in_rest(length)).unwrap_or_default();
            rests = behind;
            let start = match form {
                ANY_FORM => return self.is_of_any_form(kind, before, asked),
                PREFIX => Some(0),
                SUFFIX => text.len().checked_sub(length),
                _ => return is_text(text, EXACT, wanted, before),
            };
            let part = start.and_then(|start| text.get(start..)?.get(..length));
            part.is_some_and(|part| is_text(part, form, wanted, before))
        })
    }
}

/// Whether a text is one of the exact values.
#[inline(always)]
fn one_is(text: &[u8], keys: &[[u8; 8]], rests: &[u8]) -> bool {
    let own = key(text).to_le_bytes();
    keys.iter().enumerate().any(|(at, wanted)| *wanted == own && begins_as(text, keys, rests, at))
}

/// Whether a text whose key is that of the exact value `at` begins as it does.
#[inline(never)]
fn begins_as(text: &[u8], keys: &[[u8; 8]], rests: &[u8], at: usize) -> bool {
    let rest = |key: &[u8; 8]| in_rest(length_of(u64::from_le_bytes(*key)));
    let start = keys.iter().take(at).map(rest).sum::<usize>();
    let before = rests.get(start..).and_then(|rests| rests.get(..in_rest(text.len())));
    before.is_some_and(|before| is_before(text, before))
}

/// Whether an address is in one of the blocks.
#[inline(always)]
fn one_block(blocks: &[u8], count: usize, address: IpAddr) -> bool {
    // Blocks of mapped addresses are kept as IPv4.
    let IpAddr::V4(address) = address.to_canonical() else { return false };
    let address = address.to_bits();
    blocks.as_chunks::<8>().0.iter().take(count).any(|block| layout::is_in_block(address, *block))
}
