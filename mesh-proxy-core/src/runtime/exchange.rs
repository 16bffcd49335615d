//! One request: decided, answered or sent on, and told of at its end.

mod asked;
mod left;
mod named;
#[cfg(feature = "wasm")]
mod plugins;

use std::sync::Arc;
use std::time::Instant;

use http::header::{HeaderValue, SERVER};
use http::request::Parts;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use mesh_authz::verdict::ExternalAuthz;
use mesh_compile::proxy::extensions::ChainKind;
use mesh_compile::proxy::listener::Network;
use mesh_compile::route_table::action::{Fault, HeaderOp, RouteAction};
use mesh_model::facts::RequestFacts;

use self::left::Untold;
use self::named::{record, tell_decision, url};
use super::answer_headers::server_name;
use super::body::{Body, Watched};
use super::connection::{Connection, Standing};
use super::cors_response::CorsHeaders;
use super::finish::{Finish, Held};
use super::forward::{self, Forwarding, Outcome};
use super::head::{self, Head, HeaderChanges};
use super::http_server::HttpConnection;
use super::http1_guard::Serving;
use super::peers::Came;
use super::recent::owned;
use super::replay::Replay;
use super::reply::Reply;
use super::request_headers::Replaced;
use super::traces::Traced;
use super::{header_ops, hop_by_hop, outward, request_headers, unrun};
use crate::canonical::canonicalize;
use crate::cluster::draw;
use crate::decision::{Action, LocalReply, ReplyReason};
use crate::http::{self as http_chain, Asked, Seen};
use crate::seam::dice::Throw;
use crate::telemetry::grpc_messages::MessageCounter;
use crate::telemetry::record::Record;

/// The connection is closed instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the configuration no longer takes this connection")]
pub(crate) struct Closed;

