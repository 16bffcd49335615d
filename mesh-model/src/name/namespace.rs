//! A Kubernetes namespace.

use super::NameError;
use super::dns::{check_length, is_dns_label, name_type};

fn check(text: &str) -> Result<(), NameError> {
    check_length(text)?;
    // Kubernetes accepts lower case only, Istio's label check both; Kubernetes owns the name.
    let is_valid = is_dns_label(text) && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_valid { Ok(()) } else { Err(NameError::BadLabel { label: text.to_owned() }) }
}

name_type! {
    /// A Kubernetes namespace: one lower-case label of RFC 1123, 2.1. API: core/v1 `Namespace`.
    ///
    /// ```
    /// # use mesh_model::name::Namespace;
    /// assert!(Namespace::parse("istio-system").is_ok());
    /// assert!(Namespace::parse("Istio.System").is_err());
    /// ```
    Namespace, check
}
