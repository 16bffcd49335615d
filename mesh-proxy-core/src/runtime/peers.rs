//! What workloads tell each other of themselves, in headers of requests and answers.
//! Spec: Istio's peer metadata filter. A client tells with each request; a server answers those who told. What was told
//! goes no further than the next proxy.
// Facts: istio/proxy, source/extensions/filters/http/peer_metadata/filter.cc (since in Envoy's contrib); Istio's
// pilot/pkg/xds/filters/filters.go.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use foldhash::HashMap;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use mesh_compile::proxy_identity::Proxy as Identity;

use crate::telemetry::peer::{BYTES_MAX, Peer, node_id};

const METADATA: HeaderName = HeaderName::from_static("x-envoy-peer-metadata");
const METADATA_ID: HeaderName = HeaderName::from_static("x-envoy-peer-metadata-id");
/// The most peers that are remembered by what they sent: each sends the same again and again.
const KNOWN_MAX: usize = 512;

/// Workloads by what they sent; `None`: that says nothing of any.
type Known = HashMap<Box<[u8]>, Option<Arc<Peer>>>;

/// What is told, and what was.
#[derive(Debug)]
pub(crate) struct Peers {
    /// `None`: nobody has said who the proxy is, so nothing is exchanged.
    own: Option<Own>,
    known: Mutex<Known>,
}

/// The proxy's own workload, ready to be sent.
#[derive(Debug)]
struct Own {
    metadata: HeaderValue,
    id: HeaderValue,
    /// What goes before the bytes of a connection.
    message: Bytes,
}

/// What came with a head.
#[derive(Debug, Clone, Default)]
pub(crate) struct Came {
    pub(crate) peer: Option<Arc<Peer>>,
    has_metadata: bool,
    has_id: bool,
}

impl Peers {
    pub(crate) fn new(workload: Option<&Identity>) -> Self {
        Self { own: workload.and_then(Own::of), known: Mutex::default() }
    }

    /// Takes what was told off a head.
    pub(crate) fn take(&self, headers: &mut HeaderMap) -> Came {
        if self.own.is_none() {
            return Came::default();
        }
        let (metadata, id) = (headers.remove(METADATA), headers.remove(METADATA_ID));
        let (has_metadata, has_id) = (metadata.is_some(), id.is_some());
        let peer = metadata.filter(|metadata| !metadata.is_empty()).and_then(|metadata| self.read(&metadata));
        Came { peer, has_metadata, has_id }
    }

    /// Tells who the proxy is with a request; or, where the upstream is not to know, that nobody else says so for it.
    pub(crate) fn put(&self, headers: &mut HeaderMap, is_told: bool) {
        match self.own.as_ref().filter(|_| is_told) {
            Some(own) => {
                headers.insert(METADATA, own.metadata.clone());
                headers.insert(METADATA_ID, own.id.clone());
            }
            None => {
                headers.remove(METADATA);
                headers.remove(METADATA_ID);
            }
        }
    }

    /// Tells it with an answer, as far as the client did.
    pub(crate) fn answer(&self, came: &Came, headers: &mut HeaderMap) {
        let Some(own) = &self.own else { return };
        if came.has_metadata {
            headers.insert(METADATA, own.metadata.clone());
        }
        if came.has_id {
            headers.insert(METADATA_ID, own.id.clone());
        }
    }

    /// What goes before the bytes of a connection; `None`: nothing is told.
    pub(crate) fn message(&self) -> Option<&Bytes> {
        self.own.as_ref().map(|own| &own.message)
    }

    fn read(&self, metadata: &HeaderValue) -> Option<Arc<Peer>> {
        let bytes = metadata.as_bytes();
        if bytes.len() > BYTES_MAX {
            return None;
        }
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(bytes) {
            return known.clone();
        }
        let peer = Peer::from_header(bytes).ok().map(Arc::new);
        let mut known = lock();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        // A copy: the codec's own would keep all that was read with it.
        known.insert(bytes.into(), peer.clone());
        peer
    }
}

impl Own {
    fn of(workload: &Identity) -> Option<Self> {
        let (peer, id) = (Peer::of(workload), node_id(workload));
        let message = peer.to_message(&id).into();
        let metadata = HeaderValue::try_from(peer.to_header()).ok()?;
        Some(Self { metadata, id: HeaderValue::try_from(id).ok()?, message })
    }
}

#[cfg(test)]
mod tests;
