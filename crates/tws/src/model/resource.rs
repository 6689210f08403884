//! A resource in the plan: units that jobs take and give back.

use serde::{Deserialize, Serialize};

use super::{JobId, ResourceId, StreamId};

/// A resource in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The engine's id.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// Its folder, with a slash at the end.
    pub folder: Option<String>,
    /// Its workstation, without folder.
    pub workstation: Option<String>,
    /// How many units there are.
    pub quantity: Option<u32>,
    /// How many of them are taken.
    pub in_use: Option<u32>,
    /// How many can be taken now.
    pub available: Option<u32>,
    /// `AVAILABLE`, `NOT_AVAILABLE` and so on, in the engine's word.
    pub status: Option<String>,
    /// Who holds units.
    pub holders: Vec<ResourceHolder>,
}

/// A job or a stream that holds units of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceHolder {
    /// The job, when it is one.
    pub job_id: Option<JobId>,
    /// The job's name or key, in the engine's words.
    pub job: Option<String>,
    /// The stream.
    pub stream_id: Option<StreamId>,
    /// The stream's name or key, in the engine's words.
    pub stream: Option<String>,
    /// How many units.
    pub quantity: Option<u32>,
}
