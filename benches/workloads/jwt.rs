//! Tokens of 12 claims, signed with keys made for the run.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
};
use aws_lc_rs::{hmac, signature};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use mesh_authz::request_authn::{Authenticated, AuthnOptions, RequestAuthn};
use mesh_model::document::{Document, Source, Tree};
use mesh_model::facts::{Headers, HttpVersion, RequestFacts};
use mesh_model::object::{Object, ObjectMeta};
use mesh_model::origin::Provenance;
use mesh_model::security::request_authentication::RequestAuthentication;
use serde_json::{Value, json};

/// The issuer of every token.
pub const ISSUER: &str = "https://login.example.com";
/// The audience of every token.
pub const AUDIENCE: &str = "orders.shop.example.com";
/// Between the times of every token.
pub const NOW: i64 = 1_800_000_000;

/// A key that signs.
#[derive(Debug)]
pub enum Signer {
    /// RS256
    Rsa(Box<RsaKeyPair>),
    /// ES256
    P256(Box<EcdsaKeyPair>),
    /// EdDSA
    Ed25519(Box<Ed25519KeyPair>),
    /// HS256
    Secret(Vec<u8>),
}

impl Signer {
    /// One of each kind.
    ///
    /// # Panics
    /// Where the machine has no randomness.
    #[expect(clippy::unwrap_used, reason = "a bench without keys is none")]
    pub fn all() -> [Self; 4] {
        [
            Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap().into()),
            Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap().into()),
            Self::Ed25519(Ed25519KeyPair::generate().unwrap().into()),
            Self::Secret(b"a secret of thirty-two bytes ...".to_vec()),
        ]
    }

    /// `RS256`, ...
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
            Self::Secret(_) => "HS256",
        }
    }

    /// The key that verifies, with a `kid`.
    #[expect(clippy::indexing_slicing, reason = "encodings of fixed length")]
    pub fn jwk(&self, kid: &str) -> Value {
        let text = |bytes: &[u8]| BASE64.encode(bytes);
        match self {
            Self::Rsa(key) => {
                // DER of 2048 bits: a sequence of the modulus, 257 bytes with a zero in front, and of 65537.
                let der = key.public_key().as_ref();
                json!({ "kty": "RSA", "kid": kid, "n": text(&der[9..265]), "e": text(&der[der.len() - 3..]) })
            }
            Self::P256(key) => {
                let point = key.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": text(&point[1..33]), "y": text(&point[33..]) })
            }
            Self::Ed25519(key) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": text(key.public_key().as_ref()) })
            }
            Self::Secret(secret) => json!({ "kty": "oct", "kid": kid, "k": text(secret) }),
        }
    }

    /// What is signed, and its signature.
    #[expect(clippy::unwrap_used, reason = "a key that was just made signs")]
    pub fn sign(&self, signed: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut made = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, signed, &mut made).unwrap();
                made
            }
            Self::P256(key) => key.sign(&random, signed).unwrap().as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(signed).as_ref().to_vec(),
            Self::Secret(secret) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed).as_ref().to_vec()
            }
        }
    }

    /// A token of 12 claims; `change` is made to its claims.
    pub fn token(&self, kid: &str, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({
            "iss": ISSUER, "aud": [AUDIENCE], "sub": "user-4711", "exp": 1_900_000_000, "nbf": 1_700_000_000,
            "iat": 1_700_000_000, "jti": "0f4a2d0e-0a6e-4a52-9a63", "scope": "orders:read orders:write profile",
            "email": "somebody@example.com", "name": "Some Body", "groups": ["admins", "auditors"],
            "tenant": { "id": "t-17", "tier": "gold" },
        });
        change(&mut claims);
        let header = json!({ "alg": self.algorithm(), "typ": "JWT", "kid": kid });
        let signed = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let signature = BASE64.encode(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// The signature check alone, with a parsed key: nothing can be faster.
    #[expect(clippy::unwrap_used, reason = "a key that was just made is one")]
    pub fn raw_check(&self) -> Box<RawCheck> {
        let parsed = |algorithm: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            let key = signature::ParsedPublicKey::new(algorithm, key).unwrap();
            Box::new(move |signed: &[u8], made: &[u8]| key.verify_sig(signed, made).is_ok())
        };
        match self {
            Self::Rsa(key) => parsed(&signature::RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref()),
            Self::P256(key) => parsed(&signature::ECDSA_P256_SHA256_FIXED, key.public_key().as_ref()),
            Self::Ed25519(key) => parsed(&signature::ED25519, key.public_key().as_ref()),
            Self::Secret(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                Box::new(move |signed, made| hmac::verify(&key, signed, made).is_ok())
            }
        }
    }
}

/// Whether a signature (second) is one of the text (first).
pub type RawCheck = dyn Fn(&[u8], &[u8]) -> bool;

/// Token rules of one issuer with these keys.
///
/// # Panics
/// Where they do not compile.
#[expect(clippy::unwrap_used, reason = "generated rules compile")]
pub fn rules(keys: &[Value]) -> RequestAuthn {
    let spec: RequestAuthentication = serde_json::from_value(json!({ "jwtRules": [{
        "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": json!({ "keys": keys }).to_string(),
    }] }))
    .unwrap();
    let (namespace, name): (Arc<str>, Arc<str>) = ("shop".into(), "jwt".into());
    let document = Arc::new(Document::new(
        Source { file: "bench.yaml".into(), cluster: "Kubernetes".into() },
        0,
        Tree::default(),
    ));
    let object = Arc::new(Object {
        meta: ObjectMeta { name: name.clone(), namespace: namespace.clone(), ..ObjectMeta::default() },
        spec,
        provenance: Arc::new(Provenance {
            kind: "RequestAuthentication",
            namespace,
            name,
            document,
            refused_at: None,
        }),
    });
    RequestAuthn::compile(&[&object], &AuthnOptions::default()).0.unwrap()
}

/// A request that carries the token.
pub fn request(token: &str) -> RequestFacts<'static> {
    let mut headers = Headers::default();
    headers.push("user-agent", b"bench/1.0".as_slice());
    headers.push("authorization", format!("Bearer {token}").into_bytes());
    RequestFacts {
        version: HttpVersion::Http2,
        method: "GET".into(),
        scheme: "http".into(),
        authority: "orders".into(),
        path: "/orders/17".into(),
        headers,
    }
}

/// Whether its token was accepted, and its subject can be read.
pub fn passes(authn: &RequestAuthn, request: &RequestFacts<'_>, now: i64) -> bool {
    match authn.authenticate(request, now, &mut ()) {
        Authenticated::Passed { claims, .. } => claims.is_some_and(|claims| claims.subject().is_some()),
        Authenticated::Rejected { .. } => false,
    }
}
