//! What `x-request-id` has to do with sampling: its first digits are the dice, one digit remembers the decision.
//! Spec: Envoy, extensions.request_id.uuid.v3.UuidRequestIdConfig.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use super::Settings;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CLIENT_TRACE_ID: HeaderName = HeaderName::from_static("x-client-trace-id");
const FORCE_TRACE: HeaderName = HeaderName::from_static("x-envoy-force-trace");
/// Where the decision is noted: the version of the UUID.
const NOTE_AT: usize = 14;
const UUID_LENGTH: usize = 36;

/// Why a request is traced. Spec: Envoy, `Tracing::Reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is not.
    NotTraced,
    /// By chance.
    Sampled,
    /// `x-envoy-force-trace`, which only peers within the mesh are believed.
    Forced,
    /// `x-client-trace-id`.
    Client,
}

impl Reason {
    fn of_note(note: u8) -> Self {
        match note {
            b'9' => Self::Sampled,
            b'a' => Self::Forced,
            b'b' => Self::Client,
            _ => Self::NotTraced,
        }
    }

    const fn note(self) -> char {
        match self {
            Self::NotTraced => '4',
            Self::Sampled => '9',
            Self::Forced => 'a',
            Self::Client => 'b',
        }
    }
}

/// Decides, and notes the decision in the request id, where hops after this one find it.
pub fn decide(headers: &mut HeaderMap, settings: &Settings) -> Reason {
    if !settings.request_id_decides {
        return Reason::Sampled;
    }
    let Some(id) = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()) else { return Reason::NotTraced };
    // An id that is no UUID says nothing, and is left as it is.
    let Some(chance) = id.get(..8).and_then(|digits| u64::from_str_radix(digits, 16).ok()) else {
        return Reason::NotTraced;
    };
    let noted = match id.as_bytes().get(NOTE_AT) {
        Some(note) if id.len() == UUID_LENGTH => Reason::of_note(*note),
        _ => Reason::NotTraced,
    };
    let reason = if noted != Reason::NotTraced {
        noted
    } else if headers.contains_key(CLIENT_TRACE_ID) {
        Reason::Client
    } else if headers.contains_key(FORCE_TRACE) {
        Reason::Forced
    } else if is_drawn(chance, settings.sampling_percent) {
        Reason::Sampled
    } else {
        Reason::NotTraced
    };
    note(headers, reason);
    reason
}

/// Of 10,000 ids as many as hundredths of a percent are asked for.
fn is_drawn(chance: u64, percent: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "below 10,000")]
    let place = (chance % 10_000) as f64;
    place < percent * 100.0
}

fn note(headers: &mut HeaderMap, reason: Reason) {
    let Some(id) = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()) else { return };
    let (Some(before), Some(after)) = (id.get(..NOTE_AT), id.get(NOTE_AT + 1..)) else { return };
    // Most ids say so already: those of this proxy are UUIDs of version 4, and few requests are traced.
    let is_noted = id.as_bytes().get(NOTE_AT).is_some_and(|note| char::from(*note) == reason.note());
    if id.len() != UUID_LENGTH || is_noted {
        return;
    }
    if let Ok(noted) = HeaderValue::try_from(format!("{before}{}{after}", reason.note())) {
        headers.insert(REQUEST_ID, noted);
    }
}
