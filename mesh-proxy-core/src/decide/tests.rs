//! Hand-made configurations, one question each.

mod builder;
mod filters;
mod http;
mod mutants;
mod property;
mod tcp;
