//! Services and endpoints.
