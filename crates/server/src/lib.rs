//! The binary `resync`: configuration, wiring, lifecycle and commands.
//!
//! - [`wiring`] is the only place where a port meets its adapter.
//! - Only [`cli`] reads the arguments and the environment, and hands them on as values (P1-05).
//! - Everything is built once, before the listener takes a request (P0-04, P0-06).

pub mod check;
pub mod cli;
pub mod config;
pub mod demo;
pub mod lifecycle;
pub mod logging;
pub mod moving;
pub mod wiring;
