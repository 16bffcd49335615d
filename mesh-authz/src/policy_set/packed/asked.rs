//! What is asked about, with what every rule would work out again.

use std::cell::OnceCell;

use crate::byte_places;
use crate::verdict::Facts;

/// A request or connection.
#[derive(Debug)]
pub(in crate::policy_set) struct Asked<'f> {
    pub(in crate::policy_set) facts: &'f Facts<'f>,
    path: OnceCell<&'f str>,
}

impl<'f> Asked<'f> {
    #[inline]
    pub(in crate::policy_set) fn new(facts: &'f Facts<'f>) -> Self {
        Self { facts, path: OnceCell::new() }
    }

    /// The path that policies see (S-182), without query and fragment; empty: no request.
    #[inline]
    pub(in crate::policy_set) fn path(&self) -> &'f str {
        self.path.get_or_init(|| {
            self.facts.request.map_or("", |request| byte_places::before_either(&request.path, b'?', b'#'))
        })
    }
}
