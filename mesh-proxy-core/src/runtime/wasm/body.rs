//! A body on its way through a plugin.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::futures::OwnedNotified;
use tokio::time::Sleep;

use super::fields::{Fields, Whose};
use super::road::{Ending, Joined, Road};
use super::vm::{Action, Broken, Direction, Vm};
use crate::runtime::body::{Body, BoxError};
use crate::runtime::hop_by_hop;
use crate::runtime::reply::Reply;

/// A body that a plugin sees part by part, and changes or holds back. What is held back is bounded.
/// Spec: proxy-wasm ABI 0.2.1, `proxy_on_request_body` and `proxy_on_response_body`.
pub struct Plugged {
    inner: Body,
    road: Arc<Road>,
    joined: Joined,
    direction: Direction,
    ready: VecDeque<Frame<Bytes>>,
    /// The plugin holds what came; until then, and no longer than so.
    held: Option<Held>,
    /// The plugin hears of nothing more: it is left out.
    is_left_out: bool,
    /// The plugin was told of the end.
    is_told: bool,
    trailers: Option<HeaderMap>,
    is_over: bool,
    /// What the head says of the length of what comes out; how much came.
    length: Option<u64>,
    passed: u64,
}

/// Told when the plugin goes on; over when nobody waits for it any more.
type Held = (Pin<Box<OwnedNotified>>, Option<Pin<Box<Sleep>>>);

