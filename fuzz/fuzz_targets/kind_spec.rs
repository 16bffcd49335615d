//! The body of an object of any kind: the first byte chooses the kind, the rest is its fields. Reaches the values of EnvoyFilters, filter
//! expressions and whatever else stands deep in a kind.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use mesh_model::config_set::{Change, ConfigSet};
use mesh_model::document::{Document, Source, Span};
use mesh_model::kind_table::{KINDS, Strictness};
use mesh_model::yaml::{LoadOptions, load};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, text)) = bytes.split_first() else { return };
    let Some((kind, group, versions, _)) = KINDS.get(usize::from(*first) % KINDS.len()) else { return };
    let version = versions.first().copied().unwrap_or("v1");
    let version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    for body in load("f", text, &LoadOptions::default()).documents {
        let mut json = body.root().to_json();
        let Some(fields) = json.as_object_mut() else { continue };
        fields.insert("apiVersion".to_owned(), version.clone().into());
        fields.insert("kind".to_owned(), (*kind).into());
        fields.insert("metadata".to_owned(), serde_json::json!({"name": "n", "namespace": "a"}));
        let source = Source { file: "f".into(), cluster: "Kubernetes".into() };
        let document = Arc::new(Document::from_json(source, 0, &json, Span::default()));
        let lenient = ConfigSet::new().apply([Change::Upsert(Arc::clone(&document))]);
        let strict = ConfigSet::new().apply_with([Change::Upsert(document)], Strictness::Strict);
        assert!(strict.changed.len() <= lenient.changed.len(), "{kind}: strict takes what lenient refuses");
    }
});
