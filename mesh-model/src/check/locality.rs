//! Preference for near endpoints (T-258, T-260).

use std::collections::{BTreeMap, BTreeSet};

use super::{Checked, Checker, Path, Problem, short};
use crate::part::{LocalityLoadBalancerSetting, ZoneAwareLoadBalancerSetting};

/// Labels that `failover` and the zone-aware balancer stand for already.
const TOPOLOGY: [&str; 3] =
    ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"];

/// Whether endpoints are ejected, without which failover never starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ejection {
    /// `outlierDetection` is written, or not known here.
    Configured,
    /// It is not written.
    Absent,
}

/// `localityLbSetting`.
pub(crate) fn locality(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    setting: &LocalityLoadBalancerSetting,
    ejection: Ejection,
) {
    if !setting.distribute.is_empty() && !setting.failover.is_empty() {
        let problem = Problem::conflict("`distribute` and `failover` exclude each other");
        found.find(&at.field("failover"), problem.help("remove one of the two"));
    }
    if !setting.failover.is_empty() {
        topology_labels(found, at, &setting.failover_priority, "beside `failover`");
    }
    distribute(found, at, setting);
    let regions = setting.failover.iter().map(|failover| (failover.from.as_str(), failover.to.as_str()));
    failover(found, at, regions, !setting.failover_priority.is_empty(), ejection);
}

/// `zoneAwareLbSetting`.
pub(crate) fn zone_aware(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    setting: &ZoneAwareLoadBalancerSetting,
    ejection: Ejection,
) {
    topology_labels(found, at, &setting.failover_priority, "with zone-aware balancing");
    if let Some(size) = setting.min_cluster_size {
        found.require((1..=u64::from(u32::MAX)).contains(&size), &at.field("minClusterSize"), || {
            Problem::invalid(format!("`{size}` is not in 1 to {}", u32::MAX))
                .help("write a weight of at least 1")
        });
    }
    let regions = setting.failover.iter().map(|failover| (failover.from.as_str(), failover.to.as_str()));
    failover(found, at, regions, !setting.failover_priority.is_empty(), ejection);
}

fn topology_labels(found: &mut Checker<'_>, at: &Path<'_>, labels: &[String], place: &str) {
    let at = at.field("failoverPriority");
    for (index, label) in labels.iter().enumerate() {
        found.require(!TOPOLOGY.contains(&label.as_str()), &at.index(index), || {
            Problem::conflict(format!("topology label `{label}` cannot be listed {place}"))
                .help("remove the label from the list")
        });
    }
}

fn distribute(found: &mut Checker<'_>, at: &Path<'_>, setting: &LocalityLoadBalancerSetting) {
    let at = at.field("distribute");
    for (index, entry) in setting.distribute.iter().enumerate() {
        let entry_at = at.index(index);
        let to = entry_at.field("to");
        for (locality, percent) in &entry.to {
            found.require((1..=100).contains(percent), &to.field(locality), || {
                Problem::invalid(format!("`{percent}` is not a percentage of 1 to 100"))
                    .help("write a whole percentage from 1 to 100; leave out what gets nothing")
            });
        }
        let total: u64 = entry.to.values().map(|percent| u64::from(*percent)).sum();
        found.require(total == 100, &to, || {
            Problem::invalid(format!("the percentages add up to {total}, not 100"))
                .help("make the percentages of `to` add up to 100")
        });
        found.check(&to, localities(entry.to.keys().map(String::as_str)));
    }
    found.check(&at, localities(setting.distribute.iter().map(|entry| entry.from.as_str())));
}

fn failover<'a>(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    regions: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
    has_priorities: bool,
    ejection: Ejection,
) {
    if (regions.len() > 0 || has_priorities) && ejection == Ejection::Absent {
        let problem = Problem::suspicious("failover never starts without `outlierDetection`");
        found.find(at, problem.help("write `outlierDetection: {}` in the same policy"));
    }
    let at = at.field("failover");
    for (index, (from, to)) in regions.enumerate() {
        let at = at.index(index);
        found.require(from != to, &at.field("to"), || {
            Problem::conflict(format!("region `{}` cannot stand in for itself", short(to)))
                .help("name another region in `to`")
        });
        for (name, region) in [("from", from), ("to", to)] {
            found.require(!region.contains(['/', '*']), &at.field(name), || {
                Problem::invalid(format!(
                    "`{}` is not a region: neither `/` nor `*` may be in it",
                    short(region)
                ))
                .help("write the region only, as in `eu-west`")
            });
        }
    }
}

/// Well-formed localities of which none covers another.
pub(crate) fn localities<'a>(localities: impl Iterator<Item = &'a str>) -> Checked {
    // Region to zone to subzones; `*` or a missing part stands for all of its level.
    let mut seen: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for locality in localities {
        let stars = locality.matches('*').count();
        if stars > 1 || stars == 1 && !locality.ends_with('*') {
            let message = format!("`{}`: one `*` at most, at the end", short(locality));
            return Err(Problem::invalid(message)
                .help("a locality is `region`, `region/zone` or `region/zone/subzone`"));
        }
        let mut parts = locality.splitn(3, '/');
        let (region, zone, subzone) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        if region.is_empty() || zone == Some("") || subzone == Some("") {
            let message = format!("`{}` has an empty region, zone or subzone", short(locality));
            return Err(Problem::invalid(message)
                .help("a locality is `region`, `region/zone` or `region/zone/subzone`"));
        }
        if overlaps(&seen, region, zone, subzone) {
            return Err(Problem::conflict(format!("`{}` overlaps another entry", short(locality)))
                .help("keep the wider or the narrower one"));
        }
        let zones = seen.entry(region).or_default();
        zones.entry(zone.unwrap_or("*")).or_default().insert(subzone.unwrap_or("*"));
    }
    Ok(())
}

fn overlaps(
    seen: &BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>>,
    region: &str,
    zone: Option<&str>,
    subzone: Option<&str>,
) -> bool {
    if seen.contains_key("*") {
        return true;
    }
    let Some(zones) = seen.get(region) else { return false };
    let Some(zone) = zone else { return true };
    if zones.contains_key("*") {
        return true;
    }
    let Some(subzones) = zones.get(zone) else { return false };
    subzone.is_none_or(|subzone| subzones.contains("*") || subzones.contains(subzone))
}
