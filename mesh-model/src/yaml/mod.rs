//! Text to documents: YAML or JSON in, span-carrying trees out, problems as data.
//! Spec: YAML 1.2.2, with the scalars of Kubernetes' reader.
//!
//! The only module that names a YAML library. Scalars follow Kubernetes' rules, every bound is in [`Budget`], and
//! one bad document never sinks the others of its file.

mod advice;
#[cfg(feature = "yaml")]
mod aliases;
mod budget;
#[cfg(feature = "yaml")]
mod events;
#[cfg(not(feature = "yaml"))]
mod json;
#[cfg(feature = "yaml")]
mod json_texts;
mod list;
#[cfg(feature = "yaml")]
mod merge;
mod over_budget;
#[cfg(feature = "yaml")]
mod places;
#[cfg(feature = "yaml")]
mod print;
mod problems;
#[cfg(feature = "yaml")]
mod quick;
#[cfg(feature = "yaml")]
mod rare;
#[cfg(feature = "yaml")]
mod reading;
#[cfg(feature = "yaml")]
mod scalar;
mod template;
mod text;
mod unread;
mod within;

#[cfg(all(test, feature = "yaml"))]
mod tests;

pub use budget::Budget;
#[cfg(feature = "yaml")]
pub use print::{PrintError, to_yaml};
pub use unread::Unread;
pub use within::load_within;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::diagnostic::{Code, Diagnostic, Place, Report, Severity};
use crate::document::{Document, Source, Span, Tree, TreeBuilder};
use over_budget::{FINDINGS_MAX, Unsaid};
use problems::Problems;

/// How to read. Ours: what is trusted less is read with smaller bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadOptions {
    /// The cluster the configuration comes from; `Kubernetes` unless set.
    pub cluster: Arc<str>,
    /// The bounds.
    pub budget: Budget,
    /// Duplicate keys and foreign tags are errors, not warnings.
    pub strict: bool,
    /// Documents of one text are read on so many threads at once; 1 unless set. The outcome is the same.
    pub threads: usize,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { cluster: "Kubernetes".into(), budget: Budget::default(), strict: false, threads: 1 }
    }
}

impl LoadOptions {
    /// Sets the cluster.
    #[must_use]
    pub fn with_cluster(mut self, cluster: impl Into<Arc<str>>) -> Self {
        self.cluster = cluster.into();
        self
    }

    /// Sets the bounds.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Reads on several threads.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Sets strict or lenient reading.
    #[must_use]
    pub fn with_strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }
}

/// What a text held. Ours: a bad document must not take the others of its file with it.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Loaded {
    /// The documents without errors, in file order; items of lists stand alone.
    pub documents: Vec<Arc<Document>>,
    /// What the documents with errors seem to be, the first hundred of them that tell.
    pub unread: Vec<Unread>,
    /// Every problem found.
    pub report: Report,
}

/// Documents with errors that are told of, so that a hundred thousand of them cost no memory.
const UNREAD_MAX: usize = 100;

/// Reads a file's text. `file` is the label that findings carry.
///
/// ```
/// # use mesh_model::yaml::{LoadOptions, load};
/// let loaded = load("a.yaml", "kind: A\n---\nkind: [B\n---\nkind: C\n", &LoadOptions::default());
/// assert_eq!(loaded.documents.len(), 2);
/// assert_eq!(loaded.report.len(), 1);
/// ```
pub fn load(file: &str, text: impl AsRef<[u8]>, options: &LoadOptions) -> Loaded {
    let mut loaded = Loaded::default();
    read(file, text.as_ref(), options, &mut loaded);
    loaded
}

