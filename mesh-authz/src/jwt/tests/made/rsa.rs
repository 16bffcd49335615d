//! RSA: keys that protect nothing, and paddings that are almost the right one, signed with the right key.

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};

use super::numbers::{minus, power};
use super::*;

/// A key with its secret part.
struct Pair {
    modulus: Vec<u8>,
    secret: Vec<u8>,
}

impl Pair {
    fn generate() -> Self {
        let text = KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
        // RFC 5958 and RFC 8017, A.1.2: version, algorithm, and in an octet string: version, n, e, d.
        let (whole, _) = element(text.as_ref());
        let outer = elements(whole);
        let inner = elements(element(outer[2]).0);
        Self { modulus: inner[1][1..].to_vec(), secret: inner[3].to_vec() }
    }

    fn key(&self) -> Value {
        json!({ "kty": "RSA", "n": BASE64.encode(&self.modulus), "e": "AQAB" })
    }

    /// A signature that says this, whatever it is: 256 bytes, below the modulus.
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        power(message, &self.secret, &self.modulus)
    }
}

/// The content of an element of DER, and what follows it.
fn element(text: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = match text[1] {
        short @ 0..0x80 => (usize::from(short), &text[2..]),
        long => {
            let (digits, rest) = text[2..].split_at(usize::from(long & 0x7f));
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
    };
    rest.split_at(length)
}

fn elements(mut text: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while !text.is_empty() {
        let (content, rest) = element(text);
        all.push(content);
        text = rest;
    }
    all
}

#[test]
fn j04_keys_that_protect_nothing_are_no_keys() {
    let pair = Pair::generate();
    let modulus = &pair.modulus;
    let key = |modulus: &[u8], exponent: &[u8]| json!({ "kty": "RSA", "n": BASE64.encode(modulus), "e": BASE64.encode(exponent) });
    for (what, exponent, expected) in [
        ("65537", &[1, 0, 1][..], [true; 2]),
        ("65537 after zeros", &[0, 0, 1, 0, 1], [true; 2]),
        ("3", &[3], [true, false]),
        ("1: a signature is its own message", &[1], [false; 2]),
        ("0", &[0], [false; 2]),
        ("nothing", &[], [false; 2]),
        ("even", &[4], [false; 2]),
        ("even and large", &[1, 0, 0], [false; 2]),
        ("5", &[5], [false; 2]),
        ("65539", &[1, 0, 3], [false; 2]),
        ("of 33 bits", &[1, 0, 0, 0, 1], [false; 2]),
        ("as long as the modulus", modulus, [false; 2]),
    ] {
        assert_eq!(is_a_key(&key(modulus, exponent)), expected, "exponent {what}");
    }
    let odd = |bytes: usize, first: u8| [&[first][..], &vec![0x55; bytes - 2], &[1]].concat();
    for (what, modulus, expected) in [
        ("512 bits", odd(64, 0xc1), false),
        ("1024 bits", odd(128, 0xc1), false),
        ("2040 bits", odd(255, 0xc1), false),
        ("2047 bits", odd(256, 0x41), false),
        ("1024 bits after zeros", [vec![0; 128], odd(128, 0xc1)].concat(), false),
        ("2048 bits", odd(256, 0xc1), true),
        ("2048 bits after a zero", [vec![0], odd(256, 0xc1)].concat(), true),
        ("8192 bits", odd(1024, 0xc1), true),
        ("8200 bits", odd(1025, 0xc1), false),
        ("an even number", minus(&odd(256, 0xc1), &[1]), false),
        ("zeros", vec![0; 256], false),
        ("nothing", vec![], false),
    ] {
        assert_eq!(is_a_key(&key(&modulus, &[1, 0, 1])), [expected; 2], "modulus of {what}");
    }
    // The attack that an exponent of 1 would allow.
    let message = pkcs1(1, 202, 0, &sha256_info(&[5, 0]));
    assert_eq!(told("RS256", &key(modulus, &[1]), &message), Err(Status::NoValidKeys));
}

fn hash() -> Vec<u8> {
    digest(&SHA256, signed("RS256").as_bytes()).as_ref().to_vec()
}

/// RFC 8017, 9.2: what the hash is of, with the parameters that SHA-256 has, and the hash.
fn sha256_info(parameters: &[u8]) -> Vec<u8> {
    let name = [&[6, 9][..], &hex("608648016503040201"), parameters].concat();
    let algorithm = [&[0x30, u8::try_from(name.len()).unwrap()][..], &name].concat();
    let both = [&algorithm[..], &[4, 32], &hash()].concat();
    [&[0x30, u8::try_from(both.len()).unwrap()][..], &both].concat()
}

/// `00`, the type of block, filling, an end, and what was hashed.
fn pkcs1(kind: u8, filling: usize, end: u8, info: &[u8]) -> Vec<u8> {
    let byte = if kind == 0 { 0 } else { 0xff };
    [&[0, kind][..], &vec![byte; filling], &[end], info].concat()
}

/// RFC 8017, 8.2.2: the one encoding there is, compared byte for byte.
#[test]
fn j02_a_padding_of_pkcs1_is_the_one_there_is() {
    let pair = Pair::generate();
    let told = |signature: &[u8]| told("RS256", &pair.key(), signature);
    let info = sha256_info(&[5, 0]);
    let full = 256 - 3 - info.len();
    let right = pkcs1(1, full, 0, &info);
    let signature = pair.sign(&right);
    assert_eq!((right.len(), told(&signature)), (256, Ok(())));

    let shorter = |less: usize| [pkcs1(1, full - less, 0, &info), vec![0; less]].concat();
    let other_info = |from: &str, to: &str| {
        let info: String = info.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(info.contains(from), "{info}");
        hex(&info.replacen(from, to, 1))
    };
    let changed = |at: usize, byte: u8| {
        let mut message = right.clone();
        message[at] = byte;
        message
    };
    let fit = |info: &[u8]| pkcs1(1, 256 - 3 - info.len(), 0, info);
    let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, signed("RS256").as_bytes());
    let sha384 = digest(&SHA384, signed("RS256").as_bytes());
    for (what, message) in [
        ("something behind the hash, and as much less filling", shorter(8)),
        ("hardly any filling, and all the rest behind the hash", shorter(full - 8)),
        ("no filling", shorter(full)),
        ("no parameters", fit(&sha256_info(&[]))),
        ("parameters that are no nothing", fit(&sha256_info(&[4, 0]))),
        ("a nothing that has something", fit(&sha256_info(&[5, 1, 0]))),
        ("another hash's name", fit(&other_info("0304020105", "0304020205"))),
        ("a length in its long form", fit(&other_info("3031300d", "308131300d"))),
        (
            "another hash altogether",
            fit(&[&hex("3041300d060960864801650304020205000430"), sha384.as_ref()].concat()),
        ),
        ("a hash that is broken", fit(&[&hex("3021300906052b0e03021a05000414"), sha1.as_ref()].concat())),
        ("the hash alone", fit(&hash())),
        ("type 0", pkcs1(0, full, 0, &info)),
        ("type 2", pkcs1(2, full, 0, &info)),
        ("no end", pkcs1(1, full, 0xff, &info)),
        ("an end before the end", changed(100, 0)),
        ("filling with a gap", changed(2, 0xfe)),
        ("a first byte that is 1", changed(0, 1)),
        ("another hash", changed(255, right[255] ^ 1)),
        ("nothing", vec![0; 256]),
        ("one", [vec![0; 255], vec![1]].concat()),
    ] {
        assert_eq!(message.len(), 256, "{what}");
        assert_eq!(told(&pair.sign(&message)), FAILS, "{what}");
    }
    for (what, signature) in [
        ("nothing", vec![0; 256]),
        ("one", [vec![0; 255], vec![1]].concat()),
        ("the modulus", pair.modulus.clone()),
        ("one below the modulus", minus(&pair.modulus, &[1])),
        ("the other root", minus(&pair.modulus, &signature)),
        ("the message", right.clone()),
        ("a zero in front", [&[0], &signature[..]].concat()),
        ("a zero behind", [&signature[..], &[0]].concat()),
        ("a byte less", signature[..255].to_vec()),
        ("a byte less in front", signature[1..].to_vec()),
        ("twice", signature.repeat(2)),
    ] {
        assert_eq!(told(&signature), FAILS, "{what}");
    }
}

