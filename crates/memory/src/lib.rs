//! Every port, in memory: for tests, demos and the dev server.
//!
//! One module a domain, each behind the feature of its name.

#[cfg(feature = "auth")]
pub mod auth;
#[cfg(feature = "chat")]
pub mod chat;
#[cfg(feature = "rag")]
pub mod rag;
#[cfg(feature = "tws")]
pub mod tws;
