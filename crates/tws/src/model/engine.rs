//! What an engine says of itself, and how its client gets on with it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EngineInfo {
    /// The version for people, such as `10.1.0.1`.
    pub version: Option<String>,
    /// The engine's time zone, an IANA name.
    pub timezone: Option<String>,
    /// It says that it is a simulator, so that its data are invented.
    pub simulated: bool,
}

/// The sorts of object that an engine tells the abilities of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// A job of the plan.
    Job,
    /// A job stream of the plan.
    Stream,
    /// A workstation of the plan.
    Workstation,
    /// A resource of the plan.
    Resource,
    /// A prompt of the plan.
    Prompt,
}

/// What a release of the engine knows, by its own discovery.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Capabilities {
    /// By sort of object; a sort that the engine does not tell of is absent.
    pub objects: BTreeMap<ObjectKind, ObjectAbilities>,
    /// Whether prompts can be listed; else they are collected from what waits for them.
    pub prompt_list: Option<bool>,
}

impl Capabilities {
    /// Whether the release knows the action, in the engine's word; `None` when it does not tell of
    /// that sort of object.
    #[must_use]
    pub fn knows(&self, object: ObjectKind, action: &str) -> Option<bool> {
        let abilities = self.objects.get(&object)?;
        Some(abilities.actions.contains(action))
    }
}

/// What can be done with one sort of object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ObjectAbilities {
    /// The actions, in the engine's words.
    pub actions: BTreeSet<String>,
    /// The statuses, in the engine's words.
    pub statuses: BTreeSet<String>,
}

/// Calls to an engine since its client was built. Each only grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// Requests that were sent, repeated ones too.
    pub attempts: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// Requests that failed in a way that speaks against the engine.
    pub failures: u64,
    /// Calls that an open breaker turned away.
    pub turned_away: u64,
    /// Calls that found no place to wait.
    pub rejected: u64,
}

/// How the client of an engine gets on with it, without asking the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breaker {
    /// Whether calls go out.
    pub state: BreakerState,
    /// How many calls in a row failed.
    pub consecutive_failures: u32,
    /// When a call last got an answer.
    pub last_success_at: Option<DateTime<Utc>>,
    /// When a call last failed.
    pub last_failure_at: Option<DateTime<Utc>>,
    /// When the next call goes out, while none does.
    pub retry_at: Option<DateTime<Utc>>,
}

impl Default for Breaker {
    /// A client without a breaker: every call goes out.
    fn default() -> Self {
        Self {
            state: BreakerState::Closed,
            consecutive_failures: 0,
            last_success_at: None,
            last_failure_at: None,
            retry_at: None,
        }
    }
}

/// The states of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Calls go out.
    Closed,
    /// One call goes out to see whether the engine is back.
    HalfOpen,
    /// No call goes out; each fails at once.
    Open,
}

impl BreakerState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}
