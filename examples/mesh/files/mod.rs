//! Which files: paths, directories, globs, standard input.

mod kustomize;
mod search;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use globset::GlobBuilder;
use mesh_model::diagnostic::Report;

pub use search::unreadable;

use crate::Unusable;

/// A file to read, and the cluster its documents come from.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selected {
    pub path: PathBuf,
    pub cluster: String,
    /// The directory in which it was found; `None`: it was named.
    pub found_in: Option<PathBuf>,
}

/// The files, and what is to be said of the ones that are not read.
#[derive(Debug, Default)]
pub struct Selection {
    pub files: Vec<Selected>,
    pub report: Report,
}

/// Expands `[CLUSTER=]PATH` arguments, sorted within each argument. A file is read once for each cluster.
pub fn select(arguments: &[String]) -> Result<Selection, Unusable> {
    let mut selection = Selection::default();
    let mut seen = BTreeSet::new();
    for argument in arguments {
        let (cluster, pattern) = split_cluster(argument);
        for (path, found_in) in expand(pattern, &mut selection.report)? {
            let same = std::fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
            if seen.insert((same, cluster.to_owned())) {
                selection.files.push(Selected { path, cluster: cluster.to_owned(), found_in });
            }
        }
    }
    Ok(selection)
}

/// `west=mesh/` names a cluster; a file that really is called `a=b` does not.
fn split_cluster(argument: &str) -> (&str, &str) {
    match argument.split_once('=') {
        Some((cluster, path)) if !cluster.contains('/') && !Path::new(argument).exists() => (cluster, path),
        _ => ("Kubernetes", argument),
    }
}

type Found = Vec<(PathBuf, Option<PathBuf>)>;

fn expand(pattern: &str, report: &mut Report) -> Result<Found, Unusable> {
    let path = Path::new(pattern);
    let named = |paths: Vec<PathBuf>| paths.into_iter().map(|path| (path, None)).collect();
    if pattern == "-" {
        return Ok(named(vec![path.to_owned()]));
    }
    if path.is_dir() {
        let found = search::directory(path, report);
        return Ok(found.into_iter().map(|file| (file, Some(path.to_owned()))).collect());
    }
    // What exists is meant literally, also a pipe (`<(helm template ..)`).
    if path.exists() {
        return Ok(named(kustomize::resources_or_itself(path, report)));
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
    let matches =
        |file: &Path| glob.is_match(file) || file.strip_prefix("./").is_ok_and(|file| glob.is_match(file));
    let found = search::all(&root, matches, report);
    if found.is_empty() {
        return Err(Unusable::NothingMatches { pattern: pattern.to_owned() });
    }
    Ok(named(found.iter().flat_map(|file| kustomize::resources_or_itself(file, report)).collect()))
}

/// The most that is read of one file or stream, in MiB: devices and pipes may have no end. It is what the reader of
/// documents takes, too.
pub const MOST_MIB: u64 = 256;

/// The bytes of a file, or of standard input for `-`.
pub fn read(path: &Path) -> Result<Vec<u8>, Unusable> {
    let bytes = if path == Path::new("-") { bounded(std::io::stdin().lock(), 0) } else { read_file(path) };
    bytes.map_err(|source| Unusable::Read { path: path.display().to_string(), source })
}

/// The bytes of a file, pipe or device.
pub fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = file.metadata().map_or(0, |data| data.len());
    bounded(file, length)
}

/// Whether a file can be read a second time, with the same outcome.
pub fn is_plain(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|data| data.is_file())
}

fn bounded(input: impl Read, expected: u64) -> std::io::Result<Vec<u8>> {
    const MOST: u64 = MOST_MIB << 20;
    let too_much =
        || std::io::Error::other(format!("it holds more than {MOST_MIB} MiB, the most that is read"));
    if expected > MOST {
        return Err(too_much());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
    input.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST { Err(too_much()) } else { Ok(bytes) }
}
