//! The rest of the engine in memory: streams, workstations, resources, prompts, definitions.

use std::collections::BTreeMap;

use async_trait::async_trait;
use resync_tws::model::{
    Action, Breaker, CallCounts, Capabilities, CountBy, Counted, Counts, DefinitionQuery,
    JobDefinition, JobStatus, JobStream, Justification, LinkState, NamePattern, Prompt,
    PromptAnswer, PromptId, PromptStatus, Prompts, Resource, ResourceId, Slice, StreamDefinition,
    StreamId, Submission, Submitted, Target, Workstation, WorkstationId,
};
use resync_tws::ports::{
    ActionError, DefinitionGateway, EngineMonitor, GatewayError, ObjectGateway, SubmitGateway,
};

use super::ScriptedEngine;
use super::engine::{State, fits, slice};
use super::lock;

impl ScriptedEngine {
    /// Sets the resources.
    pub fn set_resources(&self, resources: Vec<Resource>) {
        lock(&self.state).resources = resources;
    }

    /// Sets the prompts.
    pub fn set_prompts(&self, prompts: Vec<Prompt>) {
        lock(&self.state).prompts = prompts;
    }

    /// Says of the prompts that they were not read to the end.
    pub fn cut_prompts(&self) {
        lock(&self.state).prompts_truncated = true;
    }

    /// Sets the definitions.
    pub fn set_definitions(&self, streams: Vec<StreamDefinition>, jobs: Vec<JobDefinition>) {
        let mut state = lock(&self.state);
        state.stream_definitions = streams;
        state.job_definitions = jobs;
    }

    /// Sets what the release knows.
    pub fn set_capabilities(&self, capabilities: Capabilities) {
        lock(&self.state).capabilities = capabilities;
    }

    /// Sets how the client gets on.
    pub fn set_breaker(&self, breaker: Breaker) {
        lock(&self.state).breaker = breaker;
    }

    /// What was submitted, in order, also what failed.
    #[must_use]
    pub fn submitted(&self) -> Vec<(Submission, Justification)> {
        lock(&self.state).submitted.clone()
    }

    /// A prompt of that id and status, and nothing said of the rest.
    ///
    /// # Panics
    /// When `id` is no id; it is written by a test.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test's own literal")]
    pub fn plain_prompt(id: &str, status: PromptStatus) -> Prompt {
        Prompt {
            id: PromptId::parse(id).expect("a literal of a test"),
            name: Some(id.to_ascii_uppercase()),
            folder: None,
            text: Some("go on?".to_owned()),
            status,
            number: None,
            kind: None,
            waiting: Vec::new(),
            waiting_count: 0,
        }
    }
}

impl State {
    /// Whether the plan has the target.
    pub(super) fn has(&self, target: &Target) -> bool {
        match target {
            Target::Job(id) => self.jobs.iter().any(|job| job.id == *id),
            Target::Stream(id) => self.streams.iter().any(|stream| stream.id == *id),
            Target::Workstation(id) => self.workstations.iter().any(|station| station.id == *id),
            Target::Resource(id) => self.resources.iter().any(|resource| resource.id == *id),
            Target::Prompt(id) => self.prompts.iter().any(|prompt| prompt.id == *id),
        }
    }

    /// What an action does to what is no job.
    pub(super) fn apply_to_object(&mut self, target: &Target, action: Action) {
        match target {
            Target::Job(_) => {}
            Target::Stream(id) => {
                if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == *id) {
                    match action {
                        Action::Hold => stream.priority = Some(0),
                        Action::Release => stream.priority = Some(10),
                        Action::Cancel => stream.status = JobStatus::Cancl,
                        _ => stream.status = JobStatus::Ready,
                    }
                }
            }
            Target::Workstation(id) => {
                if let Some(station) = self.workstations.iter_mut().find(|s| s.id == *id) {
                    match action {
                        Action::Link => station.link = LinkState::Linked,
                        Action::Unlink => station.link = LinkState::Unlinked,
                        Action::Start => station.jobman_up = Some(true),
                        Action::Stop => station.jobman_up = Some(false),
                        Action::Limit { limit } => station.limit = Some(u32::from(limit)),
                        Action::Fence { fence } => station.fence = Some(u32::from(fence.get())),
                        _ => {}
                    }
                }
            }
            Target::Resource(id) => {
                if let Action::Quantity { quantity } = action
                    && let Some(resource) = self.resources.iter_mut().find(|r| r.id == *id)
                {
                    resource.quantity = Some(quantity);
                }
            }
            Target::Prompt(id) => {
                if let Action::Reply { answer } = action
                    && let Some(prompt) = self.prompts.iter_mut().find(|p| p.id == *id)
                {
                    prompt.status = match answer {
                        PromptAnswer::Yes => PromptStatus::AnsweredYes,
                        PromptAnswer::No => PromptStatus::AnsweredNo,
                    };
                }
            }
        }
    }
}

#[async_trait]
impl ObjectGateway for ScriptedEngine {
    async fn stream(&self, id: &StreamId) -> Result<Option<JobStream>, GatewayError> {
        self.read(|state| state.streams.iter().find(|s| s.id == *id).cloned())
    }

    async fn workstation(&self, id: &WorkstationId) -> Result<Option<Workstation>, GatewayError> {
        self.read(|state| state.workstations.iter().find(|s| s.id == *id).cloned())
    }

    async fn resources(&self) -> Result<Vec<Resource>, GatewayError> {
        self.read(|state| state.resources.clone())
    }

    async fn resource(&self, id: &ResourceId) -> Result<Option<Resource>, GatewayError> {
        self.read(|state| state.resources.iter().find(|r| r.id == *id).cloned())
    }

