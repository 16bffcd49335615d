//! What every resource has: apiVersion, kind and metadata, read and checked by Kubernetes' rules.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::naming::{label_key_problem, label_value_problem, name_problem, namespace_problem};
use super::{Controller, ObjectMeta};
use crate::decode::is_same_name;
use crate::diagnostic::{Code, Diagnostic, Place, Report, ResourceRef, Severity};
use crate::document::{Document, Node, Value, join_key};
use crate::name::StringMap;

/// The head of a resource. API: meta/v1 `TypeMeta` and `ObjectMeta`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `networking.istio.io`; empty for the core group.
    pub group: String,
    /// `v1`.
    pub version: String,
    /// `VirtualService`.
    pub kind: String,
    /// Its metadata, the namespace completed.
    pub meta: ObjectMeta,
}

/// Kinds that live in no namespace, of those that configurations hold.
const CLUSTER_SCOPED: &[&str] = &[
    "APIService",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterTrustBundle",
    "CustomResourceDefinition",
    "GatewayClass",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
];

/// Reads a document's head. Every problem is added to `report`; `None` when one makes the resource unusable (T-002).
///
/// Unknown top-level fields of Istio's kinds are reported and never spoil it.
pub fn read_meta(document: &Arc<Document>, report: &mut Report) -> Option<Header> {
    match read_meta_as(document, Names::Checked, FINDINGS_MAX, report) {
        Head::Good(header) => Some(header),
        Head::Bad(_) | Head::Unknown => None,
    }
}

/// What a document's head came to.
#[derive(Debug)]
pub(crate) enum Head {
    /// It can be used.
    Good(Header),
    /// It says what the document is, and has errors: what can be read of it. The name is empty where none can.
    Bad(Header),
    /// It does not say what the document is.
    Unknown,
}

/// Whether names that Kubernetes refuses spoil a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// They do.
    Checked,
    /// They are reported and taken as they are.
    AsWritten,
}

/// [`read_meta`] with a choice of what names may be, and of how many findings are kept: others are counted.
pub(crate) fn read_meta_as(document: &Arc<Document>, names: Names, room: usize, report: &mut Report) -> Head {
    let most = report.len() + room.min(FINDINGS_MAX);
    let mut reader = Reader { document, names, report, most, dropped: 0, failed: false };
    let head = match reader.read() {
        Some(header) if reader.failed => Head::Bad(header),
        Some(header) => Head::Good(header),
        None => Head::Unknown,
    };
    reader.tell_dropped();
    head
}

/// Findings kept of one head: a hundred thousand bad labels are no better told by a hundred thousand findings.
const FINDINGS_MAX: usize = 128;

/// The resource as far as it says who it is.
fn resource(root: Node<'_>) -> ResourceRef {
    let text = |node: Option<Node<'_>>| node.and_then(Node::as_str).unwrap_or_default().to_owned();
    let meta = root.get("metadata");
    let field = |name| text(meta.and_then(|meta| meta.get(name)));
    ResourceRef { kind: text(root.get("kind")), namespace: field("namespace"), name: field("name") }
}

/// The owner that made a Pod under a name of its own choice.
fn controller(meta: Node<'_>) -> Option<Box<Controller>> {
    meta.get("generateName").and_then(Node::as_str).filter(|name| !name.is_empty())?;
    let owners = meta.get("ownerReferences")?;
    let is_controller = |owner: &Node<'_>| {
        owner.get("controller").is_some_and(|node| matches!(node.value(), Value::Bool(true)))
    };
    let owner = owners.items().find(is_controller)?;
    let text = |key| owner.get(key).and_then(Node::as_str).unwrap_or_default().into();
    Some(Box::new(Controller { kind: text("kind"), name: text("name") }))
}

struct Reader<'a> {
    document: &'a Arc<Document>,
    names: Names,
    report: &'a mut Report,
    /// The report may grow to so many findings.
    most: usize,
    /// Findings that are only counted.
    dropped: usize,
    failed: bool,
}

impl<'a> Reader<'a> {
    fn read(&mut self) -> Option<Header> {
        let root = self.document.root();
        if !root.is_map() {
            let message = format!(
                "expected a map with `apiVersion`, `kind` and `metadata`, found {}",
                root.value().kind()
            );
            let help = "every resource has these; a document that is none does not belong here";
            self.error(Code::NotAResource, "", message, Some(help));
            return None;
        }
        let api_version = self.required(root, "apiVersion", "apiVersion", "networking.istio.io/v1");
        let kind = self.required(root, "kind", "kind", "VirtualService");
        let meta = self.meta(root, kind.unwrap_or_default());
        let (api_version, kind) = (api_version?, kind?);
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        if group == "istio.io" || group.ends_with(".istio.io") {
            self.top_level_fields(root);
        }
        let [group, version, kind] = [group, version, kind].map(str::to_owned);
        Some(Header { group, version, kind, meta })
    }

