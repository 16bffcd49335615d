//! External authorizers, asked in the middle of a request.

use super::{Exchange, Plan, Planned};
use crate::http::Asked;
use crate::runtime::ext_authz;
use crate::seam::authorizer::HeaderChange;

impl Exchange {
    /// Asks external authorizers, and then what is to be done; what they change in the answer.
    pub(super) async fn ask(&mut self) -> Vec<HeaderChange> {
        let Plan::Ask(asked, request) = std::mem::replace(&mut self.plan, Plan::Close) else {
            return Vec::new();
        };
        let connection = &self.server.connection;
        let generation = &self.standing.generation;
        match ext_authz::ask_about_request(connection, generation, &asked, *request, &self.body).await {
            Ok(consent) => {
                self.decide(
                    Some(Asked {
                        changes: &consent.changes,
                        reroute: consent.reroute,
                        #[cfg(feature = "wasm")]
                        rewritten: None,
                    }),
                    None,
                );
                consent.response
            }
            Err(reply) => {
                self.plan = Plan::Reply(Box::new(Planned { reply, ..Planned::default() }));
                Vec::new()
            }
        }
    }
}
