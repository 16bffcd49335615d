//! Host strings: containment is transitive with intersection, and nothing panics on odd text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesh_model::name::{HostPattern, host_intersection, host_matches, host_subset_of, resolve_short_name};

fuzz_target!(|text: &str| {
    let (left, right) = text.split_once('\n').unwrap_or((text, "*.a.example"));
    drop(left.parse::<HostPattern>());
    assert_eq!(host_matches(left, right), host_matches(right, left), "{left} {right}");
    if host_subset_of(left, right) {
        assert!(host_matches(left, right), "{left} {right}");
    }
    if let Some(both) = host_intersection(left, right) {
        assert!(both == left || both == right);
    }
    drop(resolve_short_name(left, "default", "cluster.local"));
});
