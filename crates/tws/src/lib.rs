//! The plan of a workload automation engine: jobs, streams, workstations, and actions on them.

pub mod model;
pub mod ports;
#[cfg(test)]
mod test_support;
