//! What the laws are played on.

use std::any::Any;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::model::{Job, JobQuery, JobStatus};
use crate::ports::{ActionGateway, LogGateway, PlanGateway};

/// An engine whose plan stands still while a law reads it.
///
/// The plan holds at least ten jobs, a job that ended well with a log of three lines or more, a
/// waiting job, and a job that waits for another one.
pub struct Stage {
    /// Reads of the plan.
    pub plan: Arc<dyn PlanGateway>,
    /// Reads of logs.
    pub logs: Arc<dyn LogGateway>,
    /// Actions.
    pub actions: Arc<dyn ActionGateway>,
    /// What must live as long, such as a server.
    pub keep: Box<dyn Any + Send + Sync>,
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").finish_non_exhaustive()
    }
}

impl Stage {
    /// Every job that meets `query`, read page by page; each id once.
    pub(super) async fn all_jobs(&self, query: &JobQuery) -> Vec<Job> {
        let (mut jobs, mut seen) = (Vec::new(), HashSet::new());
        let mut query = JobQuery {
            limit: query.limit.max(100),
            ..query.clone()
        };
        loop {
            let slice = self.plan.jobs(&query).await.expect("a page of jobs");
            for job in slice.items {
                assert!(seen.insert(job.id.clone()), "{} comes twice", job.id);
                jobs.push(job);
            }
            match slice.next_offset {
                Some(next) => {
                    assert!(next > query.offset, "{next} does not go on");
                    query.offset = next;
                }
                None => return jobs,
            }
        }
    }

    /// Every job of the plan, without dependencies.
    pub(super) async fn every_job(&self) -> Vec<Job> {
        let jobs = self.all_jobs(&JobQuery::default()).await;
        assert!(jobs.len() >= 10, "the stage holds {} jobs", jobs.len());
        jobs
    }

    /// A job that shows as `status`, the first in the engine's order.
    pub(super) async fn job_in(&self, status: &JobStatus) -> Job {
        let jobs = self.every_job().await;
        jobs.into_iter()
            .find(|job| job.state() == *status)
            .unwrap_or_else(|| panic!("the stage holds no job in {status}"))
    }
}
