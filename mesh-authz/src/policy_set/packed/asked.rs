//! What is asked about, with what every rule would work out again.

use crate::policy_set::attribute::path_of;
use crate::verdict::Facts;

/// A request or connection.
#[derive(Debug)]
pub(in crate::policy_set) struct Asked<'f> {
    pub(in crate::policy_set) facts: &'f Facts<'f>,
    /// The path that policies see (S-182); empty: no request.
    pub(in crate::policy_set) path: &'f str,
}

impl<'f> Asked<'f> {
    pub(in crate::policy_set) fn new(facts: &'f Facts<'f>) -> Self {
        Self { facts, path: facts.request.map_or("", |request| path_of(request.path_only())) }
    }
}
