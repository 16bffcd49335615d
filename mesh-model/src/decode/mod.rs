//! Typed decode of a [`Node`]: every problem of a document, each with its field path and its place.
//!
//! Two dialects share one decoder. Istio's kinds follow protobuf's JSON form as Istio's decoder reads it: both
//! spellings of a field, numbers as strings. Kubernetes' kinds follow Go's JSON: exact names, numbers are numbers.
//! In both, `null` means "not set". The schema of the API takes less of it ([`Unknown::Schema`]).

mod access;
mod deserializer;
mod error;
mod help;
mod left_out;
mod misplaced;
pub(crate) mod path;

pub(crate) use access::is_same_name;
pub(crate) use error::shorten;
pub(crate) use help::unknown_field;
pub(crate) use left_out::LeftOut;

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::DeserializeOwned;

use crate::diagnostic::{Code, Diagnostic, Place, Report, Severity};
use crate::document::{Node, Span};
use deserializer::NodeDeserializer;
use path::Path;

/// What is done with fields that the type does not have.
/// Istio passes them over (T-002); ours: that hides slips of the pen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// As the API server's strict check of a resource against its schema: an error, and so is what only Istio's own readers
    /// know: the `snake_case` spelling of a field, null, a number as text, an enumeration by number. The unknown field is
    /// ignored, all else is read.
    Schema,
    /// An error (strict reading); the field is ignored.
    Error,
    /// A warning; the field is ignored. So are null, a number as text and an enumeration by number, which are read.
    Warning,
    /// Nothing: it is ignored silently.
    Ignore,
}

/// How to decode (T-002).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Protobuf's JSON form: `snake_case` names too, numbers as strings too.
    pub protobuf: bool,
    /// Fields that the type does not have.
    pub unknown: Unknown,
}

impl DecodeOptions {
    /// For the `spec` of Istio kinds: protobuf's JSON form, unknown fields are errors.
    pub const ISTIO: Self = Self { protobuf: true, unknown: Unknown::Error };
    /// For Kubernetes kinds: exact names; the types hold what is read, and unknown fields are told by a look at all names
    /// of the API (`kind_table`).
    pub const KUBERNETES: Self = Self { protobuf: false, unknown: Unknown::Ignore };
}

/// Wrong fields reported per document: after that many, the rest waits for the next run.
const ROUNDS_MAX: usize = 64;

/// Keys and values looked at in all rounds together: a huge document with errors gets fewer rounds.
const WORK_MAX: usize = 1_000_000;

/// Bytes that the elements of all lists and maps of one document may take as typed values: a list of `{}` is short as
/// text, and long as routes. A list that grows takes three times its size for a moment.
const BYTES_MAX: usize = 16 << 20;

/// Unknown or doubled fields reported per document.
const FINDINGS_MAX: usize = 256;

/// Decodes `node`, which stands at `path` of its document (`spec`, or empty for the whole) (T-002).
///
/// Every problem is added to `report`, placed by `place(field path, span)`. `None` when one of them makes the value
/// unusable; unknown fields never do. The type should avoid `#[serde(flatten)]` and `untagged`, which hide fields
/// and places from the decoder.
///
/// ```
/// # use mesh_model::decode::{DecodeOptions, decode};
/// # use mesh_model::diagnostic::{Place, Report};
/// # use mesh_model::document::{Span, Tree};
/// #[derive(serde::Deserialize)]
/// #[serde(rename_all = "camelCase", default)]
/// # #[derive(Default)]
/// struct Retry { attempts: i32, retry_on: String }
///
/// let tree = Tree::from_json(&serde_json::json!({"attempts": "3", "retry_on": "5xx"}), Span::default());
/// let mut report = Report::new();
/// let place = |_: &str, span| Place::in_file("a.yaml", span);
/// let retry: Retry = decode(tree.root(), "spec", DecodeOptions::ISTIO, &place, &mut report).unwrap();
/// assert_eq!((retry.attempts, retry.retry_on.as_str()), (3, "5xx"));
/// ```
pub fn decode<T: DeserializeOwned>(
    node: Node<'_>,
    path: &str,
    options: DecodeOptions,
    place: &dyn Fn(&str, Span) -> Place,
    report: &mut Report,
) -> Option<T> {
    match decode_parts(node, path, options, place, report) {
        Decoded::Whole(value) => Some(value),
        Decoded::Parts(..) | Decoded::Nothing => None,
    }
}

/// What a node came to as a typed value.
#[derive(Debug)]
pub(crate) enum Decoded<T> {
    /// All of it was read.
    Whole(T),
    /// It has errors: the value without the fields at fault, for looking at what else is wrong.
    Parts(T, LeftOut),
    /// No value can be made of it.
    Nothing,
}