fn read(file: &str, bytes: &[u8], options: &LoadOptions, loaded: &mut Loaded) {
    let start = Span { line: 1, column: 1, ..Span::default() };
    let limit = options.budget.input_bytes.min(u32::MAX as usize);
    if bytes.len() > limit {
        let message = format!("the text has {} bytes, more than the {limit} allowed", bytes.len());
        let finding = Diagnostic::new(Code::BudgetExceeded, Place::in_file(file, start), message);
        loaded.report.push(finding.help(advice::of(Code::BudgetExceeded)));
        return;
    }
    if let Some(message) = text::refused_encoding(bytes) {
        let finding = Diagnostic::new(Code::Encoding, Place::in_file(file, start), message);
        loaded.report.push(finding.help("save the file as UTF-8 text"));
        return;
    }
    let source = Source { file: file.into(), cluster: Arc::clone(&options.cluster) };
    let chunks = text::split(bytes);
    let mut builder = TreeBuilder::default();
    let mut unsaid = Unsaid::default();
    let mut has_template = false;
    let mut strange = 0;
    #[cfg(feature = "yaml")]
    let (mut rare_parts, rare_limit) = (0, options.budget.rare_limit(bytes.len()));
    for (cut, read) in chunks.iter().zip(read_all(file, bytes, &chunks, options, &mut builder)) {
        if read.trees.is_empty()
            && loaded.unread.len() < UNREAD_MAX
            && let Some(error) = read.report.iter().find(|found| found.severity == Severity::Error)
        {
            loaded.unread.extend(Unread::of(cut.of(bytes).bytes, &error.at));
        }
        strange += usize::from(read.trees.is_empty() && !read.report.is_empty());
        if strange > options.budget.strange_documents {
            let span = read.report.iter().next().map_or(start, |found| found.at.span());
            loaded.report.push(over_budget::too_strange(&source, options, span));
            break;
        }
        #[cfg(feature = "yaml")]
        {
            rare_parts += read.rare_parts;
            if rare_parts > rare_limit && chunks.len() > 1 {
                loaded.report.push(over_budget::too_rare(file, bytes.len(), cut.start()));
                break;
            }
        }
        // Said once: what else is wrong with a template comes of its being one.
        let is_said = read.is_template && std::mem::replace(&mut has_template, true);
        match loaded.report.len() {
            _ if is_said => {}
            ..FINDINGS_MAX => loaded.report.merge(read.report),
            _ => unsaid.add(read.report),
        }
        for tree in read.trees {
            if !add(tree, &source, options, &mut strange, loaded) {
                return unsaid.tell(&mut loaded.report);
            }
        }
    }
    unsaid.tell(&mut loaded.report);
    if loaded.documents.is_empty() && !loaded.report.has_errors() {
        let message = "the text holds no document";
        let finding = Diagnostic::new(Code::NoDocuments, Place::in_file(file, start), message);
        loaded.report.push(finding.help(advice::of(Code::NoDocuments)));
    }
}

/// What a chunk holds.
struct Read {
    trees: Vec<Tree>,
    report: Report,
    /// The report says that it is a template, and nothing else.
    is_template: bool,
    /// Parts of rare YAML.
    rare_parts: usize,
}

/// Reads the chunks in order: one after the other as they are asked for, or all at once on several threads.
fn read_all<'a>(
    file: &'a str,
    bytes: &'a [u8],
    chunks: &'a [text::Cut],
    options: &'a LoadOptions,
    builder: &'a mut TreeBuilder,
) -> Box<dyn Iterator<Item = Read> + 'a> {
    let threads = options.threads.min(bytes.len() / THREAD_BYTES).max(1);
    if threads == 1 || chunks.len() < 2 * threads {
        return Box::new(
            chunks.iter().map(move |cut| read_one(file, &cut.of(bytes), options, threads, builder)),
        );
    }
    // Small shares, so that one thread with the long documents does not keep the others waiting.
    let share = chunks.len().div_ceil(threads * 8);
    let (next, rare_parts) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let rare_limit = options.budget.rare_limit(bytes.len());
    let work = || {
        let mut builder = TreeBuilder::default();
        let mut done = Vec::new();
        // Shares are taken in order: those that are taken already are more than will count.
        while rare_parts.load(Ordering::Relaxed) <= rare_limit {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(share) = chunks.chunks(share).nth(at) else { break };
            let read = share.iter().map(|cut| read_one(file, &cut.of(bytes), options, 1, &mut builder));
            let read: Vec<_> = read.collect();
            rare_parts.fetch_add(read.iter().map(|read| read.rare_parts).sum(), Ordering::Relaxed);
            done.push((at, read));
        }
        done
    };
    let mut shares = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            // A thread that panicked would be a bug of ours: its panic goes on here.
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    shares.sort_unstable_by_key(|(at, _)| *at);
    Box::new(shares.into_iter().flat_map(|(_, read)| read))
}

/// Text below this size is not worth a thread.
const THREAD_BYTES: usize = 64 << 10;

