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
    // Whatever is no base64 is left to the other reading: it says the same of it.
    let room = base64::decoded_len_estimate(text.len());
    match ZEROS.get(..room) {
        Some(zeros) => decoded.extend_from_slice(zeros),
        None => decoded.resize(room, 0),
    }
    match LENIENT.decode_slice(text, decoded) {
        Ok(length) => decoded.truncate(length),
        Err(_) => *decoded = SmallVec::from_vec(base64url(text)?),
    }
    Some(())
}

pub(crate) fn base64url(text: &[u8]) -> Option<Vec<u8>> {
    LENIENT.decode(text).ok().or_else(|| {
        // White space is skipped, and there is seldom any.
        let dense: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        (dense.len() < text.len()).then(|| LENIENT.decode(dense).ok())?
    })
}