/// [`decode`], with what can be read of a value that has errors.
pub(crate) fn decode_parts<T: DeserializeOwned>(
    node: Node<'_>,
    path: &str,
    options: DecodeOptions,
    place: &dyn Fn(&str, Span) -> Place,
    report: &mut Report,
) -> Decoded<T> {
    let context = Context {
        options,
        skipped: RefCell::default(),
        findings: RefCell::default(),
        bytes: Cell::default(),
    };
    let mut value = None;
    // serde stops at the first error: note it, leave its field out, and look again.
    let rounds = (WORK_MAX / node.slots().max(1)).clamp(2, ROUNDS_MAX);
    for _ in 0..rounds {
        let root = Path::Root(path);
        context.bytes.set(0);
        match T::deserialize(NodeDeserializer { node, path: &root, context: &context }) {
            Ok(decoded) => {
                value = Some(decoded);
                break;
            }
            Err(error) => {
                let error = error.at(&root, node);
                let at = error.path().unwrap_or_default().to_owned();
                if !error.follows_from(&context.skipped.borrow()) {
                    context.find(&at, error.code(), error.code().severity(), || error.finding());
                }
                let looped = !context.skipped.borrow_mut().insert(at.clone());
                if at == path || looped || context.bytes.get() > BYTES_MAX {
                    break;
                }
            }
        }
    }
    for (at, finding) in context.findings.into_inner().order {
        let mut diagnostic = Diagnostic::new(finding.code, place(&at, finding.span), finding.message);
        (diagnostic.help, diagnostic.replacement) = (finding.help, finding.replacement);
        report.push(diagnostic.severity(finding.severity));
    }
    let left_out = context.skipped.into_inner();
    match value {
        Some(value) if left_out.is_empty() => Decoded::Whole(value),
        Some(value) => Decoded::Parts(value, LeftOut::new(left_out)),
        None => Decoded::Nothing,
    }
}

/// A problem with its place still to be named.
#[derive(Debug)]
struct Finding {
    code: Code,
    severity: Severity,
    span: Span,
    message: String,
    help: Option<String>,
    replacement: Option<String>,
}

/// What all rounds of one decode share.
#[derive(Debug)]
struct Context {
    options: DecodeOptions,
    /// Fields left out because of an error found before.
    skipped: RefCell<BTreeSet<String>>,
    findings: RefCell<Findings>,
    /// Size of the elements of lists and maps so far, in this round.
    bytes: Cell<usize>,
}

#[derive(Debug, Default)]
struct Findings {
    order: Vec<(String, Finding)>,
    /// Where in `order` each is.
    seen: BTreeMap<(String, Code), usize>,
}

impl Context {
    /// How bad it is what only Istio's own readers take; `None`: it is as good as anything.
    fn beyond_schema(&self) -> Option<Severity> {
        match self.options.unknown {
            Unknown::Schema if self.options.protobuf => Some(Severity::Error),
            Unknown::Warning if self.options.protobuf => Some(Severity::Warning),
            _ => None,
        }
    }

    /// Adds a finding once, however many rounds meet it; it is made only where it is kept. An error takes the place of a
    /// weaker one of its path, and of any weaker one where there is no place left: warnings hide no error.
    fn find(
        &self,
        path: &dyn fmt::Display,
        code: Code,
        severity: Severity,
        finding: impl FnOnce() -> Finding,
    ) {
        let Findings { order, seen } = &mut *self.findings.borrow_mut();
        let is_full = order.len() >= FINDINGS_MAX;
        if is_full && severity != Severity::Error {
            return;
        }
        let path = path.to_string();
        let key = (path.clone(), code);
        let place = match seen.get(&key) {
            Some(place) => *place,
            None if is_full => {
                let Some(place) = order.iter().position(|(_, found)| found.severity > severity) else {
                    return;
                };
                seen.retain(|_, other| *other != place);
                place
            }
            None => order.len(),
        };
        match order.get_mut(place) {
            None => order.push((path, finding())),
            Some(weaker) if weaker.1.severity > severity => *weaker = (path, finding()),
            Some(_) => return,
        }
        seen.insert(key, place);
    }

    /// Counts an element of a list or map.
    #[inline]
    fn take(&self, bytes: usize) -> Result<(), error::DecodeError> {
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        if self.bytes.get() <= BYTES_MAX { Ok(()) } else { Err(too_much()) }
    }

    /// Whether the field was left out for an error found before.
    #[inline]
    fn is_skipped(&self, path: &Path<'_>) -> bool {
        let skipped = self.skipped.borrow();
        !skipped.is_empty() && is_among(&skipped, path)
    }
}

#[cold]
fn is_among(skipped: &BTreeSet<String>, path: &Path<'_>) -> bool {
    // Writing out a path costs more than most values: first look at its last part.
    skipped.iter().any(|field| path.may_be(field)) && skipped.contains(&path.to_string())
}

#[cold]
fn too_much() -> error::DecodeError {
    let message = format!("more than {} MiB of typed values in one document", BYTES_MAX >> 20);
    let help = "split the resource; a list of this length is a mistake of its generator".to_owned();
    error::DecodeError::new(Code::BudgetExceeded, message).help(Some(help))
}
