//! The project's own decision cases, `testdata/<area>/<case>/`, in the format of the shared ones: each expected key is
//! what the decision says. Expectations are written by hand.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::path::PathBuf;

use common::{Case, NOW, root};
use mesh::decide;
use serde_json::Value;

fn folders(of: PathBuf) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(of).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

#[test]
fn decisions_are_as_expected() {
    let mut wrong = Vec::new();
    let mut asked = 0;
    for folder in folders(root().join("testdata")).into_iter().flat_map(folders) {
        let case = Case::read(&folder);
        let compiled = case.compile();
        assert!(!compiled.report.has_errors(), "{}: {:?}", case.name, compiled.report);
        let text = std::fs::read_to_string(folder.join("expect.jsonl")).unwrap();
        let expected: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(expected.len(), case.probes.len(), "{}: an expectation a probe", case.name);
        for (probe, expected) in case.probes.iter().zip(&expected) {
            assert_eq!(expected["id"], probe.id.as_str(), "{}", case.name);
            asked += 1;
            let decision =
                serde_json::to_value(decide(&compiled.config, &probe.query(NOW), &mut ())).unwrap();
            for (key, wanted) in expected.as_object().unwrap().iter().filter(|(key, _)| *key != "id") {
                if decision.get(key) != Some(wanted) {
                    wrong.push(format!("{} {}: {key}: want {wanted}, got {decision}", case.name, probe.id));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked >= 14, "only {asked} probes were asked");
}
