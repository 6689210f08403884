//! The first call: what would be done to which job, and what it would mean.

use chrono::{DateTime, Duration, Utc};
use resync_kernel::SecretString;
use serde::Serialize;
use thiserror::Error;
use tracing::instrument;

use super::{ActionActor, ActionService, EntropyMissing, NotAllowed, Reason, Ticket, rules, token};
use crate::engines::UnknownEngine;
use crate::model::{Action, ActionKind, EngineName, Job, JobId, JobStatus};
use crate::plan::{PlanService, ReadError};
use crate::ports::{ProposalError, ProposalId, StoredProposal};
use crate::text::Text;

/// How many blocked jobs an impact names.
const NAMED: usize = 10;
/// How long a proposal that ended is kept, so that its user is told that it ended.
const KEEP_ENDED: Duration = Duration::hours(1);

/// What a person wants done.
#[derive(Debug, Clone)]
pub struct ProposeRequest {
    /// Who.
    pub actor: ActionActor,
    /// On which engine; the first one when `None`.
    pub engine: Option<EngineName>,
    /// To which job.
    pub job: JobId,
    /// What.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// A ticket number.
    pub ticket: Option<Ticket>,
    /// The request that it came with.
    pub request_id: Option<String>,
    /// Stop at the impact: nothing can be confirmed.
    pub dry_run: bool,
}

/// What would be done.
#[derive(Debug)]
pub struct Proposal {
    /// What a confirmation needs; `None` for a dry run.
    pub handle: Option<ProposalHandle>,
    /// The kind of action.
    pub action: ActionKind,
    /// To what.
    pub target: Target,
    /// What it would mean for others.
    pub impact: Impact,
    /// A short digest of the target's state; a confirmation holds as long as it stays.
    pub plan_revision: String,
    /// Until when it can be confirmed.
    pub expires_at: DateTime<Utc>,
}

/// What a confirmation needs.
#[derive(Debug)]
pub struct ProposalHandle {
    /// The proposal's id, which is no secret.
    pub id: ProposalId,
    /// The token, which is one.
    pub confirmation_token: SecretString,
}

/// What an action is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    /// The engine.
    pub engine: EngineName,
    /// The job.
    pub job_id: JobId,
    /// The job as operators write it.
    pub label: String,
    /// Its state at this moment.
    pub state: JobStatus,
}

/// What an action means for others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Impact {
    /// How many jobs that have not ended wait for this one, directly or through others.
    pub blocked: usize,
    /// The nearest of them, at most 10.
    pub jobs: Vec<String>,
    /// What the action does, in one sentence.
    pub note: Option<Text>,
}

/// Why there is no proposal.
#[derive(Debug, Error)]
pub enum ProposeError {
    /// There is no such engine.
    #[error(transparent)]
    UnknownEngine(#[from] UnknownEngine),
    /// The engine takes no actions from Resync.
    #[error("the engine is read-only")]
    ReadOnly,
    /// The plan has no such job.
    #[error("the plan has no job with the id {0}")]
    UnknownJob(JobId),
    /// The job's state does not allow it.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// The job or the plan around it cannot be read, so its impact is not known.
    #[error("the plan cannot be read")]
    Read(#[source] ReadError),
    /// The proposal could not be kept.
    #[error("the proposal could not be kept")]
    Store(#[from] ProposalError),
    /// No token could be made.
    #[error(transparent)]
    Token(#[from] EntropyMissing),
}

impl From<ReadError> for ProposeError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::UnknownEngine(error) => Self::UnknownEngine(error),
            ReadError::UnknownJob(id) => Self::UnknownJob(id),
            other => Self::Read(other),
        }
    }
}

impl ActionService {
    /// Prepares an action. Nothing is sent to the engine but reads, one of them past the cache.
    ///
    /// Cancel safe: a proposal whose caller is gone ends by itself.
    ///
    /// # Errors
    /// [`ProposeError`].
    #[instrument(name = "tws.propose", skip_all, fields(job.id = %request.job, action = request.action.kind().as_str()))]
    pub async fn propose(&self, request: ProposeRequest) -> Result<Proposal, ProposeError> {
        let parts = &*self.parts;
        let engine = parts.plan.engines().get(request.engine.as_ref())?;
        if engine.read_only {
            return Err(ProposeError::ReadOnly);
        }
        let job = PlanService::job_now(engine, &request.job).await?;
        request.action.allowed_for(&job)?;
        let impact = self.impact(&engine.name, &job, request.action).await?;
        let fingerprint = rules::fingerprint(&job);
        let now = parts.clock.now();
        // In whole milliseconds, as stores keep it: the token is bound to it.
        let expires_at = now + Duration::seconds(Self::PROPOSAL_SECONDS);
        let expires_at =
            DateTime::from_timestamp_millis(expires_at.timestamp_millis()).unwrap_or(expires_at);
        let proposal = Proposal {
            handle: None,
            action: request.action.kind(),
            target: Target {
                engine: engine.name.clone(),
                job_id: job.id.clone(),
                label: job.label(),
                state: job.state(),
            },
            impact,
            plan_revision: fingerprint.chars().take(16).collect(),
            expires_at,
        };
        if request.dry_run {
            return Ok(proposal);
        }
        let mut stored = StoredProposal {
            id: ProposalId(parts.ids.next()),
            user: request.actor.user,
            mac: String::new(),
            engine: engine.name.clone(),
            label: job.label(),
            run: rules::run_of(&job, request.action),
            job: job.id,
            action: request.action,
            fingerprint,
            reason: request.reason.as_str().to_owned(),
            ticket: request.ticket.map(|ticket| ticket.as_str().to_owned()),
            expires_at,
            used: false,
        };
        let confirmation_token = token::mint(stored.id)?;
        stored.mac = token::seal(&parts.key, &confirmation_token, &request.actor, &stored)
            .ok_or_else(|| ProposalError::Unavailable("the token could not be bound".into()))?;
        parts.proposals.purge(now - KEEP_ENDED).await?;
        parts.proposals.insert(&stored).await?;
        Ok(Proposal {
            handle: Some(ProposalHandle {
                id: stored.id,
                confirmation_token,
            }),
            ..proposal
        })
    }

    async fn impact(
        &self,
        engine: &EngineName,
        job: &Job,
        action: Action,
    ) -> Result<Impact, ReadError> {
        let plan = self.parts.plan.snapshot(Some(engine)).await?;
        let victims = plan.value.victims(&job.id);
        Ok(Impact {
            blocked: victims.len(),
            jobs: victims.iter().take(NAMED).map(|job| job.label()).collect(),
            note: rules::note(job, action),
        })
    }
}
