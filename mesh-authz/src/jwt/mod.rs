//! JSON Web Tokens as Envoy reads them: parse, keys, signature. Claims are judged by `request_authn`.

pub(crate) mod cache;
mod claims_scan;
pub(crate) mod keys;
pub(crate) mod status;
#[cfg(test)]
mod tests;
pub(crate) mod token;
mod verify;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64_simd::{AsOut, URL_SAFE_NO_PAD};
use smallvec::SmallVec;

/// Base64url as Envoy's library takes it: with or without padding, leftover bits ignored.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Room for what tokens usually have, copied faster than it is made byte by byte.
const ZEROS: [u8; 512] = [0; 512];

/// The same, to where there is room already.
pub(crate) fn base64url_into<const N: usize>(text: &[u8], decoded: &mut SmallVec<[u8; N]>) -> Option<()>
where
    [u8; N]: smallvec::Array<Item = u8>,
{
    decoded.clear();
    let room = base64::decoded_len_estimate(text.len());
    match ZEROS.get(..room) {
        Some(zeros) => decoded.extend_from_slice(zeros),
        None => decoded.resize(room, 0),
    }
    match URL_SAFE_NO_PAD.decode(text, decoded.as_out()).map(|read| read.len()) {
        Ok(length) => decoded.truncate(length),
        Err(_) => *decoded = SmallVec::from_vec(lenient(text)?),
    }
    Some(())
}

pub(crate) fn base64url(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode_to_vec(text).ok().or_else(|| lenient(text))
}

/// All that Envoy takes; the quick reading above takes what is written as it should be, and reads it the same.
fn lenient(text: &[u8]) -> Option<Vec<u8>> {
    LENIENT.decode(text).ok().or_else(|| {
        // White space is skipped, and there is seldom any.
        let dense: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        (dense.len() < text.len()).then(|| LENIENT.decode(dense).ok())?
    })
}

#[cfg(test)]
mod quick_tests {
    use proptest::prelude::*;

    use super::{base64url, base64url_into, lenient};

    proptest! {
        #[test]
        fn the_quick_reading_says_what_the_lenient_one_says(
            text in prop_oneof!["[A-Za-z0-9_-]{0,90}", "[A-Za-z0-9_-]{0,90}={0,2}", "[A-F+/_= \n\u{e4}-]{0,40}"]
        ) {
            let text = text.as_bytes();
            let mut into = smallvec::SmallVec::<[u8; 16]>::new();
            let into = base64url_into(text, &mut into).map(|()| into.to_vec());
            prop_assert_eq!(&base64url(text), &lenient(text));
            prop_assert_eq!(&into, &lenient(text));
        }
    }
}
