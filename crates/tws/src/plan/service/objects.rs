//! Reads of what is in the plan beside jobs, of definitions, and of what the release knows.

use std::collections::HashMap;
use std::sync::Arc;

use tracing::instrument;

use super::{Live, PlanService, cursor_of, fetched};
use crate::model::{
    Capabilities, CountBy, Counted, Counts, DefinitionQuery, DependencyKind, EngineName,
    ObjectKind, Prompt, PromptId, PromptStatus, Prompts, StreamId,
};
use crate::plan::{
    JobDefinitionPage, PromptList, Question, ReadError, ResourceList, Snapshot,
    StreamDefinitionPage, StreamView,
};
use crate::ports::GatewayError;

/// How many prompts a list holds at most.
const MAX_PROMPTS: usize = 500;

impl PlanService {
    /// A stream. Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::UnknownObject`], [`ReadError::Gateway`].
    #[instrument(name = "tws.stream", level = "debug", skip_all, fields(stream.id = %id))]
    pub async fn stream(
        &self,
        engine: Option<&EngineName>,
        id: &StreamId,
    ) -> Result<Live<StreamView>, ReadError> {
        let engine = self.engines.get(engine)?;
        let (asked, id) = (Arc::clone(&engine), id.clone());
        let question = Question::Stream(id.clone());
        self.read(&engine, question, move || async move {
            let found = asked.objects.stream(&id).await?;
            let stream = found.ok_or(ReadError::UnknownObject(ObjectKind::Stream))?;
            fetched(StreamView { stream })
        })
        .await
    }

    /// Every resource. Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::Gateway`].
    #[instrument(name = "tws.resources", level = "debug", skip_all)]
    pub async fn resources(
        &self,
        engine: Option<&EngineName>,
    ) -> Result<Live<ResourceList>, ReadError> {
        let engine = self.engines.get(engine)?;
        let asked = Arc::clone(&engine);
        self.read(&engine, Question::Resources, move || async move {
            let items = asked.objects.resources().await?;
            fetched(ResourceList { items })
        })
        .await
    }

    /// The prompts, those that wait for an answer first, at most 500; the answer says when it was cut.
    /// Where the engine lists none, those that a job of the plan waits for. Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::Gateway`].
    #[instrument(name = "tws.prompts", level = "debug", skip_all)]
    pub async fn prompts(
        &self,
        engine: Option<&EngineName>,
    ) -> Result<Live<PromptList>, ReadError> {
        let engine = self.engines.get(engine)?;
        let (asked, service) = (Arc::clone(&engine), self.clone());
        self.read(&engine, Question::Prompts, move || async move {
            let (read, complete) = match asked.objects.prompts().await {
                Ok(read) => (read, true),
                Err(GatewayError::Unsupported) => {
                    let snapshot = service.snapshot(Some(&asked.name)).await?;
                    (waited_for(&snapshot.value), false)
                }
                Err(error) => return Err(error.into()),
            };
            let (found, mut items) = (read.items.len(), read.items);
            // Stable, so that equals stay in the engine's order.
            items.sort_by_key(|prompt| prompt.status != PromptStatus::Asked);
            items.truncate(MAX_PROMPTS);
            fetched(PromptList {
                total: (!read.truncated).then_some(u64::try_from(found).unwrap_or(u64::MAX)),
                truncated: read.truncated || items.len() < found,
                items,
                complete,
            })
        })
        .await
    }

    /// The engine's own count. Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::Gateway`].
    #[instrument(name = "tws.counts", level = "debug", skip_all)]
    pub async fn counts(
        &self,
        engine: Option<&EngineName>,
        what: Counted,
        by: Option<CountBy>,
    ) -> Result<Live<Counts>, ReadError> {
        let engine = self.engines.get(engine)?;
        let asked = Arc::clone(&engine);
        self.read(&engine, Question::Counts(what, by), move || async move {
            fetched(asked.objects.count(what, by).await?)
        })
        .await
    }

    /// One page of the defined streams that match. Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::Gateway`].
    #[instrument(name = "tws.stream_definitions", level = "debug", skip_all)]
    pub async fn stream_definitions(
        &self,
        engine: Option<&EngineName>,
        query: DefinitionQuery,
    ) -> Result<Live<StreamDefinitionPage>, ReadError> {
        let engine = self.engines.get(engine)?;
        let (asked, question) = (
            Arc::clone(&engine),
            Question::StreamDefinitions(query.clone()),
        );
        self.read(&engine, question, move || async move {
            let slice = asked.definitions.stream_definitions(&query).await?;
            fetched(StreamDefinitionPage {
                items: slice.items,
                next_cursor: cursor_of(slice.next_offset)?,
                total: slice.total,
            })
        })
        .await
    }

    /// One page of the defined jobs that match. Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::Gateway`].
    #[instrument(name = "tws.job_definitions", level = "debug", skip_all)]
    pub async fn job_definitions(
        &self,
        engine: Option<&EngineName>,
        query: DefinitionQuery,
    ) -> Result<Live<JobDefinitionPage>, ReadError> {
        let engine = self.engines.get(engine)?;
        let (asked, question) = (Arc::clone(&engine), Question::JobDefinitions(query.clone()));
        self.read(&engine, question, move || async move {
            let slice = asked.definitions.job_definitions(&query).await?;
            fetched(JobDefinitionPage {
                items: slice.items,
                next_cursor: cursor_of(slice.next_offset)?,
                total: slice.total,
            })
        })
        .await
    }

    /// What the engine's release knows. Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::Gateway`].
    #[instrument(name = "tws.capabilities", level = "debug", skip_all)]
    pub async fn capabilities(
        &self,
        engine: Option<&EngineName>,
    ) -> Result<Live<Capabilities>, ReadError> {
        let engine = self.engines.get(engine)?;
        let asked = Arc::clone(&engine);
        self.read(&engine, Question::Capabilities, move || async move {
            fetched(asked.monitor.capabilities().await?)
        })
        .await
    }
}

/// The prompts that jobs of the plan wait for, each once.
fn waited_for(snapshot: &Snapshot) -> Prompts {
    let mut places: HashMap<PromptId, usize> = HashMap::new();
    let mut prompts: Vec<Prompt> = Vec::new();
    for job in &snapshot.jobs {
        for dependency in &job.dependencies {
            let DependencyKind::Prompt { name, text, status } = &dependency.kind else {
                continue;
            };
            // Without an id no answer could be sent.
            let id = dependency
                .id
                .as_deref()
                .and_then(|id| PromptId::parse(id).ok());
            let Some(id) = id else { continue };
            let at = *places.entry(id.clone()).or_insert_with(|| {
                let status = status.as_deref().unwrap_or("UNKNOWN");
                prompts.push(Prompt {
                    id,
                    name: name.clone(),
                    folder: None,
                    text: text.clone(),
                    status: PromptStatus::read(status),
                    number: None,
                    kind: None,
                    waiting: Vec::new(),
                    waiting_count: 0,
                });
                prompts.len() - 1
            });
            if let Some(prompt) = prompts.get_mut(at) {
                prompt.add_waiting(job.label());
            }
        }
    }
    Prompts {
        items: prompts,
        truncated: false,
    }
}
