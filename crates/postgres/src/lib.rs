//! PostgreSQL repositories, vectors and notices: the store that replicas share.
//!
//! One module a domain, each behind the feature of its name. Invariants:
//! - Texts that are compared or sorted are in the collation `C`, so that PostgreSQL and Rust agree on
//!   their order whatever the database's own collation is.
//! - Times are milliseconds since 1970, as in SQLite: the cursors of pages hold milliseconds, and
//!   `timestamptz` knows an infinity that no domain takes.
//! - A statement that changes something, or a transaction of several, runs to its end although its
//!   caller is gone; see [`PgDatabase`].

mod config;
mod database;
mod error;
#[cfg(any(feature = "auth", feature = "chat", feature = "rag", feature = "tws"))]
mod failed;
#[cfg(any(feature = "auth", feature = "rag", feature = "tws"))]
mod lock;
mod notices;
#[cfg(any(feature = "auth", feature = "chat", feature = "rag", feature = "tws"))]
mod row;
mod transfer;

pub use config::*;
pub use database::*;
pub use error::*;
pub use notices::*;
pub use transfer::{TextRow, TextTable};

#[cfg(feature = "auth")]
pub mod auth;
#[cfg(feature = "chat")]
pub mod chat;
#[cfg(feature = "rag")]
pub mod rag;
#[cfg(feature = "tws")]
pub mod tws;
