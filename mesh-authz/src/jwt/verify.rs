//! Signatures: the only place that knows the cryptography library. Claims and the clock are checked elsewhere, by us.
//!
//! Keys are parsed once. An RSA key and a secret serve several algorithms; what each needs is prepared at its first use.

use super::token::Algorithm;

/// A key with the one family, and for curves the one algorithm, that it may verify (S-283).
#[derive(Debug, Clone)]
pub(crate) struct VerifyingKey {
    family: Family,
    #[cfg(feature = "jwt")]
    key: std::sync::Arc<aws_lc::Prepared>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Rsa,
    P256,
    P384,
    P521,
    Secret,
    Ed25519,
}

impl Family {
    /// No algorithm of one family is ever tried with a key of another (no algorithm confusion).
    fn is_for(self, algorithm: Algorithm) -> bool {
        use Algorithm::{
            EdDsa, Es256, Es384, Es512, Hs256, Hs384, Hs512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512,
        };
        match self {
            Self::Rsa => matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512),
            Self::P256 => algorithm == Es256,
            Self::P384 => algorithm == Es384,
            Self::P521 => algorithm == Es512,
            Self::Secret => matches!(algorithm, Hs256 | Hs384 | Hs512),
            Self::Ed25519 => algorithm == EdDsa,
        }
    }
}

/// Shorter RSA keys are no keys.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

impl VerifyingKey {
    pub(crate) fn is_ed25519(&self) -> bool {
        self.family == Family::Ed25519
    }

    /// An RSA key by modulus and exponent; leading zeros are dropped. `None`: it is too short or too long, or no key.
    pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let significant = modulus.iter().position(|byte| *byte != 0)?;
        let modulus = modulus.get(significant..)?;
        let unused = modulus.first()?.leading_zeros();
        let bits = (modulus.len() * 8).checked_sub(unused as usize)?;
        // An even modulus is no product of two odd primes.
        let is_odd = modulus.last()? % 2 == 1;
        (RSA_BITS.contains(&bits) && is_odd).then(|| Self::rsa_of(modulus, exponent))?
    }

    pub(crate) fn p256(x: &[u8], y: &[u8]) -> Option<Self> {
        Self::curve(Family::P256, &point(x, y, 32)?)
    }

    pub(crate) fn p384(x: &[u8], y: &[u8]) -> Option<Self> {
        Self::curve(Family::P384, &point(x, y, 48)?)
    }

    pub(crate) fn p521(x: &[u8], y: &[u8]) -> Option<Self> {
        Self::curve(Family::P521, &point(x, y, 66)?)
    }
}

/// An uncompressed point: `04`, x, y, each filled up with zeros in front.
fn point(x: &[u8], y: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut point = vec![4];
    for coordinate in [x, y] {
        let significant: Vec<u8> = coordinate.iter().copied().skip_while(|byte| *byte == 0).collect();
        point.extend(std::iter::repeat_n(0, size.checked_sub(significant.len())?));
        point.extend(significant);
    }
    Some(point)
}

#[cfg(feature = "jwt")]
mod aws_lc {
    use std::sync::{Arc, OnceLock};

