//! A request whose chain has Wasm plugins: asked at each place where they stand, and again about the answer.

use std::sync::Arc;

use http::Response;
use mesh_compile::proxy::listener::Network;
use mesh_model::facts::RequestFacts;

use super::{Exchange, Plan, Planned};
use crate::http::{Asked, Place, Rewritten, until};
use crate::runtime::body::Body;
use crate::runtime::ext_authz;
use crate::runtime::finish::Held;
use crate::runtime::forward::Outcome;
use crate::runtime::head;
use crate::runtime::recent::owned;
use crate::runtime::wasm::{Ending, Road};
use crate::seam::authorizer::HeaderChange;

use mesh_authz::request_authn::RequestChange;
use mesh_authz::verdict::ExternalAuthz;

/// What came before a place in the chain.
#[derive(Default)]
struct Before {
    is_asked: bool,
    changes: Vec<RequestChange>,
    reroute: bool,
    rewritten: Rewritten,
}

impl Before {
    fn asked(&self) -> Option<Asked<'_>> {
        let Self { is_asked, changes, reroute, rewritten } = self;
        is_asked.then_some(Asked { changes, reroute: *reroute, rewritten: Some(rewritten) })
    }
}

impl Exchange {
    /// Looks for plugins in the request's chain.
    pub(super) fn has_plugins(&mut self) -> bool {
        self.road = Road::of(&self.server.connection, &self.standing);
        self.road.is_some()
    }

    /// Asks external authorizers and the plugins of each stage, then the evaluator; what authorizers change in the
    /// answer.
    pub(super) async fn ask_plugins(&mut self) -> Vec<HeaderChange> {
        let Some(road) = self.road.clone() else { return Vec::new() };
        let mut consented = Vec::new();
        match self.before_plan(&road, &mut consented).await {
            Ok(before) => {
                let id = self.id;
                self.decide(before.asked(), id);
                self.plug_body(&road);
            }
            Err(plan) => self.plan = plan,
        }
        consented
    }

    async fn before_plan(&mut self, road: &Road, consented: &mut Vec<HeaderChange>) -> Result<Before, Plan> {
        let mut before = Before::default();
        let Some((request, asked)) = self.until(&before, Place::Authn) else { return Ok(before) };
        let connection = &self.server.connection;
        before.is_asked = true;
        if asked.iter().any(|authz| !authz.dry_run) {
            let generation = &self.standing.generation;
            let asking = ext_authz::ask_about_request(connection, generation, &asked, request, &self.body);
            match asking.await {
                Ok(consent) => {
                    (before.changes, before.reroute) = (consent.changes, consent.reroute);
                    *consented = consent.response;
                }
                Err(reply) => return Err(plan(Ending::Reply(Box::new(reply)))),
            }
        }
        for place in [Place::Authn, Place::Authz, Place::Route] {
            let Some((request, _)) = self.until(&before, place) else { return Ok(before) };
            let ends = self.body.has_ended();
            let connection = &self.server.connection;
            let rewritten = road
                .request(connection, &self.standing, place, request, ends)
                .await
                .map_err(plan)?
                .map(Arc::new);
            match place {
                Place::Authn => before.rewritten.authn = rewritten,
                Place::Authz => before.rewritten.authz = rewritten,
                Place::Route => before.rewritten.route = rewritten,
            }
        }
        Ok(before)
    }

    /// The request as it stands where plugins do; `None`: it is answered before that.
    fn until(&self, before: &Before, place: Place) -> Option<(RequestFacts<'static>, Vec<ExternalAuthz>)> {
        let connection = &self.server.connection;
        let Network::Http(manager) = &self.standing.chain()?.network else { return None };
        let facts = head::facts(&self.parts, connection.is_terminated()).ok()?;
        let now = connection.proxy.clock.unix_seconds();
        let element = connection.certificate_element(&manager.headers);
        let config = &self.standing.generation.config;
        let connected = connection.connected(config, Some(&facts), element.as_ref(), now);
        let (canonical, asked) = until(&connected, manager, before.asked(), place)?;
        Some((owned(&canonical.request), asked))
    }

    /// Lets the plugins see the body on its way.
    fn plug_body(&mut self, road: &Arc<Road>) {
        let Plan::Forward(forwarding) = &self.plan else { return };
        if forwarding.upgrade.is_some() {
            return;
        }
        let kept_max = self.server.connection.proxy.options.limits.retry_bytes;
        if let Some(body) = road.request_body(&self.body, &forwarding.head.headers, kept_max) {
            self.body = body;
            if self.is_grpc {
                self.body.count_messages();
            }
        }
    }

    /// Shows the answer to the plugins; `None`: the connection is closed instead.
    pub(super) async fn answer_plugins(
        &mut self,
        road: &Arc<Road>,
        response: Response<Body>,
        held: &mut Held,
    ) -> Option<Response<Body>> {
        match road.response(response).await {
            Ok(response) => Some(response),
            Err(Ending::Close) => None,
            Err(Ending::Reply(reply)) => {
                // What was to come of the first answer is not read any more.
                (held.active, held.lent) = (None, None);
                road.answered();
                Some(self.finish_reply(Planned { reply: *reply, ..Planned::default() }))
            }
        }
    }
}

/// The outcome of sending a request on, unless a plugin ends it while its body passes.
pub(super) async fn unless_ended(road: Option<&Road>, sending: impl Future<Output = Outcome>) -> Outcome {
    let Some(road) = road else { return sending.await };
    let ending = tokio::select! {
        biased;
        ending = road.ending() => ending,
        outcome = sending => match road.take_ending() {
            Some(ending) => ending,
            None => return outcome,
        },
    };
    match ending {
        Ending::Reply(reply) => Outcome::Reply(*reply, Vec::new()),
        Ending::Close => Outcome::Close,
    }
}

fn plan(ending: Ending) -> Plan {
    match ending {
        Ending::Reply(reply) => Plan::Reply(Box::new(Planned { reply: *reply, ..Planned::default() })),
        Ending::Close => Plan::Close,
    }
}
