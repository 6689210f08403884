//! The laws of the ports and the faults, on a real PostgreSQL. They fail without it; they never skip.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a fixture that cannot be made fails its test"
)]

#[cfg(feature = "auth")]
mod auth;
#[cfg(feature = "chat")]
mod chat;
#[cfg(all(feature = "auth", feature = "tws"))]
mod database;
#[cfg(feature = "rag")]
mod rag;
#[cfg(feature = "tws")]
mod tws;

mod faults;
mod own;
mod server;
mod tls;
