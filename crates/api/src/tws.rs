//! The plan over HTTP: reads, and actions in two steps.

pub(crate) mod act;
pub(crate) mod reads;
