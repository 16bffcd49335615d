//! The objects in force, kept in a file: a process that starts while its configuration is broken or gone begins where the
//! one before it was.
//!
//! A line of JSON for each object, under a first line that tells the version and a checksum of the rest. Secrets are not
//! kept: keys have a place of their own, and it is not this one.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use mesh_model::config_set::ConfigSet;
use mesh_model::document::{Document, Source, Span};
use serde_json::{Value as Json, json};
use twox_hash::XxHash64;

const VERSION: &str = "mesh-state 1";
/// Of what is read at all, in bytes.
const BYTES_MAX: u64 = 1 << 30;

/// Writes the objects in force. The file is there whole, old or new, whatever happens meanwhile.
///
/// # Errors
/// It cannot be written; in words.
pub(super) fn save(path: &Path, config: &ConfigSet) -> Result<(), String> {
    let text = text_of(config);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let written = || {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    written().map_err(|error| format!("{}: {error}", path.display()))
}

/// The objects in force as text.
pub(super) fn text_of(config: &ConfigSet) -> String {
    let mut lines = String::new();
    config.each_object(&mut |object, _| {
        if object.refused_at.is_none() && object.kind != "Secret" {
            // A copy: what was put to rest stays there.
            let document = Document::clone(&object.document);
            let line = json!({
                "file": &*document.source.file, "cluster": &*document.source.cluster, "index": document.index,
                "line": document.root().span().line, "object": document.root().to_json(),
            });
            let _ = writeln!(lines, "{line}");
        }
    });
    sealed(&lines)
}

/// Lines under a first one that tells what they are.
pub(super) fn sealed(lines: &str) -> String {
    format!("{VERSION} {:016x}\n{lines}", XxHash64::oneshot(0, lines.as_bytes()))
}

/// What [`save`] wrote; nothing where there is no such file.
///
/// # Errors
/// It cannot be read, or is not what was written; in words.
pub(super) fn load(path: &Path) -> Result<Vec<Arc<Document>>, String> {
    let problem = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(problem(&error)),
        Ok(file) if file.len() > BYTES_MAX => return Err(problem(&"larger than a state is")),
        Ok(_) => {}
    }
    let text = fs::read_to_string(path).map_err(|error| problem(&error))?;
    documents_of(&text).ok_or_else(|| problem(&"not a state, or damaged"))
}

/// The documents of a text that [`text_of`] wrote; `None`: it did not.
pub(super) fn documents_of(text: &str) -> Option<Vec<Arc<Document>>> {
    let (first, lines) = text.split_once('\n')?;
    let checksum = u64::from_str_radix(first.strip_prefix(VERSION)?.trim(), 16).ok()?;
    let is_whole = checksum == XxHash64::oneshot(0, lines.as_bytes());
    is_whole.then(|| lines.lines().map(|line| document_of(line).map(Arc::new)).collect())?
}

fn document_of(line: &str) -> Option<Document> {
    let line: Json = serde_json::from_str(line).ok()?;
    let text = |name: &str| line.get(name)?.as_str();
    let number = |name: &str| line.get(name)?.as_u64();
    let source = Source { file: text("file")?.into(), cluster: text("cluster")?.into() };
    let span = Span { line: u32::try_from(number("line")?).ok()?, column: 1, ..Span::default() };
    let index = usize::try_from(number("index")?).ok()?;
    Some(Document::from_json(source, index, line.get("object")?, span))
}

#[cfg(test)]
mod tests {
    use mesh_model::config_set::Change;
    use mesh_model::yaml::{LoadOptions, load as read};

    use super::*;

    const SHOP: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: shop, creationTimestamp: 2026-01-02T03:04:05Z, labels: {x: 'yes'}}
spec:
  hosts: [a]
  http: [{timeout: 1.5s, route: [{destination: {host: a, port: {number: 80}}, weight: 100}]}]
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: shop}
stringData: {key: secret}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p, namespace: shop}
spec: {rules: [{when: [{key: 'request.headers[n]', values: ['1.0', 'yes']}]}]}
";

    fn set(documents: impl IntoIterator<Item = Arc<Document>>) -> ConfigSet {
        let mut set = ConfigSet::new();
        let report = set.apply(documents.into_iter().map(Change::Upsert)).report;
        assert!(report.is_empty(), "{report:?}");
        set
    }

    fn objects(set: &ConfigSet) -> Vec<String> {
        let mut all = Vec::new();
        set.each_object(&mut |object, meta| {
            if object.kind != "Secret" {
                let document = &object.document;
                let (file, line) = (&document.source.file, document.root().span().line);
                all.push(format!("{file}:{line} {meta:?} {}", document.root().to_json()));
            }
        });
        all
    }

    #[test]
    fn what_is_kept_comes_back_without_secrets_and_nothing_that_is_damaged_does() {
        let folder = std::env::temp_dir().join(format!("mesh-state-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("state");
        assert_eq!(load(&path).unwrap(), [], "there is none");
        let before = set(read("shop.yaml", SHOP.as_bytes(), &LoadOptions::default()).documents);
        save(&path, &before).unwrap();
        let text = fs::read(&path).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("secret"));
        let after = set(load(&path).unwrap());
        assert_eq!((before.len(), after.len()), (3, 2));
        assert_eq!(objects(&after), objects(&before));
        assert!(objects(&before)[0].contains("shop.yaml:2 "), "{:?}", objects(&before));
        for at in 0..text.len() {
            fs::write(&path, &text[..at]).unwrap();
            assert!(load(&path).is_err(), "cut at {at}");
            let mut changed = text.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            assert!(
                load(&path).map_or(true, |same| objects(&set(same)) == objects(&after)),
                "changed at {at}"
            );
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
