//! A configuration that is followed: what a source says is put in force, and what is wrong with it is told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mesh_model::diagnostic::{Code, Report, Severity};
use tokio::sync::Notify;

use super::proxy::{Builder, Proxy};
use crate::seam::config_source::{ConfigSource, Loaded};

/// What is wrong with the configuration in force, and how often one was loaded.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    findings: Mutex<Arc<Report>>,
    taken: AtomicU64,
    failed: AtomicU64,
    /// Told that somebody means what was refused.
    confirmed: Notify,
}

/// What became of the configurations that a source gave. Ours: who watches a proxy sees that it runs on something older
/// than what was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FollowCounts {
    /// Configurations that were put in force.
    pub taken: u64,
    /// Loads that failed as a whole: the configuration before them stayed.
    pub failed: u64,
    /// Errors in what the configuration in force was made from.
    pub errors: u64,
    /// Warnings in it.
    pub warnings: u64,
    /// Objects of which a version before the written one is in force.
    pub kept: u64,
}

impl Followed {
    fn tell(&self, report: Report) {
        for problem in &report {
            tracing::warn!("{problem}");
        }
        *self.findings.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(report);
        self.taken.fetch_add(1, Ordering::Relaxed);
    }
}

impl Builder {
    /// The proxy, with what a source gave first. It does not listen yet.
    pub fn build_loaded(self, loaded: Loaded) -> Proxy {
        let proxy = self.build(loaded.config);
        proxy.inner.followed.tell(loaded.report);
        proxy
    }
}

impl Proxy {
    /// Puts what a source gave in force, as [`apply`](Self::apply) does, and keeps what is wrong with it.
    pub fn take(&self, loaded: Loaded) -> u64 {
        let generation = self.apply(loaded.config);
        self.inner.followed.tell(loaded.report);
        generation
    }

    /// Puts every configuration of a source in force, until a drain begins. Problems are logged; what cannot be loaded
    /// changes nothing. Loading may take long: it is done on a thread of its own.
    pub async fn follow(&self, mut source: impl ConfigSource + 'static) {
        loop {
            tokio::select! {
                () = self.inner.draining.cancelled() => return,
                () = source.changed() => {}
                () = self.inner.followed.confirmed.notified() => source.confirm(),
            }
            let proxy = self.clone();
            let loading = tokio::task::spawn_blocking(move || {
                proxy.load_from(&mut source);
                source
            });
            source = match loading.await {
                Ok(source) => source,
                Err(error) => return tracing::error!(%error, "the configuration is followed no more"),
            };
        }
    }

    /// Takes what a source refuses because it takes too much away: somebody has looked at it and means it (S02). It is
    /// loaded at once.
    pub fn confirm(&self) {
        self.inner.followed.confirmed.notify_one();
    }

    fn load_from(&self, source: &mut impl ConfigSource) {
        match source.load() {
            Ok(loaded) => {
                let generation = self.take(loaded);
                tracing::info!(generation, "the configuration was reloaded");
            }
            Err(problem) => {
                self.inner.followed.failed.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(problem, "the configuration stays as it is");
            }
        }
    }

    /// What is wrong with what the configuration in force was made from, as its source told.
    pub fn findings(&self) -> Arc<Report> {
        Arc::clone(&self.inner.followed.findings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What became of the configurations that were given with their findings.
    pub fn follow_counts(&self) -> FollowCounts {
        let report = self.findings();
        let of = |severity| report.iter().filter(|found| found.severity == severity).count() as u64;
        FollowCounts {
            taken: self.inner.followed.taken.load(Ordering::Relaxed),
            failed: self.inner.followed.failed.load(Ordering::Relaxed),
            errors: of(Severity::Error),
            warnings: of(Severity::Warning),
            kept: report.iter().filter(|found| found.code == Code::KeptLastGood).count() as u64,
        }
    }
}
