//! The road of one request through the plugins of its chain, and of its answer back.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::Body as _;
use mesh_compile::proxy::extensions::{ChainKind, Extension, Phase};
use mesh_model::extensions::traffic_extension::spec::ExtensionCode;
use mesh_model::facts::{Headers, RequestFacts};
use tokio::sync::Notify;

use super::body::Plugged;
use super::fields::{Fields, Whose};
use super::host::Stream;
use super::plugin::Running;
use super::properties::{Asked, Facts};
use super::vm::{Broken, Direction};
use crate::http::Place;
use crate::runtime::body::Body;
use crate::runtime::connection::{Connection, Standing};
use crate::runtime::head;
use crate::runtime::pool::Failure;
use crate::runtime::proxy::Inner;
use crate::runtime::replay::Replay;
use crate::runtime::reply::Reply;

/// The plugins that a request has met. They hear of its end when this is dropped.
pub(crate) struct Road {
    proxy: Arc<Inner>,
    facts: OnceLock<Arc<Facts>>,
    joined: Mutex<Vec<Joined>>,
    /// What a plugin made of the request while its body passed.
    ending: Mutex<Option<Ending>>,
    ended: Notify,
}

/// A plugin that a request has met.
#[derive(Clone)]
pub(super) struct Joined {
    pub(super) running: Arc<Running>,
    pub(super) context: u32,
    pub(super) wake: Arc<Notify>,
    pub(super) fails_open: bool,
}

/// A plugin does not let a request go on.
#[derive(Debug)]
pub(crate) enum Ending {
    Reply(Box<Reply>),
    /// Nothing is answered.
    Close,
}

impl Road {
    /// The road of a request; `None`: no plugin stands on it.
    pub(crate) fn of(connection: &Connection, standing: &Standing) -> Option<Arc<Self>> {
        extensions(connection, standing).next()?;
        Some(Arc::new(Self {
            proxy: Arc::clone(&connection.proxy),
            facts: OnceLock::new(),
            joined: Mutex::default(),
            ending: Mutex::default(),
            ended: Notify::new(),
        }))
    }