/// RFC 8017, B.2.1.
fn mask(seed: &[u8], length: usize, algorithm: &'static digest::Algorithm) -> Vec<u8> {
    let block = |number: u32| digest(algorithm, &[seed, &number.to_be_bytes()].concat()).as_ref().to_vec();
    (0..8).flat_map(block).take(length).collect()
}

/// What an encoding of PSS is made of.
struct Pss {
    salt: usize,
    mask: &'static digest::Algorithm,
    /// The byte between the filling and the salt.
    mark: u8,
    /// The first byte of the filling.
    filling: u8,
    /// What the highest bit is set to.
    top: u8,
    trailer: u8,
}

const PSS: Pss = Pss { salt: 32, mask: &SHA256, mark: 1, filling: 0, top: 0, trailer: 0xbc };

impl Pss {
    /// RFC 8017, 9.1.1, for SHA-256 and 256 bytes.
    fn encode(&self) -> Vec<u8> {
        let salt = vec![0x5a; self.salt];
        let hashed = digest(&SHA256, signed("PS256").as_bytes());
        let together = digest(&SHA256, &[&[0; 8], hashed.as_ref(), &salt[..]].concat());
        let mut data = [&vec![0; 256 - 34 - self.salt][..], &[self.mark], &salt].concat();
        data[1] = self.filling;
        let mask = mask(together.as_ref(), data.len(), self.mask);
        let mut masked: Vec<u8> = std::iter::zip(data, mask).map(|(byte, mask)| byte ^ mask).collect();
        masked[0] = masked[0] & 0x7f | self.top;
        [&masked[..], together.as_ref(), &[self.trailer]].concat()
    }
}

