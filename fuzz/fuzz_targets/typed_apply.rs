//! Any bytes as the configuration of a mesh: read, typed, validated, replaced, removed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesh_model::config_set::{Change, ConfigSet};
use mesh_model::yaml::{LoadOptions, load};

fuzz_target!(|bytes: &[u8]| {
    let loaded = load("f", bytes, &LoadOptions::default());
    let mut set = ConfigSet::new();
    let first = set.apply(loaded.documents.iter().cloned().map(Change::Upsert));
    let size = set.len();
    set.apply(loaded.documents.into_iter().map(Change::Upsert));
    assert_eq!(set.len(), size);
    set.apply(first.changed.into_iter().map(Change::Remove));
    assert!(set.is_empty());
});
