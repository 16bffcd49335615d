//! Typed decode of a [`Node`](crate::document::Node).

use serde::de::DeserializeOwned;

use crate::diagnostic::{Place, Report};
use crate::document::{Node, Span};

/// What becomes of fields that the type does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// An error finding.
    Error,
    /// A warning.
    Warning,
    /// Nothing.
    Ignore,
}

/// How a tree is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Protobuf's JSON rules (both spellings, numbers as strings, null as unset).
    pub protobuf: bool,
    /// Unknown fields.
    pub unknown: Unknown,
}

/// Decodes a tree.
pub fn decode<T: DeserializeOwned>(
    node: &Node,
    path: &str,
    options: DecodeOptions,
    place: &dyn Fn(&str, Span) -> Place,
    report: &mut Report,
) -> Option<T> {
    let _ = (node, path, options, place, report);
    None
}
