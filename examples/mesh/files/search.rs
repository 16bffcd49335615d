//! Directories: what in them is configuration, and what belongs to other tools.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mesh_model::diagnostic::{Code, Diagnostic, Place, Report, Severity};
use mesh_model::document::Span;
use walkdir::{DirEntry, WalkDir};

use super::kustomize::{self, Kustomizations};

/// Endings of configuration files in a directory.
const ENDINGS: [&str; 5] = ["yaml", "yml", "json", "jsonl", "ndjson"];

/// Directories that hold other people's files.
const FOREIGN: [&str; 2] = ["node_modules", "vendor"];

/// The files below `root` that are wanted, in order. Links are followed, hidden files and directories are not looked
/// at (a mounted ConfigMap holds its files twice, once in a hidden directory).
pub fn all(root: &Path, wanted: impl Fn(&Path) -> bool, report: &mut Report) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter().filter_entry(is_ours) {
        match entry {
            Ok(entry) if entry.file_type().is_file() && wanted(entry.path()) => found.push(entry.into_path()),
            Ok(_) => {}
            Err(error) => {
                let path = error.path().unwrap_or(root);
                // A directory that links to one above it is read there.
                if error.loop_ancestor().is_none() && (path.is_dir() || wanted(path)) {
                    report.push(unreadable(path, error.io_error()));
                }
            }
        }
    }
    found
}

fn is_ours(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    let is_foreign = entry.file_type().is_dir() && FOREIGN.contains(&&*name);
    entry.depth() == 0 || !(is_foreign || name.starts_with('.'))
}

/// A file that was found, not named, and cannot be read.
pub fn unreadable(path: &Path, error: Option<&std::io::Error>) -> Diagnostic {
    let why = error.map_or_else(|| "it cannot be opened".to_owned(), ToString::to_string);
    let at = Place::in_file(&path.display().to_string(), Span::default());
    Diagnostic::new(Code::Unreadable, at, format!("the file cannot be read: {}", why.to_lowercase()))
        .help("correct its rights or where it links to, or leave it out")
}

/// The configuration files of a directory: of kustomizations what they name, of charts nothing that is a template.
pub fn directory(root: &Path, report: &mut Report) -> Vec<PathBuf> {
    let is_configuration = |file: &Path| {
        let ending = file.extension().and_then(|ending| ending.to_str());
        ending.is_some_and(|ending| ENDINGS.contains(&ending)) || kustomize::is_named_like_one(file)
    };
    let files = all(root, is_configuration, report);
    let files = without_charts(files, report);
    let mut kustomizations = Kustomizations::default();
    for file in files.iter().filter(|file| kustomize::is_named_like_one(file)) {
        kustomizations.add(file, report);
    }
    kustomizations.select(files, report)
}

/// Leaves out the templates and values of charts, with a finding for each chart.
fn without_charts(files: Vec<PathBuf>, report: &mut Report) -> Vec<PathBuf> {
    let charts: BTreeSet<PathBuf> = files
        .iter()
        .filter(|file| file.file_name().is_some_and(|name| name == "Chart.yaml"))
        .filter_map(|file| file.parent().map(Path::to_owned))
        .collect();
    let mut templates: BTreeMap<&Path, usize> = BTreeMap::new();
    let mut rest = Vec::new();
    for file in files {
        let Some(chart) = file.ancestors().skip(1).find_map(|folder| charts.get(folder)) else {
            rest.push(file);
            continue;
        };
        let inside = file.strip_prefix(chart).unwrap_or(&file);
        let folder = inside.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
        match folder.as_deref() {
            Some("templates") if inside.components().count() > 1 => {
                *templates.entry(chart).or_default() += 1;
            }
            Some("crds") => rest.push(file),
            // Values, the chart itself, settings of its tests: no resources.
            _ => {}
        }
    }
    for (chart, count) in templates {
        let at = Place::in_file(&chart.join("Chart.yaml").display().to_string(), Span::default());
        let plural = if count == 1 { "template is" } else { "templates are" };
        let message = format!("a Helm chart: its {count} {plural} not checked");
        let help = format!("check what comes out of it: `helm template {} | mesh check -`", chart.display());
        report.push(Diagnostic::new(Code::Template, at, message).severity(Severity::Warning).help(help));
    }
    rest
}
