//! How much rare YAML a text may have.

use super::super::{Budget, LoadOptions, Loaded, load};
use crate::diagnostic::Code;

fn read(text: &str, parts: usize, threads: usize) -> Loaded {
    let budget = Budget::default().with_rare_parts(parts);
    load("t.yaml", text, &LoadOptions::default().with_budget(budget).with_threads(threads))
}

/// Messages of what was too much.
fn refusals(loaded: &Loaded) -> Vec<&str> {
    let found = loaded.report.iter().filter(|found| found.code == Code::BudgetExceeded);
    found.map(|found| &*found.message).collect()
}

#[test]
fn a_document_of_tags_and_anchors_alone_is_refused() {
    for part in ["!b c, ", "&b c, ", "c::, ", "{<<: {}}, ", "{b, }, "] {
        let text = format!("a: [{}]\n", part.repeat(60));
        let loaded = read(&text, 0, 1);
        assert_eq!(refusals(&loaded).len(), 1, "{part}: {:?}", loaded.report);
        assert!(loaded.documents.is_empty());
        let parts = text.len();
        assert_eq!(refusals(&read(&text, parts, 1)), [""; 0], "{part}");
    }
}

#[test]
fn ordinary_documents_have_as_many_parts_as_they_like() {
    let doubled = "a: 1\n".repeat(100);
    for text in ["a: b\n", format!("[{}]", "{},".repeat(200)).as_str(), doubled.as_str()] {
        assert_eq!(refusals(&read(text, 0, 1)), [""; 0], "{text}");
    }
}

/// A stream of which each document is within bounds of its own, and all of them together are not.
#[test]
fn all_documents_of_a_text_share_the_bound_on_any_number_of_threads() {
    let document = "kind: A\nmetadata: {name: a}\nb: |\n  c\n---\n";
    let text = document.repeat(6_000);
    let one = read(&text, 4_000, 1);
    assert_eq!(
        refusals(&one),
        [format!(
            "too much that is rare or wrong YAML for a text of {} bytes: the rest is not read",
            text.len()
        )]
    );
    // Each document costs more than the text allows for its bytes, so most are read, and not all.
    assert!((500..5_999).contains(&one.documents.len()), "{}", one.documents.len());
    assert_eq!(one, read(&text, 4_000, 3));
    assert_eq!(refusals(&read(&text, 400_000, 3)), [""; 0]);
    // Ordinary documents among them cost nothing.
    assert_eq!(refusals(&read(&document.replace("|\n  c", "c").repeat(6_000), 0, 1)), [""; 0]);
}

#[test]
fn lines_of_json_share_it_too() {
    let text = "{\"a\":\"\\ud83d\\ude00\"}\n".repeat(2_000);
    let loaded = read(&text, 1_000, 1);
    assert_eq!(refusals(&loaded).len(), 1, "{:?}", loaded.report);
    assert!(loaded.documents.len() < 1_000);
}
