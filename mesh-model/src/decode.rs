//! Typed decode of a [`Node`](crate::document::Node).
