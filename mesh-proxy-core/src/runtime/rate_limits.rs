//! The buckets of local rate limits, and who finds one empty.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use foldhash::HashMap;
use mesh_compile::proxy::listener::HttpManager;
use mesh_compile::route_table::action::{LocalRateLimit, RouteAction};

use crate::decision::{Action, Decision, LocalReply, ReplyReason};
use crate::dice::Dice;
use crate::http::Seen;
use crate::rate_limit::{Rate, TokenBucket, answers};
use crate::seam::clock::Clock;

/// A bucket for each limit of the configuration that a request has met. A limit that a reload leaves as it is keeps its
/// bucket; one that is written anew has a full one, as in Envoy.
#[derive(Debug, Default)]
pub(crate) struct RateLimits(Mutex<HashMap<usize, Bucket>>);

/// The limit is not held: it goes with its configuration. Its address is not used again as long as this is there.
#[derive(Debug)]
struct Bucket {
    limit: Weak<LocalRateLimit>,
    tokens: TokenBucket,
}

impl RateLimits {
    /// What was decided, or the answer of the first limit that the request meets and that has no token for it. Limits
    /// stand before the router: they count what it answers itself, too.
    pub(crate) fn limited(
        &self,
        manager: &HttpManager,
        seen: &Seen<'_>,
        decision: Decision,
        clock: &dyn Clock,
        dice: &mut dyn Dice,
    ) -> Decision {
        let Some(filters) = &manager.filters else { return decision };
        if !comes_from_router(&decision.action) {
            return decision;
        }
        let own = seen.route.and_then(|route| match &route.action {
            RouteAction::Forward(forward) => forward.rate_limit.as_ref(),
            RouteAction::Redirect(_) | RouteAction::Respond(_) => None,
        });
        match filters.rate_limits(own).find(|limit| answers(limit, || self.take(limit, clock.now_ms()), dice))
        {
            Some(limit) => LocalReply {
                response_headers: limit.response_headers.ops.to_vec(),
                ..LocalReply::new(ReplyReason::RateLimit, limit.status).with_body("local_rate_limited")
            }
            .into(),
            None => decision,
        }
    }

    fn take(&self, limit: &Arc<LocalRateLimit>, now_ms: u64) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Arc::as_ptr(limit).addr();
        if !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| bucket.limit.strong_count() > 0);
        }
        let made = || Bucket {
            limit: Arc::downgrade(limit),
            tokens: TokenBucket::full(Rate::from(&**limit), now_ms),
        };
        buckets.entry(key).or_insert_with(made).tokens.take(now_ms)
    }
}

/// Whether the filters before the router have let the request pass.
fn comes_from_router(action: &Action) -> bool {
    match action {
        Action::Forward(_) => true,
        Action::Refuse(_) => false,
        Action::LocalReply(reply) => matches!(
            reply.reason,
            ReplyReason::Redirect
                | ReplyReason::HttpsRedirect
                | ReplyReason::DirectResponse
                | ReplyReason::NoRoute
                | ReplyReason::NoVirtualHost
                | ReplyReason::NoCluster
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate_limit;

    fn limit(max_tokens: u32) -> Arc<LocalRateLimit> {
        Arc::new(rate_limit::tests::limit(max_tokens, 1, 1_000))
    }

    #[test]
    fn each_limit_has_a_bucket_and_loses_it_with_its_configuration() {
        let (limits, one, other) = (RateLimits::default(), limit(1), limit(1));
        assert!(limits.take(&one, 0) && !limits.take(&one, 0));
        assert!(limits.take(&other, 0), "equal, and not the same");
        for _ in 0..1_000 {
            assert!(limits.take(&limit(1), 0), "a new one is full");
        }
        assert!(limits.0.lock().unwrap().len() <= 4, "those whose configuration is gone are forgotten");
        assert!(!limits.take(&one, 999) && limits.take(&one, 1_000));
    }
}
