//! Signatures: the only place that knows the JWT library. Claims and the clock are checked elsewhere, by us.

use super::token::Algorithm;

/// A key with the one family, and for curves the one algorithm, that it may verify (S-283).
#[derive(Debug, Clone)]
pub(crate) struct VerifyingKey {
    family: Family,
    #[cfg(feature = "jwt")]
    key: jsonwebtoken::DecodingKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Rsa,
    P256,
    P384,
    Secret,
    Ed25519,
}

impl Family {
    /// No algorithm of one family is ever tried with a key of another (no algorithm confusion).
    fn is_for(self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Hs256, Hs384, Hs512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match self {
            Self::Rsa => matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512),
            Self::P256 => algorithm == Es256,
            Self::P384 => algorithm == Es384,
            Self::Secret => matches!(algorithm, Hs256 | Hs384 | Hs512),
            Self::Ed25519 => algorithm == EdDsa,
        }
    }
}

impl VerifyingKey {
    pub(crate) fn is_ed25519(&self) -> bool {
        self.family == Family::Ed25519
    }
}

#[cfg(feature = "jwt")]
impl VerifyingKey {
    /// An RSA key by modulus and exponent; leading zeros are dropped, a modulus of nothing is no key.
    pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let modulus: Vec<u8> = modulus.iter().copied().skip_while(|byte| *byte == 0).collect();
        if modulus.is_empty() {
            return None;
        }
        let key = jsonwebtoken::DecodingKey::from_rsa_raw_components(&modulus, exponent);
        Some(Self { family: Family::Rsa, key })
    }

    pub(crate) fn p256(x: &[u8], y: &[u8]) -> Option<Self> {
        Some(Self { family: Family::P256, key: jsonwebtoken::DecodingKey::from_ec_der(&point(x, y, 32)?) })
    }

    pub(crate) fn p384(x: &[u8], y: &[u8]) -> Option<Self> {
        Some(Self { family: Family::P384, key: jsonwebtoken::DecodingKey::from_ec_der(&point(x, y, 48)?) })
    }

    pub(crate) fn secret(secret: &[u8]) -> Self {
        Self { family: Family::Secret, key: jsonwebtoken::DecodingKey::from_secret(secret) }
    }

    pub(crate) fn ed25519(key: &[u8]) -> Self {
        Self { family: Family::Ed25519, key: jsonwebtoken::DecodingKey::from_ed_der(key) }
    }

    /// Whether this key made the signature over `signed`.
    pub(crate) fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        if !self.family.is_for(algorithm) {
            return false;
        }
        let algorithm = match algorithm {
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::Es384 => jsonwebtoken::Algorithm::ES384,
            Algorithm::Es512 => return false,
            Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
            Algorithm::Hs384 => jsonwebtoken::Algorithm::HS384,
            Algorithm::Hs512 => jsonwebtoken::Algorithm::HS512,
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::Rs384 => jsonwebtoken::Algorithm::RS384,
            Algorithm::Rs512 => jsonwebtoken::Algorithm::RS512,
            Algorithm::Ps256 => jsonwebtoken::Algorithm::PS256,
            Algorithm::Ps384 => jsonwebtoken::Algorithm::PS384,
            Algorithm::Ps512 => jsonwebtoken::Algorithm::PS512,
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        };
        // The provider is named here: the library's own choice panics where a build has switched on two of them.
        let provider = &jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
        let verifier = (provider.verifier_factory)(&algorithm, &self.key);
        verifier.is_ok_and(|verifier| verifier.verify(signed, &signature.to_vec()).is_ok())
    }
}

/// An uncompressed point: `04`, x, y, each filled up with zeros in front.
#[cfg(feature = "jwt")]
fn point(x: &[u8], y: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut point = vec![4];
    for coordinate in [x, y] {
        let significant: Vec<u8> = coordinate.iter().copied().skip_while(|byte| *byte == 0).collect();
        point.extend(std::iter::repeat_n(0, size.checked_sub(significant.len())?));
        point.extend(significant);
    }
    Some(point)
}

/// Without the feature `jwt` no signature is right, so every token is refused.
#[cfg(not(feature = "jwt"))]
impl VerifyingKey {
    pub(crate) fn rsa(modulus: &[u8], _exponent: &[u8]) -> Option<Self> {
        (!modulus.is_empty()).then_some(Self { family: Family::Rsa })
    }

    pub(crate) fn p256(_x: &[u8], _y: &[u8]) -> Option<Self> {
        Some(Self { family: Family::P256 })
    }

    pub(crate) fn p384(_x: &[u8], _y: &[u8]) -> Option<Self> {
        Some(Self { family: Family::P384 })
    }

    pub(crate) fn secret(_secret: &[u8]) -> Self {
        Self { family: Family::Secret }
    }

    pub(crate) fn ed25519(_key: &[u8]) -> Self {
        Self { family: Family::Ed25519 }
    }

    pub(crate) fn verifies(&self, algorithm: Algorithm, _signed: &[u8], _signature: &[u8]) -> bool {
        let _ = self.family.is_for(algorithm);
        false
    }
}
