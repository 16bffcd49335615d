//! What findings say of the whole.

use super::lenient;

#[test]
fn findings_name_the_resource() {
    let loaded = lenient("kind: A\nmetadata: {name: nn, namespace: s, name: nn}\n");
    let resource = &loaded.report.iter().next().unwrap().at.resource;
    assert_eq!(
        (resource.kind.as_str(), resource.namespace.as_str(), resource.name.as_str()),
        ("A", "s", "nn")
    );
}

#[test]
fn findings_are_bounded() {
    assert!(lenient("a: 1\n".repeat(10_000)).report.len() <= 101);
}