impl std::fmt::Debug for Plugged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugged").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl Plugged {
    pub(super) fn new(
        inner: Body,
        road: Arc<Road>,
        joined: Joined,
        direction: Direction,
        length: Option<u64>,
    ) -> Self {
        Self {
            inner,
            road,
            joined,
            direction,
            ready: VecDeque::new(),
            held: None,
            is_left_out: false,
            is_told: false,
            trailers: None,
            is_over: false,
            length,
            passed: 0,
        }
    }

    /// Shows the plugin a part, with what it holds back.
    fn show(&mut self, data: Bytes, ends: bool) -> Result<(), BoxError> {
        if self.is_left_out {
            return self.put(data.into(), ends);
        }
        let (context, direction, max) = (self.joined.context, self.direction, self.max());
        let shown = self.joined.running.with(self.road.proxy(), |vm| {
            let is_broken = vm.is_broken();
            let Some(stream) = vm.host().streams.get_mut(&context) else { return Ok(Err(Broken)) };
            let body = stream.side(direction).body.get_or_insert_default();
            if body.len() + data.len() > max {
                return Err(TooMuch);
            }
            body.extend_from_slice(&data);
            if is_broken {
                return Ok(Err(Broken));
            }
            Ok(vm.body(context, direction, ends))
        });
        self.is_told |= ends;
        match shown {
            Err(TooMuch) => Err(self.give_up(too_large(direction))),
            Ok(answer) => self.follow(self.settled(), answer, &data),
        }
    }

    fn show_trailers(&mut self, trailers: HeaderMap) -> Result<(), BoxError> {
        self.is_told = true;
        if self.is_left_out {
            self.trailers = Some(trailers);
            return self.put(Vec::new(), true);
        }
        let (context, direction) = (self.joined.context, self.direction);
        let kept = trailers.clone();
        let answer = self.joined.running.with(self.road.proxy(), |vm| {
            if let Some(stream) = vm.host().streams.get_mut(&context) {
                stream.side(direction).trailers = Some(Fields::new(Whose::Other, Vec::new(), trailers));
            }
            vm.trailers(context, direction)
        });
        if answer.is_err() {
            self.trailers = Some(kept);
        }
        self.follow(self.settled(), answer, &[])
    }

    fn settled(&self) -> Option<Result<(), Ending>> {
        self.road.settled(&self.joined, self.direction)
    }

    /// Does as the plugin says. `data`: what passes where it is left out.
    fn follow(
        &mut self,
        settled: Option<Result<(), Ending>>,
        answer: Result<Action, Broken>,
        data: &[u8],
    ) -> Result<(), BoxError> {
        match settled {
            Some(Err(ending)) => return Err(self.give_up(ending)),
            Some(Ok(())) if answer.is_err() => {
                self.is_left_out = true;
                let held = self.take();
                let rest = if held.is_empty() { data.to_vec() } else { held };
                return self.put(rest, self.is_told);
            }
            Some(Ok(())) => {}
            None => {
                let patience = self.road.proxy().options.patience.request_body;
                let woken = Box::pin(Arc::clone(&self.joined.wake).notified_owned());
                let sleep = (!patience.is_zero()).then(|| Box::pin(tokio::time::sleep(patience)));
                self.held = Some((woken, sleep));
                return Ok(());
            }
        }
        self.held = None;
        let body = self.take();
        self.put(body, self.is_told)
    }

    /// Takes what the plugin has seen out of its hands.
    fn take(&mut self) -> Vec<u8> {
        let (context, direction) = (self.joined.context, self.direction);
        let taken = self.joined.running.with(self.road.proxy(), |vm: &mut Vm| {
            let side = vm.host().streams.get_mut(&context).map(|stream| stream.side(direction))?;
            Some((side.body.take(), side.trailers.take()))
        });
        let (body, trailers) = taken.unwrap_or_default();
        if let Some(trailers) = trailers {
            self.trailers = Some(trailers.lines);
        }
        body.unwrap_or_default()
    }

    fn put(&mut self, body: Vec<u8>, ends: bool) -> Result<(), BoxError> {
        self.passed += body.len() as u64;
        let is_wrong =
            self.length.is_some_and(|length| self.passed > length || ends && self.passed != length);
        if is_wrong {
            // Whoever reads on would take the rest for another message.
            return Err("a module changed the length of a body that its head tells".into());
        }
        if !body.is_empty() {
            self.ready.push_back(Frame::data(body.into()));
        }
        if ends {
            self.is_over = true;
            if let Some(mut trailers) = self.trailers.take() {
                hop_by_hop::remove_from_trailers(&mut trailers);
                self.ready.push_back(Frame::trailers(trailers));
            }
        }
        Ok(())
    }

    fn give_up(&mut self, ending: Ending) -> BoxError {
        self.is_over = true;
        self.ready.clear();
        if self.direction == Direction::Request {
            self.road.end(ending);
        }
        "a module broke the body off".into()
    }

    fn max(&self) -> usize {
        self.road.proxy().options.wasm.body_bytes
    }

    /// Whether the plugin holds what came; it is asked again when it was woken.
    fn poll_held(&mut self, context: &mut Context<'_>) -> Result<bool, BoxError> {
        loop {
            let Some((woken, sleep)) = &mut self.held else { return Ok(false) };
            if sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(context).is_ready()) {
                return Err(self.give_up(Ending::idle()));
            }
            let is_woken = woken.as_mut().poll(context).is_ready();
            // It may have gone on before anybody waited for it.
            let settled = self.settled();
            if !is_woken && settled.is_none() {
                return Ok(true);
            }
            self.follow(settled, Ok(Action::Continue), &[])?;
        }
    }
}

/// More is held back than may be.
struct TooMuch;

/// Spec: Envoy, a buffer limit that is exceeded.
fn too_large(direction: Direction) -> Ending {
    match direction {
        Direction::Request => Ending::Reply(Box::new(Reply::too_large())),
        Direction::Response => Ending::Close,
    }
}

impl HttpBody for Plugged {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        loop {
            if let Some(frame) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            if this.is_over {
                return Poll::Ready(None);
            }
            let is_held = match this.poll_held(context) {
                Ok(is_held) => is_held,
                Err(error) => return Poll::Ready(Some(Err(error))),
            };
            if is_held && this.is_told {
                return Poll::Pending;
            }
            if !this.ready.is_empty() || this.is_over {
                continue;
            }
            let shown = match Pin::new(&mut this.inner).poll_frame(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Err(error))) => {
                    this.is_over = true;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(None) => this.show(Bytes::new(), true),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        let ends = this.inner.is_end_stream();
                        this.show(data, ends)
                    }
                    Err(frame) => this.show_trailers(frame.into_trailers().unwrap_or_default()),
                },
            };
            if let Err(error) = shown {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over && self.ready.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
