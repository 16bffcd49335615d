//! How much a text may ask for: every bound on what comes from outside, in one place.

/// The bounds of one [`load`](super::load). Each is checked while reading, before memory is spent.
/// Ours: whoever writes a text must not decide what reading it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// Bytes of one file.
    pub input_bytes: usize,
    /// Bytes of one document (etcd refuses objects above 1.5 MiB, so 4 MiB is generous).
    pub document_bytes: usize,
    /// Documents of one file, items of lists included.
    pub documents: usize,
    /// Documents of one file that are broken, or without `kind` or `metadata`: after so many the rest is not read.
    pub strange_documents: usize,
    /// Nodes of one document: keys and values, after aliases and merges are expanded.
    pub nodes: usize,
    /// Levels of nesting of one document.
    pub depth: usize,
    /// Nodes that aliases and merges may add to one document.
    pub alias_nodes: usize,
    /// Bytes that aliases and merges may add to one document; ten times the document also holds as a bound.
    pub expanded_bytes: usize,
    /// Bytes of one scalar or key.
    pub scalar_bytes: usize,
    /// Parts (keys, values, brackets) of documents with rare YAML (tags, anchors, values over several lines), of one text;
    /// beyond these, one for each four bytes. A document counts for twenty parts, a finding for four; configuration has two to
    /// four times as many bytes for each.
    pub rare_parts: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            input_bytes: 256 << 20,
            document_bytes: 4 << 20,
            documents: 100_000,
            strange_documents: 20_000,
            nodes: 500_000,
            depth: 64,
            alias_nodes: 100_000,
            expanded_bytes: 64 << 20,
            scalar_bytes: 4 << 20,
            rare_parts: 20_000,
        }
    }
}

impl Budget {
    /// Sets the bytes of one file.
    #[must_use]
    pub fn with_input_bytes(mut self, bytes: usize) -> Self {
        self.input_bytes = bytes;
        self
    }

    /// Sets the bytes of one document.
    #[must_use]
    pub fn with_document_bytes(mut self, bytes: usize) -> Self {
        self.document_bytes = bytes;
        self
    }

    /// Sets the documents of one file.
    #[must_use]
    pub fn with_documents(mut self, documents: usize) -> Self {
        self.documents = documents;
        self
    }

    /// Sets the documents that may be broken or without `kind` or `metadata`.
    #[must_use]
    pub fn with_strange_documents(mut self, documents: usize) -> Self {
        self.strange_documents = documents;
        self
    }

    /// Sets the nodes of one document.
    #[must_use]
    pub fn with_nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// Sets the levels of nesting; more than 200 counts as 200, which any thread's stack survives.
    #[must_use]
    pub fn with_depth(mut self, depth: usize) -> Self {
        self.depth = depth.min(DEPTH_MAX);
        self
    }

    /// Sets the nodes and bytes that aliases and merges may add to one document.
    #[must_use]
    pub fn with_expansion(mut self, nodes: usize, bytes: usize) -> Self {
        self.alias_nodes = nodes;
        self.expanded_bytes = bytes;
        self
    }

    /// Sets the bytes of one scalar or key.
    #[must_use]
    pub fn with_scalar_bytes(mut self, bytes: usize) -> Self {
        self.scalar_bytes = bytes;
        self
    }

    /// Sets the parts of documents with rare YAML.
    #[must_use]
    pub fn with_rare_parts(mut self, parts: usize) -> Self {
        self.rare_parts = parts;
        self
    }

    /// The parts of rare YAML that a text of `bytes` bytes may have.
    pub(super) fn rare_limit(&self, bytes: usize) -> usize {
        self.rare_parts.saturating_add(bytes / 4)
    }

    /// The depth in force.
    pub(super) fn depth_limit(&self) -> usize {
        self.depth.min(DEPTH_MAX)
    }

    #[cfg(feature = "yaml")]
    /// The bytes that aliases may add to a document of `bytes` bytes.
    pub(super) fn expansion_limit(&self, bytes: usize) -> usize {
        // A short document may repeat a little more freely than ten times itself.
        self.expanded_bytes.min(bytes.saturating_mul(10).max(4096))
    }
}

/// Trees are cloned, compared and dropped by recursion: this bounds it.
const DEPTH_MAX: usize = 200;
