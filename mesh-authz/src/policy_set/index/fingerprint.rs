//! Keys as 64-bit numbers.
//!
//! The index keeps no texts: two keys with one number only mean that a rule is asked once more in vain. Numbers are
//! made from configuration and looked up, never stored for a request, so nobody gains by making them collide.

use mesh_model::value::IpBlock;

use super::key::{Key, Shape, Subject};
use super::plan::Cut;

const START: u64 = 0x243f_6a88_85a3_08d3;
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
const END: u64 = 0xbf58_476d_1ce4_e5b9;

/// Both halves of the product, folded.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    // The halves: nothing is lost that is wanted.
    (product as u64) ^ ((product >> 64) as u64)
}

/// Eight bytes or fewer as a number.
fn word(bytes: &[u8]) -> u64 {
    let four = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
    match (bytes.first_chunk::<8>(), bytes.first_chunk::<4>(), bytes.last_chunk::<4>(), bytes) {
        (Some(whole), ..) => u64::from_le_bytes(*whole),
        // The two overlap; lengths are told apart elsewhere.
        (_, Some(first), Some(last), _) => four(first) << 32 | four(last),
        (.., [a, b, c]) => u64::from(*a) << 16 | u64::from(*b) << 8 | u64::from(*c),
        (.., [a, b]) => u64::from(*a) << 8 | u64::from(*b),
        (.., [a]) => u64::from(*a),
        _ => 0,
    }
}

/// A number for each kind of thing that is looked up, the same in every index.
pub(super) fn of_subject(subject: &Subject) -> u64 {
    let names = |kind: u64, names: &[&str]| {
        names.iter().fold(kind, |seed, name| of_text(seed, Shape::Exact, name.as_bytes()))
    };
    match subject {
        Subject::SourceIp => 1,
        Subject::RemoteIp => 2,
        Subject::DestinationIp => 3,
        Subject::Sni => 4,
        Subject::Identity => 5,
        Subject::IdentitySegment => 6,
        Subject::AfterNamespace => 7,
        Subject::Iss => 8,
        Subject::Sub => 9,
        Subject::Host => 10,
        Subject::Method => 11,
        Subject::Path => 12,
        Subject::Header(name) => names(13, &[name]),
        Subject::Claim(path) => path.iter().fold(14, |seed, name| names(seed, &[name])),
    }
}

const PORT: u64 = 15;
const ACCOUNT: u64 = 16;
const SEGMENT: u64 = 17;

/// A number for the look-up that finds the key (`Kind` of `plan`).
pub(super) fn kind_number(key: &Key) -> u64 {
    let of = |subject: u64, cut: u64, count: u64| fold(START ^ subject ^ (cut << 56), STEP ^ count);
    match key {
        Key::Text(subject, shape, text) => {
            let (cut, count) = match Cut::of(*shape, text) {
                Cut::Whole => (1, 0),
                Cut::Start(length) => (2, length),
                Cut::StartSlash(depth) => (3, depth),
                Cut::End(length) => (4, length),
                Cut::EndSlash(depth) => (5, depth),
            };
            of(of_subject(subject), cut, count.into())
        }
        Key::Account(..) => of(ACCOUNT, 6, 0),
        Key::Segment(at, _) => of(SEGMENT, 7, *at as u64),
        Key::Port(_) => of(PORT, 8, 0),
        Key::Block(subject, block) => {
            let family = if block.network().is_ipv4() { 9 } else { 10 };
            of(of_subject(subject), family, block.prefix_bits().into())
        }
    }
}

pub(super) fn of_key(key: &Key) -> u64 {
    match key {
        Key::Text(subject, shape, text) => of_text(of_subject(subject), *shape, text),
        Key::Account(namespace, account) => of_account(namespace, account),
        Key::Segment(at, text) => of_segment(*at, text),
        Key::Port(port) => of_port(*port),
        Key::Block(subject, block) => of_block(of_subject(subject), block),
    }
}

/// A whole text, the start or the end of one.
pub(super) fn of_text(subject: u64, shape: Shape, text: &[u8]) -> u64 {
    let mut found = 0;
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    match shape {
        Shape::Exact => return of_whole(subject, text),
        Shape::Start => starts(subject, text, [length], |number| found = number),
        Shape::End => ends(subject, text, [length], |number| found = number),
    }
    found
}

