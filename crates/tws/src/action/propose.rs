//! The first call: what would be done to what, and what it would mean.

use chrono::{DateTime, Duration, Utc};
use resync_kernel::SecretString;
use serde::Serialize;
use thiserror::Error;
use tracing::instrument;

use super::{ActionActor, ActionService, EntropyMissing, NotAllowed, Reason, Ticket, rules, token};
use crate::engines::UnknownEngine;
use crate::model::{Action, ActionKind, EngineName, JobId, ObjectKind, StateWord, Subject, Target};
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
    /// To what.
    pub target: Target,
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
    pub target: ProposedTarget,
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
pub struct ProposedTarget {
    /// The engine.
    pub engine: EngineName,
    /// The sort of object and its id.
    #[serde(flatten)]
    pub target: Target,
    /// The job, when it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// The target as operators write it.
    pub label: String,
    /// Its state at this moment.
    pub state: StateWord,
}

/// What an action means for others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Impact {
    /// How many jobs that have not ended wait for it, directly or through others.
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
    /// The plan has no such object.
    #[error("the plan has no such object")]
    UnknownObject(ObjectKind),
    /// The state of the target does not allow it.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// The target or the plan around it cannot be read, so its impact is not known.
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
            ReadError::UnknownObject(kind) => Self::UnknownObject(kind),
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
    #[instrument(name = "tws.propose", skip_all, fields(target.id = %request.target, action = request.action.kind().as_str()))]
    pub async fn propose(&self, request: ProposeRequest) -> Result<Proposal, ProposeError> {
        let parts = &*self.parts;
        let engine = parts.plan.engines().get(request.engine.as_ref())?;
        if engine.read_only {
            return Err(ProposeError::ReadOnly);
        }
        let subject = PlanService::subject_now(&engine, &request.target).await?;
        request.action.allowed_on(&subject)?;
        let impact = self.impact(&engine.name, &subject, request.action).await?;
        let fingerprint = rules::fingerprint(&subject);
        let now = parts.clock.now();
        // In whole milliseconds, as stores keep it: the token is bound to it.
        let expires_at = now + Duration::seconds(Self::PROPOSAL_SECONDS);
        let expires_at =
            DateTime::from_timestamp_millis(expires_at.timestamp_millis()).unwrap_or(expires_at);
        let proposal = Proposal {
            handle: None,
            action: request.action.kind(),
            target: ProposedTarget {
                engine: engine.name.clone(),
                target: request.target.clone(),
                job_id: request.target.job().cloned(),
                label: subject.label(),
                state: subject.state(),
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
            label: subject.label(),
            run: rules::run_of(&subject, request.action),
            target: request.target,
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
        subject: &Subject,
        action: Action,
    ) -> Result<Impact, ReadError> {
        let plan = self.parts.plan.snapshot(Some(engine)).await?;
        let victims = plan.value.waiting_for(subject);
        Ok(Impact {
            blocked: victims.len(),
            jobs: victims.iter().take(NAMED).map(|job| job.label()).collect(),
            note: rules::note(subject, action),
        })
    }
}