    /// Shows the head of a request to the plugins of a stage, in order; `None`: they left it as it is.
    ///
    /// # Errors
    /// One of them does not let it go on.
    pub(crate) async fn request(
        &self,
        connection: &Connection,
        standing: &Standing,
        place: Place,
        request: RequestFacts<'static>,
        ends: bool,
    ) -> Result<Option<RequestFacts<'static>>, Ending> {
        let of_place = extensions(connection, standing).filter(|it| self::place(it.phase) == place);
        let facts = self.facts.get_or_init(|| Arc::new(self::facts(connection, &request)));
        let mut fields = of_request(&request);
        for extension in of_place {
            let Some(joined) = self.join(extension, facts)? else { continue };
            let told = self.with(&joined, Direction::Request, fields, ends).await?;
            fields = told;
            if let Some(missing) = [":method", ":path"].into_iter().find(|name| fields.pseudo(name).is_none())
            {
                return Err(Ending::removed(missing));
            }
        }
        Ok(fields.is_changed.then(|| into_request(&request, &fields)))
    }

    /// The body of a request, as the plugins make it.
    pub(crate) fn request_body(
        self: &Arc<Self>,
        body: &Replay,
        lines: &HeaderMap,
        kept_max: usize,
    ) -> Option<Replay> {
        if body.has_ended() && body.at_hand().is_some() {
            return None;
        }
        let hearing = self.hearing(Direction::Request);
        if hearing.is_empty() {
            return None;
        }
        let inner = self.plug(body.body(), hearing, Direction::Request, lines);
        Some(Replay::over(inner, kept_max))
    }

    /// What a plugin made of a request while its body passed; waits for it.
    pub(crate) async fn ending(&self) -> Ending {
        loop {
            let ended = self.ended.notified();
            if let Some(ending) = self.take_ending() {
                return ending;
            }
            ended.await;
        }
    }

    /// The same, where it is there.
    pub(crate) fn take_ending(&self) -> Option<Ending> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn end(&self, ending: Ending) {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(ending);
        self.ended.notify_waiters();
    }

    /// Shows an answer to the plugins, the last that has seen the request first. Whether it is still the same one.
    ///
    /// # Errors
    /// One of them breaks it off, or gives another.
    pub(crate) async fn response(
        self: &Arc<Self>,
        mut response: Response<Body>,
    ) -> Result<Response<Body>, Ending> {
        let joined: Vec<Joined> = self.joined().iter().rev().cloned().collect();
        for joined in &joined {
            let ends = response.body().is_end_stream();
            let status = vec![(":status", response.status().as_str().to_owned())];
            let lines = std::mem::take(response.headers_mut());
            let fields = Fields::new(Whose::Response, status, lines);
            let fields = self.with(joined, Direction::Response, fields, ends).await?;
            let status = fields.pseudo(":status").and_then(|it| StatusCode::from_bytes(it.as_bytes()).ok());
            *response.headers_mut() = fields.lines;
            // Spec: Envoy, HeaderUtility::checkRequiredResponseHeaders.
            let Some(status) = status else { return Err(Ending::removed(":status")) };
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                *response.status_mut() = status;
            }
        }
        self.answered();
        let is_whole =
            response.body().is_end_stream() || response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let hearing = if is_whole { Vec::new() } else { self.hearing(Direction::Response) };
        if !hearing.is_empty() {
            let body = std::mem::replace(response.body_mut(), Body::Empty);
            let plugged =
                self.plug(body, hearing.into_iter().rev().collect(), Direction::Response, response.headers());
            *response.body_mut() = plugged;
        }
        Ok(response)
    }

    /// No plugin can give an answer any more.
    pub(crate) fn answered(&self) {
        for joined in self.joined().iter() {
            self.on(joined, |stream| stream.is_answered = true);
        }
    }

    pub(super) fn proxy(&self) -> &Arc<Inner> {
        &self.proxy
    }

    /// Opens the stream on a plugin; `None`: it goes on without it.
    fn join(&self, extension: &Extension, facts: &Arc<Facts>) -> Result<Option<Joined>, Ending> {
        let Some(plugin) = self.proxy.wasm.of(extension) else { return Ok(None) };
        let fails_open = plugin.fails_open();
        let or_fail = |ending| if fails_open { Ok(None) } else { Err(ending) };
        let Some(loaded) = plugin.active.load_full() else { return or_fail(Ending::missing()) };
        let Some(running) = loaded.pick() else { return or_fail(Ending::broken()) };
        let wake = Arc::new(Notify::new());
        let stream = Stream::new(Arc::clone(facts), Arc::clone(&wake));
        match running.with(&self.proxy, |vm| vm.open(stream)) {
            Ok(context) => {
                let joined = Joined { running, context, wake, fails_open };
                self.joined().push(joined.clone());
                Ok(Some(joined))
            }
            Err(Broken) => or_fail(Ending::broken()),
        }
    }

    /// Tells a plugin of a head, and waits while it holds the stream.
    async fn with(
        &self,
        joined: &Joined,
        direction: Direction,
        fields: Fields,
        ends: bool,
    ) -> Result<Fields, Ending> {
        self.on(joined, |stream| stream.side(direction).headers = Some(fields));
        // What came of it is in the state of the stream.
        let _ = joined.running.with(&self.proxy, |vm| vm.headers(joined.context, direction, ends));
        let settled = async {
            loop {
                let woken = joined.wake.notified();
                let mut woken = std::pin::pin!(woken);
                woken.as_mut().enable();
                if let Some(settled) = self.settled(joined, direction) {
                    return settled;
                }
                woken.await;
            }
        };
        let patience = self.proxy.options.patience.request_body;
        let settled = if patience.is_zero() {
            settled.await
        } else {
            tokio::time::timeout(patience, settled).await.unwrap_or_else(|_| Err(Ending::idle()))
        };
        settled.map(|()| self.take(joined, direction))
    }

    /// What a plugin wants of a stream; `None`: it holds it.
    pub(super) fn settled(&self, joined: &Joined, direction: Direction) -> Option<Result<(), Ending>> {
        joined.running.with(&self.proxy, |vm| {
            let is_broken = vm.is_broken();
            let Some(stream) = vm.host().streams.get_mut(&joined.context) else { return Some(Ok(())) };
            if let Some(local) = stream.local.take() {
                stream.is_answered = true;
                return Some(Err(Ending::Reply(Box::new(local.reply()))));
            }
            if is_broken {
                return Some(if joined.fails_open { Ok(()) } else { Err(Ending::broken()) });
            }
            if stream.is_closed {
                return Some(Err(Ending::Close));
            }
            (!stream.side(direction).is_paused).then_some(Ok(()))
        })
    }

    /// Takes a head back. What the plugin is told of at the end stays.
    fn take(&self, joined: &Joined, direction: Direction) -> Fields {
        let taken = self.on(joined, |stream| {
            let side = stream.side(direction);
            let fields = side.headers.take();
            side.told.clone_from(&fields);
            fields
        });
        taken.flatten().unwrap_or_else(|| Fields::new(Whose::Other, Vec::new(), HeaderMap::new()))
    }

    fn on<T>(&self, joined: &Joined, work: impl FnOnce(&mut Stream) -> T) -> Option<T> {
        joined.running.with(&self.proxy, |vm| vm.host().streams.get_mut(&joined.context).map(work))
    }

    /// Those that want to hear of a body.
    fn hearing(&self, direction: Direction) -> Vec<Joined> {
        let joined = self.joined().clone();
        let hears = |joined: &Joined| {
            !joined.running.is_broken() && joined.running.with(&self.proxy, |vm| vm.hears_bodies(direction))
        };
        joined.into_iter().filter(hears).collect()
    }

    fn plug(
        self: &Arc<Self>,
        body: Body,
        hearing: Vec<Joined>,
        direction: Direction,
        lines: &HeaderMap,
    ) -> Body {
        let last = hearing.len().saturating_sub(1);
        let length = lines.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
        hearing.into_iter().enumerate().fold(body, |body, (at, joined)| {
            // The length that the head tells is that of what comes out at the end.
            let length = if at == last { length } else { None };
            Body::Plugged(Box::new(Plugged::new(body, Arc::clone(self), joined, direction, length)))
        })
    }

    fn joined(&self) -> MutexGuard<'_, Vec<Joined>> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        let joined = std::mem::take(self.joined.get_mut().unwrap_or_else(PoisonError::into_inner));
        for joined in joined.iter().rev() {
            joined.running.with(&self.proxy, |vm| {
                if let Some(stream) = vm.host().streams.get_mut(&joined.context) {
                    (stream.is_over, stream.is_answered) = (true, true);
                    for side in [&mut stream.request, &mut stream.response] {
                        (side.headers, side.body) = (side.told.take(), None);
                    }
                }
                vm.close(joined.context);
            });
        }
    }
}

