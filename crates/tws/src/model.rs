//! The plan as Resync sees it: plain values, no I/O.
//!
//! What the engine left out stays out (`None`), and a word it uses that we do not know is kept as
//! it came. The types serialise to the JSON of the HTTP contract, so that the plan cache can hold
//! the finished bytes of an answer.

mod action;
mod count;
mod definition;
mod engine;
mod job;
mod log;
mod names;
mod prompt;
mod query;
mod resource;
mod status;
mod stream;
mod subject;
mod workstation;

pub use action::{
    Action, ActionKind, Command, ConfirmOutcome, Justification, Priority, PriorityError,
    RerunOptions, Target,
};
pub use count::{CountBy, Counted, Counts};
pub use definition::{
    DefinitionQuery, JobDefinition, StreamDefinition, Submission, SubmitOptions, Submitted,
};
pub use engine::{
    Breaker, BreakerState, CallCounts, Capabilities, EngineInfo, ObjectAbilities, ObjectKind,
};
pub use job::{Dependency, DependencyKind, Job, Run, StreamRef};
pub use log::{LineRange, LogText};
pub use names::{
    DefinitionId, EngineName, JobId, NameError, NamePattern, PromptId, ResourceId, RunId, StreamId,
    SubmitAlias, WorkstationId, folder_with_slash,
};
pub use prompt::{Prompt, PromptAnswer, PromptStatus, Prompts};
pub use query::{JobKey, JobQuery, JobSort, Neighbour, NeighbourDirection};
pub use resource::{Resource, ResourceHolder};
pub use status::{JobStatus, Phase, StateWord};
pub use stream::JobStream;
pub use subject::Subject;
pub use workstation::{LinkState, Workstation};

use serde::Serialize;

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
