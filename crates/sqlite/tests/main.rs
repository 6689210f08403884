//! The laws of the ports on temporary files, one module a domain.

#[cfg(feature = "auth")]
mod auth;
