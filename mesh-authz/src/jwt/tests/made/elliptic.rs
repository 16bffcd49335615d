//! ECDSA: points at the edge of a curve, and pairs of numbers that are no signature.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
};

use super::numbers::{minus, plus};
use super::*;

/// An algorithm, its curve, the number of the curve's points, and the length of a coordinate.
const CURVES: [(&str, &str, &str, usize, &EcdsaSigningAlgorithm); 3] = [
    (
        "ES256",
        "P-256",
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        32,
        &ECDSA_P256_SHA256_FIXED_SIGNING,
    ),
    (
        "ES384",
        "P-384",
        "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
        48,
        &ECDSA_P384_SHA384_FIXED_SIGNING,
    ),
    (
        "ES512",
        "P-521",
        "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
        66,
        &ECDSA_P521_SHA512_FIXED_SIGNING,
    ),
];

fn key(curve: &str, x: &[u8], y: &[u8]) -> Value {
    json!({ "kty": "EC", "crv": curve, "x": BASE64.encode(x), "y": BASE64.encode(y) })
}

/// A signature in the form of X.509 and TLS: two numbers of DER.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let significant: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign: &[u8] = if significant[0] >= 0x80 { &[0] } else { &[] };
        [&[2, u8::try_from(significant.len() + sign.len()).unwrap()][..], sign, &significant].concat()
    };
    let both = [integer(r), integer(s)].concat();
    let length = u8::try_from(both.len()).unwrap();
    let length = if length < 0x80 { vec![length] } else { vec![0x81, length] };
    [&[0x30][..], &length, &both].concat()
}

/// RFC 7518, 3.4: two numbers of the length of the curve's, from 1 up to the number of its points.
#[test]
fn j02_a_pair_of_numbers_is_a_signature_only_within_its_bounds_and_in_its_form() {
    for (algorithm, curve, points, size, signer) in CURVES {
        let pair = EcdsaKeyPair::generate(signer).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(size);
        let key = key(curve, x, y);
        let signature = pair.sign(&SystemRandom::new(), signed(algorithm).as_bytes()).unwrap();
        let (r, s) = signature.as_ref().split_at(size);
        let points = hex(points);
        let number = |small: u8| [&vec![0; size - 1][..], &[small]].concat();
        let (zero, one, twin) = (number(0), number(1), minus(&points, s));
        let last = minus(&points, &one);
        let told = |parts: &[&[u8]]| told(algorithm, &key, &parts.concat());

        assert_eq!(told(&[r, s]), Ok(()), "{algorithm}");
        // The other number that fits: a signature is no name of a token, and nothing here takes it for one.
        assert_eq!(told(&[r, &twin]), Ok(()), "{algorithm}: s and n - s");
        for small in [&zero, &one, &last, &points, &vec![0xff; size]] {
            for (what, parts) in [("r", [small, s]), ("s", [r, small]), ("both", [small, small])] {
                assert_eq!(told(&parts), FAILS, "{algorithm}: {what} is {small:02x?}");
            }
        }
        for (what, parts) in [
            ("r and s changed about", [s, r]),
            ("r and n - r", [&minus(&points, r), s]),
            ("s and n more", [r, &plus(s, &points)]),
        ] {
            assert_eq!(told(&parts), FAILS, "{algorithm}: {what}");
        }
        for (what, bytes) in [
            ("DER", der(r, s)),
            ("DER of zeros and ones", vec![0x30, 6, 2, 1, 0, 2, 1, 1]),
            ("without the first byte", [&r[1..], s].concat()),
            ("without the last byte", [r, &s[..size - 1]].concat()),
            ("r alone", r.to_vec()),
            ("each a byte longer", [&[0], r, &[0], s].concat()),
            ("a byte more at the end", [r, s, &[0]].concat()),
            ("three numbers", [r, s, r].concat()),
            ("one byte", vec![0]),
        ] {
            assert_eq!(told(&[&bytes]), FAILS, "{algorithm}: {what}");
        }
        // The length of another curve's.
        for (other, _, _, length, _) in CURVES.into_iter().filter(|it| it.3 != size) {
            let filled = |number: &[u8]| match length.checked_sub(size) {
                Some(more) => [&vec![0; more][..], number].concat(),
                None => number[size - length..].to_vec(),
            };
            assert_eq!(told(&[&filled(r), &filled(s)]), FAILS, "{algorithm} in the length of {other}");
        }
    }
}

/// SEC 1, 3.2.2.1: a point is on the curve, its coordinates are below the prime, and it is not the infinite one.
#[test]
fn j04_points_are_on_their_curve_and_written_in_one_way() {
    let prime = hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
    // The base point, and the one with nothing for x.
    let x = hex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296");
    let y = hex("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5");
    let edge = hex("66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4");
    let (nothing, one) = (vec![0; 32], [vec![0; 31], vec![1]].concat());
    for (what, x, y, is_one) in [
        ("the base point", &x, &y, true),
        ("its mirror image", &x, &minus(&prime, &y), true),
        ("the one on the axis", &nothing, &edge, true),
        ("its mirror image", &nothing, &minus(&prime, &edge), true),
        ("the one on the axis, written in a byte", &vec![0], &edge, true),
        ("on the axis, by a number beyond the prime", &prime, &edge, false),
        ("y by a number beyond the prime", &nothing, &plus(&prime, &one), false),
        ("one beside it", &x, &plus(&y, &one), false),
        ("coordinates changed about", &y, &x, false),
        ("the infinite one, as zeros", &nothing, &nothing, false),
        ("the infinite one, as nothing", &vec![], &vec![], false),
        ("no y", &x, &vec![], false),
        ("x of 33 bytes", &[&[1], &x[..]].concat(), &y, false),
        ("x of 31 bytes", &x[1..].to_vec(), &y, false),
        ("the prime itself, twice", &prime, &prime, false),
    ] {
        assert_eq!(is_a_key(&key("P-256", x, y)), [is_one; 2], "{what}");
        for other in ["P-384", "P-521"] {
            assert_eq!(is_a_key(&key(other, x, y)), [false; 2], "{what} on {other}");
        }
    }
}
