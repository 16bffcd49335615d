//! Istio's own cases, examples of every code, and properties of the whole.

mod conformance;
