//! The plan as Resync sees it: plain values, no I/O.
//!
//! What the engine left out stays out (`None`), and a word it uses that we do not know is kept as
//! it came. The types serialise to the JSON of the HTTP contract, so that the plan cache can hold
//! the finished bytes of an answer.

mod action;
mod job;
mod log;
mod names;
mod query;
mod status;
mod stream;
mod workstation;

pub use action::{
    Action, ActionKind, Command, ConfirmOutcome, Justification, Priority, PriorityError,
};
pub use job::{Dependency, DependencyKind, Job, Run, StreamRef};
pub use log::{LineRange, LogText};
pub use names::{
    EngineName, JobId, NameError, NamePattern, RunId, StreamId, WorkstationId, folder_with_slash,
};
pub use query::{JobQuery, JobSort, Neighbour, NeighbourDirection};
pub use status::{JobStatus, Phase};
pub use stream::JobStream;
pub use workstation::{LinkState, Workstation};

use serde::Serialize;

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EngineInfo {
    /// The version for people, such as `10.1.0.1`.
    pub version: Option<String>,
    /// The engine's time zone, an IANA name.
    pub timezone: Option<String>,
}

/// One page of a list, as the engine gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Slice<T> {
    /// The items, in the engine's order.
    pub items: Vec<T>,
    /// How many match in all, when the engine counted.
    pub total: Option<u64>,
    /// Where the next page begins; `None` on the last page.
    pub next_offset: Option<u64>,
}
