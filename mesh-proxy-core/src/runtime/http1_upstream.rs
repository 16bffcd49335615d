//! An HTTP/1 connection to an upstream: driven by the request that has it, or by a task of its own once one needs that.

use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;

use super::body::Body;
use super::direct::Direct;
use super::ends::Ends;
use super::http1_guard::Written;
use super::pool::Failure;
use crate::seam::dial::BoxIo;

/// An HTTP/1 connection, used by one request at a time.
#[derive(Debug)]
pub(crate) struct Http1 {
    driven: Driven,
    pub(super) requests: u32,
    /// When it was made, in milliseconds.
    pub(super) born: u64,
    pub(super) ends: Ends,
    _place: Option<OwnedSemaphorePermit>,
}

/// Who reads and writes a connection.
#[derive(Debug)]
enum Driven {
    /// A task of its own.
    Task(http1::SendRequest<Body>),
    /// The request that has it; `None`: one has it.
    Request(Option<Direct>),
}

impl Http1 {
    pub(super) fn new(stream: BoxIo, ends: Ends, place: Option<OwnedSemaphorePermit>, now_ms: u64) -> Self {
        let driven = Driven::Request(Some(Direct::new(checked(stream))));
        Self { driven, requests: 0, born: now_ms, ends, _place: place }
    }

    /// The connection where no task drives it; another must be asked for what its task does.
    pub(crate) fn take_direct(&mut self) -> Option<Direct> {
        match &mut self.driven {
            Driven::Task(_) => None,
            Driven::Request(direct) => direct.take(),
        }
    }

    /// The same after a request.
    pub(crate) fn with_direct(mut self, direct: Direct) -> Self {
        self.driven = Driven::Request(Some(direct));
        self
    }

    /// The task's end of the connection, begun where there is none yet.
    ///
    /// # Errors
    /// The codec does not take it.
    pub(crate) async fn sender(&mut self) -> Result<&mut http1::SendRequest<Body>, Failure> {
        if let Driven::Request(direct) = &mut self.driven {
            let direct = direct.take().ok_or(Failure::Refused)?;
            self.driven = Driven::Task(Box::pin(handshake_http1(direct.into_inner())).await?);
        }
        match &mut self.driven {
            Driven::Task(sender) => Ok(sender),
            Driven::Request(_) => Err(Failure::Refused),
        }
    }

    /// Whether the other side is known to have closed it.
    pub(super) fn is_closed(&self) -> bool {
        match &self.driven {
            Driven::Task(sender) => sender.is_closed(),
            Driven::Request(direct) => direct.is_none(),
        }
    }

    /// The same, with a look at a connection that nobody looks at while it is idle.
    pub(super) fn is_found_closed(&mut self) -> bool {
        match &mut self.driven {
            Driven::Task(sender) => sender.is_closed(),
            Driven::Request(direct) => direct.as_mut().is_none_or(|direct| !direct.is_quiet()),
        }
    }
}

/// Whether a kept connection can take a request, now or in a moment: one that still has something of the last request to
/// write may never.
pub(super) async fn is_ready(kept: &mut Http1) -> bool {
    const MOMENT: Duration = Duration::from_millis(50);
    match &mut kept.driven {
        Driven::Task(sender) => matches!(tokio::time::timeout(MOMENT, sender.ready()).await, Ok(Ok(()))),
        Driven::Request(direct) => direct.as_mut().is_some_and(Direct::is_quiet),
    }
}

/// What is written is read again by the strict reader of our own front, where that may cost something.
fn checked(stream: BoxIo) -> BoxIo {
    if cfg!(debug_assertions) { Box::new(Written::new(stream)) } else { stream }
}

async fn handshake_http1(stream: BoxIo) -> Result<http1::SendRequest<Body>, Failure> {
    // At most 100 header lines, as in Envoy. That is the codec's own bound: any other is a table made for each answer.
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| Failure::Connect(error.to_string()))?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "an upstream connection ended");
        }
    });
    Ok(sender)
}
