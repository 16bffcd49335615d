//! Whose certificates a proxy may ask for (CVE-2021-34824).

use std::sync::Arc;

/// A credential that nothing serves; what follows says which was meant.
const REFUSED: &str = "invalid://";

/// The resource name of a credential as a proxy of a namespace may ask for it.
///
/// `kubernetes-gateway://NAMESPACE/NAME` is served to proxies of that namespace, and to listeners of the Gateway API whose
/// reference was granted when they were translated; somebody else who writes the name gets nothing. In Istio the
/// control plane keeps the list of names that it serves (`VerifiedCertificateReferences` of `pilot/pkg/model/gateway.go`,
/// `filterAuthorizedResources` of `pilot/pkg/xds/sds.go`); there a ReferenceGrant also opens a name written by hand,
/// here it does not.
pub(super) fn permitted(resource: Arc<str>, own_namespace: &str) -> Arc<str> {
    let named = resource.strip_prefix("kubernetes-gateway://").and_then(|name| name.split_once('/'));
    match named {
        Some((namespace, _)) if namespace != own_namespace => format!("{REFUSED}{resource}").into(),
        _ => resource,
    }
}
