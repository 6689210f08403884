//! The laws of the ports, for every adapter to run.
//!
//! An adapter names a function that makes a fixture, and gets a named test for each law:
//! `resync_auth::user_repository_contract!(make);`, where `make` returns a future of what
//! dereferences to the adapter. The lockout's fixture is a [`LockoutHarness`](lockout::LockoutHarness).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "laws are tests and fail by panicking"
)]

pub mod api_keys;
pub mod identities;
pub mod lockout;
pub mod rate_limit;
pub mod sessions;
pub mod setup;
pub mod users;

use std::net::{IpAddr, Ipv4Addr};

use chrono::{DateTime, Duration, Utc};
use resync_kernel::UserId;
use uuid::Uuid;

use crate::model::{AgentLabel, PasswordHash, Role, Session, SessionId, TokenId, User, Username};

/// A user with the id `number`.
fn user(number: u128, name: &str, role: Role) -> User {
    User {
        id: UserId(Uuid::from_u128(number)),
        username: Username::parse(name).unwrap(),
        role,
        password_hash: PasswordHash::from_stored(format!("hash of {name}")),
        session_version: 1,
        created_at: at(0),
    }
}

/// A session of user `user` that starts at minute 0 and ends at minute 60.
fn session(number: u128, user: u128) -> Session {
    Session {
        id: SessionId(Uuid::from_u128(number)),
        user_id: UserId(Uuid::from_u128(user)),
        token_id: TokenId(Uuid::from_u128(number + 1000)),
        created_at: at(0),
        last_seen_at: at(0),
        expires_at: at(60),
        address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))),
        agent: AgentLabel::of("Firefox/140 (Linux)"),
    }
}

/// So many minutes after the laws begin.
fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::days(20_000) + Duration::minutes(minutes)
}
