//! Ed25519: points of small order, numbers beyond the group, and signatures of other lengths.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

use super::*;

/// RFC 8032, 5.1: the order of the group, little-endian.
const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

/// All points whose order divides 8, by y, and other ways to write them: the sign of x is the highest bit of each.
const SMALL: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn key(x: &[u8]) -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64.encode(x) })
}

/// The points of [`SMALL`] with either sign.
fn small() -> impl Iterator<Item = Vec<u8>> {
    SMALL.iter().flat_map(|digits| {
        let plain = hex(digits);
        let mut other = plain.clone();
        other[31] |= 0x80;
        [plain, other]
    })
}

/// Little-endian.
fn plus(a: &[u8], b: &[u8]) -> Vec<u8> {
    let reversed = |bytes: &[u8]| bytes.iter().rev().copied().collect::<Vec<u8>>();
    reversed(&numbers::plus(&reversed(a), &reversed(b)))
}

/// Under such a key anybody signs anything: of the point that adds nothing even with numbers written down in advance.
#[test]
fn j04_points_of_small_order_are_no_keys() {
    for point in small() {
        assert_eq!(is_a_key(&key(&point)), [false; 2], "{point:02x?}");
        for other in small() {
            let signature = [&other[..], &[0; 32]].concat();
            assert_eq!(
                told("EdDSA", &key(&point), &signature),
                Err(Status::NoValidKeys),
                "{point:02x?} {other:02x?}"
            );
        }
    }
    let pair = Ed25519KeyPair::generate().unwrap();
    assert_eq!(is_a_key(&key(pair.public_key().as_ref())), [true; 2]);
    // Neighbours of those points, and the base point.
    for (digits, last) in [(SMALL[1], 2), (SMALL[2], 0x27), (SMALL[5], 0xeb)] {
        let mut near = hex(digits);
        near[0] = last;
        assert_eq!(is_a_key(&key(&near)), [true; 2], "{near:02x?}");
    }
    let base = [&[0x58][..], &[0x66; 31]].concat();
    assert_eq!(is_a_key(&key(&base)), [true; 2]);
    for length in [0, 31, 33, 64] {
        assert_eq!(is_a_key(&key(&vec![0x66; length])), [false; 2], "{length} bytes");
    }
}

/// RFC 8032, 5.1.7: R is what is computed, byte for byte; S is below the order.
#[test]
fn j02_the_numbers_of_a_signature_are_written_in_one_way() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let key = key(pair.public_key().as_ref());
    let signature = pair.sign(signed("EdDSA").as_bytes());
    let (r, s) = signature.as_ref().split_at(32);
    let told = |parts: &[&[u8]]| told("EdDSA", &key, &parts.concat());
    assert_eq!(told(&[r, s]), Ok(()));
    // The same number modulo the order, as often as it fits into 32 bytes.
    let mut more = s.to_vec();
    for times in 1..=15 {
        more = plus(&more, &hex(ORDER));
        assert_eq!(told(&[r, &more]), FAILS, "{times} times the order more");
    }
    for point in small() {
        for number in [vec![0; 32], s.to_vec(), hex(ORDER)] {
            assert_eq!(told(&[&point, &number]), FAILS, "{point:02x?} and {number:02x?}");
        }
    }
    let mirrored: Vec<u8> = [&r[..31], &[r[31] ^ 0x80]].concat();
    for (what, parts) in [
        ("the other sign", [&mirrored[..], s]),
        ("changed about", [s, r]),
        ("nothing for S", [r, &[0; 32]]),
        ("the order for S", [r, &hex(ORDER)]),
        ("all ones for S", [r, &[0xff; 32]]),
    ] {
        assert_eq!(told(&parts), FAILS, "{what}");
    }
    for length in [1, 32, 63] {
        let short = &signature.as_ref()[..length];
        assert_eq!(told(&[short]), Err(Status::SignatureWrongLength), "{length} bytes");
    }
    for more in [1, 64] {
        assert_eq!(told(&[r, s, &vec![0; more]]), Err(Status::SignatureWrongLength), "{more} bytes more");
    }
}
