//! `TrafficPolicy` (T-229).

use super::connection_pool::{connection_pool, outlier_detection};
use super::load_balancer::load_balancer;
use super::locality::Ejection;
use super::{Checker, Hearing, Path, Problem, host, port, short, tls, value};
use crate::part::{
    ClientTlsSettings, ConnectionPoolSettings, LoadBalancerSettings, OutlierDetection, TrafficPolicy,
    TunnelSettings,
};

/// The policy of a service or subset.
pub(crate) fn traffic_policy(found: &mut Checker<'_>, at: &Path<'_>, policy: &TrafficPolicy) {
    let TrafficPolicy {
        load_balancer,
        connection_pool,
        outlier_detection,
        tls,
        port_level_settings,
        tunnel,
        proxy_protocol,
        retry_budget,
    } = policy;
    let blocks = Blocks { load_balancer, connection_pool, outlier_detection, tls };
    let others = !port_level_settings.is_empty()
        || tunnel.is_some()
        || proxy_protocol.is_some()
        || retry_budget.is_some();
    found.require(others || !blocks.are_empty(), at, || {
        Problem::missing("a traffic policy needs at least one field").help("remove the empty `trafficPolicy`")
    });
    found.at_most_one(at, &[("tunnel", tunnel.is_some()), ("proxyProtocol", proxy_protocol.is_some())]);
    blocks.check(found, at);
    let ports = at.field("portLevelSettings");
    found.at_most(&ports, port_level_settings.len(), 4096);
    for (index, settings) in port_level_settings.iter().enumerate() {
        let at = ports.index(index);
        let blocks = Blocks {
            load_balancer: &settings.load_balancer,
            connection_pool: &settings.connection_pool,
            outlier_detection: &settings.outlier_detection,
            tls: &settings.tls,
        };
        found.require(settings.port.is_some(), &at, || {
            Problem::missing("`port` is required").help("add `port: {number: ..}`")
        });
        found.require(!blocks.are_empty(), &at, || {
            Problem::missing("a port's policy needs at least one field")
                .help("write a policy for the port, or remove the entry")
        });
        found.hearing(Hearing::Errors, |found| blocks.check(found, &at));
    }
    if let Some(tunnel) = tunnel {
        tunnel_settings(found, &at.field("tunnel"), tunnel);
    }
    if let Some(percent) = retry_budget.as_ref().and_then(|budget| budget.percent) {
        found.check(&at.field("retryBudget").field("percent"), value::share(percent));
    }
}

/// The blocks that ports can have too.
struct Blocks<'p> {
    load_balancer: &'p Option<Box<LoadBalancerSettings>>,
    connection_pool: &'p Option<Box<ConnectionPoolSettings>>,
    outlier_detection: &'p Option<Box<OutlierDetection>>,
    tls: &'p Option<Box<ClientTlsSettings>>,
}

impl Blocks<'_> {
    fn are_empty(&self) -> bool {
        self.load_balancer.is_none()
            && self.connection_pool.is_none()
            && self.outlier_detection.is_none()
            && self.tls.is_none()
    }

    fn check(&self, found: &mut Checker<'_>, at: &Path<'_>) {
        if let Some(outlier) = self.outlier_detection {
            outlier_detection(found, &at.field("outlierDetection"), outlier, Hearing::All);
        }
        if let Some(pool) = self.connection_pool {
            connection_pool(found, &at.field("connectionPool"), pool, Hearing::All);
        }
        if let Some(balancer) = self.load_balancer {
            let ejection =
                if self.outlier_detection.is_some() { Ejection::Configured } else { Ejection::Absent };
            load_balancer(found, &at.field("loadBalancer"), balancer, ejection);
        }
        if let Some(settings) = self.tls {
            tls::client(found, &at.field("tls"), settings);
        }
    }
}

fn tunnel_settings(found: &mut Checker<'_>, at: &Path<'_>, tunnel: &TunnelSettings) {
    found.require(["", "CONNECT", "POST"].contains(&tunnel.protocol.as_str()), &at.field("protocol"), || {
        Problem::invalid(format!("`{}` is neither `CONNECT` nor `POST`", short(&tunnel.protocol)))
            .help("use `CONNECT` or `POST`")
    });
    if !host::is_address(&tunnel.target_host) {
        found.check(&at.field("targetHost"), host::fqdn(&tunnel.target_host));
    }
    found.check(&at.field("targetPort"), port::number(tunnel.target_port));
}
