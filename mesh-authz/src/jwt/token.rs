//! A token taken apart; nothing is believed yet (S-276 to S-278, E-087).

use std::borrow::Cow;

use smallvec::SmallVec;

use super::claims_scan::{Claim, scan};
use super::status::Status;
use super::{base64url, base64url_into};

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

/// Longer tokens are refused unread: no header of a request can carry them.
pub(crate) const TOKEN_BYTES_MAX: usize = 64 * 1024;

/// How strictly the form is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Empty sections are skipped, so stray dots do no harm (S-276).
    Lenient,
    /// Exactly three sections.
    Strict,
}

/// A token of good form. It borrows from the text and from what was decoded of it.
#[derive(Debug, Clone)]
pub(crate) struct Token<'t> {
    pub(crate) algorithm: Algorithm,
    /// `None`: not written, or empty.
    pub(crate) key_id: Option<KeyId>,
    /// What the signature is about.
    pub(crate) signed: Cow<'t, [u8]>,
    /// The payload as received.
    pub(crate) payload_section: &'t [u8],
    /// The payload: a JSON object without repeated names.
    pub(crate) payload: &'t [u8],
    /// `None`: not written.
    pub(crate) issuer: Option<Cow<'t, str>>,
    /// `None`: not written.
    pub(crate) subject: Option<Cow<'t, str>>,
    pub(crate) audiences: Audiences<'t>,
    pub(crate) times: Times,
    pub(crate) signature: &'t [u8],
}

/// `aud`; there is seldom more than one.
pub(crate) type Audiences<'t> = SmallVec<[Cow<'t, str>; 2]>;

/// Where the sections of a token are decoded to: room on the stack for all but the payload, which may be kept.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) payload: Vec<u8>,
    signature: SmallVec<[u8; 512]>,
}

/// When a token counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    /// Seconds since 1970; 0: not written.
    pub(crate) not_before: u64,
    /// Seconds since 1970; 0: not written, it never expires.
    pub(crate) expires: u64,
}

impl<'t> Token<'t> {
    /// Takes a token apart, in Envoy's order, so that the first complaint is Envoy's.
    pub(crate) fn parse(text: &'t [u8], form: Form, decoded: &'t mut Decoded) -> Result<Self, Status> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(Status::BadFormat);
        }
        let [header, payload_section, signature] = sections(text, form).ok_or(Status::BadFormat)?;
        let (algorithm, key_id) = read_header(header)?;

        let Decoded { payload, signature: signed_by } = decoded;
        *payload = base64url(payload_section).ok_or(Status::PayloadBadBase64)?;
        let known = scan(payload, &["iss", "sub", "iat", "nbf", "exp", "jti", "aud"]);
        let [iss, sub, iat, nbf, exp, jti, aud] = known.ok_or(Status::PayloadBadJson)?;
        let issuer = string(iss, Status::IssNotString)?;
        let subject = string(sub, Status::SubNotString)?;
        seconds(iat.as_ref(), Status::IatNotInteger, Status::IatOutOfRange)?;
        let not_before = seconds(nbf.as_ref(), Status::NbfNotInteger, Status::NbfOutOfRange)?;
        let expires = seconds(exp.as_ref(), Status::ExpNotInteger, Status::ExpOutOfRange)?;
        string(jti, Status::JtiNotString)?;
        let audiences = audiences(aud)?;
        base64url_into(signature, signed_by).ok_or(Status::SignatureBadBase64)?;
        Ok(Self {
            algorithm,
            key_id,
            signed: signed(text, header, payload_section),
            payload_section,
            issuer,
            subject,
            audiences,
            times: Times { not_before, expires },
            signature: signed_by,
            payload,
        })
    }
}

#[cfg(test)]
impl Token<'static> {
    /// What a signature is about, whatever the payload: vectors for signatures have payloads that are no claims.
    pub(crate) fn signed_alone(text: &'static [u8]) -> Result<Self, Status> {
        let [header, payload_section, signature] = sections(text, Form::Strict).ok_or(Status::BadFormat)?;
        let (algorithm, key_id) = read_header(header)?;
        base64url(payload_section).ok_or(Status::PayloadBadBase64)?;
        let signature = base64url(signature).ok_or(Status::SignatureBadBase64)?;
        Ok(Self {
            algorithm,
            key_id,
            signed: signed(text, header, payload_section),
            payload_section,
            issuer: None,
            subject: None,
            audiences: Audiences::new(),
            times: Times { not_before: 0, expires: 0 },
            signature: signature.leak(),
            payload: b"{}",
        })
    }
}

