//! What is told of finished requests and connections, as data.

pub mod record;
