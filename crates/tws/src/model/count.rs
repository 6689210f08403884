//! Counts that the engine makes itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Jobs of the plan.
    Jobs,
    /// Job streams of the plan.
    Streams,
}

/// What they are grouped by. One at a time: how an engine writes a group of two is not documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountBy {
    /// The status, in the engine's words.
    Status,
    /// The workstation.
    Workstation,
    /// The folder.
    Folder,
}

/// How many.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// All of them.
    pub total: u64,
    /// By group, in the engine's words; empty without a grouping.
    pub groups: BTreeMap<String, u64>,
}
