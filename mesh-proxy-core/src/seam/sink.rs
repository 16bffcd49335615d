//! Who hears of finished requests and connections.

use std::sync::{Mutex, PoisonError};

use crate::telemetry::record::Record;

/// Hears of every finished request and connection. Ours: who listens must not be able to hold up a request.
///
/// A contract: a call returns at once. What takes time (files, the network) is done by a task of the sink's own, over a
/// bounded queue that loses records rather than hold requests up.
pub trait Sink: Send + Sync + std::fmt::Debug {
    /// It is over.
    fn finished(&self, record: &Record);
}

/// Keeps all records: for tests. Ours: a test looks at what a proxy told of its requests.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Vec<Record>>);

impl Kept {
    /// The records so far, taken away.
    pub fn take(&self) -> Vec<Record> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for Kept {
    fn finished(&self, record: &Record) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record.clone());
    }
}

impl<T: Sink + ?Sized> Sink for std::sync::Arc<T> {
    fn finished(&self, record: &Record) {
        (**self).finished(record);
    }
}