    /// As far as it can be read.
    fn meta(&mut self, root: Node<'a>, kind: &str) -> ObjectMeta {
        let nothing =
            || ObjectMeta { cluster: Arc::clone(&self.document.source.cluster), ..ObjectMeta::default() };
        let meta = match root.get("metadata") {
            Some(meta) if meta.is_map() => meta,
            Some(meta) if !meta.is_null() => {
                let nothing = nothing();
                self.wrong_type("metadata", "a map", meta);
                return nothing;
            }
            _ => {
                let nothing = nothing();
                let help = "add `metadata` with a `name`";
                self.error(Code::NotAResource, "", "the document has no `metadata`".to_owned(), Some(help));
                return nothing;
            }
        };
        let name = self.name(meta);
        let namespace = self.namespace(meta, kind);
        let labels = self.strings(meta, "labels", true);
        let annotations = self.strings(meta, "annotations", false);
        let created = self.created(meta);
        let generation = meta.get("generation").and_then(|node| match node.value() {
            Value::Integer(number) => i64::try_from(number).ok(),
            _ => None,
        });
        let resource_version = meta.get("resourceVersion").and_then(Node::as_str).map(str::to_owned);
        ObjectMeta {
            // Without one the head is bad.
            name: name.unwrap_or_default().into(),
            namespace: namespace.into(),
            labels,
            annotations,
            created,
            generation,
            resource_version,
            cluster: Arc::clone(&self.document.source.cluster),
            controller: if kind == "Pod" { controller(meta) } else { None },
        }
    }

