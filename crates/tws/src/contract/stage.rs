//! What the laws are played on.

use std::any::Any;
use std::collections::HashSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use crate::model::{Job, JobQuery, JobStatus};
use crate::ports::{
    ActionGateway, DefinitionGateway, EngineMonitor, LogGateway, ObjectGateway, PlanGateway,
    SubmitGateway,
};

/// An engine whose plan stands still while a law reads it.
///
/// The plan holds at least ten jobs, a job that ended well with a log of three lines or more, a
/// waiting job, and a job that waits for another one. For the laws of [`ObjectGateway`] it holds a
/// resource and a prompt that was asked; for those of [`DefinitionGateway`] and [`SubmitGateway`] two
/// defined streams and two defined jobs of different names.
pub struct Stage {
    /// Reads of the plan.
    pub plan: Arc<dyn PlanGateway>,
    /// Reads of logs.
    pub logs: Arc<dyn LogGateway>,
    /// Actions.
    pub actions: Arc<dyn ActionGateway>,
    /// Reads of what is in the plan beside jobs.
    pub objects: Arc<dyn ObjectGateway>,
    /// Reads of definitions.
    pub definitions: Arc<dyn DefinitionGateway>,
    /// Submissions.
    pub submit: Arc<dyn SubmitGateway>,
    /// What the release knows.
    pub monitor: Arc<dyn EngineMonitor>,
    /// Lets time pass, until what the engine accepted shows in its plan.
    pub settle: Settle,
    /// What must live as long, such as a server.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// See [`Stage::settle`].
pub type Settle = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").finish_non_exhaustive()
    }
}

impl Stage {
    /// The stage of one client that has every port; `keep` is what must live as long.
    pub fn of<C>(client: Arc<C>, keep: Box<dyn Any + Send + Sync>) -> Self
    where
        C: PlanGateway
            + LogGateway
            + ActionGateway
            + ObjectGateway
            + DefinitionGateway
            + SubmitGateway
            + EngineMonitor
            + 'static,
    {
        Self {
            plan: client.clone(),
            logs: client.clone(),
            actions: client.clone(),
            objects: client.clone(),
            definitions: client.clone(),
            submit: client.clone(),
            monitor: client,
            settle: Box::new(|| Box::pin(std::future::ready(()))),
            keep,
        }
    }

    /// The same for an engine that acts a little later, as real ones do.
    #[must_use]
    pub fn settled_by(mut self, settle: Settle) -> Self {
        self.settle = settle;
        self
    }

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
