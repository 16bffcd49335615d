//! What is told of the process itself, in the text format of the others.

use std::fmt::Write;

use super::metrics::label;
use super::proxy::Proxy;

/// One metric: what it is called without its prefix, what it says, and its series by their labels.
struct Metric<'m> {
    name: &'m str,
    help: &'m str,
    kind: Kind,
    series: Vec<(String, i64)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
}

impl<'m> Metric<'m> {
    fn counter(name: &'m str, help: &'m str, value: u64) -> Self {
        let series = vec![(String::new(), i64::try_from(value).unwrap_or(i64::MAX))];
        Self { name, help, kind: Kind::Counter, series }
    }

    fn gauge(name: &'m str, help: &'m str, value: u64) -> Self {
        Self { kind: Kind::Gauge, ..Self::counter(name, help, value) }
    }

    fn write(&self, text: &mut String) {
        let Self { name, help, kind, series } = self;
        let (kind, ending) = match kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
        };
        let _ = writeln!(text, "# HELP mesh_proxy_{name} {help}.\n# TYPE mesh_proxy_{name} {kind}");
        for (labels, value) in series {
            let _ = writeln!(text, "mesh_proxy_{name}{ending}{labels} {value}");
        }
    }
}

/// All of them, as they are now.
pub(super) fn own_metrics(proxy: &Proxy) -> String {
    let inner = &proxy.inner;
    let (memory, followed) = (proxy.memory_counts(), proxy.follow_counts());
    let turned_away = inner.turned_away.counts().map(|(reason, count)| {
        (format!("{{{}}}", label("reason", reason)), i64::try_from(count).unwrap_or(i64::MAX))
    });
    let lifetimes = inner.tls.lifetimes().into_iter();
    let mut metrics = vec![
        Metric::counter("config_taken", "Configurations that were put in force", followed.taken),
        Metric::counter(
            "config_failed",
            "Configurations that could not be loaded: the one before stayed",
            followed.failed,
        ),
        Metric::counter(
            "panics",
            "Connections and streams that ended because something panicked",
            proxy.panics(),
        ),
        Metric::counter("overload_refused", "Requests refused for want of memory", memory.refused),
        Metric::counter("overload_cut", "Connections cut for want of memory", memory.cut),
        Metric {
            name: "connections_refused",
            help: "Connections that were not served, by reason",
            kind: Kind::Counter,
            series: turned_away.collect(),
        },
        Metric::counter(
            "certificate_problems",
            "Problems with certificates: missing, unusable or expired",
            inner.tls.problems(),
        ),
        Metric {
            name: "cert_expiry_seconds",
            help: "Seconds until the certificates in use expire; negative once they have",
            kind: Kind::Gauge,
            series: lifetimes
                .map(|(name, seconds)| (format!("{{{}}}", label("resource_name", &name)), seconds))
                .collect(),
        },
        Metric::counter(
            "spans_dropped",
            "Spans that no collector took",
            inner.traces.export.counts().dropped,
        ),
        Metric::counter(
            "service_logs_dropped",
            "Log entries that no log service took",
            proxy.service_log_counts().dropped,
        ),
        Metric::gauge("config_errors", "Errors in the configuration in force", followed.errors),
        Metric::gauge("config_warnings", "Warnings in the configuration in force", followed.warnings),
        Metric::gauge(
            "config_kept",
            "Objects of which an older version than the written one is in force",
            followed.kept,
        ),
    ];
    if memory.bound > 0 {
        metrics.push(Metric::gauge("memory_used_bytes", "Memory in use at the last look", memory.used));
        metrics.push(Metric::gauge("memory_bound_bytes", "Memory that there may be", memory.bound));
    }
    let mut text = String::new();
    metrics.iter().for_each(|metric| metric.write(&mut text));
    text
}