/// What is to be done with a request; owned, so that nothing of the decision is held while it is done.
enum Plan {
    Close,
    Reply(Box<Planned>),
    Forward(Box<Forwarding>),
    /// External authorizers are asked first.
    Ask(Vec<ExternalAuthz>, Box<RequestFacts<'static>>),
}

/// An answer of the proxy's own, and what goes before and with it.
#[derive(Default)]
struct Planned {
    reply: Reply,
    fault: Option<Fault>,
    cors: CorsHeaders,
    ops: Vec<HeaderOp>,
}

/// A request that is being served. One of these, on the heap, is most of what a request that waits takes: nothing of it is
/// in the futures that work on it.
pub(crate) struct Exchange {
    server: Arc<HttpConnection>,
    standing: Arc<Standing>,
    parts: Parts,
    body: Replay,
    record: Box<Record>,
    traced: Option<Traced>,
    upgrade: Option<(HeaderValue, OnUpgrade)>,
    plan: Plan,
    /// The number of the decision, where answers tell it.
    id: Option<u64>,
    is_grpc: bool,
    /// What the client told of itself.
    came: Came,
    started: Instant,
    /// `None`: the connection carries other requests as well.
    serving: Option<Serving>,
    /// `None`: no plugin stands in its chain.
    #[cfg(feature = "wasm")]
    road: Option<Arc<super::wasm::Road>>,
}

/// Decides about a request.
///
/// # Errors
/// The connection must be closed.
pub(crate) fn begin(
    server: Arc<HttpConnection>,
    mut request: Request<Incoming>,
    serving: Option<Serving>,
) -> Result<Box<Exchange>, Closed> {
    let started = Instant::now();
    let standing = server.standing().ok_or(Closed)?;
    let connection = &server.connection;
    let upgrade = hop_by_hop::upgrade(request.headers(), request.version())
        .map(|protocol| (protocol, hyper::upgrade::on(&mut request)));
    let (mut parts, body) = request.into_parts();
    let is_grpc = head::is_grpc(&parts.headers);
    let id = connection.proxy.options.name_decisions.then(|| connection.proxy.dice.roll());
    let body = Replay::new(body, parts.version, connection.proxy.options.limits.retry_bytes);
    if is_grpc {
        body.count_messages();
    }
    let (record, came) = self::record(connection, &standing, &mut parts);
    let plan = Plan::Close;
    let mut exchange = Box::new(Exchange {
        server,
        standing,
        parts,
        body,
        record,
        traced: None,
        upgrade,
        plan,
        id,
        is_grpc,
        came,
        started,
        serving,
        #[cfg(feature = "wasm")]
        road: None,
    });
    let lacks = |chain| unrun::stands_in(&exchange.server.connection, &exchange.standing, chain);
    if lacks(ChainKind::Network) {
        return Err(Closed);
    }
    if lacks(ChainKind::Http) {
        let reply = Reply::without_plugin();
        exchange.plan = Plan::Reply(Box::new(Planned { reply, ..Planned::default() }));
        return Ok(exchange);
    }
    #[cfg(feature = "wasm")]
    if exchange.has_plugins() {
        // They are asked first.
        return Ok(exchange);
    }
    exchange.decide(None, id);
    Ok(exchange)
}

/// Does what was decided.
///
/// # Errors
/// The connection must be closed.
pub(crate) async fn run(exchange: Box<Exchange>) -> Result<Response<Body>, Closed> {
    let mut untold = Untold(Some(exchange));
    let Some(exchange) = untold.0.as_deref_mut() else { return Err(Closed) };
    let mut consented = Vec::new();
    #[cfg(feature = "wasm")]
    if exchange.road.is_some() {
        consented = Box::pin(exchange.ask_plugins()).await;
    }
    if matches!(exchange.plan, Plan::Ask(..)) {
        // Its own stage: few requests have it.
        consented = Box::pin(exchange.ask()).await;
    }
    let mut held = Held {
        body: exchange.body.clone(),
        is_grpc: exchange.is_grpc,
        active: None,
        lent: None,
        _serving: exchange.serving.take(),
        #[cfg(feature = "wasm")]
        _road: exchange.road.clone(),
    };
    let mut deadline = None;
    #[cfg(feature = "wasm")]
    let exchange_road = exchange.road.clone();
    let mut response = match &mut exchange.plan {
        // Nobody is asked twice.
        Plan::Close | Plan::Ask(..) => {
            drop(untold.0.take());
            return Err(Closed);
        }
        Plan::Reply(planned) => {
            let planned = std::mem::take(planned);
            exchange.reply(planned).await
        }
        Plan::Forward(_) => {
            let outcome = {
                let Exchange { server, standing, body, record, plan, .. } = &mut *exchange;
                let Plan::Forward(forwarding) = plan else { return Err(Closed) };
                #[cfg(feature = "wasm")]
                let road = exchange_road.as_deref();
                let forwarding = forward::run(&server.connection, standing, forwarding, body, record);
                #[cfg(feature = "wasm")]
                let forwarding = plugins::unless_ended(road, forwarding);
                forwarding.await
            };
            let cors = match std::mem::replace(&mut exchange.plan, Plan::Close) {
                Plan::Forward(forwarding) => forwarding.cors,
                _ => CorsHeaders::default(),
            };
            match outcome {
                Outcome::Reply(made, ops) => {
                    exchange.finish_reply(Planned { reply: made, cors, ops, fault: None })
                }
                #[cfg(feature = "wasm")]
                Outcome::Close => {
                    drop(untold.0.take());
                    return Err(Closed);
                }
                Outcome::Answer(answer) => {
                    held.active = Some(answer.active);
                    held.lent = answer.lent;
                    deadline = answer.deadline;
                    let mut response = answer.response;
                    header_ops::apply(response.headers_mut(), &answer.ops, |value| {
                        exchange.standing.generation.formats.value(value, &exchange.record)
                    });
                    cors.apply(response.headers_mut());
                    response
                }
            }
        }
    };
    consented.iter().for_each(|change| change.apply(response.headers_mut()));
    #[cfg(feature = "wasm")]
    if let Some(road) = exchange_road {
        let answering = exchange.answer_plugins(&road, response, &mut held);
        let Some(answer) = Box::pin(answering).await else {
            drop(untold.0.take());
            return Err(Closed);
        };
        response = answer;
    }
    let Some(exchange) = untold.0.take() else { return Err(Closed) };
    Ok(finish(*exchange, response, held, deadline))
}

impl Exchange {
    /// Asks the evaluator what is to be done; `id`: under which the question is kept.
    fn decide(&mut self, asked: Option<Asked<'_>>, id: Option<u64>) {
        let Self { server, standing, parts, record, traced, .. } = self;
        let connection = &server.connection;
        let (plan, changes) = plan(connection, standing, parts, asked, id, record, traced);
        self.plan = plan;
        let Plan::Forward(forwarding) = &mut self.plan else { return };
        let Some(changes) = changes else { return };
        forwarding.head.headers = changes.apply(std::mem::take(&mut parts.headers));
        forwarding.upgrade = self.upgrade.take();
        if let Some(reply) = outward::prepare(connection, standing, forwarding, record, traced) {
            let cors = std::mem::take(&mut forwarding.cors);
            self.plan = Plan::Reply(Box::new(Planned { reply, cors, ..Planned::default() }));
        }
    }

