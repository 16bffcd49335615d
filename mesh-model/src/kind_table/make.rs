//! One document on its way into its store: its head, its typed content, what is found in it.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::api_fields::{unknown_fields, unknown_metadata};
use super::former::{self, Former};
use super::{Admission, ApplyOptions, KINDS, Strictness};
use crate::check::{Checker, annotations::annotations};
use crate::decode::path::Path;
use crate::decode::{DecodeOptions, Decoded, LeftOut, Unknown, decode_parts, shorten, unknown_field};
use crate::diagnostic::{Code, Diagnostic, Place, Report, ResourceRef, Severity, nearest};
use crate::document::{Document, Entry, Node, Span, TextAtRest, Tree, Value, join_key};
use crate::object::{Body, Head, Header, Kind, Names, Object, ObjectMeta, ResourceKey, read_meta_as};
use crate::origin::Provenance;

/// Reads a document's head. Of kinds that are not read, metadata is not asked for. Of what is found, `room` findings are
/// kept at most, the others counted.
pub(super) fn read_head(
    document: &Arc<Document>,
    admission: Admission,
    room: usize,
    findings: &mut Report,
) -> Head {
    let mut report = Report::new();
    let names = match admission {
        Admission::Refuse => Names::Checked,
        Admission::Accept => Names::AsWritten,
    };
    let head = read_meta_as(document, names, room, &mut report);
    if let Head::Bad(header) = &head
        && !KINDS.iter().any(|(kind, group, ..)| *kind == header.kind && *group == header.group)
    {
        let header = Header { meta: ObjectMeta::default(), ..header.clone() };
        find_unknown_kind(document, &header, room, findings);
        return Head::Unknown;
    }
    findings.merge(report);
    head
}

/// What a document whose head has errors says about itself all the same, as far as it goes.
///
/// A document without a name that can be read is named after its place. A namespace that cannot be read is `default`,
/// where a document without one belongs.
pub(super) fn raw_head(document: &Document) -> Header {
    let root = document.root();
    let text = |node: Option<Node<'_>>| match node.map(Node::value) {
        Some(Value::String(text)) => text.to_owned(),
        Some(Value::Integer(number)) => number.to_string(),
        Some(Value::Float(number)) => number.to_string(),
        Some(Value::Bool(flag)) => flag.to_string(),
        _ => String::new(),
    };
    let api_version = text(root.get("apiVersion"));
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let field = |name| text(root.get("metadata").and_then(|meta| meta.get(name)));
    let (name, namespace) = (field("name"), field("namespace"));
    let place = || format!("(document {} of {})", document.index + 1, document.source.file).into();
    let meta = ObjectMeta {
        name: if name.is_empty() { place() } else { name.into() },
        namespace: if namespace.is_empty() { "default".into() } else { namespace.into() },
        cluster: Arc::clone(&document.source.cluster),
        ..ObjectMeta::default()
    };
    Header { group: group.to_owned(), version: version.to_owned(), kind: text(root.get("kind")), meta }
}

/// What is known of a document before it is its turn.
pub(crate) struct Prepared {
    pub(super) header: Option<Header>,
    pub(super) report: Report,
    /// The [`Made`] of its kind.
    pub(super) made: Option<Box<dyn Any + Send>>,
}

/// A document, read and checked.
pub(super) struct Made<S> {
    /// Its metadata alone: the rest cannot be read.
    pub(super) object: Result<Object<S>, ObjectMeta>,
    pub(super) report: Report,
}

/// The metadata of an object of a kind, and what identifies it.
pub(super) fn identity<S: Kind>(mut meta: ObjectMeta) -> (ObjectMeta, ResourceKey) {
    if !S::NAMESPACED {
        meta.namespace = Arc::from("");
    }
    let key = ResourceKey {
        group: S::GROUP,
        kind: S::KIND,
        cluster: Arc::clone(&meta.cluster),
        namespace: Arc::clone(&meta.namespace),
        name: Arc::clone(&meta.name),
    };
    (meta, key)
}

