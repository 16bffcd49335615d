//! Hand-made configurations, one question each.

mod builder;
mod http;
mod property;
mod tcp;
