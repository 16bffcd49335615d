//! Which files: paths, directories, globs, standard input.

use std::io::Read;
use std::path::{Path, PathBuf};

use globset::GlobBuilder;
use walkdir::WalkDir;

use crate::Unusable;

/// Endings of configuration files in a directory.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// A file to read, and the cluster its documents come from.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selected {
    pub path: PathBuf,
    pub cluster: String,
}

/// Expands `[CLUSTER=]PATH` arguments, sorted within each argument.
pub fn select(arguments: &[String]) -> Result<Vec<Selected>, Unusable> {
    let mut selected = Vec::new();
    for argument in arguments {
        let (cluster, pattern) = split_cluster(argument);
        for path in expand(pattern)? {
            selected.push(Selected { path, cluster: cluster.to_owned() });
        }
    }
    Ok(selected)
}

/// `west=mesh/` names a cluster; a file that really is called `a=b` does not.
fn split_cluster(argument: &str) -> (&str, &str) {
    match argument.split_once('=') {
        Some((cluster, path)) if !cluster.contains('/') && !Path::new(argument).exists() => (cluster, path),
        _ => ("Kubernetes", argument),
    }
}

fn expand(pattern: &str) -> Result<Vec<PathBuf>, Unusable> {
    let path = Path::new(pattern);
    if pattern == "-" || path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    if path.is_dir() {
        return Ok(walk(path, |file| {
            file.extension()
                .and_then(|ending| ending.to_str())
                .is_some_and(|ending| ENDINGS.contains(&ending))
        }));
    }
    if !pattern.contains(['*', '?', '[', '{']) {
        let source = std::fs::metadata(path).err().unwrap_or_else(|| std::io::ErrorKind::InvalidInput.into());
        return Err(Unusable::Read { path: pattern.to_owned(), source });
    }
    let glob = GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(|error| Unusable::Glob { pattern: pattern.to_owned(), message: error.kind().to_string() })?
        .compile_matcher();
    let root: PathBuf = path
        .components()
        .take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']))
        .collect();
    let root = if root.as_os_str().is_empty() { PathBuf::from(".") } else { root };
    let found = walk(&root, |file| {
        glob.is_match(file) || file.strip_prefix("./").is_ok_and(|file| glob.is_match(file))
    });
    if found.is_empty() {
        return Err(Unusable::NothingMatches { pattern: pattern.to_owned() });
    }
    Ok(found)
}

fn walk(root: &Path, wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    WalkDir::new(root)
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file() && wanted(entry.path()))
        .map(walkdir::DirEntry::into_path)
        .collect()
}

/// The bytes of a file, or of standard input for `-`.
pub fn read(path: &Path) -> Result<Vec<u8>, Unusable> {
    let problem = |source| Unusable::Read { path: path.display().to_string(), source };
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(problem)?;
        return Ok(bytes);
    }
    std::fs::read(path).map_err(problem)
}