/// Decodes and validates a document of a known kind.
pub(super) fn make<S: Kind>(
    document: &Arc<Document>,
    meta: ObjectMeta,
    version: &str,
    options: ApplyOptions,
) -> Made<S> {
    let provenance = Arc::new(Provenance {
        kind: S::KIND,
        namespace: Arc::clone(&meta.namespace),
        name: Arc::clone(&meta.name),
        document: Arc::clone(document),
        refused_at: None,
    });
    let mut report = Report::new();
    if !S::VERSIONS.contains(&version) {
        let served = served(S::GROUP, S::VERSIONS);
        let message = format!("`{}` is not served in version `{version}`", S::KIND);
        let (message, help) = match former::find(S::GROUP, version, S::KIND) {
            Some(former) => (format!("{message}, since {}", former.removed_in), former.instead.to_owned()),
            None => (message, served),
        };
        let at = Place::of(&provenance, "apiVersion");
        report.push(Diagnostic::new(Code::UnsupportedVersion, at, message).help(help));
    }
    let mut object = match read_body::<S>(document, &provenance, options.strictness, &mut report) {
        Decoded::Whole(spec) => {
            let object = Object { meta, spec, provenance: Arc::clone(&provenance) };
            match misspelt(&report) {
                None => validate(&object, &mut report),
                Some(left_out) => {
                    let mut others = Report::new();
                    validate(&object, &mut others);
                    report.merge(left_out.standing(others));
                }
            }
            Ok(object)
        }
        // One run tells of all that is wrong, and of nothing that only comes of what could not be read.
        Decoded::Parts(spec, left_out) => {
            let object = Object { meta, spec, provenance: Arc::clone(&provenance) };
            let mut others = Report::new();
            validate(&object, &mut others);
            report.merge(left_out.standing(others));
            Err(object.meta)
        }
        Decoded::Nothing => Err(meta),
    };
    drop(provenance);
    if let Ok(object) = &mut object {
        rest(object, options.texts);
    }
    Made { object, report }
}

/// What to write in `apiVersion`.
fn served(group: &str, versions: &[&str]) -> String {
    let best = versions.iter().find(|version| **version == "v1").or_else(|| versions.first());
    let best = best.copied().unwrap_or_default();
    let slash = if group.is_empty() { "" } else { "/" };
    let others = if versions.len() > 1 {
        format!("; served versions: `{}`", versions.join("`, `"))
    } else {
        String::new()
    };
    format!("write `apiVersion: {group}{slash}{best}`{others}")
}

/// An object in force keeps the text that it was read from, not the tree: places are asked for rarely.
fn rest<S>(object: &mut Object<S>, keep: TextAtRest) {
    if let Some(provenance) = Arc::get_mut(&mut object.provenance)
        && let Some(document) = provenance.document.at_rest(keep)
    {
        provenance.document = Arc::new(document);
    }
}

/// The fields that were meant by errors of spelling: they are not there, which is not to be said once more.
fn misspelt(report: &Report) -> Option<LeftOut> {
    let slips = report
        .iter()
        .filter(|finding| finding.code == Code::UnknownField && finding.severity == Severity::Error);
    let meant = |finding: &Diagnostic| {
        let field = finding.replacement.as_deref()?;
        let (parent, written) = finding.at.field.rsplit_once('.').unwrap_or(("", &finding.at.field));
        (!written.ends_with(']')).then(|| join_key(parent, field))
    };
    let fields: BTreeSet<String> = slips.filter_map(meant).collect();
    (!fields.is_empty()).then(|| LeftOut::new(fields))
}

fn validate<S: Kind>(object: &Object<S>, report: &mut Report) {
    if S::GROUP.ends_with(".istio.io") {
        annotations(&mut Checker::new(object, report), object);
    }
    S::validate(object, report);
}

