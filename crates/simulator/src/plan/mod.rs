//! From definitions to plans.
//!
//! 1. [`bank::catalogue`] with equal arguments gives equal definitions.
//! 2. [`instances::build`] makes the plan of one day; it is the only place where ids of instances
//!    are made.

pub(crate) mod bank;
mod core;
mod fill;
pub(crate) mod instances;
