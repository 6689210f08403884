//! The tools of one answer: each call is timed, bounded by the answer's deadline and noted.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use resync_kernel::{Clock, Monotonic};
use resync_rag::SearchResults;
use resync_tws::model::JobId;
use resync_tws::{Diagnosis, JobView, LogRequest, LogView, Snapshot};
use tokio::time::Instant;

use crate::answer::ToolUse;
use crate::events::{ChatEvent, Progress};
use crate::tools::{EngineFacts, KnowledgeTools, PlanToolError, PlanTools, Seen};

pub(crate) struct Desk<'a> {
    pub(crate) plan: &'a dyn PlanTools,
    pub(crate) knowledge: &'a dyn KnowledgeTools,
    pub(crate) clock: &'a dyn Clock,
    /// Who hears of each call.
    pub(crate) progress: &'a dyn Progress,
    /// When the plan as a whole must be there.
    pub(crate) plan_deadline: Instant,
    /// When everything must be there.
    pub(crate) deadline: Instant,
    /// The engine that is asked; `None` when none is configured.
    pub(crate) engine: Option<EngineFacts>,
    /// Guards a list; no await is made under it.
    pub(crate) used: Mutex<Vec<ToolUse>>,
}

impl Desk<'_> {
    /// Tells that a call begins; returns when.
    async fn begin(&self, name: &str) -> Monotonic {
        let (name, took_ms) = (name.to_owned(), None);
        self.progress.tell(ChatEvent::Step { name, took_ms }).await;
        self.clock.monotonic()
    }

    /// Notes and tells that a call is done.
    async fn note(&self, name: &str, since: Monotonic, cache: Option<&str>) {
        let took = self.clock.monotonic() - since;
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let used = ToolUse {
            name: name.to_owned(),
            took_ms,
            cache: cache.map(str::to_owned),
        };
        self.used
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(used);
        let (name, took_ms) = (name.to_owned(), Some(took_ms));
        self.progress.tell(ChatEvent::Step { name, took_ms }).await;
    }

    async fn asked<V>(
        &self,
        name: &str,
        until: Instant,
        call: impl Future<Output = Result<Seen<V>, PlanToolError>>,
    ) -> Result<Seen<V>, PlanToolError> {
        let since = self.begin(name).await;
        let timed = tokio::time::timeout_at(until, call).await;
        let found = timed.unwrap_or(Err(PlanToolError::TimedOut));
        let cache = found.as_ref().ok().map(|seen| seen.meta.cache.as_str());
        self.note(name, since, cache).await;
        if let Err(error) = &found {
            tracing::debug!(
                tool = name,
                error = error as &dyn std::error::Error,
                "a tool gave no answer"
            );
        }
        found
    }

    fn engine(&self) -> Result<&EngineFacts, PlanToolError> {
        self.engine.as_ref().ok_or(PlanToolError::Unreachable)
    }

    pub(crate) async fn snapshot(&self) -> Result<Seen<Snapshot>, PlanToolError> {
        let engine = &self.engine()?.name;
        self.asked("snapshot", self.plan_deadline, self.plan.snapshot(engine))
            .await
    }

    pub(crate) async fn job(&self, id: &JobId) -> Result<Seen<JobView>, PlanToolError> {
        let engine = &self.engine()?.name;
        self.asked("job", self.deadline, self.plan.job(engine, id))
            .await
    }

    pub(crate) async fn diagnosis(&self, id: &JobId) -> Result<Seen<Diagnosis>, PlanToolError> {
        let engine = &self.engine()?.name;
        self.asked("diagnosis", self.deadline, self.plan.diagnosis(engine, id))
            .await
    }

    pub(crate) async fn log(
        &self,
        id: &JobId,
        request: LogRequest,
    ) -> Result<Seen<LogView>, PlanToolError> {
        let engine = &self.engine()?.name;
        self.asked("log", self.deadline, self.plan.log(engine, id, request))
            .await
    }

    /// The best sections for `text`; `None` when the documents cannot be searched.
    pub(crate) async fn search(&self, text: &str, k: usize) -> Option<SearchResults> {
        let since = self.begin("search").await;
        let found = tokio::time::timeout_at(self.deadline, self.knowledge.search(text, k)).await;
        self.note("search", since, None).await;
        match found {
            Ok(Ok(results)) => Some(results),
            Ok(Err(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the documents cannot be searched"
                );
                None
            }
            Err(_) => {
                tracing::warn!("the documents did not answer in time");
                None
            }
        }
    }
}
