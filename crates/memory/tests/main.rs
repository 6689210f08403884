//! The laws of the ports in memory, one module a domain.

#[cfg(feature = "auth")]
mod auth;
#[cfg(feature = "chat")]
mod chat;
#[cfg(feature = "tws")]
mod tws;