/// RFC 7518, 3.5: the salt is as long as the hash, and the mask is made with the same hash.
#[test]
fn j02_a_padding_of_pss_has_a_salt_of_the_length_of_its_hash() {
    let pair = Pair::generate();
    let told = |message: &[u8]| told("PS256", &pair.key(), &pair.sign(message));
    assert_eq!(told(&PSS.encode()), Ok(()));
    for salt in [0, 1, 8, 20, 31, 33, 48, 64, 222] {
        assert_eq!(told(&Pss { salt, ..PSS }.encode()), FAILS, "a salt of {salt} bytes");
    }
    for (what, other) in [
        ("a mask of another hash", Pss { mask: &SHA384, ..PSS }),
        ("a mask of a broken hash", Pss { mask: &SHA1_FOR_LEGACY_USE_ONLY, ..PSS }),
        ("no mark before the salt", Pss { mark: 0, ..PSS }),
        ("another mark", Pss { mark: 2, ..PSS }),
        ("filling that is something", Pss { filling: 1, ..PSS }),
        ("another trailer", Pss { trailer: 0xcc, ..PSS }),
    ] {
        assert_eq!(told(&other.encode()), FAILS, "{what}");
    }
    // The highest bit makes a number above most moduli; where it is below, it is refused for the bit.
    let top = Pss { top: 0x80, ..PSS }.encode();
    if top < pair.modulus {
        assert_eq!(told(&top), FAILS, "a bit that is too high");
    }
    // Each padding under the name of the other.
    let info = sha256_info(&[5, 0]);
    assert_eq!(told(&pkcs1(1, 253 - info.len(), 0, &info)), FAILS);
    assert_eq!(super::told("RS256", &pair.key(), &pair.sign(&PSS.encode())), FAILS);
    assert_eq!(super::told("PS384", &pair.key(), &pair.sign(&PSS.encode())), FAILS);
}