    fn name(&mut self, meta: Node<'a>) -> Option<&'a str> {
        let unset = meta.get("name").is_none_or(|name| name.is_null() || name.as_str() == Some(""));
        if unset && meta.get("generateName").is_some() {
            // Only the API server can complete it, so nothing could refer to the object.
            let help = "give the resource a `name`";
            let message = "`metadata.generateName` is not a name".to_owned();
            self.error(Code::NotAResource, "metadata.generateName", message, Some(help));
            return None;
        }
        let name = self.required(meta, "name", "metadata.name", "reviews")?;
        // Names of roles may be any path segment (`system:masters`).
        let is_role = self.document.root().get("apiVersion").and_then(Node::as_str);
        if is_role.is_some_and(|version| version.starts_with("rbac.authorization.k8s.io/")) {
            return Some(name);
        }
        self.check(|| "metadata.name".to_owned(), name_problem(name), name);
        Some(name)
    }

    fn namespace(&mut self, meta: Node<'a>, kind: &str) -> &'a str {
        let namespace = self.text(meta.get("namespace"), "metadata.namespace").unwrap_or_default();
        if CLUSTER_SCOPED.contains(&kind) {
            return "";
        }
        if namespace.is_empty() {
            return "default";
        }
        self.check(|| "metadata.namespace".to_owned(), namespace_problem(namespace), namespace);
        namespace
    }

    fn strings(&mut self, meta: Node<'_>, field: &str, are_labels: bool) -> StringMap {
        let Some(node) = meta.get(field).filter(|node| !node.is_null()) else {
            return StringMap::new();
        };
        if !node.is_map() {
            self.wrong_type(&format!("metadata.{field}"), "a map", node);
        }
        let mut strings = StringMap::builder();
        for entry in node.entries() {
            let path = || join_key(&format!("metadata.{field}"), entry.key);
            self.check(path, label_key_problem(entry.key), entry.key);
            match entry.value.value() {
                Value::String(text) => {
                    if are_labels {
                        self.check(path, label_value_problem(text), text);
                    }
                    strings.add(entry.key, text);
                }
                Value::Null => {
                    strings.add(entry.key, "");
                }
                _ => self.wrong_type(&path(), "a string", entry.value),
            }
        }
        strings.finish()
    }

    fn created(&mut self, meta: Node<'_>) -> Option<i64> {
        let node = meta.get("creationTimestamp").filter(|node| !node.is_null())?;
        let time = node
            .as_str()
            .filter(|text| is_rfc3339(text))
            .and_then(|text| text.parse::<jiff::Timestamp>().ok());
        if time.is_none() {
            self.wrong_type("metadata.creationTimestamp", "a time such as `2026-01-31T12:00:00Z`", node);
        }
        time.map(jiff::Timestamp::as_second)
    }

    /// Whether a finding more is only counted.
    fn is_full(&mut self) -> bool {
        let is_full = self.report.len() >= self.most;
        self.dropped += usize::from(is_full);
        is_full
    }

    /// Says how many findings are not shown.
    fn tell_dropped(&mut self) {
        // What a head lacks or has wrong is an error, each time.
        let severity = Severity::Error;
        if self.dropped > 0 && self.most < FINDINGS_MAX {
            // There was less room than a head has: who gave it tells the number, as if all had been kept.
            self.report.leave_unsaid(severity, self.dropped.min(FINDINGS_MAX + 1 - self.most));
        } else if self.dropped > 0 {
            let at = Place::in_document(self.document, resource(self.document.root()), "");
            let message = format!("{} more findings of this document are not shown", self.dropped);
            let finding = Diagnostic::new(Code::BudgetExceeded, at, message).severity(severity);
            self.report.push(finding.help("mend what is shown, then look again"));
        }
    }

    fn top_level_fields(&mut self, root: Node<'_>) {
        const KNOWN: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
        let is_known = |key: &str| KNOWN.iter().any(|known| is_same_name(known, key));
        for entry in root.entries().filter(|entry| !is_known(entry.key)) {
            if self.is_full() {
                continue;
            }
            let key = join_key("", entry.key);
            let at = Place::in_document(self.document, resource(self.document.root()), &key);
            let mut finding =
                Diagnostic::new(Code::UnknownField, at, format!("unknown field `{}`", short(entry.key)));
            finding.help = Some(match crate::diagnostic::nearest(entry.key, KNOWN) {
                Some(name) => format!("did you mean `{name}`?"),
                None => {
                    format!("fields of the resource itself stand under `spec`: `spec.{}`", short(entry.key))
                }
            });
            self.report.push(finding);
        }
    }

    /// A string that must be there.
    fn required(&mut self, node: Node<'a>, key: &str, path: &str, example: &str) -> Option<&'a str> {
        let value = node.get(key).filter(|value| !value.is_null() && value.as_str() != Some(""));
        if value.is_none() {
            let help = format!("every resource has one, for example `{key}: {example}`");
            self.error(Code::NotAResource, path, format!("the document has no `{path}`"), Some(&help));
            return None;
        }
        self.text(value, path)
    }

    fn text(&mut self, value: Option<Node<'a>>, path: &str) -> Option<&'a str> {
        let value = value.filter(|value| !value.is_null())?;
        if value.as_str().is_none() {
            self.wrong_type(path, "a string", value);
        }
        value.as_str()
    }

    /// `path` is written out for problems only.
    fn check(&mut self, path: impl FnOnce() -> String, problem: Option<&'static str>, text: &str) {
        if let Some(problem) = problem {
            let failed = self.failed;
            let help = if text.contains("{{") {
                "this looks like a template: check what comes out of it, `helm template CHART | mesh check -`"
                    .to_owned()
            } else {
                name_help(text)
            };
            self.error(Code::InvalidName, &path(), format!("`{}` {problem}", short(text)), Some(&help));
            self.failed = failed || self.names == Names::Checked;
        }
    }

    fn wrong_type(&mut self, path: &str, expected: &str, found: Node<'_>) {
        let found = match found.value() {
            Value::String(text) => format!("a string `{}`", short(text)),
            Value::Integer(number) => format!("a number `{number}`"),
            Value::Float(number) => format!("a number `{number}`"),
            Value::Bool(flag) => format!("a boolean `{flag}`"),
            other => other.kind().to_owned(),
        };
        let quote = match expected {
            "a string" if found.contains('`') => Some("write it in quotes"),
            "a string" => Some("write plain text here"),
            "a map" => Some("write fields and their values below it, or in `{ }`"),
            _ => Some("leave it out: the cluster writes it"),
        };
        self.error(Code::WrongType, path, format!("expected {expected}, found {found}"), quote);
    }

    fn error(&mut self, code: Code, path: &str, message: String, help: Option<&str>) {
        self.failed = true;
        if self.is_full() {
            return;
        }
        let at = Place::in_document(self.document, resource(self.document.root()), path);
        let mut finding = Diagnostic::new(code, at, message);
        finding.help = help.map(str::to_owned);
        self.report.push(finding);
    }
}

/// The nearest name that Kubernetes accepts, if there is one.
fn name_help(text: &str) -> String {
    if let Some(text) = crate::diagnostic::without_look_alikes(text) {
        return format!("write `{}`, all of it in ASCII", short(&text));
    }
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let repaired: String = text.chars().take(64).map(plain).collect();
    let repaired = repaired.trim_matches('-');
    if text.is_ascii() && !repaired.is_empty() && text.len() <= 63 && repaired != text {
        return format!("a name such as `{repaired}`");
    }
    "use letters, digits and inner hyphens, at most 63 of them".to_owned()
}

/// The shape that Go's `time.RFC3339` reads; the time library alone would take more.
fn is_rfc3339(text: &str) -> bool {
    text.len() >= 20
        && text.as_bytes().get(10) == Some(&b'T')
        && text.bytes().all(|byte| byte.is_ascii_digit() || b"-+:.TZ".contains(&byte))
}

/// User text for a message: one line, not too long.
fn short(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}
