//! `LoadBalancerSettings` (T-229, T-246, T-247, T-250).

use std::collections::BTreeSet;

use super::locality::{self, Ejection};
use super::{Checker, Path, Problem, short, value};
use crate::diagnostic::Code;
use crate::part::{ConsistentHashLb, HttpCookie, LoadBalancerSettings, WarmupConfiguration};

/// Sizes of Maglev tables are below this.
const MAGLEV_LIMIT: u64 = 5_000_011;

/// How an endpoint is chosen.
pub(crate) fn load_balancer(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    balancer: &LoadBalancerSettings,
    ejection: Ejection,
) {
    found.at_most_one(
        at,
        &[
            ("simple", balancer.simple.is_some()),
            ("consistentHash", balancer.consistent_hash.is_some()),
            ("backendUtilization", balancer.backend_utilization.is_some()),
        ],
    );
    if let Some(hash) = &balancer.consistent_hash {
        consistent_hash(found, &at.field("consistentHash"), hash);
    }
    found.at_most_one(
        at,
        &[
            ("localityLbSetting", balancer.locality_lb_setting.is_some()),
            ("zoneAwareLbSetting", balancer.zone_aware_lb_setting.is_some()),
        ],
    );
    if let Some(setting) = &balancer.locality_lb_setting {
        locality::locality(found, &at.field("localityLbSetting"), setting, ejection);
    }
    if let Some(setting) = &balancer.zone_aware_lb_setting {
        locality::zone_aware(found, &at.field("zoneAwareLbSetting"), setting, ejection);
    }
    if let Some(duration) = balancer.warmup_duration_secs {
        found.check(&at.field("warmupDurationSecs"), value::duration(duration));
    }
    if let Some(warmup) = &balancer.warmup {
        warm_up(found, &at.field("warmup"), warmup);
    }
}

fn consistent_hash(found: &mut Checker<'_>, at: &Path<'_>, hash: &ConsistentHashLb) {
    found.at_most_one(
        at,
        &[
            ("httpHeaderName", hash.http_header_name.is_some()),
            ("httpCookie", hash.http_cookie.is_some()),
            ("useSourceIp", hash.use_source_ip.is_some()),
            ("httpQueryParameterName", hash.http_query_parameter_name.is_some()),
        ],
    );
    found.at_most_one(at, &[("ringHash", hash.ring_hash.is_some()), ("maglev", hash.maglev.is_some())]);
    if let Some(cookie) = &hash.http_cookie {
        http_cookie(found, &at.field("httpCookie"), cookie);
    }
    if hash.minimum_ring_size != 0 {
        let at = at.field("minimumRingSize");
        let problem = Problem::new(Code::Deprecated, "`minimumRingSize` is deprecated here");
        found.find(&at, problem.help("use `ringHash.minimumRingSize`"));
        found.require(hash.ring_hash.is_none() && hash.maglev.is_none(), &at, || {
            Problem::conflict("`minimumRingSize` excludes `ringHash` and `maglev`")
                .help("remove `minimumRingSize`: `ringHash` has a field of the same name")
        });
    }
    if let Some(maglev) = &hash.maglev {
        let size = maglev.table_size;
        found.require(size < MAGLEV_LIMIT && is_prime(size), &at.field("maglev").field("tableSize"), || {
            Problem::invalid(format!("table size `{size}` is not a prime below {MAGLEV_LIMIT}"))
                .help("for example 65537")
        });
    }
}

fn http_cookie(found: &mut Checker<'_>, at: &Path<'_>, cookie: &HttpCookie) {
    found.require(!cookie.name.is_empty(), at, || {
        Problem::missing("a cookie needs a `name`").help("add `name`")
    });
    let mut names = BTreeSet::new();
    let at = at.field("attributes");
    for (index, attribute) in cookie.attributes.iter().enumerate() {
        let at = at.index(index);
        found.require(!attribute.name.is_empty(), &at, || {
            Problem::missing("a cookie attribute needs a `name`").help("add `name`")
        });
        found.require(attribute.name.is_empty() || names.insert(&attribute.name), &at.field("name"), || {
            Problem::conflict(format!("attribute `{}` is listed twice", short(&attribute.name)))
                .help("keep one of the two")
        });
    }
}

fn warm_up(found: &mut Checker<'_>, at: &Path<'_>, warmup: &WarmupConfiguration) {
    match warmup.duration {
        Some(duration) => found.check(&at.field("duration"), value::duration(duration)),
        None => found
            .find(at, Problem::missing("`duration` is required").help("add `duration`, for example `30s`")),
    }
    if let Some(percent) = warmup.minimum_percent {
        found.check(&at.field("minimumPercent"), value::share(percent));
    }
    if let Some(aggression) = warmup.aggression {
        found.require(aggression > 0.0, &at.field("aggression"), || {
            Problem::invalid(format!("`{aggression}` is not greater than 0"))
                .help("write a number above 0; `1.0` is the default")
        });
    }
}

/// Trial division; called for numbers below [`MAGLEV_LIMIT`] only.
fn is_prime(number: u64) -> bool {
    number >= 2
        && (2..number)
            .take_while(|factor| factor * factor <= number)
            .all(|factor| !number.is_multiple_of(factor))
}
