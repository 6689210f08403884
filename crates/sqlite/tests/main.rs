//! The laws of the ports on temporary files, one module a domain.

#[cfg(feature = "auth")]
#[expect(
    clippy::unwrap_used,
    reason = "a fixture that cannot be made fails its test"
)]
mod auth;
#[cfg(feature = "chat")]
#[expect(
    clippy::unwrap_used,
    reason = "a fixture that cannot be made fails its test"
)]
mod chat;
#[cfg(feature = "rag")]
#[expect(
    clippy::unwrap_used,
    reason = "a fixture that cannot be made fails its test"
)]
mod knowledge;
#[cfg(feature = "rag")]
#[expect(
    clippy::unwrap_used,
    reason = "a fixture that cannot be made fails its test"
)]
mod rag;
#[cfg(feature = "tws")]
#[expect(
    clippy::unwrap_used,
    reason = "a fixture that cannot be made fails its test"
)]
mod tws;
