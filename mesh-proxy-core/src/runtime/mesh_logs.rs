//! Access logs that the configuration itself asks for: `MeshConfig.accessLogFile`, and file providers that Telemetry
//! resources switch on (T-465 to T-467). Written where [`Options::mesh_logs`](super::Options::mesh_logs) says so.
//!
//! A record is written where the log's filter is true of it, as Envoy's CEL filter has it. A log whose filter is no
//! expression is not written at all: Envoy would not take its listener. In a build without the feature `cel` filters are
//! not evaluated, and every record is written. Logs for services wait for their turn (see [`log_service`](super::log_service)).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use mesh_compile::proxy::listener::Direction;
use mesh_compile::proxy::telemetry::{AccessLog, AccessLogSink, LogLine, TelemetryConfig, Traffic};
use mesh_compile::proxy_identity::Proxy as Identity;

use super::log_service::{LogExport, LogService};
use super::log_writer::Lines;
use super::proxy::Inner;
use crate::telemetry::access_log::LineFormat;
use crate::telemetry::expression::Expression;
use crate::telemetry::record::Record;

/// The logs of the configuration in force, and the files that are open.
#[derive(Debug, Default)]
pub(crate) struct MeshLogs {
    made: ArcSwap<Made>,
    /// By path. They stay open: a reload that names a file again goes on with it.
    files: Mutex<BTreeMap<Arc<str>, Arc<Lines>>>,
    pub(super) services: LogExport,
}

/// What a configuration comes to.
#[derive(Debug, Default)]
struct Made {
    of: Arc<TelemetryConfig>,
    server: Vec<Log>,
    client: Vec<Log>,
}

#[derive(Debug)]
struct Log {
    traffic: Traffic,
    filter: Option<Expression>,
    to: To,
}

/// Where records go.
#[derive(Debug)]
enum To {
    File { format: LineFormat, omits_empty: bool, lines: Arc<Lines> },
    Service(Arc<LogService>),
}

impl MeshLogs {
    /// Writes a record to all logs that want it.
    pub(crate) fn finished(&self, proxy: &Arc<Inner>, config: &Arc<TelemetryConfig>, record: &Record) {
        let mut made = self.made.load();
        if !Arc::ptr_eq(&made.of, config) {
            self.made.store(Arc::new(self.make(config, proxy.traces.workload.as_ref())));
            made = self.made.load();
        }
        let logs = if record.direction == Direction::Inbound { &made.server } else { &made.client };
        for log in logs {
            let is_wanted = match log.traffic {
                Traffic::Any => true,
                Traffic::Http => record.request.is_some(),
                Traffic::Tcp => record.request.is_none(),
            };
            if is_wanted && log.filter.as_ref().is_none_or(|filter| filter.holds(record)) {
                match &log.to {
                    To::File { format, omits_empty, lines } => {
                        lines.send(&format.line_of(record, *omits_empty));
                    }
                    To::Service(service) => self.services.send(proxy, service, record),
                }
            }
        }
    }

    fn make(&self, config: &Arc<TelemetryConfig>, workload: Option<&Identity>) -> Made {
        let logs = |logs: &[AccessLog]| logs.iter().filter_map(|log| self.log(log, workload)).collect();
        Made {
            of: Arc::clone(config),
            server: logs(&config.side(Direction::Inbound).access_logs),
            client: logs(&config.side(Direction::Outbound).access_logs),
        }
    }

    fn log(&self, log: &AccessLog, workload: Option<&Identity>) -> Option<Log> {
        let to = match &log.sink {
            AccessLogSink::File { path, line, omit_empty_values } => {
                let format = match line {
                    LogLine::Text(text) => LineFormat::text(text),
                    LogLine::Json(fields) => LineFormat::json(Some(fields)),
                };
                if let Some(problem) = format.problem() {
                    let (provider, origin) = (&*log.provider, log.on.origin().to_string());
                    tracing::warn!(
                        provider,
                        origin,
                        problem,
                        "Envoy would not take the format of an access log"
                    );
                }
                To::File { format, omits_empty: *omit_empty_values, lines: self.file(path)? }
            }
            service => {
                let Some(service) = LogService::of(service, workload) else {
                    let provider = &*log.provider;
                    tracing::warn!(provider, "an access log has no service that is known and built in");
                    return None;
                };
                To::Service(Arc::new(service))
            }
        };
        let filter = match log.filter.as_ref().map(|filter| (filter, Expression::parse(filter.value()))) {
            None => None,
            Some((_, Ok(filter))) => Some(filter),
            Some((filter, Err(problem))) => {
                let (provider, origin) = (&*log.provider, filter.origin().to_string());
                tracing::warn!(provider, origin, problem, "the filter of an access log cannot be evaluated");
                if cfg!(feature = "cel") {
                    return None;
                }
                None
            }
        };
        Some(Log { traffic: log.traffic, filter, to })
    }

    fn file(&self, path: &Arc<str>) -> Option<Arc<Lines>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lines) = files.get(path) {
            return Some(Arc::clone(lines));
        }
        match Lines::open(Path::new(&**path)) {
            Ok(lines) => {
                let lines = Arc::new(lines);
                files.insert(Arc::clone(path), Arc::clone(&lines));
                Some(lines)
            }
            Err(error) => {
                tracing::warn!(path = &**path, %error, "an access log cannot be opened");
                None
            }
        }
    }
}
