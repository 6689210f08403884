//! A stand-in for the HCL Workload Automation engine: REST v2 over a plan that moves.
//!
//! Invariants:
//!
//! 1. Equal seed, size, start and commands at equal virtual times give equal answers, byte by byte.
//! 2. Virtual time is the only time; with [`Speed::Frozen`] nothing moves unasked.
//! 3. Answers follow the vendor's document: what is absent is left out, unless a [`Quirk`] says
//!    otherwise; every misbehaviour is a [`Rule`] somebody set.
//! 4. It shares no type with the rest of the workspace: a wrong reading of the wire cannot hide on
//!    both sides.
//!
//! ```
//! use std::time::Duration;
//! use resync_simulator::{Outcome, Role, Simulator};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), resync_simulator::StartError> {
//! let simulator = Simulator::builder()
//!     .seed(7)
//!     .jobs(100)
//!     .user("operator", "secret", Role::Operator)
//!     .start()
//!     .await?;
//! assert!(simulator.base_url().ends_with("/twsd/api/v2"));
//! let control = simulator.control();
//! control.script("FIN_GL_POST", Outcome::succeeds()).await;
//! control.advance(Duration::from_secs(60)).await;
//! assert_eq!(control.state().await["jobCount"], 100);
//! simulator.stop().await;
//! # Ok(())
//! # }
//! ```

mod dice;
mod engine;
mod failure;
mod fault;
mod handle;
mod model;
mod names;
mod oql;
mod plan;
mod profile;
mod server;
mod table;
mod wire;

pub use engine::Outcome;
pub use fault::{Effect, ErrorBody, FaultFileError, RetryAfter, Rule, rules_from_toml};
pub use handle::{Builder, Control, Simulator, StartError};
pub use profile::{Profile, UnknownProfile};
pub use server::{Received, Speed};
pub use wire::{Quirk, Role, UnknownQuirk, UnknownVersion, Version};