/// A whole text.
pub(super) fn of_whole(subject: u64, text: &[u8]) -> u64 {
    let (words, rest) = text.as_chunks::<8>();
    let state =
        words.iter().fold(START ^ subject, |state, word| fold(state ^ u64::from_le_bytes(*word), STEP));
    finish(state, word(rest), text.len(), Shape::Exact)
}

pub(super) fn of_account(namespace: &str, account: &str) -> u64 {
    of_whole(of_whole(ACCOUNT, account.as_bytes()), namespace.as_bytes())
}

pub(super) fn of_segment(at: usize, text: &str) -> u64 {
    of_whole(SEGMENT ^ ((at as u64) << 32), text.as_bytes())
}

pub(super) fn of_port(port: u16) -> u64 {
    fold(START ^ PORT, STEP ^ u64::from(port))
}

pub(super) fn of_block(subject: u64, block: &IpBlock) -> u64 {
    of_address(
        subject,
        block.network().is_ipv4(),
        block.prefix_bits(),
        match block.network() {
            std::net::IpAddr::V4(address) => u128::from(address.to_bits()),
            std::net::IpAddr::V6(address) => address.to_bits(),
        },
    )
}

/// A block by its first address.
pub(super) fn of_address(subject: u64, is_ipv4: bool, bits: u8, network: u128) -> u64 {
    // The lower half.
    of_low_half(high_half(subject, is_ipv4, bits, (network >> 64) as u64), network as u64)
}

/// All of a block's number but the lower half of the address; an IPv4 address has no other.
pub(super) fn high_half(subject: u64, is_ipv4: bool, bits: u8, high: u64) -> u64 {
    let length = u64::from(bits) + if is_ipv4 { 0 } else { 256 };
    fold(START ^ subject ^ (length << 8), STEP ^ high)
}

/// The number of a block by [`high_half`] and the rest of the address.
#[inline]
pub(super) fn of_low_half(high_half: u64, low: u64) -> u64 {
    fold(high_half ^ low, END)
}

fn finish(state: u64, rest: u64, length: usize, shape: Shape) -> u64 {
    fold(state ^ rest, END ^ ((length as u64) << 8) ^ shape as u64)
}

/// The starts of a text that have these lengths, which ascend: words that they share are read once.
#[inline]
pub(super) fn starts(
    subject: u64,
    text: &[u8],
    lengths: impl IntoIterator<Item = u32>,
    mut visit: impl FnMut(u64),
) {
    let (mut state, mut done) = (START ^ subject, 0);
    for length in lengths.into_iter().map(|length| length as usize).take_while(|length| *length <= text.len())
    {
        while let Some(next) = text.get(done..done + 8).filter(|_| done + 8 <= length) {
            state = fold(state ^ word(next), STEP);
            done += 8;
        }
        visit(finish(state, word(text.get(done..length).unwrap_or_default()), length, Shape::Start));
    }
}

/// The ends of a text that have these lengths, which ascend.
#[inline]
pub(super) fn ends(
    subject: u64,
    text: &[u8],
    lengths: impl IntoIterator<Item = u32>,
    mut visit: impl FnMut(u64),
) {
    let (mut state, mut done) = (START ^ subject, 0);
    let from_end =
        |far: usize, near: usize| text.get(text.len().checked_sub(far)?..text.len().checked_sub(near)?);
    for length in lengths.into_iter().map(|length| length as usize).take_while(|length| *length <= text.len())
    {
        while let Some(next) = from_end(done + 8, done).filter(|_| done + 8 <= length) {
            state = fold(state ^ word(next), STEP);
            done += 8;
        }
        visit(finish(state, word(from_end(length, done).unwrap_or_default()), length, Shape::End));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_start_and_end_has_the_number_of_its_text() {
        let text: Vec<u8> = (0..40).collect();
        let lengths: Vec<u32> = (0..=50).collect();
        let (mut found, mut at) = (std::collections::HashSet::new(), 0);
        starts(5, &text, lengths.iter().copied(), |number| {
            assert_eq!(number, of_text(5, Shape::Start, &text[..at]));
            assert!(found.insert(number));
            at += 1;
        });
        assert_eq!(at, 41);
        at = 0;
        ends(5, &text, lengths.iter().copied(), |number| {
            assert_eq!(number, of_text(5, Shape::End, &text[40 - at..]));
            assert!(found.insert(number));
            at += 1;
        });
        assert_eq!(at, 41);
        assert!((0..=40).all(|length| found.insert(of_whole(5, &text[..length]))));
    }
}
