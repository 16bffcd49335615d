//! A step that won names the field that made it win: another value there gives another decision or another trace.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

mod common;

use std::sync::Arc;

use common::{Case, NOW, corpus, on_two_threads, shop};
use mesh::model::document::{Document, snake_case};
use mesh::model::origin::Origin;
use mesh::model::trace::{Outcome, Stage, Trace};
use mesh::proxy_core::decide::explain;
use mesh::proxy_core::decision::{Action, Decision};
use mesh::proxy_core::probe::Probe;
use serde_json::Value as Json;

/// How many probes of the corpus are tried.
const SAMPLE: usize = 600;

/// What changing a field came to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcomes {
    /// The probe's decision is another one.
    Decision,
    /// So it is, but the changed object was refused as a whole.
    Refused,
    /// The decision is the same, its reasons are not.
    Trace,
    /// Nothing was written that could be changed.
    Nothing,
    /// The field did not matter.
    NoDifference(String),
}

#[test]
fn changing_the_winning_field_of_the_shop_shows() {
    let cases = shop();
    let pairs: Vec<(&Case, &Probe)> =
        cases.iter().flat_map(|case| case.probes.iter().map(move |probe| (case, probe))).collect();
    let outcomes: Vec<Outcomes> = pairs.iter().map(|(case, probe)| change(case, probe)).collect();
    check(&outcomes, 6);
}

#[test]
fn changing_the_winning_field_of_the_corpus_shows() {
    let folders = corpus();
    let stride = (folders.len() / SAMPLE).max(1);
    let sample: Vec<_> = folders.iter().enumerate().step_by(stride).collect();
    let outcomes: Vec<Outcomes> = on_two_threads(&sample, |(number, folder)| {
        let case = Case::read(folder);
        // Another probe of each case; the next ones where its decision rests on nothing that is written.
        let probes = case.probes.iter().cycle().skip(number % case.probes.len()).take(4);
        probes
            .map(|probe| change(&case, probe))
            .find(|o| *o != Outcomes::Nothing)
            .unwrap_or(Outcomes::Nothing)
    });
    check(&outcomes, outcomes.len() / 3);
}

fn check(outcomes: &[Outcomes], least: usize) {
    let count = |wanted: &Outcomes| outcomes.iter().filter(|outcome| *outcome == wanted).count();
    let (decisions, traces) = (count(&Outcomes::Decision), count(&Outcomes::Trace));
    let refused = count(&Outcomes::Refused);
    println!(
        "{} tried: {decisions} decisions differ, {traces} only traces, {refused} with the object refused",
        outcomes.len()
    );
    let same: Vec<&String> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcomes::NoDifference(what) => Some(what),
            _ => None,
        })
        .collect();
    assert!(same.is_empty(), "{} changes made no difference:\n{same:#?}", same.len());
    assert!(decisions + traces >= least, "too few decisions rest on a written field");
}

/// Changes what the winning route or policy step names, and asks again.
fn change(case: &Case, probe: &Probe) -> Outcomes {
    let documents = case.documents();
    let query = probe.query(NOW);
    let before = case.compile_documents(documents.clone());
    let (decision, trace) = explain(&before.config, &query);
    let Some(origin) = winner(&trace) else { return Outcomes::Nothing };
    let Some(changed) = with_other_values(&documents, origin) else { return Outcomes::Nothing };
    let after = case.compile_documents(changed);
    let (other, other_trace) = explain(&after.config, &query);
    if plain(&decision) != plain(&other) {
        if after.set.len() < before.set.len() { Outcomes::Refused } else { Outcomes::Decision }
    } else if trace != other_trace {
        Outcomes::Trace
    } else if !carries_http(probe, &decision) || asks_for_absence(&documents, origin) {
        // A DENY or AUDIT rule at a TCP chain holds whatever its HTTP fields ask for.
        Outcomes::Nothing
    } else {
        Outcomes::NoDifference(format!("{} {}: {origin}", case.name, probe.id))
    }
}

/// Whether HTTP rules were asked.
fn carries_http(probe: &Probe, decision: &Decision) -> bool {
    probe.http.is_some() && !matches!(decision.action, Action::Refuse(_))
}

