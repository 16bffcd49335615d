//! The header of a document: apiVersion, kind, metadata.

use std::sync::Arc;

use super::ObjectMeta;
use crate::diagnostic::Report;
use crate::document::Document;

/// What every resource has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `networking.istio.io`; empty for the core group.
    pub group: String,
    /// `v1`.
    pub version: String,
    /// `VirtualService`.
    pub kind: String,
    /// Metadata.
    pub meta: ObjectMeta,
}

/// Reads the header of a document.
pub fn read_header(document: &Arc<Document>, report: &mut Report) -> Option<Header> {
    let _ = (document, report);
    None
}
