//! WorkloadGroup: the template of the WorkloadEntries that register themselves (T-336).

pub mod spec;
#[cfg(test)]
mod tests;
mod validate;