    use aws_lc_rs::hmac;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
        RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
        RsaPublicKeyComponents, VerificationAlgorithm,
    };

    use super::{Algorithm, Family, VerifyingKey};

    /// A key in the library's form.
    pub(super) enum Prepared {
        One(ParsedPublicKey),
        Rsa {
            modulus: Box<[u8]>,
            exponent: Box<[u8]>,
            by_algorithm: Box<[OnceLock<Option<ParsedPublicKey>>; 6]>,
        },
        Secret {
            secret: Box<[u8]>,
            by_algorithm: Box<[OnceLock<hmac::Key>; 3]>,
        },
    }

    /// Secrets are never shown.
    impl std::fmt::Debug for Prepared {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(match self {
                Self::One(_) => "public key",
                Self::Rsa { .. } => "RSA public key",
                Self::Secret { .. } => "secret",
            })
        }
    }

    impl VerifyingKey {
        pub(super) fn rsa_of(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
            let key = Prepared::Rsa {
                modulus: modulus.into(),
                exponent: exponent.into(),
                by_algorithm: Default::default(),
            };
            // Whether it is a key at all shows in the first use; RS256 is the usual one.
            key.rsa(Algorithm::Rs256)?;
            Some(Self { family: Family::Rsa, key: Arc::new(key) })
        }

        /// The point must be on the curve.
        pub(super) fn curve(family: Family, point: &[u8]) -> Option<Self> {
            let algorithm: &dyn VerificationAlgorithm = match family {
                Family::P256 => &ECDSA_P256_SHA256_FIXED,
                Family::P384 => &ECDSA_P384_SHA384_FIXED,
                _ => &ECDSA_P521_SHA512_FIXED,
            };
            Self::one(family, algorithm, point)
        }

        pub(crate) fn ed25519(key: &[u8]) -> Option<Self> {
            Self::one(Family::Ed25519, &ED25519, key)
        }

        fn one(family: Family, algorithm: &'static dyn VerificationAlgorithm, bytes: &[u8]) -> Option<Self> {
            let key = ParsedPublicKey::new(algorithm, bytes).ok()?;
            Some(Self { family, key: Arc::new(Prepared::One(key)) })
        }

        pub(crate) fn secret(secret: &[u8]) -> Self {
            let key = Prepared::Secret { secret: secret.into(), by_algorithm: Default::default() };
            Self { family: Family::Secret, key: Arc::new(key) }
        }

        /// Whether this key made the signature over `signed`.
        pub(crate) fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
            if !self.family.is_for(algorithm) {
                return false;
            }
            match &*self.key {
                Prepared::One(key) => key.verify_sig(signed, signature).is_ok(),
                key @ Prepared::Rsa { .. } => {
                    key.rsa(algorithm).is_some_and(|key| key.verify_sig(signed, signature).is_ok())
                }
                // Compares in constant time.
                key @ Prepared::Secret { .. } => {
                    key.hmac(algorithm).is_some_and(|key| hmac::verify(key, signed, signature).is_ok())
                }
            }
        }
    }

    impl Prepared {
        fn rsa(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
            let Self::Rsa { modulus, exponent, by_algorithm } = self else { return None };
            let (at, parameters): (usize, &'static RsaParameters) = match algorithm {
                Algorithm::Rs256 => (0, &RSA_PKCS1_2048_8192_SHA256),
                Algorithm::Rs384 => (1, &RSA_PKCS1_2048_8192_SHA384),
                Algorithm::Rs512 => (2, &RSA_PKCS1_2048_8192_SHA512),
                Algorithm::Ps256 => (3, &RSA_PSS_2048_8192_SHA256),
                Algorithm::Ps384 => (4, &RSA_PSS_2048_8192_SHA384),
                Algorithm::Ps512 => (5, &RSA_PSS_2048_8192_SHA512),
                _ => return None,
            };
            let parse =
                || RsaPublicKeyComponents { n: modulus, e: exponent }.to_parsed_public_key(parameters).ok();
            by_algorithm.get(at)?.get_or_init(parse).as_ref()
        }

        fn hmac(&self, algorithm: Algorithm) -> Option<&hmac::Key> {
            let Self::Secret { secret, by_algorithm } = self else { return None };
            let (at, digest) = match algorithm {
                Algorithm::Hs256 => (0, hmac::HMAC_SHA256),
                Algorithm::Hs384 => (1, hmac::HMAC_SHA384),
                Algorithm::Hs512 => (2, hmac::HMAC_SHA512),
                _ => return None,
            };
            Some(by_algorithm.get(at)?.get_or_init(|| hmac::Key::new(digest, secret)))
        }
    }
}

/// Without the feature `jwt` no signature is right, so every token is refused.
#[cfg(not(feature = "jwt"))]
impl VerifyingKey {
    fn rsa_of(_modulus: &[u8], _exponent: &[u8]) -> Option<Self> {
        Some(Self { family: Family::Rsa })
    }

    fn curve(family: Family, _point: &[u8]) -> Option<Self> {
        Some(Self { family })
    }

    pub(crate) fn ed25519(_key: &[u8]) -> Option<Self> {
        Some(Self { family: Family::Ed25519 })
    }

    pub(crate) fn secret(_secret: &[u8]) -> Self {
        Self { family: Family::Secret }
    }

    pub(crate) fn verifies(&self, algorithm: Algorithm, _signed: &[u8], _signature: &[u8]) -> bool {
        let _ = self.family.is_for(algorithm);
        false
    }
}
