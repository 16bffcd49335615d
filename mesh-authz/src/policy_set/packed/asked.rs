//! What is asked about, with what every rule would work out again.

use crate::byte_places;
use crate::verdict::Facts;

/// A request or connection.
#[derive(Debug)]
pub(in crate::policy_set) struct Asked<'f> {
    pub(in crate::policy_set) facts: &'f Facts<'f>,
    /// The path that policies see (S-182), without query and fragment; empty: no request.
    pub(in crate::policy_set) path: &'f str,
}

impl<'f> Asked<'f> {
    pub(in crate::policy_set) fn new(facts: &'f Facts<'f>) -> Self {
        let path = facts.request.map_or("", |request| byte_places::before_either(&request.path, b'?', b'#'));
        Self { facts, path }
    }
}
