//! Text in the value of a document, such as a file in a ConfigMap, with places in the file of the document.

use std::sync::Arc;

use super::{LoadOptions, Loaded, load, read_one, text};
use crate::diagnostic::Report;
use crate::document::{Document, Node, TreeBuilder};

/// Reads the text of a value of `document`. Places are those of the file where the value is a literal block scalar
/// (`|`); otherwise everything stands where the value does.
/// Ours: a ConfigMap holds whole files, and who mends them looks for the line.
///
/// ```
/// # use mesh_model::yaml::{LoadOptions, load, load_within};
/// let text = "kind: ConfigMap\ndata:\n  mesh: |\n    # ours\n    trustDomain: a\n";
/// let outer = load("a.yaml", text, &LoadOptions::default());
/// let value = outer.documents[0].root().get("data").and_then(|data| data.get("mesh")).ok_or("no value")?;
/// let inner = load_within(&outer.documents[0], value, &LoadOptions::default());
/// let span = inner.documents[0].root().get("trustDomain").ok_or("no field")?.span();
/// assert_eq!((span.line, span.column), (5, 18));
/// # Ok::<(), &str>(())
/// ```
pub fn load_within(document: &Document, value: Node<'_>, options: &LoadOptions) -> Loaded {
    let file = &document.source.file;
    let mut loaded = load(file, value.as_str().unwrap_or_default(), options);
    if let Some(standing) = standing(document, value, &loaded, options) {
        return standing;
    }
    let span = value.span();
    let moved = |inner: &Arc<Document>| {
        let json = inner.root().to_json();
        Arc::new(Document::from_json(document.source.clone(), inner.index, &json, span))
    };
    loaded.documents = loaded.documents.iter().map(moved).collect();
    loaded.report.amend(|mut finding| {
        finding.at = finding.at.at(span);
        Some(finding)
    });
    loaded
}

/// The same read from the lines as they stand, where they mean the same: their indent does not count.
fn standing(document: &Document, value: Node<'_>, meant: &Loaded, options: &LoadOptions) -> Option<Loaded> {
    let (lines, offset, line) = value.literal_lines()?;
    let chunk = text::Chunk { bytes: lines.as_bytes(), offset: offset as usize, line: line as usize };
    let read = read_one(&document.source.file, &chunk, options, 1, &mut TreeBuilder::default());
    let codes = |report: &Report| report.iter().map(|finding| finding.code).collect::<Vec<_>>();
    let documents: Vec<_> = read
        .trees
        .into_iter()
        .enumerate()
        .map(|(index, tree)| Arc::new(Document::new(document.source.clone(), index, tree)))
        .collect();
    let is_same = documents.len() == meant.documents.len()
        && documents
            .iter()
            .zip(&meant.documents)
            .all(|(one, other)| one.root().to_json() == other.root().to_json())
        && codes(&read.report) == codes(&meant.report);
    is_same.then(|| Loaded { documents, unread: meant.unread.clone(), report: read.report })
}

#[cfg(all(test, feature = "yaml"))]
mod tests {
    use super::*;

    /// Line and column.
    type At = (u32, u32);

    /// The place of `k` in the text of `data.f`, and of each finding.
    fn places(text: &str) -> (Option<At>, Vec<At>) {
        let outer = load("t.yaml", text, &LoadOptions::default());
        let document = outer.documents.first();
        let value = document.and_then(|document| document.root().get("data")?.get("f"));
        let (Some(document), Some(value)) = (document, value) else { return Default::default() };
        let inner = load_within(document, value, &LoadOptions::default());
        let found = inner.report.iter().map(|finding| (finding.at.line, finding.at.column)).collect();
        let key = inner.documents.first().and_then(|inner| {
            let span = inner.root().get("k")?.span();
            // The place is that of the text, letter by letter, where it stands there.
            if text.get(span.start as usize..span.end as usize) != Some("v") {
                assert_eq!(span, value.span(), "{text}");
            }
            Some((span.line, span.column))
        });
        (key, found)
    }

    #[test]
    fn places_of_literal_lines_are_those_of_the_file() {
        for (text, place) in [
            ("data:\n  f: |\n    k: v\n", (3, 8)),
            ("---\n# a\n---\nkind: X\ndata:\n  f: |-\n    j: 1\n\n    k: v", (9, 8)),
            ("data:\n  f: |+\n\n    # c\n    k: v\n\n  g: h\n", (5, 8)),
            ("data:\n  f: | # c\n    j: |\n      x\n    k: v\n", (5, 8)),
        ] {
            assert_eq!(places(text), (Some(place), vec![]), "{text}");
        }
    }

    #[test]
    fn in_other_spellings_everything_stands_at_the_value() {
        for (text, place) in [
            ("data:\n  f: \"k: v\\n\"\n", (2, 6)),
            ("data:\n  f: 'k: v'\n", (2, 6)),
            ("{\"data\": {\"f\": \"{\\\"k\\\": \\\"v\\\"}\"}}\n", (1, 16)),
        ] {
            assert_eq!(places(text), (Some(place), vec![]), "{text}");
        }
    }

    #[test]
    fn findings_of_the_text_have_places_too() {
        assert_eq!(places("data:\n  f: |\n    a: 1\n    a: 2\n").1, [(4, 5)]);
        assert_eq!(places("data:\n  f: |\n    a: [\n").1, [(3, 8)]);
        assert_eq!(places("data:\n  f: 'a: ['\n").1, [(2, 6)]);
    }
}
