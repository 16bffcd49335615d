//! Kustomizations: which files they name, and what they ask for that is not done here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Place, Report, ResourceRef};
use mesh_model::document::{Document, Node, Value};
use mesh_model::yaml::{LoadOptions, load};

use super::read_file;
use super::search::unreadable;

const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Fields that name what is read.
const RESOURCES: [&str; 3] = ["resources", "bases", "components"];

/// Fields that change nothing in what resources say.
const HARMLESS: [&str; 10] = [
    "apiVersion",
    "kind",
    "metadata",
    "crds",
    "openapi",
    "buildMetadata",
    "sortOptions",
    "generatorOptions",
    "configurations",
    "validators",
];

/// Files named in one message.
const NAMED_MAX: usize = 3;

pub fn is_named_like_one(file: &Path) -> bool {
    file.file_name().is_some_and(|name| NAMES.iter().any(|known| name == *known))
}

/// The resources of a kustomization that is named itself; any other file.
pub fn resources_or_itself(file: &Path, report: &mut Report) -> Vec<PathBuf> {
    if !is_named_like_one(file) {
        return vec![file.to_owned()];
    }
    let mut kustomizations = Kustomizations::default();
    kustomizations.add(file, report);
    if kustomizations.folders.is_empty() { vec![file.to_owned()] } else { kustomizations.files }
}

/// All kustomizations of a search.
#[derive(Debug, Default)]
pub struct Kustomizations {
    /// Where they stand.
    folders: BTreeSet<PathBuf>,
    /// The kustomizations read so far, by canonical path.
    seen: BTreeSet<PathBuf>,
    /// The resources they name, in order.
    files: Vec<PathBuf>,
    /// Everything they name, patches included, by canonical path.
    mentioned: BTreeSet<PathBuf>,
    /// The kustomization that is closest above a file speaks for it.
    documents: Vec<(PathBuf, Arc<Document>)>,
}

impl Kustomizations {
    /// Reads a kustomization and those it builds on.
    pub fn add(&mut self, file: &Path, report: &mut Report) {
        if !self.seen.insert(canonical(file)) {
            return;
        }
        let bytes = match read_file(file) {
            Ok(bytes) => bytes,
            Err(error) => return report.push(unreadable(file, Some(&error))),
        };
        let loaded = load(&file.display().to_string(), &bytes, &LoadOptions::default());
        let Some(document) = loaded.documents.first().filter(|document| is_one(document.root())) else {
            // Not the tool's kind, or broken: reading it as a resource says so.
            return;
        };
        report.merge(loaded.report);
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
        self.folders.insert(canonical(&folder));
        self.documents.push((file.to_owned(), Arc::clone(document)));
        self.mentioned.insert(canonical(file));
        mention(document.root(), &folder, &mut self.mentioned);
        not_applied(document, report);
        for field in RESOURCES {
            let items = document.root().get(field).into_iter().flat_map(Node::items);
            for (index, item) in items.enumerate() {
                if let Some(name) = item.as_str() {
                    self.resource(name, &folder, document, &format!("{field}[{index}]"), report);
                }
            }
        }
    }

    fn resource(
        &mut self,
        name: &str,
        folder: &Path,
        document: &Arc<Document>,
        field: &str,
        report: &mut Report,
    ) {
        let path = tidy(&folder.join(name));
        if path.is_dir() {
            match NAMES.iter().map(|known| path.join(known)).find(|file| file.is_file()) {
                Some(file) => self.add(&file, report),
                None => report.push(
                    at(
                        document,
                        field,
                        Code::Unreadable,
                        format!("the directory `{name}` has no kustomization"),
                    )
                    .help("name its files, or add a `kustomization.yaml` to it"),
                ),
            }
        } else if path.is_file() {
            self.files.push(path);
        } else if is_remote(name) {
            let message = format!("`{name}` is somewhere else: it is not fetched");
            report.push(at(document, field, Code::NotApplied, message).help(BUILD_FIRST));
        } else {
            let message = format!("there is no file `{name}`");
            let near = std::fs::read_dir(path.parent().unwrap_or(folder)).ok().and_then(|entries| {
                let names: Vec<String> =
                    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
                let wanted = path.file_name()?.to_string_lossy().into_owned();
                let near = mesh_model::diagnostic::nearest(&wanted, names.iter().map(String::as_str))?;
                Some(format!("did you mean `{near}`?"))
            });
            let help = near.unwrap_or_else(|| "correct the name, or remove it from the list".to_owned());
            report.push(at(document, field, Code::Unreadable, message).help(help));
        }
    }

