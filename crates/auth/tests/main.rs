//! The use cases on ports in memory.

#![expect(
    clippy::unwrap_used,
    reason = "a world that cannot be made fails its test"
)]

mod api_keys;
mod login;
mod memory;
mod sessions;
mod setup;
mod sources;
mod users;
mod world;
