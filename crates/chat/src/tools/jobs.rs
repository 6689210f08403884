//! Lists of jobs by what a question names.
//!
//! Invariants:
//! - The count is over the whole plan, also where the items are cut.
//! - A job stands in a span of time by the moment that its latest run ended, else started, else by
//!   its planned time.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use resync_tws::Snapshot;
use resync_tws::model::{Job, JobStatus, Phase};

use super::TimeSpan;

/// Which jobs. What is empty lets every job through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Any of these statuses, in normal form: the engine's words, and `STUCK`, `LATE`, `LONG`.
    pub statuses: Vec<String>,
    /// Any of these names, in capitals, in which `*` is any run of characters.
    pub patterns: Vec<String>,
    /// Any of these streams.
    pub streams: Vec<String>,
    /// Any of these workstations.
    pub workstations: Vec<String>,
    /// Within each of these spans.
    pub spans: Vec<TimeSpan>,
    /// How many items at most; the count is not cut.
    pub limit: usize,
}

/// The jobs that a filter lets through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobList {
    /// How many in all.
    pub total: usize,
    /// How many by state, in the engine's words.
    pub by_state: BTreeMap<String, usize>,
    /// The first of them: those that ended last first where all have ended, else in the plan's order.
    pub items: Vec<Arc<Job>>,
}

impl JobFilter {
    /// The jobs of `snapshot` that it lets through.
    #[must_use]
    pub fn of(&self, snapshot: &Snapshot) -> JobList {
        let matching = snapshot.jobs.iter().filter(|job| self.fits(job));
        let mut items: Vec<Arc<Job>> = matching.cloned().collect();
        let mut by_state: BTreeMap<String, usize> = BTreeMap::new();
        for job in &items {
            *by_state.entry(job.state().as_str().to_owned()).or_default() += 1;
        }
        if items.iter().all(|job| job.state().has_ended()) {
            items.sort_by_key(|job| Reverse(moment(job)));
        }
        let total = items.len();
        items.truncate(self.limit);
        JobList {
            total,
            by_state,
            items,
        }
    }

    fn fits(&self, job: &Job) -> bool {
        let within = |names: &[String], name: Option<&str>| {
            names.is_empty() || name.is_some_and(|name| names.iter().any(|known| known == name))
        };
        let named = || {
            let name = job.name.to_uppercase();
            self.patterns.iter().any(|pattern| matches(pattern, &name))
        };
        (self.statuses.is_empty() || self.statuses.iter().any(|status| is_in(job, status)))
            && within(&self.streams, job.stream.name.as_deref())
            && within(&self.workstations, job.workstation.as_deref())
            && (self.patterns.is_empty() || named())
            && (self.spans.is_empty()
                || moment(job).is_some_and(|at| self.spans.iter().all(|span| span.holds(at))))
    }
}

/// By which moment a job stands in a span.
pub(crate) fn moment(job: &Job) -> Option<DateTime<Utc>> {
    let run = job.latest_run();
    run.and_then(|run| run.ended_at.or(run.started_at))
        .or(job.scheduled_at)
}

/// Whether the job is in that status, in the normal form of the entities.
fn is_in(job: &Job, status: &str) -> bool {
    let state = job.state();
    match status {
        // "Failed" is a job that ended badly, in whichever of the engine's words.
        "ABEND" | "FAIL" => state.has_failed(),
        "STUCK" => state.phase() == Phase::Blocked,
        "EXEC" => state.phase() == Phase::Running,
        "LATE" => job.late && !state.has_ended(),
        "LONG" => job.long_running && !state.has_ended(),
        "HOLD" => state == JobStatus::Hold || (job.priority == Some(0) && !state.has_ended()),
        "CANCL" => matches!(state, JobStatus::Cancl | JobStatus::CanclPending),
        other => state.as_str() == other,
    }
}

/// Whether `name` fits `pattern`, in which `*` is any run of characters.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or("")) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or(""),
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::tests::job;
    use chrono::Duration;
    use resync_tws::model::{Run, RunId};

    #[test]
    fn a_star_is_any_run_of_characters() {
        assert!(matches("PAY*", "PAY_CALC"));
        assert!(matches("*CALC", "PAY_CALC"));
        assert!(matches("P*C*C", "PAY_CALC"));
        assert!(matches("PAY_CALC", "PAY_CALC"));
        assert!(!matches("PAY", "PAY_CALC"));
        assert!(!matches("PAY*X", "PAY_CALC"));
    }

    #[test]
    fn a_list_counts_all_and_shows_those_that_ended_last_first() {
        let now = DateTime::from_timestamp(1_772_409_600, 0).unwrap();
        let failed = |name: &str, hours| {
            let mut run = Run::bare(RunId::parse(name).unwrap(), JobStatus::Abend);
            run.ended_at = Some(now - Duration::hours(hours));
            Job {
                status: JobStatus::Abend,
                runs: vec![run],
                ..job(name, "S", "W")
            }
        };
        let jobs = vec![
            failed("A", 9),
            failed("B", 1),
            failed("C", 30),
            job("D", "S", "W"),
        ];
        let snapshot = Snapshot::of(jobs, Vec::new(), Vec::new());
        let filter = JobFilter {
            statuses: vec!["FAIL".to_owned()],
            limit: 2,
            ..JobFilter::default()
        };
        let list = filter.of(&snapshot);
        let names: Vec<_> = list.items.iter().map(|job| job.name.as_str()).collect();
        assert_eq!((list.total, names), (3, vec!["B", "A"]));
        assert_eq!(list.by_state, BTreeMap::from([("ABEND".to_owned(), 3)]));
        let lately = JobFilter {
            spans: vec![TimeSpan::of("last_2h", now).unwrap()],
            ..filter
        };
        assert_eq!(lately.of(&snapshot).total, 1);
    }
}
