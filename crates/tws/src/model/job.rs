//! A job in the plan, its runs and what it waits for.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{JobId, JobStatus, Phase, RunId, StreamId};

/// A job in the plan.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent marks of the engine, not one state"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The engine's id of the job in this plan.
    pub id: JobId,
    /// The job's name, up to 40 characters.
    pub name: String,
    /// Its folder, with a slash at the end; `None` when the engine did not say.
    pub folder: Option<String>,
    /// The workstation it is planned on, without folder.
    pub workstation: Option<String>,
    /// The stream it belongs to.
    pub stream: StreamRef,
    /// The status of its latest run, or of the job while it has none.
    pub status: JobStatus,
    /// Why it is in that status, in the engine's word, such as `HOLD_WAITING_FOR_PROMPT`.
    pub substatus: Option<String>,
    /// Cancelled; the status stays what it was.
    pub cancelled: bool,
    /// To be cancelled when its dependencies resolve.
    pub cancel_pending: bool,
    /// 0 to 101; 0 is held, 100 high, 101 go.
    pub priority: Option<u8>,
    /// Its planned position in time.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// When it must have ended.
    pub deadline: Option<DateTime<Utc>>,
    /// When it must start at the latest for its critical path to be in time, by the engine's account.
    pub critical_start: Option<DateTime<Utc>>,
    /// When it may start at the earliest.
    pub earliest_start: Option<DateTime<Utc>>,
    /// How long it usually takes, by the engine's account, in seconds.
    pub estimated_seconds: Option<u64>,
    /// The engine marks it as late, or its deadline has passed.
    pub late: bool,
    /// It runs longer than its longest duration.
    pub long_running: bool,
    /// On a critical path by definition.
    pub critical: bool,
    /// Needs a person's confirm when it ends.
    pub requires_confirmation: bool,
    /// Repeats every so often.
    pub every: bool,
    /// What the engine does when it fails, in its own word.
    pub recovery: Option<String>,
    /// How many dependencies are not met, by the engine's count.
    pub unresolved_dependencies: Option<u32>,
    /// Its runs, oldest first. Empty before the first launch.
    pub runs: Vec<Run>,
    /// What it waits for. May be left out by the engine in lists.
    pub dependencies: Vec<Dependency>,
}

impl Job {
    /// A job of which nothing else is known: no flag, no run, no dependency. What is known is set
    /// on it, `Job { priority: Some(10), ..Job::bare(id, name, status) }`.
    #[must_use]
    pub fn bare(id: JobId, name: impl Into<String>, status: JobStatus) -> Self {
        Self {
            id,
            name: name.into(),
            folder: None,
            workstation: None,
            stream: StreamRef {
                id: None,
                name: None,
                workstation: None,
            },
            status,
            substatus: None,
            cancelled: false,
            cancel_pending: false,
            priority: None,
            scheduled_at: None,
            deadline: None,
            critical_start: None,
            earliest_start: None,
            estimated_seconds: None,
            late: false,
            long_running: false,
            critical: false,
            requires_confirmation: false,
            every: false,
            recovery: None,
            unresolved_dependencies: None,
            runs: Vec::new(),
            dependencies: Vec::new(),
        }
    }

    /// The state to show: a flag beats the status.
    #[must_use]
    pub fn state(&self) -> JobStatus {
        if self.cancelled {
            JobStatus::Cancl
        } else if self.cancel_pending {
            JobStatus::CanclPending
        } else {
            self.status.clone()
        }
    }

    /// The broad group of [`Job::state`].
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.state().phase()
    }

    /// The latest run: the last of its rerun chain, else the one submitted last, else the last listed.
    #[must_use]
    pub fn latest_run(&self) -> Option<&Run> {
        self.runs
            .iter()
            .rev()
            .find(|run| run.last_in_chain)
            .or_else(|| {
                // `max_by_key` keeps the last of equals, which is the later one in the list.
                self.runs
                    .iter()
                    .filter(|run| run.submitted_at.is_some())
                    .max_by_key(|run| run.submitted_at)
            })
            .or_else(|| self.runs.last())
    }

    /// The return code of the latest run, once it ended with one.
    #[must_use]
    pub fn return_code(&self) -> Option<i32> {
        self.latest_run().and_then(|run| run.return_code)
    }

    /// `WORKSTATION#STREAM.JOB`, the way operators write it.
    #[must_use]
    pub fn label(&self) -> String {
        match (&self.workstation, &self.stream.name) {
            (Some(workstation), Some(stream)) => format!("{workstation}#{stream}.{}", self.name),
            (None, Some(stream)) => format!("{stream}.{}", self.name),
            _ => self.name.clone(),
        }
    }
}

