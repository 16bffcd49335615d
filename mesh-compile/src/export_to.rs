//! The words of `exportTo` as they are kept in sets (T-025, T-026).

use std::collections::BTreeSet;

/// `exportTo: "*"`.
pub const PUBLIC: &str = "*";
/// `exportTo: "."`.
pub const OWN_NAMESPACE: &str = ".";
/// `exportTo: "~"`.
pub const NOBODY: &str = "~";

/// `exportTo` as a set, `default` where nothing is written; `.` becomes the owner's namespace (T-026, T-027).
pub fn virtual_service_export_to(written: &[String], default: &[String], owner: &str) -> BTreeSet<String> {
    let values = if written.is_empty() { default } else { written };
    let own = |value: &String| if value == OWN_NAMESPACE { owner.to_owned() } else { value.clone() };
    values.iter().map(own).collect()
}
