//! RequestAuthentication: tokens of a request.

use mesh_model::facts::RequestFacts;
use mesh_model::trace::Observer;

use crate::verdict::Claims;

/// The compiled token rules of one workload.
#[derive(Debug, Default)]
pub struct RequestAuthn {}

/// What became of a request's tokens.
#[derive(Debug, Clone, PartialEq)]
pub enum Authenticated {
    /// It goes on.
    Passed {
        /// Of the verified token; `None`: no token.
        claims: Option<Claims>,
        /// In order.
        changes: Vec<RequestChange>,
    },
    /// It is answered.
    Rejected {
        /// 401, or 403 for audiences.
        status: u16,
        /// The text of the answer.
        body: String,
    },
}

/// What verification changes in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestChange {
    /// All lines of a header go.
    RemoveHeader(String),
    /// A header has this one value.
    SetHeader(String, Vec<u8>),
    /// Path and query become this.
    SetPath(String),
}

impl RequestAuthn {
    /// No rule: every request passes.
    pub fn authenticate<O: Observer>(&self, _: &RequestFacts<'_>, _: i64, _: &mut O) -> Authenticated {
        Authenticated::Passed { claims: None, changes: Vec::new() }
    }
}
