//! RequestAuthentication: tokens of a request.

/// The compiled token rules of one workload.
#[derive(Debug, Default)]
pub struct RequestAuthn {}