    /// Of the files of a search those that count: all that stand outside of kustomizations, and what these name.
    pub fn select(self, files: Vec<PathBuf>, report: &mut Report) -> Vec<PathBuf> {
        if self.folders.is_empty() {
            return files;
        }
        let mut left_out: Vec<Vec<PathBuf>> = self.documents.iter().map(|_| Vec::new()).collect();
        let mut selected = Vec::new();
        for file in files {
            let full = canonical(&file);
            let Some(folder) = full.ancestors().skip(1).find(|folder| self.folders.contains(*folder)) else {
                selected.push(file);
                continue;
            };
            let owner = self.documents.iter().position(|(kustomization, _)| {
                kustomization.parent().is_some_and(|parent| canonical(parent) == *folder)
            });
            if !self.mentioned.contains(&full)
                && let Some(list) = owner.and_then(|owner| left_out.get_mut(owner))
            {
                list.push(file);
            }
        }
        for ((_, document), files) in self.documents.iter().zip(left_out) {
            if !files.is_empty() {
                let message =
                    format!("not read, since the kustomization does not name them: {}", names(&files));
                let help = "add them to `resources`, or name them on the command line to check them";
                report.push(at(document, "resources", Code::NotApplied, message).help(help));
            }
        }
        let mut seen = BTreeSet::new();
        selected.extend(self.files);
        selected.retain(|file| seen.insert(canonical(file)));
        selected
    }
}

const BUILD_FIRST: &str = "check what comes out of it: `kustomize build DIR | mesh check -`";

/// `apiVersion` and `kind` may be left out; other tools have kinds of the same name.
fn is_one(root: Node<'_>) -> bool {
    let text = |field| root.get(field).and_then(Node::as_str);
    root.is_map()
        && text("kind").is_none_or(|kind| kind == "Kustomization" || kind == "Component")
        && text("apiVersion").is_none_or(|version| version.starts_with("kustomize.config.k8s.io/"))
}

fn not_applied(document: &Arc<Document>, report: &mut Report) {
    let asked: Vec<&str> = document
        .root()
        .entries()
        .filter(|entry| match entry.value.value() {
            Value::Null => false,
            Value::List(items) => !items.is_empty(),
            Value::Map(fields) => !fields.is_empty(),
            _ => true,
        })
        .map(|entry| entry.key)
        .filter(|field| !HARMLESS.contains(field) && !RESOURCES.contains(field))
        .collect();
    if let Some(first) = asked.first() {
        let message =
            format!("not applied: `{}`; resources are checked as they are written", asked.join("`, `"));
        report.push(at(document, first, Code::NotApplied, message).help(BUILD_FIRST));
    }
}

fn at(document: &Arc<Document>, field: &str, code: Code, message: String) -> Diagnostic {
    let resource = ResourceRef { kind: "Kustomization".to_owned(), ..ResourceRef::default() };
    Diagnostic::new(code, Place::in_document(document, resource, field), message)
}

/// Every text of a kustomization that names a file beside it.
fn mention(node: Node<'_>, folder: &Path, mentioned: &mut BTreeSet<PathBuf>) {
    match node.value() {
        Value::String(text) if !text.contains('\n') => {
            // Generators write `key=file`.
            let name = text.rsplit_once('=').map_or(text, |(_, file)| file);
            let path = folder.join(name);
            if path.is_file() {
                mentioned.insert(canonical(&path));
            }
        }
        Value::List(items) => items.into_iter().for_each(|item| mention(item, folder, mentioned)),
        Value::Map(entries) => entries.into_iter().for_each(|entry| mention(entry.value, folder, mentioned)),
        _ => {}
    }
}

fn is_remote(name: &str) -> bool {
    let host = name.split('/').next().unwrap_or_default();
    name.contains("://")
        || name.contains("?ref=")
        || name.starts_with("git@")
        || host.contains('.') && host.len() > 3 && name.contains("//")
        || ["github.com", "gitlab.com", "bitbucket.org"].contains(&host)
}

fn names(files: &[PathBuf]) -> String {
    let listed: Vec<String> =
        files.iter().take(NAMED_MAX).map(|file| format!("`{}`", file.display())).collect();
    match files.len().saturating_sub(NAMED_MAX) {
        0 => listed.join(", "),
        more => format!("{} and {more} more", listed.join(", ")),
    }
}

fn canonical(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// `a/b/../c` as `a/c`: it is printed.
fn tidy(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for part in path.components() {
        let can_go_up = matches!(out.components().next_back(), Some(Component::Normal(_)));
        match part {
            Component::CurDir if !out.as_os_str().is_empty() => {}
            Component::ParentDir if can_go_up => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    // Links may make `..` mean something else.
    if canonical(&out) == canonical(path) { out } else { path.to_owned() }
}
