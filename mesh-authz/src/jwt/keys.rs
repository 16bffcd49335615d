//! JSON Web Key Sets (S-282 to S-284).

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use smallvec::SmallVec;

use super::base64url;
use super::status::Status;
use super::token::{Algorithm, Token};
use super::verify::VerifyingKey;
use crate::profile::Profile;

/// Longer key sets are refused unread.
pub(crate) const KEY_SET_BYTES_MAX: usize = 1024 * 1024;

/// Further keys are left out: a token without `kid` is tried with each.
const KEYS_MAX: usize = 1_000;

/// Where a key set was found, and how strictly it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// A secret that others can fetch is none.
    pub(crate) takes_secrets: bool,
    pub(crate) profile: Profile,
}

/// The keys of an issuer.
#[derive(Debug, Clone)]
pub(crate) enum KeySet {
    /// At least one usable key.
    Keys(Keys),
    /// The text holds no usable key: every token is refused (S-296).
    Unusable,
    /// The keys could not be had: every signature is wrong (S-291).
    Absent,
}

/// Usable keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    /// In the order of the text.
    keys: Vec<Key>,
    /// Positions by `kid`.
    by_id: BTreeMap<Box<[u8]>, SmallVec<[usize; 1]>>,
    /// Positions of those without.
    without_id: SmallVec<[usize; 1]>,
    /// How many members of the set are not usable.
    pub(crate) left_out: usize,
}

/// One key.
#[derive(Debug, Clone)]
struct Key {
    /// The only algorithm it is for; `None`: not written, or empty. INVARIANT: one of the key's family.
    algorithm: Option<Algorithm>,
    material: VerifyingKey,
}

impl KeySet {
    /// Reads a key set; members that cannot be used are left out (S-284).
    pub(crate) fn parse(text: &str, reading: Reading) -> Self {
        if text.len() > KEY_SET_BYTES_MAX {
            return Self::Unusable;
        }
        let Ok(Value::Object(fields)) = serde_json::from_str(text) else { return Self::Unusable };
        let Some(Value::Array(members)) = fields.get("keys") else { return Self::Unusable };
        let mut keys = Keys::default();
        for member in members {
            let key = member.as_object().and_then(|fields| Some((id(fields), Key::parse(fields, reading)?)));
            match key {
                Some((id, key)) if keys.keys.len() < KEYS_MAX => keys.push(id, key),
                _ => keys.left_out += 1,
            }
        }
        if keys.keys.is_empty() { Self::Unusable } else { Self::Keys(keys) }
    }

    /// Whether one of the keys made the token's signature (S-282).
    pub(crate) fn verify(&self, token: &Token<'_>) -> Result<(), Status> {
        match self {
            Self::Keys(keys) => keys.verify(token),
            Self::Unusable => Err(Status::NoValidKeys),
            Self::Absent => Err(Status::VerificationFails),
        }
    }
}

impl Keys {
    fn push(&mut self, id: Option<&str>, key: Key) {
        let positions = match id {
            Some(id) => self.by_id.entry(id.as_bytes().into()).or_default(),
            None => &mut self.without_id,
        };
        positions.push(self.keys.len());
        self.keys.push(key);
    }

    /// Both have a `kid`: they must be equal. One of them has none: the key is tried.
    fn verify(&self, token: &Token<'_>) -> Result<(), Status> {
        let mut candidates = false;
        let mut try_key = |key: &Key| -> Option<Result<(), Status>> {
            if key.algorithm.is_some_and(|pinned| pinned != token.algorithm) {
                return None;
            }
            candidates = true;
            if key.material.is_ed25519() && token.signature.len() != 64 {
                return Some(Err(Status::SignatureWrongLength));
            }
            key.material.verifies(token.algorithm, &token.signed, token.signature).then_some(Ok(()))
        };
        let decided = match &token.key_id {
            None => self.keys.iter().find_map(try_key),
            Some(id) => {
                let named = self.by_id.get(id.as_slice()).into_iter().flatten();
                let mut positions: SmallVec<[usize; 4]> = named.chain(&self.without_id).copied().collect();
                positions.sort_unstable();
                positions.iter().filter_map(|at| self.keys.get(*at)).find_map(&mut try_key)
            }
        };
        let failed = if candidates { Status::VerificationFails } else { Status::NoMatchingKey };
        decided.unwrap_or(Err(failed))
    }
}

fn text<'f>(fields: &'f Map<String, Value>, name: &str) -> Option<&'f str> {
    fields.get(name).and_then(Value::as_str)
}

fn id(fields: &Map<String, Value>) -> Option<&str> {
    text(fields, "kid").filter(|id| !id.is_empty())
}

