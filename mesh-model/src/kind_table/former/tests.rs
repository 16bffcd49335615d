#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::config_set::{Change, ConfigSet};
use crate::diagnostic::{Code, Severity};
use crate::kind_table::KINDS;
use crate::yaml::{LoadOptions, load};

#[test]
fn every_row_is_told_and_names_what_is_served() {
    for row in FORMER {
        let version = row.versions.first().unwrap_or(&"v1alpha1");
        let kind = row.kinds.first().unwrap_or(&"VirtualService");
        let text =
            format!("apiVersion: {}/{version}\nkind: {kind}\nmetadata: {{name: a}}\nspec: {{}}\n", row.group);
        let mut set = ConfigSet::new();
        let loaded = load("t.yaml", &text, &LoadOptions::default());
        let report = set.apply(loaded.documents.into_iter().map(Change::Upsert)).report;
        let said = report.iter().find(|found| found.code == Code::UnsupportedVersion);
        let said = said.unwrap_or_else(|| panic!("nothing is said of {text}: {report:?}"));
        assert_eq!((said.severity, said.at.line, said.at.field.as_str()), (Severity::Error, 1, "apiVersion"));
        assert!(said.message.contains(row.removed_in), "{}", said.message);
        assert!(said.help.as_deref().unwrap().contains(row.instead), "{:?}", said.help);
        assert!(set.is_empty());
    }
}

#[test]
fn what_is_written_instead_is_served() {
    for row in FORMER {
        for written in row.instead.split('`').filter(|part| part.contains(".io/v")) {
            let written = written.trim_start_matches("apiVersion: ");
            let (group, version) = written.split_once('/').unwrap();
            let is_read =
                KINDS.iter().any(|(_, of, versions, _)| *of == group && versions.contains(&version));
            assert!(is_read, "{written} of {}", row.group);
        }
    }
}

#[test]
fn what_is_served_is_not_called_former() {
    for (kind, group, versions, _) in KINDS {
        for version in *versions {
            assert!(find(group, version, kind).is_none(), "{group}/{version} {kind}");
        }
    }
}
