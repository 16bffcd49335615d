//! AuthorizationPolicy: the compiled policies of one workload.

/// The compiled policies of one workload, for HTTP or for TCP.
#[derive(Debug, Default)]
pub struct PolicySet {}