/// The stream that a job belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamRef {
    /// The engine's id.
    pub id: Option<StreamId>,
    /// The stream's name.
    pub name: Option<String>,
    /// The stream's workstation, without folder.
    pub workstation: Option<String>,
}

/// One run of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What a log and a rerun are asked by.
    pub id: RunId,
    /// The operating system's or engine's job number.
    pub number: Option<u64>,
    /// Where it ran.
    pub workstation: Option<String>,
    /// How it stands.
    pub status: JobStatus,
    /// Absent until it ended, and after a failed start.
    pub return_code: Option<i32>,
    /// When it was submitted.
    pub submitted_at: Option<DateTime<Utc>>,
    /// When it started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// How long it took or has taken, in seconds, by the engine's account.
    pub elapsed_seconds: Option<u64>,
    /// `REGULAR`, `RERUN`, `RECOVERY` and so on, in the engine's word.
    pub kind: Option<String>,
    /// The latest of its rerun chain.
    pub last_in_chain: bool,
}

impl Run {
    /// A run of which nothing else is known.
    #[must_use]
    pub fn bare(id: RunId, status: JobStatus) -> Self {
        Self {
            id,
            number: None,
            workstation: None,
            status,
            return_code: None,
            submitted_at: None,
            started_at: None,
            ended_at: None,
            elapsed_seconds: None,
            kind: None,
            last_in_chain: false,
        }
    }
}

/// Something a job waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// The engine's id of the dependency; for a prompt, what a reply is sent to.
    pub id: Option<String>,
    /// Met or not; `None` when the engine cannot tell.
    pub satisfied: Option<bool>,
    /// What it is.
    #[serde(flatten)]
    pub kind: DependencyKind,
}

/// The kinds of dependency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum DependencyKind {
    /// Another job, of the same stream or another.
    Job {
        /// The engine's id, when the predecessor is in the plan.
        job_id: Option<JobId>,
        /// The predecessor's name.
        name: Option<String>,
        /// Its stream's name.
        stream: Option<String>,
        /// Its workstation, without folder.
        workstation: Option<String>,
    },
    /// A whole stream.
    Stream {
        /// The engine's id, when the predecessor is in the plan.
        stream_id: Option<StreamId>,
        /// The stream's name.
        name: Option<String>,
        /// Its workstation, without folder.
        workstation: Option<String>,
    },
    /// A file that must be there.
    File {
        /// The file's path.
        name: Option<String>,
        /// Where it must be.
        workstation: Option<String>,
    },
    /// Units of a resource.
    Resource {
        /// The resource's name.
        name: Option<String>,
        /// How many units.
        quantity: Option<u32>,
    },
    /// A question to a person.
    Prompt {
        /// The prompt's name.
        name: Option<String>,
        /// The question.
        text: Option<String>,
        /// `NOT_ASKED`, `ASKED`, `ANSWERED_YES`, `ANSWERED_NO`, in the engine's word.
        status: Option<String>,
    },
    /// Several dependencies joined, a job of another network, or a kind that we do not know.
    Other {
        /// The engine's word for the kind.
        kind: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::job;

    fn run(id: &str, submitted: Option<i64>, last: bool) -> Run {
        Run {
            submitted_at: submitted.and_then(|s| DateTime::from_timestamp(s, 0)),
            last_in_chain: last,
            ..crate::test_support::run(id)
        }
    }

    #[test]
    fn a_cancelled_job_shows_as_cancelled_whatever_its_status() {
        let mut job = job("FIN_GL_POST", JobStatus::Hold);
        assert_eq!(job.state(), JobStatus::Hold);
        job.cancel_pending = true;
        assert_eq!(job.state(), JobStatus::CanclPending);
        job.cancelled = true;
        assert_eq!(job.state(), JobStatus::Cancl);
    }

    #[test]
    fn the_latest_run_is_the_last_of_the_chain_then_the_last_submitted_then_the_last_listed() {
        let mut job = job("FIN_GL_POST", JobStatus::Abend);
        job.runs = vec![
            run("a", Some(5), false),
            run("b", Some(9), false),
            run("c", Some(7), false),
        ];
        assert_eq!(job.latest_run().unwrap().id.as_str(), "b");
        job.runs[0].last_in_chain = true;
        assert_eq!(job.latest_run().unwrap().id.as_str(), "a");
        job.runs = vec![run("a", None, false), run("b", None, false)];
        assert_eq!(job.latest_run().unwrap().id.as_str(), "b");
    }
}
