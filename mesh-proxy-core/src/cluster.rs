//! What an upstream cluster does at run time: which host a request goes to, which hosts are left out, how much may be in
//! flight, when a try is repeated.
//!
//! State machines without clock, dice or socket: time (milliseconds since any fixed point) and [`Dice`](crate::dice::Dice)
//! are arguments, so a simulation of 100,000 requests is a plain test. [`upstream::Upstream`] puts the pieces together:
//!
//! | question | module | rule |
//! |---|---|---|
//! | which hosts are there, at which priority and locality | [`host_set`] | T-255 to T-262 |
//! | which priority and locality takes a request, is it panic | [`priority`] | T-257, T-277 |
//! | which host of these | [`load_balancer`] | T-245, T-246 |
//! | how much a host that has just come may carry | [`slow_start`] | T-250 |
//! | which hosts fail too often | [`outlier_detection`] | T-276 |
//! | is there room for one more | [`circuit_breaker`] | T-270, T-271, T-273 |
//! | what stays on one host | [`hash_key`] | T-185, T-247 |
//! | is a failed try repeated, and when | [`retry`] | T-160 to T-166 |
//! | which destination, mirror, fault | [`draw`] | T-155, T-182 |

pub mod circuit_breaker;
pub mod draw;
pub mod hash_key;
pub mod host;
pub mod host_set;
pub mod load_balancer;
pub mod outlier_detection;
pub mod priority;
pub mod retry;
pub mod slow_start;
pub mod upstream;

mod earliest_deadline;

#[cfg(test)]
mod affinity_simulation_test;
#[cfg(test)]
mod chance_simulation_test;
#[cfg(test)]
mod health_simulation_test;
#[cfg(test)]
mod limits_simulation_test;
#[cfg(test)]
mod outlier_simulation_test;
#[cfg(test)]
mod simulation_test;
