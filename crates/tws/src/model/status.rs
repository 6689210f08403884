//! The states of a job, by the engine's own words.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The internal status of a job, as the engine writes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum JobStatus {
    /// Waits for a dependency, a time, a prompt, a file, or has priority 0.
    Hold,
    /// Free of dependencies; waits for limit, resources or agent.
    Ready,
    /// Its priority is not above the workstation's fence.
    Fence,
    /// Handed over for launching.
    Intro,
    /// With an access method or queue, not yet running.
    Wait,
    /// Running.
    Exec,
    /// Ended, awaits a confirm.
    Pend,
    /// Confirmed as successful while it still runs.
    SuccPending,
    /// Confirmed as ended badly while it still runs.
    AbendPending,
    /// Ended well.
    Succ,
    /// Ended badly, or was killed.
    Abend,
    /// Could not be started.
    Fail,
    /// The conditions on its predecessors were not met.
    Suppr,
    /// Cancelled.
    Cancl,
    /// To be cancelled when its dependencies resolve.
    CanclPending,
    /// Blocked by unmet dependencies.
    Susp,
    /// Cannot go on without an operator.
    Stuck,
    /// Remote or shadow job, or the lookup failed.
    Undecided,
    /// Its start time is not reached.
    Sched,
    /// Being submitted.
    Add,
    /// A word that we do not know, kept as it came.
    Other(Arc<str>),
}

const NAMES: &[(JobStatus, &str, Phase)] = &[
    (JobStatus::Hold, "HOLD", Phase::Waiting),
    (JobStatus::Ready, "READY", Phase::Ready),
    (JobStatus::Fence, "FENCE", Phase::Waiting),
    (JobStatus::Intro, "INTRO", Phase::Waiting),
    (JobStatus::Wait, "WAIT", Phase::Waiting),
    (JobStatus::Exec, "EXEC", Phase::Running),
    (JobStatus::Pend, "PEND", Phase::Waiting),
    (JobStatus::SuccPending, "SUCCP", Phase::Running),
    (JobStatus::AbendPending, "ABENP", Phase::Running),
    (JobStatus::Succ, "SUCC", Phase::Succeeded),
    (JobStatus::Abend, "ABEND", Phase::Failed),
    (JobStatus::Fail, "FAIL", Phase::Failed),
    (JobStatus::Suppr, "SUPPR", Phase::Suppressed),
    (JobStatus::Cancl, "CANCL", Phase::Cancelled),
    (JobStatus::CanclPending, "CANCLP", Phase::Waiting),
    (JobStatus::Susp, "SUSP", Phase::Blocked),
    (JobStatus::Stuck, "STUCK", Phase::Blocked),
    (JobStatus::Undecided, "UNDCDED", Phase::Undecided),
    (JobStatus::Sched, "SCHED", Phase::Waiting),
    (JobStatus::Add, "ADD", Phase::Waiting),
];

/// Other spellings seen in manuals and releases.
const ALIASES: &[(&str, JobStatus)] = &[
    ("ABENDP", JobStatus::AbendPending),
    ("FAILD", JobStatus::Fail),
    ("CANCE", JobStatus::Cancl),
    ("CANCP", JobStatus::CanclPending),
    ("EXTRN", JobStatus::Undecided),
    ("ERROR", JobStatus::Undecided),
    ("DONE", JobStatus::Undecided),
    ("BOUND", JobStatus::Exec),
    ("WAITD", JobStatus::Wait),
];

impl JobStatus {
    /// Reads the engine's word; an unknown one becomes [`JobStatus::Other`].
    #[must_use]
    pub fn read(text: &str) -> Self {
        let named = NAMES
            .iter()
            .find(|(_, name, _)| *name == text)
            .map(|(status, ..)| status);
        let alias = || {
            ALIASES
                .iter()
                .find(|(name, _)| *name == text)
                .map(|(_, status)| status)
        };
        named
            .or_else(alias)
            .cloned()
            .unwrap_or_else(|| Self::Other(text.into()))
    }

    /// A status that the engine is known to have, from what a user wrote in any case.
    #[must_use]
    pub fn known(text: &str) -> Option<Self> {
        match Self::read(&text.to_ascii_uppercase()) {
            Self::Other(_) => None,
            status => Some(status),
        }
    }

    /// Every status we know by name.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(status, ..)| status.clone())
    }

    /// The engine's word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.row().map_or_else(
            || match self {
                Self::Other(text) => text,
                _ => "",
            },
            |(_, name, _)| name,
        )
    }

    /// The broad group it belongs to.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.row().map_or(Phase::Undecided, |(.., phase)| *phase)
    }

    /// Its row, without a search: a board asks for each job of a plan.
    fn row(&self) -> Option<&'static (Self, &'static str, Phase)> {
        let at = match self {
            Self::Hold => 0,
            Self::Ready => 1,
            Self::Fence => 2,
            Self::Intro => 3,
            Self::Wait => 4,
            Self::Exec => 5,
            Self::Pend => 6,
            Self::SuccPending => 7,
            Self::AbendPending => 8,
            Self::Succ => 9,
            Self::Abend => 10,
            Self::Fail => 11,
            Self::Suppr => 12,
            Self::Cancl => 13,
            Self::CanclPending => 14,
            Self::Susp => 15,
            Self::Stuck => 16,
            Self::Undecided => 17,
            Self::Sched => 18,
            Self::Add => 19,
            Self::Other(_) => return None,
        };
        NAMES.get(at)
    }

    /// Whether a job in this status has ended: only a rerun moves it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(
            self,
            Self::Succ | Self::Abend | Self::Fail | Self::Suppr | Self::Cancl
        )
    }

    /// Whether it ended badly.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.phase() == Phase::Failed
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for JobStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for JobStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::read(&text))
    }
}

/// How something in the plan stands, in the word to show: a [`JobStatus`], where a prompt stands, or
/// what else the engine says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StateWord(Arc<str>);

impl StateWord {
    /// The word.
    #[must_use]
    pub fn new(word: &str) -> Self {
        Self(word.into())
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq<JobStatus> for StateWord {
    fn eq(&self, status: &JobStatus) -> bool {
        self.as_str() == status.as_str()
    }
}

impl From<JobStatus> for StateWord {
    fn from(status: JobStatus) -> Self {
        Self::new(status.as_str())
    }
}

impl fmt::Display for StateWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for StateWord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The broad groups that a board counts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Not yet free to start.
    Waiting,
    /// Free to start.
    Ready,
    /// Running.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly or never started.
    Failed,
    /// Cancelled.
    Cancelled,
    /// Left out because conditions were not met.
    Suppressed,
    /// Needs a person.
    Blocked,
    /// The engine cannot tell, or uses a word that we do not know.
    Undecided,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_status_reads_back_from_its_own_word() {
        for status in JobStatus::all() {
            assert_eq!(status.row().map(|(own, ..)| own), Some(&status));
            assert_eq!(JobStatus::read(status.as_str()), status);
            assert!(!status.as_str().is_empty());
        }
    }

    #[test]
    fn an_unknown_word_is_kept() {
        let status = JobStatus::read("QUEUED_NEW");
        assert_eq!(status.as_str(), "QUEUED_NEW");
        assert_eq!(status.phase(), Phase::Undecided);
        assert!(!status.has_ended());
    }

    #[test]
    fn a_user_may_write_in_lower_case() {
        assert_eq!(JobStatus::known("abend"), Some(JobStatus::Abend));
        assert_eq!(JobStatus::known("nonsense"), None);
    }
}
