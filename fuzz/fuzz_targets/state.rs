//! The state that a process keeps: lines with the right checksum, which come back as they are once they were written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mesh_model::config_set::{Admission, ApplyOptions, Change, ConfigSet};
use mesh_proxy_core::runtime::fuzzing::{sealed_state, state_documents, state_text};

fn set_of(text: &str) -> Option<ConfigSet> {
    let mut set = ConfigSet::new();
    let options = ApplyOptions { admission: Admission::Accept, ..ApplyOptions::default() };
    set.apply_with(state_documents(text)?.into_iter().map(Change::Upsert), options);
    Some(set)
}

fuzz_target!(|text: &str| {
    drop(state_documents(text));
    if let Some(set) = set_of(&sealed_state(text)) {
        let written = state_text(&set);
        let again = set_of(&written).expect("what was written is a state");
        assert_eq!(state_text(&again), written);
        assert!(!written.contains("\"kind\":\"Secret\",\"apiVersion\":\"v1\""));
    }
});
