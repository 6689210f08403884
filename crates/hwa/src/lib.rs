//! The client of HCL Workload Automation's REST API v2.
//!
//! Invariants:
//! - No secret is printed: credentials are `SecretString`, and every `Debug` here leaves them out.
//! - Reads are repeated in one place, [`Limits`] says how; actions are never repeated by anyone.
//! - An engine that does not answer is not asked for a while, and no more than so many calls are out
//!   at once: [`HwaClient::health`] shows both.
//! - A user's text reaches the engine only as a checked value of [`Oql`], as a percent-encoded
//!   segment, or as an ASCII header value.
//! - Reading is tolerant of what engines leave out, and strict about what would mislead: an object
//!   without an id fails its page with its place in it.
//! - Every wait has an end ([`HwaConfig::timeout`]) and every body a size.
//!
//! ```
//! use resync_hwa::{Credentials, HwaClient, HwaConfig};
//! use resync_kernel::SecretString;
//! use resync_tws::model::EngineName;
//!
//! let credentials = Credentials::Basic {
//!     username: "resync".to_owned(),
//!     password: SecretString::from("a password"),
//! };
//! let mut config = HwaConfig::new(
//!     EngineName::parse("PROD")?,
//!     "https://master:31116/twsd/api/v2",
//!     credentials,
//! );
//! config.base_urls.push("https://backup:31116/twsd/api/v2".to_owned());
//! let client = HwaClient::new(config)?;
//! assert!(!format!("{client:?}").contains("a password"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod action;
mod body;
mod config;
mod encode;
mod failure;
mod joblog;
mod list;
mod message;
mod objects;
mod oql;
mod plan;
mod recorded;
mod resilience;
mod transport;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use resync_kernel::Clock;

pub use config::{Credentials, HwaConfig, HwaConfigError};
pub use oql::{Direction, MAX_IN, Op, Oql, OqlError, OqlQuery, Value as OqlValue};
pub use recorded::read_job_page;
pub use resilience::{BreakerState, ClientHealth, Limits};

use transport::Transport;

/// One engine, by its REST API. Implements every gateway of `resync-tws`.
pub struct HwaClient {
    transport: Transport,
    log_cap: usize,
    /// The engine does not filter by the status of the last run. A hint that any call may set.
    any_run_only: AtomicBool,
    prompts: objects::PromptReads,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for HwaClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HwaClient")
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

impl HwaClient {
    /// A client that has not connected to anything yet.
    ///
    /// # Errors
    /// [`HwaConfigError`] when the configuration cannot work.
    pub fn new(config: HwaConfig) -> Result<Self, HwaConfigError> {
        Ok(Self {
            log_cap: config.log_cap.max(1),
            clock: Arc::clone(&config.clock),
            prompts: objects::PromptReads::default(),
            transport: Transport::new(config)?,
            any_run_only: AtomicBool::new(false),
        })
    }

    /// How calls to the engine fare: its breaker, its queue, its retries.
    #[must_use]
    pub fn health(&self) -> ClientHealth {
        self.transport.health()
    }
}
