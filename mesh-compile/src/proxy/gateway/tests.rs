//! Claims about gateways.
