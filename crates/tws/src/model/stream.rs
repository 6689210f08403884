//! A job stream in the plan.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{JobStatus, StreamId};

/// A job stream in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStream {
    /// The engine's id.
    pub id: StreamId,
    /// The stream's name.
    pub name: String,
    /// Its folder, with a slash at the end.
    pub folder: Option<String>,
    /// Its workstation, without folder.
    pub workstation: Option<String>,
    /// How it stands; `STUCK` means that a failed job blocks the rest.
    pub status: JobStatus,
    /// Its planned position in time.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// When it must have ended.
    pub deadline: Option<DateTime<Utc>>,
    /// 0 to 101.
    pub priority: Option<u8>,
    /// How many of its jobs may run at once; `None` when there is no limit.
    pub limit: Option<u32>,
}