/// Whether a rule holds by what a request does not have: that is not changed here.
fn asks_for_absence(documents: &[Arc<Document>], origin: &Origin) -> bool {
    fn any(value: &Json) -> bool {
        match value {
            Json::Array(items) => items.iter().any(any),
            Json::Object(fields) => fields.iter().any(|(key, value)| is_negative(key) || any(value)),
            _ => false,
        }
    }
    let Some(document) = documents.iter().find(|document| wrote(document, origin)) else { return false };
    find(&mut document.root().to_json(), origin.field()).is_some_and(|value| any(value))
}

fn plain(decision: &Decision) -> serde_json::Value {
    let mut json = serde_json::to_value(decision).unwrap();
    json.as_object_mut().unwrap().remove("why");
    json
}

/// The last written origin of a route or policy that won.
fn winner(trace: &Trace) -> Option<&Origin> {
    let decides = |stage| matches!(stage, Stage::Route | Stage::Authorize);
    trace
        .steps
        .iter()
        .rev()
        .filter(|step| step.outcome == Outcome::Won && decides(step.stage))
        .filter_map(|step| step.origin.as_deref())
        .find(|origin| origin.object().is_some() && origin.field().starts_with("spec."))
}

/// Whether the origin's object was written in this document. What the store keeps is another copy of it, at rest.
fn wrote(document: &Document, origin: &Origin) -> bool {
    let kept = &origin.object().unwrap().document;
    kept.is_same_text(document)
}

/// The documents with other values at the origin; `None` where no value stands there.
fn with_other_values(documents: &[Arc<Document>], origin: &Origin) -> Option<Vec<Arc<Document>>> {
    let mut documents = documents.to_vec();
    let document = documents.iter_mut().find(|document| wrote(document, origin))?;
    let mut json = document.root().to_json();
    if alter(find(&mut json, origin.field())?) == 0 {
        return None;
    }
    let changed = Document::from_json(document.source.clone(), document.index, &json, document.root().span());
    *document = Arc::new(changed);
    Some(documents)
}

/// The value at a path, every step of which must be written.
fn find<'n>(value: &'n mut Json, path: &str) -> Option<&'n mut Json> {
    path.split(['.', '[']).try_fold(value, |value, segment| match value {
        Json::Array(items) => items.get_mut(segment.strip_suffix(']')?.parse::<usize>().ok()?),
        Json::Object(fields) => {
            let is_named = |key: &str| key == segment || key == snake_case(segment);
            fields.iter_mut().find(|(key, _)| is_named(key)).map(|(_, value)| value)
        }
        _ => None,
    })
}

/// Changes every scalar below a value, and says how many.
fn alter(value: &mut Json) -> usize {
    match value {
        Json::String(text) => {
            *text = other_text(text);
            1
        }
        Json::Number(number) => {
            let Some(whole) = number.as_i64() else { return 0 };
            *value = (whole + 13).into();
            1
        }
        Json::Array(items) => items.iter_mut().map(alter).sum(),
        Json::Object(fields) => fields
            .iter_mut()
            .filter(|(key, value)| !is_negative(key) && !asks_nothing(key) && !is_word(key, value))
            .map(|(_, value)| alter(value))
            .sum(),
        _ => 0,
    }
}

/// The name of a condition's attribute, which only a few texts can be, and the name that metrics have.
fn asks_nothing(key: &str) -> bool {
    key == "key" || key == "statPrefix"
}

/// One of a few words (Gateway API): another text there spoils the object.
fn is_word(key: &str, value: &Json) -> bool {
    value.is_string() && matches!(key, "type" | "method" | "mode" | "protocol")
}

/// Another text of the same sort: a port, an address, a duration or a name stays one.
fn other_text(text: &str) -> String {
    let address = text.split('/').next().unwrap_or_default();
    if address.parse::<std::net::IpAddr>().is_ok() {
        return "203.0.113.77".to_owned();
    }
    match text.parse::<u16>() {
        Ok(number) => number.wrapping_add(13).to_string(),
        Err(_) if text.starts_with(|first: char| first.is_ascii_digit()) => format!("1{text}"),
        Err(_) => format!("{text}-other"),
    }
}

/// Fields that ask for the absence of a value: what was absent stays absent under another value.
fn is_negative(key: &str) -> bool {
    key.starts_with("not") || key == "withoutHeaders" || key == "without_headers"
}
