//! SQLite repositories: the embedded store.
//!
//! One module a domain, each behind the feature of its name.

mod database;
#[cfg(any(feature = "auth", feature = "chat", feature = "rag", feature = "tws"))]
mod failed;
#[cfg(any(feature = "auth", feature = "chat", feature = "rag", feature = "tws"))]
mod row;
mod transfer;

pub use database::*;
pub use transfer::{MOVED_TABLES, MovedTable, TextRow};

#[cfg(feature = "auth")]
pub mod auth;
#[cfg(feature = "chat")]
pub mod chat;
#[cfg(feature = "rag")]
pub mod rag;
#[cfg(feature = "tws")]
pub mod tws;
