//! A token taken apart; nothing is believed yet (S-276 to S-278, E-087).

use serde_json::{Map, Value};

use super::base64url;
use super::status::Status;

/// Signature algorithms that a token may name (S-277).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Es256,
    Es384,
    Es512,
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    EdDsa,
}

impl Algorithm {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            "HS256" => Self::Hs256,
            "HS384" => Self::Hs384,
            "HS512" => Self::Hs512,
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }
}

/// A token of good form.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) algorithm: Algorithm,
    /// `None`: not written, or empty.
    pub(crate) key_id: Option<String>,
    /// What the signature is about.
    pub(crate) signed: String,
    /// The payload as received.
    pub(crate) payload_section: String,
    pub(crate) payload: Map<String, Value>,
    /// Empty: not written.
    pub(crate) issuer: String,
    pub(crate) audiences: Vec<String>,
    /// Seconds since 1970; 0: not written.
    pub(crate) not_before: u64,
    /// Seconds since 1970; 0: not written, it never expires.
    pub(crate) expires: u64,
    pub(crate) signature: Vec<u8>,
}

impl Token {
    /// Takes a token apart, in Envoy's order, so that the first complaint is Envoy's.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Status> {
        // Empty sections are skipped, so stray dots do no harm and an empty signature does.
        let mut sections = text.split(|byte| *byte == b'.').filter(|section| !section.is_empty());
        let (Some(header), Some(payload), Some(signature), None) =
            (sections.next(), sections.next(), sections.next(), sections.next())
        else {
            return Err(Status::BadFormat);
        };
        let fields = base64url(header).ok_or(Status::HeaderBadBase64)?;
        let fields: Map<String, Value> =
            serde_json::from_slice(&fields).map_err(|_| Status::HeaderBadJson)?;
        let Some(Value::String(algorithm)) = fields.get("alg") else { return Err(Status::HeaderBadAlg) };
        let algorithm = Algorithm::parse(algorithm).ok_or(Status::HeaderAlgNotSupported)?;
        let key_id = string(&fields, "kid", Status::HeaderBadKid)?;

        let claims = base64url(payload).ok_or(Status::PayloadBadBase64)?;
        let claims: Map<String, Value> =
            serde_json::from_slice(&claims).map_err(|_| Status::PayloadBadJson)?;
        let issuer = string(&claims, "iss", Status::IssNotString)?.unwrap_or_default();
        string(&claims, "sub", Status::SubNotString)?;
        seconds(&claims, "iat", Status::IatNotInteger, Status::IatOutOfRange)?;
        let not_before = seconds(&claims, "nbf", Status::NbfNotInteger, Status::NbfOutOfRange)?;
        let expires = seconds(&claims, "exp", Status::ExpNotInteger, Status::ExpOutOfRange)?;
        string(&claims, "jti", Status::JtiNotString)?;
        let audiences = audiences(&claims)?;
        let signature = base64url(signature).ok_or(Status::SignatureBadBase64)?;
        // Both sections decoded as base64, so they are ASCII.
        let text = |section: &[u8]| String::from_utf8_lossy(section).into_owned();
        let (header, payload_section) = (text(header), text(payload));
        Ok(Self {
            algorithm,
            key_id: key_id.filter(|id| !id.is_empty()),
            signed: format!("{header}.{payload_section}"),
            payload_section,
            payload: claims,
            issuer,
            audiences,
            not_before,
            expires,
            signature,
        })
    }

    /// The time of the token, with 60 seconds of tolerance; `nbf` before `exp` (S-280, E-087).
    pub(crate) fn check_time(&self, now: i64) -> Result<(), Status> {
        const SKEW: u64 = 60;
        let now = u64::try_from(now).unwrap_or(0);
        if now.saturating_add(SKEW) < self.not_before {
            return Err(Status::NotYetValid);
        }
        if self.expires != 0 && now > self.expires.saturating_add(SKEW) {
            return Err(Status::Expired);
        }
        Ok(())
    }
}

fn string(claims: &Map<String, Value>, name: &str, wrong: Status) -> Result<Option<String>, Status> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong),
    }
}

/// A number of seconds from 0 up to 2^64; a fraction is cut off (S-278).
fn seconds(
    claims: &Map<String, Value>,
    name: &str,
    wrong: Status,
    out_of_range: Status,
) -> Result<u64, Status> {
    let Some(value) = claims.get(name) else { return Ok(0) };
    let number = value.as_f64().ok_or(wrong)?;
    if !(0.0..18_446_744_073_709_551_616.0).contains(&number) {
        return Err(out_of_range);
    }
    // The range was checked; the cast cuts the fraction off, which is what is wanted.
    Ok(value.as_u64().unwrap_or(number as u64))
}

fn audiences(claims: &Map<String, Value>) -> Result<Vec<String>, Status> {
    match claims.get("aud") {
        None => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(several)) => {
            let texts = several.iter().map(|value| value.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().ok_or(Status::AudNotString)
        }
        Some(_) => Err(Status::AudNotString),
    }
}
