//! The order of documents means nothing: decisions, their reasons and clusters are the same in any order.
//!
//! Only where two documents define one resource does order matter (the later one is in force); those cases are
//! left out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

mod common;

use std::sync::Arc;

use common::{Case, Dice, NOW, corpus, on_two_threads, shop};
use mesh::model::diagnostic::Code;
use mesh::model::document::Document;
use mesh::model::trace::Trace;
use mesh::proxy_core::decide::explain;
use mesh::proxy_core::decision::Decision;
use mesh::proxy_core::describe;

/// How many cases of the corpus are tried.
const SAMPLE: usize = 60;
/// Orders tried of each case, beside the reverse.
const ORDERS: u64 = 3;

/// Everything that one can ask of a mesh.
#[derive(PartialEq)]
struct Answers {
    decisions: Vec<(Decision, Trace)>,
    clusters: serde_json::Value,
    listeners: serde_json::Value,
    routes: serde_json::Value,
}

/// What became of a case.
enum Shuffled {
    Same,
    /// A resource is defined twice.
    LeftOut,
    Different(String),
}

#[test]
fn the_order_of_the_shops_documents_means_nothing() {
    check(&shop().iter().map(shuffle).collect::<Vec<_>>());
}

#[test]
fn the_order_of_the_corpus_documents_means_nothing() {
    let folders = corpus();
    let stride = (folders.len() / SAMPLE).max(1);
    let sample: Vec<_> = folders.iter().step_by(stride).collect();
    check(&on_two_threads(&sample, |folder| shuffle(&Case::read(folder))));
}

fn check(results: &[Shuffled]) {
    let left_out = results.iter().filter(|result| matches!(result, Shuffled::LeftOut)).count();
    println!("{} cases, {left_out} left out because they define a resource twice", results.len());
    let different: Vec<&String> = results
        .iter()
        .filter_map(|result| match result {
            Shuffled::Different(what) => Some(what),
            _ => None,
        })
        .collect();
    assert!(different.is_empty(), "{different:#?}");
    assert!(left_out * 4 <= results.len(), "too many cases are left out");
}

fn shuffle(case: &Case) -> Shuffled {
    let documents = case.documents();
    let compiled = case.compile_documents(documents.clone());
    if compiled.report.iter().any(|finding| finding.code == Code::DuplicateResource) {
        return Shuffled::LeftOut;
    }
    let first = answers(case, documents.clone());
    let reversed = documents.iter().rev().cloned().collect();
    let others = (0..ORDERS).map(|seed| {
        let mut order = documents.clone();
        Dice::new(seed + 1).shuffle(&mut order);
        order
    });
    for (number, order) in std::iter::once(reversed).chain(others).enumerate() {
        if let Some(what) = difference(&first, &answers(case, order)) {
            return Shuffled::Different(format!("{} in order {number}: {what}", case.name));
        }
    }
    Shuffled::Same
}

fn answers(case: &Case, documents: Vec<Arc<Document>>) -> Answers {
    let config = case.compile_documents(documents).config;
    Answers {
        decisions: case.probes.iter().map(|probe| explain(&config, &probe.query(NOW))).collect(),
        clusters: describe::clusters(&config),
        listeners: describe::listeners(&config),
        routes: describe::route_tables(&config),
    }
}

fn difference(first: &Answers, other: &Answers) -> Option<String> {
    for (one, two) in first.decisions.iter().zip(&other.decisions) {
        if one.0 != two.0 {
            return Some(format!("{:?}\n{:?}", one.0, two.0));
        }
        let step = one.1.steps.iter().zip(&two.1.steps).find(|(one, two)| one != two);
        if let Some(step) = step {
            return Some(format!("{step:?}"));
        }
    }
    let parts = [
        ("clusters", &first.clusters, &other.clusters),
        ("listeners", &first.listeners, &other.listeners),
        ("routes", &first.routes, &other.routes),
    ];
    let unequal = parts.iter().find(|(_, one, two)| one != two).map(|(name, ..)| format!("{name} differ"));
    unequal.or_else(|| (first != other).then(|| "another number of steps".to_owned()))
}