impl Times {
    /// With 60 seconds of tolerance; `nbf` before `exp` (S-280, E-087).
    pub(crate) fn check(self, now: i64) -> Result<(), Status> {
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

/// `kid`.
pub(crate) type KeyId = SmallVec<[u8; 64]>;

/// Header, payload and signature, none of them empty.
fn sections(text: &[u8], form: Form) -> Option<[&[u8]; 3]> {
    let dots: SmallVec<[usize; 4]> = memchr::memchr_iter(b'.', text).take(4).collect();
    let found = match dots.as_slice() {
        [first, second] => [text.get(..*first)?, text.get(first + 1..*second)?, text.get(second + 1..)?],
        _ if form == Form::Strict => return None,
        _ => {
            let mut sections = text.split(|byte| *byte == b'.').filter(|section| !section.is_empty());
            let found = [sections.next()?, sections.next()?, sections.next()?];
            if sections.next().is_some() {
                return None;
            }
            found
        }
    };
    found.iter().all(|section| !section.is_empty()).then_some(found)
}

fn read_header(section: &[u8]) -> Result<(Algorithm, Option<KeyId>), Status> {
    let mut fields: SmallVec<[u8; 256]> = SmallVec::new();
    base64url_into(section, &mut fields).ok_or(Status::HeaderBadBase64)?;
    let [alg, kid, crit] = scan(&fields, &["alg", "kid", "crit"]).ok_or(Status::HeaderBadJson)?;
    let Some(Claim::Text(algorithm)) = alg else { return Err(Status::HeaderBadAlg) };
    let algorithm = Algorithm::parse(&algorithm).ok_or(Status::HeaderAlgNotSupported)?;
    let key_id = string(kid, Status::HeaderBadKid)?.filter(|id| !id.is_empty());
    if crit.is_some() {
        // RFC 7515, 4.1.11: what must be understood and is not, is refused. We understand no extension.
        return Err(Status::HeaderCritical);
    }
    Ok((algorithm, key_id.map(|id| KeyId::from_slice(id.as_bytes()))))
}

/// The first two sections with a dot between them: as they stand in the text, unless stray dots part them.
fn signed<'t>(text: &'t [u8], header: &[u8], payload: &[u8]) -> Cow<'t, [u8]> {
    let together = header.len() + 1 + payload.len();
    let start = text.get(..together);
    match start.and_then(|start| start.strip_prefix(header)?.strip_prefix(b".")) {
        Some(rest) if rest == payload => Cow::Borrowed(start.unwrap_or_default()),
        _ => Cow::Owned([header, payload].join(&b'.')),
    }
}

fn string(claim: Option<Claim<'_>>, wrong: Status) -> Result<Option<Cow<'_, str>>, Status> {
    match claim {
        None => Ok(None),
        Some(Claim::Text(text)) => Ok(Some(text)),
        Some(_) => Err(wrong),
    }
}

/// A number of seconds from 0 up to 2^64; a fraction is cut off (S-278).
fn seconds(claim: Option<&Claim<'_>>, wrong: Status, out_of_range: Status) -> Result<u64, Status> {
    match claim {
        None => Ok(0),
        Some(Claim::Number(number, whole)) => {
            if !(0.0..18_446_744_073_709_551_616.0).contains(number) {
                return Err(out_of_range);
            }
            // The range was checked; the cast cuts the fraction off, which is what is wanted.
            Ok(whole.unwrap_or(*number as u64))
        }
        Some(_) => Err(wrong),
    }
}

fn audiences(claim: Option<Claim<'_>>) -> Result<Audiences<'_>, Status> {
    match claim {
        None => Ok(Audiences::new()),
        Some(Claim::Text(one)) => Ok(Audiences::from_iter([one])),
        Some(Claim::Texts(several)) => Ok(several),
        Some(_) => Err(Status::AudNotString),
    }
}
