//! The laws of the ports in memory, one module a domain.

#[cfg(feature = "auth")]
mod auth;
#[cfg(feature = "tws")]
mod tws;
