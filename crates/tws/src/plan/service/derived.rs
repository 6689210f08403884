//! Reads that are worked out of the snapshot.
//!
//! Invariant: what is worked out is kept under the snapshot's own number, and its age is that of the
//! snapshot; so it is neither served past its plan nor said to be younger than it.

use std::sync::Arc;

use tracing::instrument;

use super::{Answer, Live, PlanService, fetched};
use crate::model::{EngineName, JobId};
use crate::plan::cache::live;
use crate::plan::graph::{GraphLimits, graph};
use crate::plan::impact::impact;
use crate::plan::snapshot::off_the_workers;
use crate::plan::{
    Derived, GraphDirection, GraphView, ImpactView, JobListQuery, JobPage, ListCursor, ListSort,
    PlanKey, Question, ReadError, Snapshot,
};
use crate::ports::GatewayError;

impl PlanService {
    /// One page of the jobs that match, with a cursor that holds while the plan moves: see
    /// [`ListCursor`] and `docs/decisions`. By name the engine filters; what it cannot answer comes
    /// from the snapshot.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::Gateway`].
    #[instrument(name = "tws.job_list", level = "debug", skip_all)]
    pub async fn job_list(
        &self,
        engine: Option<&EngineName>,
        query: JobListQuery,
    ) -> Result<Live<JobPage>, ReadError> {
        let query = JobListQuery {
            limit: query.limit.clamp(1, 1_000),
            ..query
        };
        if let Some(pushed) = query.pushed() {
            match self.pushed_list(engine, pushed).await {
                Err(ReadError::Gateway(GatewayError::Unsupported)) => {}
                answer => return answer,
            }
        }
        let what = Derived::List(query.clone());
        self.derived(engine, what, move |snapshot| {
            query.page_of(snapshot).map_err(|_| ReadError::Unwritable)
        })
        .await
    }

    async fn pushed_list(
        &self,
        engine: Option<&EngineName>,
        query: crate::model::JobQuery,
    ) -> Result<Live<JobPage>, ReadError> {
        let engine = self.engines.get(engine)?;
        let (asked, question) = (Arc::clone(&engine), Question::Jobs(query.clone()));
        self.read(&engine, question, move || async move {
            let slice = asked.plan.jobs(&query).await?;
            let last = slice.items.last().filter(|_| slice.next_offset.is_some());
            let cursor = last.map(|job| ListCursor::of(job, ListSort::Name).encode());
            fetched(JobPage {
                next_cursor: cursor.transpose().map_err(|_| ReadError::Unwritable)?,
                items: slice.items.into_iter().map(Arc::new).collect(),
                // Behind a cursor the engine counts what is left, and not what matches.
                total: slice.total.filter(|_| query.after.is_none()),
            })
        })
        .await
    }

    /// What is around a job, as nodes and edges; `depth` is brought within 1 to 10. At most 500 nodes
    /// and 2,000 edges, and the answer says when it was cut.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::UnknownJob`], [`ReadError::Gateway`].
    #[instrument(name = "tws.graph", level = "debug", skip_all, fields(job.id = %id))]
    pub async fn graph(
        &self,
        engine: Option<&EngineName>,
        id: &JobId,
        direction: GraphDirection,
        depth: u8,
    ) -> Result<Live<GraphView>, ReadError> {
        let (id, depth) = (id.clone(), depth.clamp(1, 10));
        let what = Derived::Graph(id.clone(), direction, depth);
        self.derived(engine, what, move |snapshot| {
            let start = snapshot.place(&id).ok_or(ReadError::UnknownJob(id))?;
            Ok(graph(
                snapshot,
                start,
                direction,
                depth,
                GraphLimits::DEFAULT,
            ))
        })
        .await
    }

    /// Who is held up by a job, and which deadlines fall with it.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::UnknownJob`], [`ReadError::Gateway`].
    #[instrument(name = "tws.impact", level = "debug", skip_all, fields(job.id = %id))]
    pub async fn impact(
        &self,
        engine: Option<&EngineName>,
        id: &JobId,
    ) -> Result<Live<ImpactView>, ReadError> {
        let (id, clock) = (id.clone(), Arc::clone(&self.clock));
        self.derived(engine, Derived::Impact(id.clone()), move |snapshot| {
            let start = snapshot.place(&id);
            start
                .and_then(|start| impact(snapshot, start, clock.now()))
                .ok_or(ReadError::UnknownJob(id))
        })
        .await
    }

    async fn derived<T, F>(
        &self,
        engine: Option<&EngineName>,
        what: Derived,
        work: F,
    ) -> Result<Live<T>, ReadError>
    where
        T: Answer + serde::Serialize,
        F: FnOnce(&Snapshot) -> Result<T, ReadError> + Send + 'static,
    {
        let snapshot = self.snapshot(engine).await?;
        let key = PlanKey {
            engine: snapshot.meta.engine.clone(),
            what: Question::Derived(snapshot.value.revision, what),
        };
        let windows = self.policy.windows(&key);
        let plan = Arc::clone(&snapshot.value);
        let work = move || async move {
            // A large plan must not hold up the answers of others.
            off_the_workers(move || fetched(work(&plan)?)).await?
        };
        let cached = self.cache.get_or_fetch(&key, windows, work).await?;
        let made = live::<T>(&key.engine, &cached)?;
        // Where it came from is where the plan came from: working it out asks no engine.
        Ok(Live {
            meta: snapshot.meta,
            ..made
        })
    }
}
