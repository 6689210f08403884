//! The chat over a small plan.

mod answers;
mod conversations;
mod plan;
mod routing;
mod world;
