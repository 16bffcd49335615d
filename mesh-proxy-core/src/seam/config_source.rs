//! Where a running proxy's configuration comes from, and how it hears of changes.

use std::pin::Pin;

use mesh_compile::proxy::ProxyConfig;
use mesh_model::diagnostic::Report;
use tokio::sync::watch;

/// A configuration, and what was wrong with what it was made from.
/// Ours: a configuration comes with what is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// What the proxy runs.
    pub config: ProxyConfig,
    /// Problems; those parts are left out or keep their last good version.
    pub report: Report,
}

/// A change, some time later. Ours: who has no changes waits for ever, and nobody asks again and again.
pub type Changed<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Gives a proxy its configuration. Ours: files, a control plane and a test give configurations in one way.
///
/// A contract: [`changed`](Self::changed) returns some time after a change that [`load`](Self::load) has not seen, and
/// never returns where none will come; a `load` that fails leaves what was loaded before in force.
pub trait ConfigSource: Send + std::fmt::Debug {
    /// The configuration as it is now.
    ///
    /// # Errors
    /// It cannot be had at all; the text is for people.
    fn load(&mut self) -> Result<Loaded, String>;

    /// Waits for a change.
    fn changed(&mut self) -> Changed<'_>;

    /// The next [`load`](Self::load) takes what is there even where it takes much away: somebody has looked at it and means
    /// it. Sources that refuse nothing of the kind do nothing.
    fn confirm(&mut self) {}
}

/// Configurations that the program makes itself.
/// Ours: tests and programs that make their configuration need no files.
#[derive(Debug)]
pub struct InMemory {
    receiver: watch::Receiver<ProxyConfig>,
}

impl InMemory {
    /// The source, and where the program puts new configurations.
    pub fn new(first: ProxyConfig) -> (watch::Sender<ProxyConfig>, Self) {
        let (sender, receiver) = watch::channel(first);
        (sender, Self { receiver })
    }
}

impl ConfigSource for InMemory {
    fn load(&mut self) -> Result<Loaded, String> {
        Ok(Loaded { config: self.receiver.borrow_and_update().clone(), report: Report::new() })
    }

    fn changed(&mut self) -> Changed<'_> {
        Box::pin(async {
            if self.receiver.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}
