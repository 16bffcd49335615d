//! What is told of finished requests and connections, as data: records, Envoy's command operators, lines of a log.

pub mod access_log;
pub mod format;
pub mod record;
