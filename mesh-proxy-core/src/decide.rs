//! The one evaluator: a compiled configuration and the facts of one connection or request give the decision.
//! Ours: production, tests and `explain` ask one function.
//!
//! Stages in Envoy's order: listener, filter chain, transport, then what the chain runs (`http` or `tcp`).

use mesh_compile::proxy::ProxyConfig;
use mesh_compile::proxy::listener::Network;
use mesh_model::trace::{Observer, Outcome, Step, Trace};

use crate::canonical::Terminated;
use crate::decision::{Decision, RefuseReason};
use crate::filter_chain_match::Inspected;
use crate::query::{Connected, Query};
use crate::transport::Accepted;
use crate::{filter_chain_match, http, listener_match, tcp, transport};

/// What the proxy does. Always has an answer; the observer hears of every candidate and changes nothing.
pub fn decide<O: Observer>(config: &ProxyConfig, query: &Query<'_>, observer: &mut O) -> Decision {
    decide_shown(config, query, Terminated::Named, observer)
}

/// The same; `shown`: what is known of a client that has shown a certificate.
fn decide_shown<O: Observer>(
    config: &ProxyConfig,
    query: &Query<'_>,
    shown: Terminated<'_>,
    observer: &mut O,
) -> Decision {
    let connection = &query.connection;
    let Some(listener) = listener_match::find(config, query.direction, connection, observer) else {
        return RefuseReason::NoListener.into();
    };
    let inspected = Inspected::new(listener, connection, query.request.as_ref());
    let Some(chain) = filter_chain_match::find(listener, &inspected, observer) else {
        return RefuseReason::NoFilterChain.into();
    };
    let accepted = match transport::accept(chain, connection, observer) {
        Ok(accepted) => accepted,
        Err(reason) => return reason.into(),
    };
    let connected = Connected {
        config,
        connection,
        request: query.request.as_ref(),
        now: query.now,
        server_name: Some(&*inspected.server_name).filter(|name| !name.is_empty()),
        accepted,
        terminated: match accepted {
            Accepted { terminated: false, .. } => Terminated::No,
            Accepted { peer: None, .. } => Terminated::Anonymous,
            Accepted { peer: Some(_), .. } => shown,
        },
    };
    match &chain.network {
        Network::Http(manager) => http::serve(&connected, manager, &mut http::Seen::default(), observer),
        Network::Tcp(proxy) => tcp::serve(&connected, proxy, observer),
    }
}

/// The decision with all its steps: [`decide`] with a [`Trace`], nothing else. `why` lists the steps that won.
pub fn explain(config: &ProxyConfig, query: &Query<'_>) -> (Decision, Trace) {
    explain_shown(config, query, Terminated::Named)
}

/// The same; `shown`: what is known of a client that has shown a certificate.
pub(crate) fn explain_shown(
    config: &ProxyConfig,
    query: &Query<'_>,
    shown: Terminated<'_>,
) -> (Decision, Trace) {
    let mut trace = Trace::default();
    let mut decision = decide_shown(config, query, shown, &mut trace);
    decision.why = trace.steps.iter().filter(|step| step.outcome == Outcome::Won).map(describe).collect();
    (decision, trace)
}

fn describe(step: &Step<'_>) -> String {
    match &step.origin {
        Some(origin) => format!("{} ({origin})", step.rule),
        None => step.rule.to_string(),
    }
}

#[cfg(test)]
mod tests;
