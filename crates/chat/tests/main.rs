//! The chat over a small plan.

mod plan;
mod routing;
