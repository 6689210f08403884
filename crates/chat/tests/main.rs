//! The chat over a small plan.

mod answers;
mod conversations;
#[expect(
    clippy::unwrap_used,
    reason = "a transcript that cannot be written fails its test"
)]
mod golden;
#[expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a fixture that cannot be made fails its test"
)]
mod injection;
#[expect(
    clippy::unwrap_used,
    reason = "a fixture that cannot be made fails its test"
)]
mod model;
#[expect(
    clippy::unwrap_used,
    reason = "a fixture that cannot be made fails its test"
)]
mod plan;
#[expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a table that cannot be read fails its test"
)]
mod routing;
#[expect(
    clippy::unwrap_used,
    reason = "a fixture that cannot be made fails its test"
)]
mod world;
