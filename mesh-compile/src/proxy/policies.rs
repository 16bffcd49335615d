//! The security resources in force at a workload, compiled for HTTP and for bytes.

use std::sync::Arc;

use mesh_authz::policy_set::PolicySet;
use mesh_authz::request_authn::RequestAuthn;
use mesh_model::diagnostic::Report;

use crate::view::View;

/// What runs on a workload's chains.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policies {
    pub(crate) authn: Option<Arc<RequestAuthn>>,
    pub(crate) http: Option<Arc<PolicySet>>,
    pub(crate) tcp: Option<Arc<PolicySet>>,
}