/// Reads the part of a document that a kind's type holds.
fn read_body<S: Kind>(
    document: &Arc<Document>,
    provenance: &Provenance,
    strictness: Strictness,
    report: &mut Report,
) -> Decoded<S> {
    let place = |path: &str, span: Span| {
        if span.line > 0 { Place::standing(provenance, path, span) } else { Place::of(provenance, path) }
    };
    let mut unknown = |severity: Severity, path: &Path<'_>, entry: &Entry<'_>, known: &[&'static str]| {
        let (help, replacement) = unknown_field(entry.key, known);
        let message = format!("unknown field `{}`", shorten(entry.key));
        let at = place(&path.to_string(), entry.key_span());
        let mut finding = Diagnostic::new(Code::UnknownField, at, message).severity(severity).help(help);
        finding.replacement = replacement.map(str::to_owned);
        report.push(finding);
    };
    let strict = match strictness {
        Strictness::Strict => Severity::Error,
        Strictness::Lenient => Severity::Warning,
    };
    unknown_metadata(document.root(), &mut |path, entry, known| unknown(strict, path, entry, known));
    if matches!(S::BODY, Body::Document) {
        // Fields of core kinds come and go with the version of the cluster, which the table need not be of.
        let severity = if S::GROUP == crate::gateway_api::GROUP { strict } else { Severity::Warning };
        unknown_fields(document.root(), S::GROUP, S::KIND, &mut |path, entry, known| {
            unknown(severity, path, entry, known);
        });
    }
    let decoded = match S::BODY {
        Body::Spec => {
            let unknown = match strictness {
                Strictness::Strict => Unknown::Schema,
                // What a rule of a policy leaves out makes it mean something else (S-096, S-366, S-393).
                Strictness::Lenient if S::fails_closed() => Unknown::Error,
                Strictness::Lenient => Unknown::Warning,
            };
            let options = DecodeOptions { protobuf: true, unknown };
            match document.root().get("spec").filter(|spec| !spec.is_null()) {
                Some(spec) => decode_parts(spec, "spec", options, &place, report),
                None => {
                    let empty = Tree::empty_map(document.root().span());
                    decode_parts(empty.root(), "spec", options, &place, report)
                }
            }
        }
        Body::Document => {
            let options = DecodeOptions { protobuf: false, unknown: Unknown::Ignore };
            decode_parts(document.root(), "", options, &place, report)
        }
    };
    // What should be something else has no fields that could be known.
    let wrong: BTreeSet<String> = report
        .iter()
        .filter(|finding| finding.code == Code::WrongType)
        .map(|finding| finding.at.field.clone())
        .collect();
    if !wrong.is_empty() {
        let is_within = |field: &str| {
            let ends = field.match_indices(['.', '[']).filter_map(|(end, _)| field.get(..end));
            ends.into_iter().any(|outer| wrong.contains(outer))
        };
        report.amend(|finding| {
            let follows = finding.code == Code::UnknownField && is_within(&finding.at.field);
            (!follows).then_some(finding)
        });
    }
    decoded
}

/// Says that a kind is not in the table, or only counts it where there is no room.
pub(super) fn find_unknown_kind(document: &Arc<Document>, header: &Header, room: usize, report: &mut Report) {
    if room == 0 {
        let is_error = former_of(header).is_some() || similar_kind(header).is_some();
        let severity = if is_error { Severity::Error } else { Code::UnknownKind.severity() };
        report.leave_unsaid(severity, 1);
    } else {
        report.push(unknown_kind(document, header));
    }
}

fn former_of(header: &Header) -> Option<&'static Former> {
    former::find(&header.group, &header.version, &header.kind)
}

fn similar_kind(header: &Header) -> Option<&'static str> {
    let same_group = KINDS.iter().filter(|(_, group, ..)| *group == header.group).map(|(kind, ..)| *kind);
    nearest(&header.kind, same_group)
}

/// A kind that is not in the table: one clear remark, or an error for a slip in an Istio kind.
fn unknown_kind(document: &Arc<Document>, header: &Header) -> Diagnostic {
    let resource = ResourceRef {
        kind: header.kind.clone(),
        namespace: header.meta.namespace.to_string(),
        name: header.meta.name.to_string(),
    };
    if let Some(former) = former_of(header) {
        let written = document.root().get("apiVersion").map(Node::span).unwrap_or_default();
        let at = Place::in_document(document, resource, "apiVersion").at(written);
        let (kind, group, version) = (shorten(&header.kind), &header.group, shorten(&header.version));
        let message =
            format!("`{kind}` of `{group}/{version}` is not served any more, since {}", former.removed_in);
        return Diagnostic::new(Code::UnsupportedVersion, at, message).help(former.instead);
    }
    let group = if header.group.is_empty() { "the core group" } else { &header.group };
    let written = document.root().get("kind").map(Node::span).unwrap_or_default();
    let diagnostic = Diagnostic::new(
        Code::UnknownKind,
        Place::in_document(document, resource, "kind").at(written),
        format!("kind `{}` of {group} is not supported yet: the document is left out", header.kind),
    );
    match similar_kind(header) {
        Some(kind) => diagnostic.severity(Severity::Error).help(format!("did you mean `{kind}`?")),
        None => match KINDS.iter().find(|(kind, ..)| *kind == header.kind) {
            Some((kind, group, versions, _)) if *group != header.group => {
                let version = versions.first().copied().unwrap_or_default();
                let api_version =
                    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
                diagnostic.help(format!("`{kind}` is read under apiVersion `{api_version}`"))
            }
            _ => diagnostic.help("nothing to do: it plays no part in what is found about the others"),
        },
    }
}
