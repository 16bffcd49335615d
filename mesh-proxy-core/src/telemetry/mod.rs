//! What is told of finished requests and connections, as data: records, Envoy's command operators, lines of a log,
//! expressions over them.

pub mod access_log;
pub mod certificate;
pub mod connections;
#[cfg(feature = "cel")]
pub mod expression;
#[cfg(not(feature = "cel"))]
#[path = "no_expression.rs"]
pub mod expression;
pub mod format;
pub mod grpc_messages;
pub mod peer;
pub mod record;
pub mod response_flags;
pub mod trace;