    /// Waits and aborts as the fault has it, then answers.
    async fn reply(&mut self, mut planned: Box<Planned>) -> Response<Body> {
        let fault = planned.fault.take();
        let drawn = fault.map(|fault| draw::fault(&fault, &mut Throw(&*self.server.connection.proxy.dice)));
        if let Some(drawn) = drawn {
            forward::delay(drawn.delay_ms, &mut self.record).await;
            if planned.reply.details != "fault_filter_abort"
                && let Some(abort) = drawn.abort
            {
                *planned = Planned { reply: Reply::of_abort(abort), ..Planned::default() };
            }
        }
        self.finish_reply(*planned)
    }

    fn finish_reply(&mut self, planned: Planned) -> Response<Body> {
        let Planned { reply, cors, ops, fault: _ } = planned;
        let record = &mut self.record;
        if record.flags.is_empty() {
            record.flags = reply.flags.to_owned();
        } else if !reply.flags.is_empty() && reply.flags != "-" {
            record.flags = format!("{},{}", record.flags, reply.flags);
        }
        record.details.clone_from(&reply.details);
        let is_redirect_or_given = matches!(&*record.details, "direct_response" | "cors_response");
        let has_own_status = reply.headers.contains_key("grpc-status");
        let mut response = reply.response(self.is_grpc && !is_redirect_or_given && !has_own_status);
        let formats = &self.standing.generation.formats;
        header_ops::apply(response.headers_mut(), &ops, |value| formats.value(value, &self.record));
        cors.apply(response.headers_mut());
        response
    }
}

/// Asks the evaluator; everything until here is borrowed from the request. With a plan to forward comes what becomes of
/// the codec's header lines.
fn plan(
    connection: &Connection,
    standing: &Standing,
    parts: &Parts,
    asked: Option<Asked<'_>>,
    id: Option<u64>,
    record: &mut Record,
    traced: &mut Option<Traced>,
) -> (Plan, Option<HeaderChanges>) {
    let close = (Plan::Close, None);
    let Some(chain) = standing.chain() else { return close };
    let Network::Http(manager) = &chain.network else { return close };
    let facts = match head::facts(parts, connection.is_terminated()) {
        Ok(facts) => facts,
        Err(malformed) => {
            let reply = Reply::malformed(malformed.0);
            return (Plan::Reply(Box::new(Planned { reply, ..Planned::default() })), None);
        }
    };
    let now = connection.proxy.clock.unix_seconds();
    let element = connection.certificate_element(&manager.headers);
    if let Some(id) = id {
        let direction = connection.arrival.direction;
        connection.proxy.recent.keep(id, direction, &connection.facts, &facts, element.clone(), now);
    }
    let config = &standing.generation.config;
    let connected = connection.connected(config, Some(&facts), element.as_ref(), now);
    let mut seen = Seen::default();
    let decision = match asked {
        None => http_chain::serve(&connected, manager, &mut seen, &mut ()),
        Some(asked) => http_chain::resume(&connected, manager, asked, &mut seen, &mut ()),
    };
    record.route = seen.route.map(|route| Arc::clone(&route.name));
    let action = seen.route.map(|route| &route.action);
    let forward_action = action.and_then(|action| match action {
        RouteAction::Forward(forward) => Some(forward),
        _ => None,
    });
    let cors_policy = forward_action.and_then(|forward| forward.cors.as_deref());
    let mut cors = match (cors_policy, &seen.request) {
        (Some(policy), Some(canonical)) => CorsHeaders::of(policy, &canonical.request),
        _ => CorsHeaders::default(),
    };
    let head = seen.request.as_ref().map(|canonical| Head::of(canonical, parts));
    let changes = || {
        let canonical = seen.request.as_ref()?;
        Some(HeaderChanges::of(&canonical.request.headers, &parts.headers, element.as_ref()))
    };
    if let (Some(request), Some(head)) = (&mut record.request, &head) {
        request.path.clone_from(&head.path);
        request.authority.clone_from(&head.authority);
        request.scheme = head.scheme.as_str().to_owned();
    }
    if decision.external_authz.iter().any(|authz| !authz.dry_run) {
        let asks = canonicalize(manager, connected.connection, connected.terminated, &facts);
        return match asks {
            Ok(canonical) => (Plan::Ask(decision.external_authz, Box::new(owned(&canonical.request))), None),
            Err(_) => close,
        };
    }
    let (clock, mut dice) = (&*connection.proxy.clock, Throw(&*connection.proxy.dice));
    let decision = connection.proxy.rate_limits.limited(manager, &seen, decision, clock, &mut dice);
    match decision.action {
        Action::Refuse(_) => close,
        Action::LocalReply(reply) => {
            let is_of_token = reply.reason == ReplyReason::Jwt;
            if let (true, Some(authn), Some(canonical)) = (is_of_token, &manager.authn, &seen.request) {
                connection.proxy.keys.unknown_key(authn.unknown_keys(&canonical.request).into_iter());
            }
            if let (ReplyReason::CorsPreflight, Some(answer)) = (reply.reason, &reply.cors) {
                let credentials = cors_policy.is_some_and(|policy| policy.allow_credentials == Some(true));
                cors = CorsHeaders::of_preflight(answer, credentials);
            }
            if let (Some(request), Some(changes)) = (&mut record.request, changes()) {
                request.headers = changes.apply(parts.headers.clone());
                if manager.headers.request_id {
                    request_headers::identify(&mut request.headers, connection, manager.use_remote_address);
                }
                *traced = outward::trace(connection, standing, &mut request.headers);
            }
            let url = url(record);
            let LocalReply { fault, response_headers, .. } = &*reply;
            let planned = Planned {
                fault: fault.clone().filter(|_| reply.reason != ReplyReason::Fault || has_delay(fault)),
                ops: response_headers.clone(),
                cors,
                reply: Reply::of_decision(&reply, decision.policy.as_deref(), &url),
            };
            (Plan::Reply(Box::new(planned)), None)
        }
        Action::Forward(forward) => {
            let (Some(mut head), Some(changes)) = (head, changes()) else { return close };
            let original_path = std::mem::take(&mut head.path);
            let no_cluster_status = forward_action.map_or(503, |forward| forward.no_cluster_status);
            let forwarding = Forwarding {
                head,
                original_path,
                forward: *forward,
                no_cluster_status,
                is_edge: manager.use_remote_address,
                headers: Arc::clone(&manager.headers),
                replaced: forward_action
                    .map(|forward| Replaced::of(forward, &manager.headers))
                    .unwrap_or_default(),
                cors,
                upgrade: None,
            };
            (Plan::Forward(Box::new(forwarding)), Some(changes))
        }
    }
}

fn has_delay(fault: &Option<Fault>) -> bool {
    fault.as_ref().is_some_and(|fault| fault.delay.is_some())
}

/// Names the server and the decision, and watches the body to its end.
fn finish(
    exchange: Exchange,
    mut response: Response<Body>,
    held: Held,
    deadline: Option<tokio::time::Instant>,
) -> Response<Body> {
    let Exchange { server, standing, parts, mut record, traced, id, came, started, .. } = exchange;
    let connection = &server.connection;
    if let Some(id) = id {
        tell_decision(connection, id, &record, &mut response);
    }
    if let Some(name) = server_name(connection, &standing) {
        response.headers_mut().insert(SERVER, name);
    }
    connection.proxy.peers.answer(&came, response.headers_mut());
    let status = response.status();
    for filter in &connection.proxy.filters {
        filter.response(status, response.headers_mut());
    }
    record.status = status.as_u16();
    record.times.answering = Some(Instant::now());
    record.trace = traced.as_ref().and_then(Traced::context);
    record.response_headers = response.headers().clone();
    if let Some(request) = &mut record.request
        && request.headers.is_empty()
    {
        request.headers = parts.headers;
    }
    let messages = held.is_grpc.then(MessageCounter::default);
    let finish = Finish { connection: Arc::clone(connection), held, record, started, messages, traced };
    let body = std::mem::replace(response.body_mut(), Body::Empty);
    let deadline = deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline)));
    *response.body_mut() = Body::Watched(Box::new(Watched::new(body, Box::new(finish), deadline)));
    response
}
