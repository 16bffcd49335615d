//! Hand-made configurations, one question each.

mod builder;
mod filters;
mod http;
mod property;
mod tcp;
