//! A stream whose bytes are counted as they are read, and which is not read while there is no memory for more.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::futures::OwnedNotified;

use super::super::wrap::writes_to_inner;
use super::{Level, Pressure};

/// A stream of a client or an upstream.
#[derive(Debug)]
pub(crate) struct Metered<T> {
    inner: T,
    /// `None`: nothing is counted.
    pressure: Option<Arc<Pressure>>,
    waits: Option<Pin<Box<OwnedNotified>>>,
}

impl<T> Metered<T> {
    pub(crate) fn new(inner: T, pressure: &Arc<Pressure>) -> Self {
        Self { inner, pressure: pressure.is_bounded().then(|| Arc::clone(pressure)), waits: None }
    }
}

/// Waits while nothing is to be read.
fn poll_may_read(
    pressure: &Pressure,
    waits: &mut Option<Pin<Box<OwnedNotified>>>,
    context: &mut Context<'_>,
) -> Poll<()> {
    while pressure.level() == Level::Paused {
        let waiting = waits.get_or_insert_with(|| Box::pin(Arc::clone(&pressure.goes_on).notified_owned()));
        // It is told of what comes after it was made: what came before is seen here.
        if pressure.level() != Level::Paused {
            break;
        }
        ready!(waiting.as_mut().poll(context));
        *waits = None;
    }
    *waits = None;
    Poll::Ready(())
}

impl<T: AsyncRead + Unpin> AsyncRead for Metered<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(pressure) = &this.pressure else {
            return Pin::new(&mut this.inner).poll_read(context, buffer);
        };
        ready!(poll_may_read(pressure, &mut this.waits, context));
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(context, buffer);
        pressure.grew(buffer.filled().len().saturating_sub(before));
        polled
    }
}

writes_to_inner!(Metered);