/// `threads`: for the items of the chunk, if it is a list.
fn read_one(
    file: &str,
    chunk: &text::Chunk<'_>,
    options: &LoadOptions,
    threads: usize,
    builder: &mut TreeBuilder,
) -> Read {
    let mut problems = Problems::new(file);
    let trees = read_chunk(chunk, options, threads, builder, &mut problems);
    let mut report = Report::new();
    #[cfg_attr(not(feature = "yaml"), expect(unused_mut, reason = "JSON has none"))]
    let mut rare_parts = problems.rare_parts();
    #[cfg(feature = "yaml")]
    if problems.errors() > 0
        && let Some(texts) = json_texts::split(chunk, options.budget.documents.saturating_add(1))
    {
        let mut trees = Vec::new();
        let mut unsaid = Unsaid::default();
        for text in texts {
            let mut problems = Problems::new(file);
            if text.bytes.first() == Some(&b'{') {
                trees.append(&mut read_chunk(&text, options, threads, builder, &mut problems));
                rare_parts += problems.rare_parts();
                if rare_parts > options.budget.rare_limit(chunk.bytes.len()) {
                    let place = Span { line: text::narrow(text.line), column: 1, ..Span::default() };
                    report.push(over_budget::too_rare(file, chunk.bytes.len(), place));
                    break;
                }
            } else {
                let place = Span { line: text::narrow(text.line), column: 1, ..Span::default() };
                let message = "between JSON objects nothing but JSON objects may stand".to_owned();
                problems.note(Code::Syntax, Severity::Error, place, "", message).help("remove the line");
            }
            if report.len() < FINDINGS_MAX {
                problems.into_report(&mut report);
            } else {
                let mut more = Report::new();
                problems.into_report(&mut more);
                unsaid.add(more);
            }
        }
        unsaid.tell(&mut report);
        return Read { trees, report, is_template: false, rare_parts };
    }
    let template = problems.template(chunk);
    let is_template = template.is_some();
    match template {
        Some(finding) => report.push(finding),
        None => problems.into_report(&mut report),
    }
    Read { trees, report, is_template, rare_parts }
}

fn read_chunk(
    chunk: &text::Chunk<'_>,
    options: &LoadOptions,
    threads: usize,
    builder: &mut TreeBuilder,
    problems: &mut Problems<'_>,
) -> Vec<Tree> {
    let place = Span { line: text::narrow(chunk.line), column: 1, ..Span::default() };
    let limit = options.budget.document_bytes;
    if chunk.bytes.len() > limit {
        let message = format!("the document has {} bytes, more than the {limit} allowed", chunk.bytes.len());
        let code = Code::BudgetExceeded;
        problems.note(code, code.severity(), place, "", message).help(advice::of(code));
        return Vec::new();
    }
    let (bom, rest) = match chunk.bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) if chunk.offset == 0 => (3, rest),
        _ => (0, chunk.bytes),
    };
    let chunk = text::Chunk { bytes: rest, offset: chunk.offset + bom, line: chunk.line };
    match text::decode(&chunk) {
        Ok(text) => parse(text, &chunk, options, threads, builder, problems),
        Err((message, span)) => {
            let code = Code::Encoding;
            problems.note(code, code.severity(), span, "", message).help(advice::of(code));
            Vec::new()
        }
    }
}

#[cfg(feature = "yaml")]
fn parse(
    text: &str,
    chunk: &text::Chunk<'_>,
    options: &LoadOptions,
    threads: usize,
    builder: &mut TreeBuilder,
    problems: &mut Problems<'_>,
) -> Vec<Tree> {
    if quick::is_empty(text) {
        return Vec::new();
    }
    if let Some(trees) = quick::items::read(text, chunk, options, threads) {
        return trees;
    }
    match quick::read(text, chunk, options, builder, problems) {
        quick::Outcome::Tree(tree) => vec![tree],
        quick::Outcome::Refused => Vec::new(),
        quick::Outcome::Declined => events::read(text, chunk, options, builder, problems),
    }
}

#[cfg(not(feature = "yaml"))]
fn parse(
    text: &str,
    chunk: &text::Chunk<'_>,
    options: &LoadOptions,
    _: usize,
    builder: &mut TreeBuilder,
    problems: &mut Problems<'_>,
) -> Vec<Tree> {
    json::read(text, chunk, options, builder, problems)
}

/// Adds a tree's documents. `false`: the file has too many. `strange`: those so far that are no resources.
fn add(tree: Tree, source: &Source, options: &LoadOptions, strange: &mut usize, loaded: &mut Loaded) -> bool {
    let limit = options.budget.documents;
    let room = limit.saturating_sub(loaded.documents.len()).saturating_add(1);
    for part in list::expand(tree, room) {
        let index = loaded.documents.len();
        let document = Document::part(source.clone(), index, &part.tree, part.at);
        let root = document.root();
        if index >= limit {
            loaded.report.push(over_budget::too_many(source, options, root.span()));
            return false;
        }
        *strange += usize::from(root.get("kind").is_none() || root.get("metadata").is_none());
        if *strange > options.budget.strange_documents {
            loaded.report.push(over_budget::too_strange(source, options, root.span()));
            return false;
        }
        loaded.documents.push(Arc::new(document));
    }
    true
}
