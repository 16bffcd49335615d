//! The configuration in force, swapped whole.

use std::sync::{Arc, Mutex, PoisonError};

use foldhash::HashMap;
use http::header::HeaderValue;
use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::proxy_headers::ServerHeader;

use super::cluster::{ClusterState, Parts};
use super::formats::Formats;

/// One version of a proxy's configuration with what runs for it. Unchanged clusters are the same object in the next
/// generation: their connections, turns and counts live on.
/// Ours: a new configuration must not cost the connections of what did not change.
#[derive(Debug)]
pub struct Generation {
    /// From 1, one more with each change.
    pub number: u64,
    /// The tables.
    pub config: Arc<ProxyConfig>,
    pub(crate) clusters: HashMap<Arc<str>, Arc<ClusterState>>,
    /// The name that the configuration gives the server, where it does; `None` inside: it is no header text.
    server_name: Option<(Arc<str>, Option<HeaderValue>)>,
    /// What header operations of its routes ask of requests.
    pub(crate) formats: Formats,
    parts: Parts,
}

impl Generation {
    pub(crate) fn first(config: Arc<ProxyConfig>, parts: Parts) -> Self {
        Self::build(1, config, &HashMap::default(), parts)
    }

    /// The next one, with the clusters that have not changed.
    pub(crate) fn next(&self, config: Arc<ProxyConfig>) -> Self {
        Self::build(self.number + 1, config, &self.clusters, self.parts.clone())
    }

    fn build(
        number: u64,
        config: Arc<ProxyConfig>,
        known: &HashMap<Arc<str>, Arc<ClusterState>>,
        parts: Parts,
    ) -> Self {
        let clusters = config
            .clusters
            .iter()
            .map(|(name, cluster)| {
                let state = match known.get(name) {
                    Some(state) if *state.cluster == **cluster => Arc::clone(state),
                    Some(state) => Arc::new(state.changed(Arc::clone(cluster), &parts)),
                    None => Arc::new(ClusterState::new(Arc::clone(cluster), &parts)),
                };
                (Arc::clone(name), state)
            })
            .collect();
        let server =
            config.settings.config.proxy_headers.as_ref().and_then(|headers| headers.server.as_ref());
        let server_name = server
            .map(|server| server.value.as_str())
            .filter(|value| !value.is_empty())
            .map(|value| (value.into(), HeaderValue::from_str(value).ok()));
        Self { number, config, clusters, server_name, formats: Formats::default(), parts }
    }

    /// A `server` header of answers; `None`: none is set.
    pub(crate) fn server_name(&self, header: &ServerHeader) -> Option<HeaderValue> {
        match header {
            ServerHeader::PassThrough => None,
            ServerHeader::Named(name) => match &**name {
                "envoy" => Some(HeaderValue::from_static("envoy")),
                "istio-envoy" => Some(HeaderValue::from_static("istio-envoy")),
                name => match &self.server_name {
                    Some((known, made)) if **known == *name => made.clone(),
                    _ => HeaderValue::from_str(name).ok(),
                },
            },
        }
    }
}

/// Generations that are no longer in force. Taking a large one apart takes as long as a hundred thousand requests, so
/// the last request that leaves one must not be who does it.
#[derive(Debug, Default)]
pub(crate) struct Retired(Mutex<Vec<Arc<Generation>>>);

impl Retired {
    pub(crate) fn keep(&self, generation: Arc<Generation>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(generation);
    }

    /// Those that nobody has any more, for a thread that may take its time.
    pub(crate) fn take_unused(&self) -> Vec<Arc<Generation>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_unused = |generation: &mut Arc<Generation>| Arc::strong_count(generation) == 1;
        kept.extract_if(.., is_unused).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_kept_until_nobody_has_it() {
        let first = Arc::new(Generation::first(Arc::default(), Parts::default()));
        let retired = Retired::default();
        retired.keep(Arc::clone(&first));
        assert!(retired.take_unused().is_empty());
        drop(first);
        assert_eq!(retired.take_unused().len(), 1);
        assert!(retired.take_unused().is_empty());
    }
}
