//! A workstation in the plan: an agent, a pool, or the master.

use serde::{Deserialize, Serialize};

use super::WorkstationId;

/// A workstation in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workstation {
    /// The engine's id.
    pub id: WorkstationId,
    /// Its name, up to 16 characters.
    pub name: String,
    /// Its folder, with a slash at the end.
    pub folder: Option<String>,
    /// Its type, in the engine's word, such as `FTA`, `AGENT` or `POOL`.
    pub kind: Option<String>,
    /// Its operating system, in the engine's word.
    pub os: Option<String>,
    /// How many jobs may run at once.
    pub limit: Option<u32>,
    /// Jobs need a priority above this one.
    pub fence: Option<u32>,
    /// Whether the master reaches it.
    pub link: LinkState,
    /// Whether its job manager is up; `None` when the engine did not say.
    pub jobman_up: Option<bool>,
    /// The plan leaves it out.
    pub ignored: bool,
}

impl Workstation {
    /// Whether it cannot start jobs as far as the engine tells: not reached, or its job manager is
    /// down. An ignored workstation is not expected to.
    #[must_use]
    pub fn is_off(&self) -> bool {
        !self.ignored && (self.link == LinkState::Unlinked || self.jobman_up == Some(false))
    }
}

/// Whether the master reaches a workstation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LinkState {
    /// Reached.
    Linked,
    /// Not reached.
    Unlinked,
    /// The engine did not say.
    Unknown,
}
