//! `telemetry.istio.io`: which metrics, spans and access logs proxies make (its only kind is [`Telemetry`]).

pub mod spec;
#[cfg(test)]
mod tests;
mod tracing;
mod validate;

pub use spec::Telemetry;
