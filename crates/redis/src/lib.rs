//! What replicas share, on Redis: limits on guessing and asking, answers to requests, entries behind their
//! caches, notices, and leases.
//!
//! Invariants:
//! - One round trip for one question, by a script that Redis runs as one step and by Redis's clock.
//! - No call takes longer than the client's timeout. After one that failed, none is made until a probe
//!   got through: who asks meanwhile does not wait for a Redis that is away.
//! - What guards never fails open: without Redis, [`RedisLockout`] and [`RedisRateLimiter`] count in this
//!   process, with half the limits.
//! - What speeds up never fails closed: without Redis, [`RedisEntries`] are passed by.
//! - Each key carries the prefix of its owner and a time to live, so what is forgotten goes away.
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use resync_auth::{LockoutLimits, LockoutStore};
//! use resync_kernel::{SecretString, SystemClock};
//! use resync_redis::{RedisClient, RedisConfig, RedisLockout};
//! use tokio_util::sync::CancellationToken;
//! use tokio_util::task::TaskTracker;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let redis = RedisClient::new(&RedisConfig {
//!     url: SecretString::from("redis://:password@redis.example:6379/0"),
//!     ca_pem: None,
//!     timeout: Duration::from_millis(100),
//! })?;
//! let lockout: Arc<dyn LockoutStore> = Arc::new(RedisLockout::new(
//!     redis.clone(),
//!     "resync:{lockout}",
//!     LockoutLimits::default(),
//!     Arc::new(SystemClock::new()),
//! ));
//!
//! // Finds out when Redis is back.
//! let (tracker, end) = (TaskTracker::new(), CancellationToken::new());
//! tracker.spawn(redis.watch(end));
//! # let _ = lockout;
//! # Ok(())
//! # }
//! ```

mod answers;
mod bus;
mod client;
mod entries;
mod lease;
mod limits;
mod lockout;

pub use answers::{AnswersParts, RedisAnswers};
pub use bus::RedisBus;
pub use client::{Fallback, RedisClient, RedisConfig, RedisConfigError, RedisStatus};
pub use entries::RedisEntries;
pub use lease::RedisLeases;
pub use limits::RedisRateLimiter;
pub use lockout::RedisLockout;

/// The example in the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
