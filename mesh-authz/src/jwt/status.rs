//! What can be wrong with a token, in Envoy's words (S-305 to S-315).

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// None was found.
    Missing,
    NotYetValid,
    Expired,
    BadFormat,
    HeaderBadBase64,
    HeaderBadJson,
    HeaderBadAlg,
    HeaderAlgNotSupported,
    HeaderBadKid,
    /// `crit`: an extension that must be understood.
    HeaderCritical,
    PayloadBadBase64,
    PayloadBadJson,
    IssNotString,
    SubNotString,
    IatNotInteger,
    IatOutOfRange,
    NbfNotInteger,
    NbfOutOfRange,
    ExpNotInteger,
    ExpOutOfRange,
    JtiNotString,
    AudNotString,
    SignatureBadBase64,
    SignatureWrongLength,
    UnknownIssuer,
    AudienceNotAllowed,
    VerificationFails,
    NoMatchingKey,
    NoValidKeys,
}

impl Status {
    /// Every one.
    #[cfg(test)]
    pub(crate) const ALL: &'static [Self] = &[
        Self::Missing,
        Self::HeaderBadBase64,
        Self::PayloadBadBase64,
        Self::SignatureBadBase64,
        Self::NotYetValid,
        Self::Expired,
        Self::BadFormat,
        Self::HeaderBadJson,
        Self::HeaderBadAlg,
        Self::HeaderAlgNotSupported,
        Self::HeaderBadKid,
        Self::HeaderCritical,
        Self::PayloadBadJson,
        Self::IssNotString,
        Self::SubNotString,
        Self::IatNotInteger,
        Self::IatOutOfRange,
        Self::NbfNotInteger,
        Self::NbfOutOfRange,
        Self::ExpNotInteger,
        Self::ExpOutOfRange,
        Self::JtiNotString,
        Self::AudNotString,
        Self::SignatureWrongLength,
        Self::UnknownIssuer,
        Self::AudienceNotAllowed,
        Self::VerificationFails,
        Self::NoMatchingKey,
        Self::NoValidKeys,
    ];

    /// The body of the response.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Missing => "Jwt is missing",
            Self::NotYetValid => "Jwt not yet valid",
            Self::Expired => "Jwt is expired",
            Self::BadFormat => {
                "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections"
            }
            Self::HeaderBadBase64 => "Jwt header is an invalid Base64url encoded",
            Self::HeaderBadJson => "Jwt header is an invalid JSON",
            Self::HeaderBadAlg => "Jwt header [alg] field is required and must be a string",
            Self::HeaderAlgNotSupported => "Jwt header [alg] is not supported",
            Self::HeaderBadKid => "Jwt header [kid] field is not a string",
            Self::HeaderCritical => "Jwt header [crit] field names extensions that are not supported",
            Self::PayloadBadBase64 => "Jwt payload is an invalid Base64url encoded",
            Self::PayloadBadJson => "Jwt payload is an invalid JSON",
            Self::IssNotString => "Jwt payload [iss] field is not a string",
            Self::SubNotString => "Jwt payload [sub] field is not a string",
            Self::IatNotInteger => "Jwt payload [iat] field is not an integer",
            Self::IatOutOfRange => "Jwt payload [iat] field is not a positive 64 bit integer",
            Self::NbfNotInteger => "Jwt payload [nbf] field is not an integer",
            Self::NbfOutOfRange => "Jwt payload [nbf] field is not a positive 64 bit integer",
            Self::ExpNotInteger => "Jwt payload [exp] field is not an integer",
            Self::ExpOutOfRange => "Jwt payload [exp] field is not a positive 64 bit integer",
            Self::JtiNotString => "Jwt payload [jti] field is not a string",
            Self::AudNotString => "Jwt payload [aud] field is not a string or string list",
            Self::SignatureBadBase64 => "Jwt signature is an invalid Base64url encoded",
            Self::SignatureWrongLength => "Jwt ED25519 signature is wrong length",
            Self::UnknownIssuer => "Jwt issuer is not configured",
            Self::AudienceNotAllowed => "Audiences in Jwt are not allowed",
            Self::VerificationFails => "Jwt verification fails",
            Self::NoMatchingKey => "Jwks doesn't have key to match kid or alg from Jwt",
            Self::NoValidKeys => "Jwks doesn't have any valid public key",
        }
    }

    /// 403 for audiences, 401 for all else (S-303).
    pub(crate) fn http_status(self) -> u16 {
        match self {
            Self::AudienceNotAllowed => 403,
            _ => 401,
        }
    }
}
