//! JSON Web Key Sets (S-282 to S-284).

use serde_json::{Map, Value};

use super::base64url;
use super::status::Status;
use super::token::{Algorithm, Token};
use super::verify::VerifyingKey;

/// The keys of an issuer.
#[derive(Debug, Clone)]
pub(crate) enum KeySet {
    /// At least one usable key.
    Keys(Vec<Key>),
    /// The text holds no usable key: every token is refused (S-296).
    Unusable,
    /// The keys could not be had: every signature is wrong (S-291).
    Absent,
}

/// One key.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// `None`: not written, or empty.
    id: Option<String>,
    /// The only algorithm it is for; `None`: not written, or empty.
    algorithm: Option<String>,
    material: Material,
}

#[derive(Debug, Clone)]
enum Material {
    Verifying(VerifyingKey),
    /// A key that Envoy could use and our signature library cannot (P-521): no signature is right.
    NotSupported,
}

impl KeySet {
    /// Reads a key set; members that cannot be used are left out (S-284).
    pub(crate) fn parse(text: &str) -> Self {
        let Ok(Value::Object(fields)) = serde_json::from_str(text) else { return Self::Unusable };
        let Some(Value::Array(members)) = fields.get("keys") else { return Self::Unusable };
        let keys: Vec<Key> = members.iter().filter_map(Value::as_object).filter_map(Key::parse).collect();
        if keys.is_empty() { Self::Unusable } else { Self::Keys(keys) }
    }

    /// Whether one of the keys made the token's signature (S-282).
    pub(crate) fn verify(&self, token: &Token) -> Result<(), Status> {
        let keys = match self {
            Self::Keys(keys) => keys,
            Self::Unusable => return Err(Status::NoValidKeys),
            Self::Absent => return Err(Status::VerificationFails),
        };
        let mut candidates = false;
        for key in keys {
            if token.key_id.is_some() && key.id.is_some() && token.key_id != key.id {
                continue;
            }
            let pinned = key.algorithm.as_deref().map(Algorithm::parse);
            if pinned.is_some_and(|pinned| pinned != Some(token.algorithm)) {
                continue;
            }
            candidates = true;
            let Material::Verifying(material) = &key.material else { continue };
            if material.is_ed25519() && token.signature.len() != 64 {
                return Err(Status::SignatureWrongLength);
            }
            if material.verifies(token.algorithm, token.signed.as_bytes(), &token.signature) {
                return Ok(());
            }
        }
        Err(if candidates { Status::VerificationFails } else { Status::NoMatchingKey })
    }
}

impl Key {
    fn parse(fields: &Map<String, Value>) -> Option<Self> {
        let text = |name| fields.get(name).and_then(Value::as_str);
        let named = |name| text(name).filter(|value| !value.is_empty());
        let bytes = |name| base64url(text(name)?.as_bytes());
        let algorithm = named("alg");
        let begins = |prefix| algorithm.is_none_or(|name: &str| name.starts_with(prefix));
        let material = match text("kty")? {
            "RSA" if begins("RS") || begins("PS") => {
                Material::Verifying(VerifyingKey::rsa(&bytes("n")?, &exponent(&bytes("e")?)?)?)
            }
            "EC" if begins("ES") => {
                let curve = curve(algorithm, text("crv").unwrap_or(""))?;
                let (x, y) = (bytes("x")?, bytes("y")?);
                match curve {
                    "P-256" => Material::Verifying(VerifyingKey::p256(&x, &y)?),
                    "P-384" => Material::Verifying(VerifyingKey::p384(&x, &y)?),
                    _ => Material::NotSupported,
                }
            }
            "oct" if matches!(algorithm, None | Some("HS256" | "HS384" | "HS512")) => {
                let secret = bytes("k").filter(|secret| !secret.is_empty())?;
                Material::Verifying(VerifyingKey::secret(&secret))
            }
            "OKP" if matches!(algorithm, None | Some("EdDSA")) && text("crv") == Some("Ed25519") => {
                Material::Verifying(VerifyingKey::ed25519(&bytes("x").filter(|key| key.len() == 32)?))
            }
            _ => return None,
        };
        Some(Self { id: named("kid").map(str::to_owned), algorithm: algorithm.map(str::to_owned), material })
    }
}

/// S-284: no other exponents than 3 and 65537.
fn exponent(bytes: &[u8]) -> Option<Vec<u8>> {
    let significant: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    matches!(significant.as_slice(), [3] | [1, 0, 1]).then_some(significant)
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
