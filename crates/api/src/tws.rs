//! The plan over HTTP: reads, actions in two steps, and what administrators set.

pub(crate) mod act;
pub(crate) mod engines;
pub mod idempotency;
pub(crate) mod lists;
pub(crate) mod reads;
pub(crate) mod thresholds;