    async fn prompts(&self) -> Result<Prompts, GatewayError> {
        self.read(|state| Prompts {
            items: state.prompts.clone(),
            truncated: state.prompts_truncated,
        })
    }

    async fn prompt(&self, id: &PromptId) -> Result<Option<Prompt>, GatewayError> {
        self.read(|state| {
            state.count_late();
            state.prompts.iter().find(|p| p.id == *id).cloned()
        })
    }

    async fn count(&self, what: Counted, by: Option<CountBy>) -> Result<Counts, GatewayError> {
        type Facts = (String, Option<String>, Option<String>);
        self.read(|state| {
            let all: Vec<Facts> = match what {
                Counted::Jobs => {
                    let facts = state.jobs.iter().map(|job| {
                        let status = job.status.as_str().to_owned();
                        (status, job.workstation.clone(), job.folder.clone())
                    });
                    facts.collect()
                }
                Counted::Streams => {
                    let facts = state.streams.iter().map(|stream| {
                        let status = stream.status.as_str().to_owned();
                        (status, stream.workstation.clone(), stream.folder.clone())
                    });
                    facts.collect()
                }
            };
            let mut groups = BTreeMap::new();
            for (status, workstation, folder) in &all {
                let group = match by {
                    None => continue,
                    Some(CountBy::Status) => Some(status),
                    Some(CountBy::Workstation) => workstation.as_ref(),
                    Some(CountBy::Folder) => folder.as_ref(),
                };
                let group = group.cloned().unwrap_or_default();
                *groups.entry(group).or_insert(0) += 1;
            }
            Counts {
                total: all.len() as u64,
                groups,
            }
        })
    }
}

fn wanted(
    query: &DefinitionQuery,
    name: &str,
    workstation: Option<&str>,
    folder: Option<&str>,
) -> bool {
    let meets = |pattern: &Option<NamePattern>, text: Option<&str>| match pattern {
        None => true,
        Some(pattern) => text.is_some_and(|text| {
            fits(
                pattern.as_str().trim_end_matches('/'),
                text.trim_end_matches('/'),
            )
        }),
    };
    meets(&query.name, Some(name))
        && meets(&query.workstation, workstation)
        && meets(&query.folder, folder)
}

#[async_trait]
impl DefinitionGateway for ScriptedEngine {
    async fn stream_definitions(
        &self,
        query: &DefinitionQuery,
    ) -> Result<Slice<StreamDefinition>, GatewayError> {
        self.read(|state| {
            let all = state.stream_definitions.iter().filter(|definition| {
                let (workstation, folder) = (&definition.workstation, &definition.folder);
                wanted(
                    query,
                    &definition.name,
                    workstation.as_deref(),
                    folder.as_deref(),
                )
            });
            let all: Vec<StreamDefinition> = all.cloned().collect();
            slice(&all, query.offset, query.limit)
        })
    }

    async fn job_definitions(
        &self,
        query: &DefinitionQuery,
    ) -> Result<Slice<JobDefinition>, GatewayError> {
        self.read(|state| {
            let all = state.job_definitions.iter().filter(|definition| {
                let (workstation, folder) = (&definition.workstation, &definition.folder);
                wanted(
                    query,
                    &definition.name,
                    workstation.as_deref(),
                    folder.as_deref(),
                )
            });
            let all: Vec<JobDefinition> = all.cloned().collect();
            slice(&all, query.offset, query.limit)
        })
    }
}

#[async_trait]
impl SubmitGateway for ScriptedEngine {
    async fn submit(
        &self,
        submission: &Submission,
        why: &Justification,
    ) -> Result<Submitted, ActionError> {
        let mut state = lock(&self.state);
        state.submitted.push((submission.clone(), why.clone()));
        let failure = state.actions_fail.clone();
        match &failure {
            None | Some(ActionError::OutcomeUnknown(_)) => {}
            Some(error) => return Err(error.clone()),
        }
        let defined = |id: &resync_tws::model::DefinitionId| match submission {
            Submission::Stream { .. } => {
                let found = state.stream_definitions.iter().find(|d| d.id == *id);
                found.map(|d| d.name.clone())
            }
            Submission::Job { .. } => {
                let found = state.job_definitions.iter().find(|d| d.id == *id);
                found.map(|d| d.name.clone())
            }
        };
        let name = defined(submission.definition()).ok_or(ActionError::UnknownTarget)?;
        let alias = submission.options().alias.as_ref();
        let name = alias.map_or(name, |alias| alias.as_str().to_owned());
        let id = format!("submitted-{}", state.submitted.len());
        if matches!(submission, Submission::Stream { .. })
            && let Ok(stream) = StreamId::parse(&id)
        {
            state.streams.push(JobStream {
                id: stream,
                name,
                folder: None,
                workstation: None,
                status: JobStatus::Add,
                scheduled_at: submission.options().scheduled_at,
                deadline: None,
                priority: submission
                    .options()
                    .priority
                    .map(resync_tws::model::Priority::get),
                limit: None,
            });
        } else if let Ok(job) = resync_tws::model::JobId::parse(&id) {
            let added = resync_tws::model::Job::bare(job, name, JobStatus::Add);
            state.jobs.push(added);
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(Submitted { ids: vec![id] }),
        }
    }
}

#[async_trait]
impl EngineMonitor for ScriptedEngine {
    async fn capabilities(&self) -> Result<Capabilities, GatewayError> {
        self.read(|state| state.capabilities.clone())
    }

    fn breaker(&self) -> Breaker {
        lock(&self.state).breaker.clone()
    }

    /// It sends nothing, so there is nothing to count.
    fn calls(&self) -> CallCounts {
        CallCounts::default()
    }
}
