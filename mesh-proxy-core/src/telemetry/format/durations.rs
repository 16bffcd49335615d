//! Times between the places that a request comes past. Envoy: `COMMON_DURATION` and the durations with names of their own.

use std::time::Instant;

use super::value::text;
use super::values::number;
use crate::telemetry::connections::between;
use crate::telemetry::record::Record;

/// From one place to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    from: Point,
    until: Point,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Millis,
    Micros,
    Nanos,
}

/// A place that a request comes past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    ConnectionBegin,
    ConnectionEnd,
    RequestBegin,
    RequestEnd,
    Wanted,
    UpstreamDialled,
    UpstreamConnected,
    UpstreamHandshaken,
    SendingBegin,
    SendingEnd,
    AnswerBegin,
    AnswerBody,
    AnswerEnd,
    GivingBegin,
    GivingEnd,
    /// One that extensions would set: none of them is here.
    Never,
}

impl Span {
    /// One with a name of its own.
    pub(super) fn named(name: &str) -> Option<Self> {
        let (from, until) = match name {
            "REQUEST_DURATION" => (Point::RequestBegin, Point::RequestEnd),
            "REQUEST_TX_DURATION" => (Point::RequestBegin, Point::SendingEnd),
            "RESPONSE_DURATION" => (Point::RequestBegin, Point::AnswerBegin),
            "RESPONSE_TX_DURATION" => (Point::AnswerBegin, Point::GivingEnd),
            "UPSTREAM_CONNECTION_POOL_READY_DURATION" => (Point::Wanted, Point::SendingBegin),
            _ => return None,
        };
        Some(Self { from, until, unit: Unit::Millis })
    }

    /// `FROM:UNTIL:UNIT`
    ///
    /// # Errors
    /// It is something else.
    pub(super) fn of(argument: &str) -> Result<Self, String> {
        let parts: Vec<&str> = argument.split(':').collect();
        let (from, until, unit) = match *parts {
            [from, until] => (from, until, "ms"),
            [from, until, unit] => (from, until, unit),
            _ => return Err(format!("COMMON_DURATION takes two time points and a unit, not `{argument}`")),
        };
        let unit = match unit {
            "ms" => Unit::Millis,
            "us" => Unit::Micros,
            "ns" => Unit::Nanos,
            other => return Err(format!("COMMON_DURATION takes the units ms, us and ns, not `{other}`")),
        };
        Ok(Self { from: Point::of(from), until: Point::of(until), unit })
    }

    /// Writes it; whether it is there.
    pub(super) fn write(self, record: &Record, out: &mut String) -> bool {
        let Some(duration) = between(self.from.time(record), self.until.time(record)) else { return false };
        let count = match self.unit {
            Unit::Millis => duration.as_millis(),
            Unit::Micros => duration.as_micros(),
            Unit::Nanos => duration.as_nanos(),
        };
        number(u64::try_from(count).unwrap_or(u64::MAX), out)
    }
}

impl Point {
    fn of(name: &str) -> Self {
        match name {
            "DS_CX_BEG" => Self::ConnectionBegin,
            "DS_CX_END" => Self::ConnectionEnd,
            "DS_RX_BEG" => Self::RequestBegin,
            "DS_RX_END" => Self::RequestEnd,
            "US_CX_BEG" => Self::UpstreamDialled,
            "US_CX_END" => Self::UpstreamConnected,
            "US_HS_END" => Self::UpstreamHandshaken,
            "US_TX_BEG" => Self::SendingBegin,
            "US_TX_END" => Self::SendingEnd,
            "US_RX_BEG" => Self::AnswerBegin,
            "US_RX_BODY_BEG" => Self::AnswerBody,
            "US_RX_END" => Self::AnswerEnd,
            "DS_TX_BEG" => Self::GivingBegin,
            "DS_TX_END" => Self::GivingEnd,
            _ => Self::Never,
        }
    }

    fn time(self, record: &Record) -> Option<Instant> {
        let times = &record.times;
        let upstream = record.upstream.as_ref();
        let is_bytes = record.request.is_none();
        match self {
            Self::ConnectionBegin => times.begun.filter(|_| is_bytes),
            Self::ConnectionEnd => times.ended.filter(|_| is_bytes),
            Self::RequestBegin => times.begun,
            Self::RequestEnd => times.received,
            Self::Wanted => times.wanted,
            Self::UpstreamDialled => upstream.map(|upstream| upstream.begun),
            Self::UpstreamConnected => upstream?.connected,
            Self::UpstreamHandshaken => upstream?.handshaken,
            Self::SendingBegin => times.sending,
            Self::SendingEnd => times.sent,
            Self::AnswerBegin => times.answered,
            Self::AnswerBody => times.answer_body,
            Self::AnswerEnd => times.answer_read,
            Self::GivingBegin => times.answering,
            Self::GivingEnd => times.ended.filter(|_| !is_bytes),
            Self::Never => None,
        }
    }
}

/// The time of a client's TLS handshake, counted from the beginning of the request as Envoy has it: of all requests but the
/// first it was done before, and the number is negative. Of bytes Envoy tells none.
pub(super) fn handshake(record: &Record, out: &mut String) -> bool {
    let handshaken = record.connection.as_ref().and_then(|connection| connection.handshaken);
    let begun = record.times.begun.filter(|_| record.request.is_some());
    let Some((begun, handshaken)) = begun.zip(handshaken) else { return false };
    match begun.checked_duration_since(handshaken) {
        Some(before) if before.as_millis() > 0 => text(&format!("-{}", before.as_millis()), out),
        Some(_) => number(0, out),
        None => number(u64::try_from((handshaken - begun).as_millis()).unwrap_or(u64::MAX), out),
    }
}
