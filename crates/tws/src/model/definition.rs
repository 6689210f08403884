//! Definitions of streams and jobs, and what is submitted from them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{DefinitionId, NamePattern, Priority, StreamId, SubmitAlias};

/// A question to a list of definitions. Every field that is set must match.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct DefinitionQuery {
    /// The name.
    pub name: Option<NamePattern>,
    /// The workstation's name, without folder.
    pub workstation: Option<NamePattern>,
    /// The folder, with or without the slash at its end.
    pub folder: Option<NamePattern>,
    /// How many to skip.
    pub offset: u64,
    /// How many at most, 1 to 1000.
    pub limit: u32,
}

/// A job stream as it is defined, apart from any plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamDefinition {
    /// What a submission is asked by.
    pub id: DefinitionId,
    /// Its name.
    pub name: String,
    /// Its folder, with a slash at the end.
    pub folder: Option<String>,
    /// Its workstation, without folder.
    pub workstation: Option<String>,
    /// What people wrote of it.
    pub description: Option<String>,
    /// From which day this version holds, in the engine's words.
    pub valid_from: Option<String>,
    /// To which day, in the engine's words.
    pub valid_to: Option<String>,
    /// 0 to 101.
    pub priority: Option<u8>,
    /// It is a draft, which no plan takes in.
    pub draft: bool,
    /// How many jobs it has, when the engine listed them.
    pub jobs: Option<u32>,
}

/// A job as it is defined. Its task is left out, since it may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobDefinition {
    /// What a submission is asked by.
    pub id: DefinitionId,
    /// Its name.
    pub name: String,
    /// Its folder, with a slash at the end.
    pub folder: Option<String>,
    /// Its workstation, without folder.
    pub workstation: Option<String>,
    /// What people wrote of it.
    pub description: Option<String>,
    /// Its type, in the engine's word, such as `UNIX`.
    pub kind: Option<String>,
    /// What the engine does when it fails, in its own word.
    pub recovery: Option<String>,
}

/// What is put into the plan beside its schedule. Only streams and jobs that are defined: a command of
/// a person's own is not submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "submit", rename_all = "lowercase")]
pub enum Submission {
    /// A stream with its jobs.
    Stream {
        /// Its definition.
        definition: DefinitionId,
        /// How.
        #[serde(default)]
        options: SubmitOptions,
    },
    /// One job.
    Job {
        /// Its definition.
        definition: DefinitionId,
        /// The stream of the plan that takes it; the engine's default one when `None`.
        stream: Option<StreamId>,
        /// How.
        #[serde(default)]
        options: SubmitOptions,
    },
}

impl Submission {
    /// The definition.
    #[must_use]
    pub fn definition(&self) -> &DefinitionId {
        match self {
            Self::Stream { definition, .. } | Self::Job { definition, .. } => definition,
        }
    }

    /// How.
    #[must_use]
    pub fn options(&self) -> &SubmitOptions {
        match self {
            Self::Stream { options, .. } | Self::Job { options, .. } => options,
        }
    }
}

/// How a submission is made. What is not set is as defined.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubmitOptions {
    /// Its name in the plan, beside another of the same definition.
    pub alias: Option<SubmitAlias>,
    /// Its priority.
    pub priority: Option<Priority>,
    /// Its position in the plan; the time of the submission when `None`.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// Values of variables.
    pub variables: BTreeMap<String, String>,
}

/// What a submission put into the plan.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Submitted {
    /// The engine's ids of the new streams or jobs; empty when it did not say.
    pub ids: Vec<String>,
}
