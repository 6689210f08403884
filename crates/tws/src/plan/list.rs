//! Lists of jobs, page by page, that stay whole while the plan moves.
//!
//! Invariants:
//! - A cursor is the place of the last job in a total order, not a number of jobs to skip. Whatever
//!   comes or goes between two pages, a job that was in the plan all the time, with the values that it
//!   is ordered and filtered by unchanged, comes exactly once.
//! - By name that order is of name and id, which never change, and the engine filters. Any other order,
//!   and a filter that the engine does not have, is answered from the snapshot; a job whose own value
//!   changes meanwhile may then come twice or not at all, and no other does.

use std::cmp::Ordering;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use resync_kernel::{Cursor, CursorError};
use serde::{Deserialize, Serialize};

use super::{JobPage, Snapshot};
use crate::model::{Job, JobId, JobKey, JobQuery, JobSort, JobStatus, NamePattern, StreamId};

/// A question to the list of jobs. Every field that is set must match; nothing set is every job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct JobListQuery {
    /// Any of these; empty is any status.
    pub status: Vec<JobStatus>,
    /// The job's name.
    pub name: Option<NamePattern>,
    /// The stream's name.
    pub stream: Option<NamePattern>,
    /// One stream of the plan.
    pub stream_id: Option<StreamId>,
    /// The workstation's name, without folder.
    pub workstation: Option<NamePattern>,
    /// The folder, with or without the slash at its end.
    pub folder: Option<NamePattern>,
    /// Planned at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Planned before this time.
    pub until: Option<DateTime<Utc>>,
    /// The order.
    pub sort: ListSort,
    /// Where the last page ended; `None` for the first.
    pub cursor: Option<ListCursor>,
    /// How many at most, 1 to 1000.
    pub limit: u32,
}

/// The orders of a list of jobs. Equals are in the order by name, then id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListSort {
    /// By name, A first.
    #[default]
    Name,
    /// By priority, highest first; none last.
    Priority,
    /// By planned time, earliest first; none last.
    Scheduled,
    /// By deadline, earliest first; none last.
    Deadline,
    /// By state, in the engine's words.
    Status,
    /// By workstation; none last.
    Workstation,
    /// By the start of the latest run, latest first; none last.
    Started,
}

/// A place in a list: opaque to clients.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListCursor {
    sort: ListSort,
    rank: Rank,
    key: JobKey,
}

/// What an order compares before name and id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
enum Rank {
    Number(i64),
    Text(String),
    None,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    s: ListSort,
    r: Rank,
    n: String,
    i: JobId,
}

impl ListCursor {
    /// The cursor of a text that [`JobPage::next_cursor`] held, for a list in the same order.
    ///
    /// # Errors
    /// [`CursorError`] when it is no such text: a cursor of another order would begin anywhere.
    pub fn parse(text: &str, sort: ListSort) -> Result<Self, CursorError> {
        let wire: Wire = Cursor::decode(text)?;
        if wire.s != sort {
            return Err(CursorError);
        }
        Ok(Self {
            sort: wire.s,
            rank: wire.r,
            key: JobKey {
                name: wire.n,
                id: wire.i,
            },
        })
    }

    pub(super) fn of(job: &Job, sort: ListSort) -> Self {
        Self {
            sort,
            rank: rank(job, sort),
            key: JobKey::of(job),
        }
    }

    pub(super) fn encode(&self) -> Result<String, CursorError> {
        let wire = Wire {
            s: self.sort,
            r: self.rank.clone(),
            n: self.key.name.clone(),
            i: self.key.id.clone(),
        };
        Ok(Cursor::encode(&wire)?.as_str().to_owned())
    }
}

fn rank(job: &Job, sort: ListSort) -> Rank {
    let time =
        |at: Option<DateTime<Utc>>| at.map_or(Rank::None, |at| Rank::Number(at.timestamp_millis()));
    match sort {
        ListSort::Name => Rank::None,
        ListSort::Priority => job
            .priority
            .map_or(Rank::None, |priority| Rank::Number(-i64::from(priority))),
        ListSort::Scheduled => time(job.scheduled_at),
        ListSort::Deadline => time(job.deadline),
        ListSort::Status => Rank::Text(job.state().as_str().to_owned()),
        ListSort::Workstation => job.workstation.clone().map_or(Rank::None, Rank::Text),
        ListSort::Started => match job.latest_run().and_then(|run| run.started_at) {
            Some(at) => Rank::Number(-at.timestamp_millis()),
            None => Rank::None,
        },
    }
}

impl JobListQuery {
    /// The question that the engine can answer itself, or `None`.
    pub(super) fn pushed(&self) -> Option<JobQuery> {
        let here = self.since.is_some() || self.until.is_some() || self.stream_id.is_some();
        if here || self.sort != ListSort::Name {
            return None;
        }
        Some(JobQuery {
            status: self.status.clone(),
            name: self.name.clone(),
            stream: self.stream.clone(),
            workstation: self.workstation.clone(),
            folder: self.folder.clone(),
            sort: JobSort::Name,
            with_dependencies: false,
            after: self.cursor.as_ref().map(|cursor| cursor.key.clone()),
            offset: 0,
            limit: self.limit,
        })
    }

    fn matches(&self, job: &Job) -> bool {
        let name = |pattern: &Option<NamePattern>, text: Option<&str>| match pattern {
            None => true,
            Some(pattern) => text.is_some_and(|text| pattern.matches(text)),
        };
        let folder = match &self.folder {
            None => true,
            Some(pattern) => job.folder.as_deref().is_some_and(|folder| {
                pattern.matches(folder) || pattern.matches(folder.trim_end_matches('/'))
            }),
        };
        folder
            && (self.status.is_empty() || self.status.contains(&job.state()))
            && name(&self.name, Some(&job.name))
            && name(&self.stream, job.stream.name.as_deref())
            && name(&self.workstation, job.workstation.as_deref())
            && (self.stream_id.is_none() || self.stream_id == job.stream.id)
            && self
                .since
                .is_none_or(|since| job.scheduled_at.is_some_and(|at| at >= since))
            && self
                .until
                .is_none_or(|until| job.scheduled_at.is_some_and(|at| at < until))
    }

    /// The page out of a snapshot.
    pub(super) fn page_of(&self, snapshot: &Snapshot) -> Result<JobPage, CursorError> {
        let place = |job: &Job| (rank(job, self.sort), JobKey::of(job));
        let behind = |found: &(Rank, JobKey)| match &self.cursor {
            None => true,
            Some(cursor) => {
                (&found.0, &found.1).cmp(&(&cursor.rank, &cursor.key)) == Ordering::Greater
            }
        };
        let matching = snapshot.jobs.iter().filter(|job| self.matches(job));
        let mut total = 0_u64;
        let mut found: Vec<((Rank, JobKey), &Arc<Job>)> = Vec::new();
        for job in matching {
            total += 1;
            let at = place(job);
            if behind(&at) {
                found.push((at, job));
            }
        }
        let limit = usize::try_from(self.limit.clamp(1, 1_000)).unwrap_or(1_000);
        let goes_on = found.len() > limit;
        if goes_on {
            found.select_nth_unstable_by(limit, |a, b| a.0.cmp(&b.0));
            found.truncate(limit);
        }
        found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let items: Vec<Arc<Job>> = found.into_iter().map(|(_, job)| Arc::clone(job)).collect();
        let last = items.last().filter(|_| goes_on);
        let next_cursor = last
            .map(|job| ListCursor::of(job, self.sort).encode())
            .transpose()?;
        Ok(JobPage {
            items,
            next_cursor,
            total: Some(total),
        })
    }
}
