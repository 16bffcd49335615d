//! New connections to endpoints, with what goes in front of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mesh_compile::proxy::cluster::{Cluster, UpstreamTlsContext};
use tokio::io::AsyncWriteExt;

use super::Failure;
use crate::runtime::connection::Connection;
use crate::runtime::connection_notes;
use crate::runtime::ends::Ends;
use crate::runtime::prelude::{self, Heard, Prelude};
use crate::runtime::pressure::Metered;
use crate::runtime::proxy::Inner;
use crate::runtime::tls::upstream::{Offer, Originated};
use crate::seam::dial::{BoxIo, LocalAddress, Target};

/// A new connection.
pub(crate) struct Opened {
    pub(crate) stream: BoxIo,
    /// The protocol that both sides have agreed on.
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) ends: Ends,
    /// The workload there, once it has told of itself; `None`: it never will.
    pub(crate) heard: Option<Heard>,
}

/// A connection for bytes.
///
/// # Errors
/// None can be made.
pub(crate) async fn connect_bytes(
    connection: &Connection,
    cluster: &Cluster,
    address: &Arc<str>,
    tls: Option<&UpstreamTlsContext>,
) -> Result<Opened, Failure> {
    let offer = tls.map(|context| Offer::for_bytes(context, cluster.http.auto_san_validation));
    let timeout = Duration::from_millis(u64::try_from(cluster.connect_timeout_ms).unwrap_or(10_000).max(1));
    let preface = connection.preface(cluster);
    let opening = open(&connection.proxy, cluster, address, preface.as_ref(), offer.as_ref());
    tokio::time::timeout(timeout, opening).await.map_err(|_| Failure::ConnectTimeout)?
}

pub(super) async fn open(
    proxy: &Inner,
    cluster: &Cluster,
    address: &Arc<str>,
    preface: Option<&Bytes>,
    tls: Option<&Offer<'_>>,
) -> Result<Opened, Failure> {
    let told = LocalAddress::default();
    let target = Target {
        address: Arc::clone(address),
        source: cluster.source_address,
        keepalive: cluster.tcp_keepalive,
        local: told.clone(),
    };
    let failed = |error| Failure::Connect(format!("delayed connect error: {}", in_words(&error)));
    let mut note = connection_notes::begin(None);
    let mut stream = proxy.dial.dial(target).await.map_err(failed)?;
    note.connected = Some(Instant::now());
    if proxy.pressure.is_bounded() {
        stream = Box::new(Metered::new(stream, &proxy.pressure));
    }
    if let Some(preface) = preface {
        stream.write_all(preface).await.map_err(failed)?;
    }
    let mut ends = Ends { local: told.get(), ..Ends::default() };
    let Some(offer) = tls else {
        ends.note = Some(Arc::new(note));
        return Ok(Opened { stream, alpn: None, ends, heard: None });
    };
    let refused = |problem| Failure::Connect(format!("TLS_error: {problem}"));
    let originated = proxy.tls.originate(stream, offer).await.map_err(refused)?;
    let Originated { stream, alpn, principals, note: of_tls } = originated;
    (note.handshaken, note.tls) = (Some(Instant::now()), Some(of_tls));
    ends.principals = Some(principals);
    ends.note = Some(Arc::new(note));
    let mut opened = Opened { stream, alpn, ends, heard: None };
    if opened.alpn.as_deref() == Some(prelude::ALPN.as_bytes())
        && let Some(message) = proxy.peers.message()
    {
        let patience = proxy.options.patience.handshake;
        let stream = Prelude::exchange(opened.stream, message, patience).await.map_err(failed)?;
        opened.heard = Some(Arc::clone(stream.heard()));
        opened.stream = Box::new(stream);
    }
    Ok(opened)
}

/// The system's words for a failed connection, without the number.
fn in_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