impl Key {
    fn parse(fields: &Map<String, Value>, reading: Reading) -> Option<Self> {
        if !is_for_signatures(fields) {
            return None;
        }
        let text = |name| text(fields, name);
        let bytes = |name| base64url(text(name)?.as_bytes());
        let name = text("alg").filter(|name| !name.is_empty());
        let begins = |prefix| name.is_none_or(|name: &str| name.starts_with(prefix));
        let material = match text("kty")? {
            "RSA" if begins("RS") || begins("PS") => {
                VerifyingKey::rsa(&bytes("n")?, &exponent(&bytes("e")?, reading.profile)?)?
            }
            "EC" if begins("ES") => {
                let curve = curve(name, text("crv").unwrap_or(""))?;
                let (x, y) = (bytes("x")?, bytes("y")?);
                match curve {
                    "P-256" => VerifyingKey::p256(&x, &y)?,
                    "P-384" => VerifyingKey::p384(&x, &y)?,
                    _ => VerifyingKey::p521(&x, &y)?,
                }
            }
            "oct" if reading.takes_secrets && matches!(name, None | Some("HS256" | "HS384" | "HS512")) => {
                let secret = bytes("k").filter(|secret| !secret.is_empty())?;
                (secret.len() >= secret_min(name, reading.profile)).then(|| VerifyingKey::secret(&secret))?
            }
            "OKP" if matches!(name, None | Some("EdDSA")) && text("crv") == Some("Ed25519") => {
                let point = bytes("x").filter(|key| key.len() == 32 && !has_small_order(key))?;
                VerifyingKey::ed25519(&point)?
            }
            _ => return None,
        };
        let algorithm = match name {
            None => None,
            Some(name) => Some(Algorithm::parse(name)?),
        };
        Some(Self { algorithm, material })
    }
}

/// RFC 7517, 4.2 and 4.3: a key for encryption, or one that may not verify, verifies nothing.
fn is_for_signatures(fields: &Map<String, Value>) -> bool {
    let usage = text(fields, "use").is_none_or(|usage| usage.is_empty() || usage == "sig");
    let operations = fields.get("key_ops").and_then(Value::as_array);
    usage && operations.is_none_or(|list| list.is_empty() || list.iter().any(|one| one == "verify"))
}

/// RFC 7518, 3.2: a secret is no shorter than its hash. Envoy takes any.
fn secret_min(algorithm: Option<&str>, profile: Profile) -> usize {
    match (profile, algorithm) {
        (Profile::Istio, _) => 1,
        (Profile::Hardened, Some("HS384")) => 48,
        (Profile::Hardened, Some("HS512")) => 64,
        (Profile::Hardened, _) => 32,
    }
}

/// S-284: no other exponents than 3 and 65537.
fn exponent(bytes: &[u8], profile: Profile) -> Option<Vec<u8>> {
    let significant: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    match significant.as_slice() {
        [1, 0, 1] => Some(significant),
        [3] if profile == Profile::Istio => Some(significant),
        _ => None,
    }
}

/// Whether the order of a point of Ed25519 divides 8. Ours: under such a key signatures can be written down without any
/// secret (under the neutral one the same for every text), and no key that was generated is one; Envoy takes them.
/// The points by y, little-endian, with the numbers from the prime on that stand for 0 and 1; the sign of x is left out.
fn has_small_order(point: &[u8]) -> bool {
    const ORDER_8: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let Some((last, rest)) = point.split_last() else { return false };
    let last = last & 0x7f;
    let Some((first, middle)) = rest.split_first() else { return false };
    let filled = |byte: u8| middle.iter().all(|it| *it == byte);
    match (first, last) {
        // 0 and 1.
        (0 | 1, 0) => filled(0),
        // The prime less one, itself, and one more: that is -1, 0 and 1.
        (0xec..=0xee, 0x7f) => filled(0xff),
        _ => ORDER_8.iter().any(|[start @ .., end]| rest == start && last == *end),
    }
}

/// The curve by `crv` or by `alg`, which must agree; neither: P-256.
fn curve(algorithm: Option<&str>, written: &str) -> Option<&'static str> {
    let by_algorithm = match algorithm {
        None => None,
        Some("ES256") => Some("P-256"),
        Some("ES384") => Some("P-384"),
        Some("ES512") => Some("P-521"),
        Some(_) => return None,
    };
    let by_curve = match written {
        "" => None,
        "P-256" => Some("P-256"),
        "P-384" => Some("P-384"),
        "P-521" => Some("P-521"),
        _ => return None,
    };
    match (by_algorithm, by_curve) {
        (Some(one), Some(other)) if one != other => None,
        (one, other) => Some(one.or(other).unwrap_or("P-256")),
    }
}
