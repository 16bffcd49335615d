//! Trace and span ids.

use std::fmt;

use crate::dice::Dice;

/// The id of a trace, never zero. Ids of 64 bits are those whose first half is zero.
/// Spec: W3C Trace Context, trace-id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

/// The id of a span, never zero. Spec: W3C Trace Context, parent-id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(u64);

/// A span of a trace, as hops tell each other. Spec: W3C Trace Context, version 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// Whether spans are recorded.
    pub sampled: bool,
    /// Whether the trace's id is written with 16 digits.
    pub is_short: bool,
}

impl TraceId {
    /// A new one, of 64 bits if `short`.
    pub fn new(dice: &mut impl Dice, short: bool) -> Self {
        let high = if short { 0 } else { u128::from(dice.roll()) << 64 };
        Self((high | u128::from(dice.roll())).max(1))
    }

    /// Of 32 hexadecimal digits, or of 16; `None`: it is none.
    pub fn read(text: &str) -> Option<Self> {
        let id = match text.len() {
            32 | 16 => u128::from_str_radix(text, 16).ok()?,
            _ => return None,
        };
        (id != 0 && is_hex(text)).then_some(Self(id))
    }

    /// 16 bytes, the highest first.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The digits: 16 if `short`, else 32.
    pub fn digits(self, short: bool) -> String {
        if short { format!("{:016x}", self.0) } else { format!("{:032x}", self.0) }
    }
}

impl SpanId {
    /// A new one.
    pub fn new(dice: &mut impl Dice) -> Self {
        Self(dice.roll().max(1))
    }

    /// Of 16 hexadecimal digits; `None`: it is none.
    pub fn read(text: &str) -> Option<Self> {
        let id = u64::from_str_radix(text, 16).ok()?;
        (text.len() == 16 && id != 0 && is_hex(text)).then_some(Self(id))
    }

    /// 8 bytes, the highest first.
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// No sign, nothing but digits.
fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