impl Ending {
    /// No module was ever there for a plugin that must not be left out. Spec: Envoy, a filter without its configuration.
    fn missing() -> Self {
        Self::Reply(Box::new(Reply::without_plugin()))
    }

    /// Spec: Envoy's Wasm filter, where its virtual machine has failed.
    pub(super) fn broken() -> Self {
        Self::Reply(Box::new(Reply::new(503, "wasm_fail_stream")))
    }

    pub(super) fn idle() -> Self {
        Self::Reply(Box::new(Reply::of_failure(&Failure::ClientIdle, false)))
    }

    /// What a message must have was taken away. Spec: Envoy, HeaderUtility::checkRequiredRequestHeaders.
    fn removed(name: &str) -> Self {
        Self::Reply(Box::new(match name {
            ":path" => Reply::without_route(),
            name => Reply::without_header(name),
        }))
    }
}

/// The Wasm extensions of the connection's chain, in order.
fn extensions<'s>(
    connection: &Connection,
    standing: &'s Standing,
) -> impl Iterator<Item = &'s Extension> + use<'s> {
    let (direction, port) = (connection.arrival.direction, connection.facts.dst_port);
    let extensions = standing.generation.config.extensions.of_chain(direction, port, ChainKind::Http);
    extensions.filter(|it| matches!(it.code, ExtensionCode::Wasm(_)))
}

fn place(phase: Phase) -> Place {
    match phase {
        Phase::Authn => Place::Authn,
        Phase::Authz => Place::Authz,
        Phase::Stats | Phase::Unspecified => Place::Route,
    }
}

fn facts(connection: &Connection, request: &RequestFacts<'_>) -> Facts {
    let arrival = &connection.arrival;
    Facts {
        client: connection.client,
        destination: arrival.destination,
        direction: arrival.direction,
        protocol: head::protocol_of(request.version),
        server_name: connection.server_name().map(str::to_owned),
        peer: connection.peer().map(str::to_owned),
        has_certificate: connection.has_certificate(),
        began: SystemTime::now(),
        request: Asked {
            method: request.method.to_string(),
            scheme: request.scheme.to_string(),
            authority: request.authority.to_string(),
            path: request.path.to_string(),
            lines: lines(&request.headers),
        },
    }
}

fn of_request(request: &RequestFacts<'_>) -> Fields {
    let pseudo = vec![
        (":authority", request.authority.to_string()),
        (":path", request.path.to_string()),
        (":method", request.method.to_string()),
        (":scheme", request.scheme.to_string()),
    ];
    Fields::new(Whose::Request, pseudo, lines(&request.headers))
}

fn lines(headers: &Headers<'_>) -> HeaderMap {
    let line = |(name, value): &(Cow<'_, str>, Cow<'_, [u8]>)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value).ok()?))
    };
    let mut lines = HeaderMap::with_capacity(headers.entries.len());
    for (name, value) in headers.entries.iter().filter_map(line) {
        lines.append(name, value);
    }
    lines
}

fn into_request(before: &RequestFacts<'_>, fields: &Fields) -> RequestFacts<'static> {
    let text = |name: &str| Cow::Owned(fields.pseudo(name).unwrap_or_default().to_owned());
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        (Cow::Owned(name.as_str().to_owned()), Cow::Owned(value.as_bytes().to_vec()))
    };
    RequestFacts {
        version: before.version,
        method: text(":method"),
        scheme: text(":scheme"),
        authority: text(":authority"),
        path: text(":path"),
        headers: Headers { entries: fields.lines.iter().map(line).collect() },
    }
}
