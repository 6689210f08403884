//! The second call: the action itself.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use resync_kernel::SecretString;
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};
use tracing::{Instrument as _, instrument};
use uuid::Uuid;

use super::{ActionActor, ActionService, NotAllowed, audited_target, rules, token};
use crate::engines::{Engine, UnknownEngine};
use crate::model::{
    ActionKind, Command, EngineName, JobId, Justification, ObjectKind, StateWord, Subject, Target,
};
use crate::plan::{PlanScope, PlanService, ReadError};
use crate::ports::{
    ActionError, AuditAction, AuditEntry, AuditError, AuditEvent, AuditId, AuditOutcome,
    GatewayError, ProposalError, Redemption, StoredProposal,
};

/// How long an engine may take to accept an action, whatever the client's own timeout is.
const ACT_TIMEOUT: Duration = Duration::from_mins(1);
/// The first pause between two looks at the job.
const POLL_FIRST: Duration = Duration::from_millis(250);
/// The longest one.
const POLL_LAST: Duration = Duration::from_secs(1);

/// A person confirms a proposal.
#[derive(Debug, Clone)]
pub struct ConfirmRequest {
    /// Who; the same user and session that proposed.
    pub actor: ActionActor,
    /// The engine of the request, the first one when `None`; it must be the proposal's. Ids may be the
    /// same on two engines, so a request that names none never reaches another than a read would.
    pub engine: Option<EngineName>,
    /// The target of the request.
    pub target: Target,
    /// The kind of action of the request.
    pub kind: ActionKind,
    /// The token.
    pub token: SecretString,
    /// The request that it came with.
    pub request_id: Option<String>,
}

/// An action that the engine accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// Whether the plan shows the effect.
    pub verified: bool,
    /// The target's state as last seen.
    pub state: StateWord,
    /// The row of the audit with the outcome.
    pub audit_id: AuditId,
}

/// Why an action was not done, or is not known to be.
#[derive(Debug, Error)]
pub enum ConfirmError {
    /// There is no such proposal, or it is another's.
    #[error("there is no such proposal")]
    UnknownProposal,
    /// It was confirmed before.
    #[error("the proposal was used")]
    Used,
    /// Its time is over.
    #[error("the proposal has expired")]
    Expired,
    /// The target is not in the state that was shown.
    #[error("the target has changed since it was proposed")]
    StateChanged {
        /// The state it is in.
        state: StateWord,
    },
    /// The state of the target does not allow it.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// There is no such engine any more.
    #[error(transparent)]
    UnknownEngine(#[from] UnknownEngine),
    /// The engine takes no actions from Resync.
    #[error("the engine is read-only")]
    ReadOnly,
    /// The plan has no such job any more.
    #[error("the plan has no job with the id {0}")]
    UnknownJob(JobId),
    /// The plan has no such object any more.
    #[error("the plan has no such object")]
    UnknownObject(ObjectKind),
    /// The target cannot be read; nothing was done and the proposal can still be used.
    #[error("the target cannot be read")]
    Read(#[source] ReadError),
    /// The store of proposals failed; nothing was done.
    #[error("the proposal could not be redeemed")]
    Store(#[from] ProposalError),
    /// The intent could not be written, so nothing was done. The proposal is used.
    #[error("the audit could not be written, so nothing was done")]
    NoAudit(#[source] AuditError),
    /// The engine refused the action in its own words.
    #[error("the engine refused the action: {reason}")]
    Refused {
        /// The engine's words.
        reason: String,
        /// The row of the audit.
        audit_id: AuditId,
    },
    /// The action did not reach the engine, or the engine failed before acting.
    #[error("the action was not carried out")]
    NotDone {
        /// Why.
        #[source]
        cause: GatewayError,
        /// The row of the audit.
        audit_id: AuditId,
    },
    /// The action went out and it is not known whether it was carried out. It is not repeated.
    #[error("the outcome of the action is unknown")]
    OutcomeUnknown {
        /// Why.
        #[source]
        cause: GatewayError,
        /// The row of the audit.
        audit_id: AuditId,
        /// The target's state as last seen, when it could be read.
        state: Option<StateWord>,
        /// Whether the plan shows what the action would do.
        effect_seen: bool,
    },
    /// The call was made and its outcome could not be written to the audit.
    #[error("the action was sent, but its outcome could not be written to the audit")]
    NotAudited {
        /// Whether the engine accepted it; `None` when that is not known.
        executed: Option<bool>,
        /// The row of the intent.
        audit_id: AuditId,
        /// Why.
        #[source]
        cause: AuditError,
    },
    /// The task that carries the action out was lost, as when the process shuts down.
    #[error("the action was interrupted")]
    Interrupted,
}

impl From<ReadError> for ConfirmError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::UnknownEngine(error) => Self::UnknownEngine(error),
            ReadError::UnknownJob(id) => Self::UnknownJob(id),
            ReadError::UnknownObject(kind) => Self::UnknownObject(kind),
            other => Self::Read(other),
        }
    }
}

/// What is known when the call has ended.
struct Ending {
    outcome: AuditOutcome,
    detail: Option<String>,
    executed: Option<bool>,
}

impl ActionService {
    /// Carries a proposal out, once.
    ///
    /// The answer comes when the plan shows the effect, at the latest after the time to verify. Cancel
    /// safe: from the redemption on it runs in a task of its own, to its end.
    ///
    /// # Errors
    /// [`ConfirmError`]. Up to [`ConfirmError::Store`] nothing was done.
    #[instrument(name = "tws.confirm", skip_all, fields(target.id = %request.target, action = request.kind.as_str()))]
    pub async fn confirm(&self, request: ConfirmRequest) -> Result<Confirmed, ConfirmError> {
        let parts = &*self.parts;
        let id = token::proposal_of(&request.token).ok_or(ConfirmError::UnknownProposal)?;
        let found = parts.proposals.find(id).await?;
        let proposal = found.ok_or(ConfirmError::UnknownProposal)?;
        let here = match &request.engine {
            Some(engine) => *engine == proposal.engine,
            None => parts.plan.engines().get(None)?.name == proposal.engine,
        };
        let same =
            here && request.target == proposal.target && request.kind == proposal.action.kind();
        // A stranger learns nothing of a proposal, not even that there is one.
        if !token::proves(&parts.key, &request.token, &request.actor, &proposal) || !same {
            return Err(ConfirmError::UnknownProposal);
        }
        if proposal.used {
            return Err(ConfirmError::Used);
        }
        if proposal.expires_at <= parts.clock.now() {
            return Err(ConfirmError::Expired);
        }
        let engine = parts.plan.engines().get(Some(&proposal.engine))?;
        if engine.read_only {
            return Err(ConfirmError::ReadOnly);
        }
        let subject = PlanService::subject_now(&engine, &proposal.target).await?;
        if rules::fingerprint(&subject) != proposal.fingerprint {
            // One of two confirms at the same time sees the other's effect.
            let now = parts.proposals.find(proposal.id).await?;
            return Err(match now {
                Some(now) if now.used => ConfirmError::Used,
                _ => ConfirmError::StateChanged {
                    state: subject.state(),
                },
            });
        }
        proposal.action.allowed_on(&subject)?;
        let service = self.clone();
        let run = async move { service.carry_out(engine, subject, proposal, request).await };
        let task = parts.tracker.spawn(run.in_current_span());
        task.await.unwrap_or(Err(ConfirmError::Interrupted))
    }

    async fn carry_out(
        &self,
        engine: Arc<Engine>,
        before: Subject,
        proposal: StoredProposal,
        request: ConfirmRequest,
    ) -> Result<Confirmed, ConfirmError> {
        let parts = &*self.parts;
        match parts
            .proposals
            .redeem(proposal.id, parts.clock.now())
            .await?
        {
            Redemption::Redeemed => {}
            Redemption::AlreadyUsed => return Err(ConfirmError::Used),
            Redemption::Expired => return Err(ConfirmError::Expired),
            Redemption::Unknown => return Err(ConfirmError::UnknownProposal),
        }
        let action_id = parts.ids.next();
        let intent = self.intent(&engine, &proposal, &request, action_id);
        let intent_id = self
            .append(intent.clone())
            .await
            .map_err(ConfirmError::NoAudit)?;
        let result = Self::act(&engine, &proposal).await;
        let ending = Ending::of(&result);
        let seen = async {
            match &result {
                Ok(()) | Err(ActionError::OutcomeUnknown(_)) => {
                    self.watch(&engine, &proposal, &before).await
                }
                Err(_) => Seen {
                    state: None,
                    effect: false,
                },
            }
        };
        // What others read from here on may show the effect; also after an unknown outcome.
        let (seen, ()) = tokio::join!(seen, self.invalidate(&engine.name));
        self.invalidate(&engine.name).await;
        let (outcome, detail) = ending.with(&seen);
        let event = AuditEvent {
            at: parts.clock.now(),
            action: AuditAction::ActionOutcome,
            outcome,
            detail,
            ..intent
        };
        let audit_id = self.append(event).await.map_err(|cause| {
            tracing::error!(
                error = &cause as &dyn std::error::Error,
                action.id = %action_id,
                "an action was sent and its outcome is not in the audit"
            );
            ConfirmError::NotAudited {
                executed: ending.executed,
                audit_id: intent_id,
                cause,
            }
        })?;
        answer(result, seen, &before, audit_id)
    }

    fn intent(
        &self,
        engine: &Engine,
        proposal: &StoredProposal,
        request: &ConfirmRequest,
        action_id: Uuid,
    ) -> AuditEvent {
        AuditEvent {
            at: self.parts.clock.now(),
            actor: request.actor.username.clone(),
            user_id: Some(request.actor.user),
            action: AuditAction::ActionIntent,
            target: Some(audited_target(request.kind, proposal)),
            engine: Some(engine.name.clone()),
            reason: Some(proposal.reason.clone()),
            ticket: proposal.ticket.clone(),
            outcome: AuditOutcome::Intended,
            detail: serde_json::to_string(&proposal.action).ok(),
            request_id: request.request_id.clone(),
            action_id: Some(action_id),
        }
    }

    /// The one call. A client that panics or hangs leaves an unknown outcome, as a lost answer does.
    async fn act(engine: &Engine, proposal: &StoredProposal) -> Result<(), ActionError> {
        let command = Command {
            target: proposal.target.clone(),
            run: proposal.run.clone(),
            action: proposal.action,
        };
        let why = Justification {
            reason: proposal.reason.clone(),
            ticket: proposal.ticket.clone(),
            category: "resync".to_owned(),
        };
        let call = AssertUnwindSafe(engine.actions.act(&command, &why)).catch_unwind();
        match timeout(ACT_TIMEOUT, call).await {
            Ok(Ok(result)) => result,
            Ok(Err(_panic)) => Err(ActionError::OutcomeUnknown(GatewayError::Unreadable(
                "the client of the engine failed".into(),
            ))),
            Err(_elapsed) => Err(ActionError::OutcomeUnknown(GatewayError::TimedOut(
                ACT_TIMEOUT,
            ))),
        }
    }

    /// Looks at the target until it shows the effect, or the time to verify is over.
    async fn watch(&self, engine: &Engine, proposal: &StoredProposal, before: &Subject) -> Seen {
        let deadline = Instant::now() + engine.verify.unwrap_or(self.parts.verify);
        let mut pause = POLL_FIRST;
        let mut seen = Seen {
            state: None,
            effect: false,
        };
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let look = PlanService::subject_now(engine, &proposal.target);
            let read = AssertUnwindSafe(look).catch_unwind();
            // At least one look, also when no time was given to verify.
            // A look that fails tells nothing; the next one may.
            match timeout(left.max(POLL_FIRST), read).await {
                Ok(Ok(Ok(now))) => {
                    seen.state = Some(now.state());
                    seen.effect = rules::shows(proposal.action, before, &now);
                }
                Ok(Ok(Err(ReadError::UnknownObject(_))))
                    if rules::goes_with_its_effect(proposal.action) =>
                {
                    seen.state = Some(StateWord::new(rules::GONE));
                    seen.effect = true;
                }
                _ => {}
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if seen.effect || left.is_zero() {
                return seen;
            }
            sleep(pause.min(left)).await;
            pause = (pause * 2).min(POLL_LAST);
        }
    }

    async fn invalidate(&self, engine: &EngineName) {
        let scope = PlanScope {
            engine: Some(engine.clone()),
            ..PlanScope::default()
        };
        self.parts.plan.invalidate(&scope).await;
    }

    async fn append(&self, event: AuditEvent) -> Result<AuditId, AuditError> {
        let id = AuditId(self.parts.ids.next());
        // A store that panics has not written, as far as anyone knows.
        let append = AssertUnwindSafe(self.parts.audit.append(AuditEntry { id, event }));
        match append.catch_unwind().await {
            Ok(result) => result.map(|row| row.id),
            Err(_panic) => Err(AuditError::Unavailable("the audit failed".into())),
        }
    }
}

/// What the plan showed after the call.
struct Seen {
    state: Option<StateWord>,
    effect: bool,
}

impl Ending {
    fn of(result: &Result<(), ActionError>) -> Self {
        let (outcome, executed) = match result {
            Ok(()) => (AuditOutcome::Succeeded, Some(true)),
            Err(ActionError::NotDone(_)) => (AuditOutcome::Failed, Some(false)),
            Err(ActionError::UnknownTarget | ActionError::Refused(_)) => {
                (AuditOutcome::Refused, Some(false))
            }
            Err(ActionError::OutcomeUnknown(_)) => (AuditOutcome::Unknown, None),
        };
        let detail = result.as_ref().err().map(ToString::to_string);
        Self {
            outcome,
            detail,
            executed,
        }
    }

    fn with(&self, seen: &Seen) -> (AuditOutcome, Option<String>) {
        let state = seen.state.as_ref().map_or("not seen", StateWord::as_str);
        match self.outcome {
            AuditOutcome::Succeeded if seen.effect => (
                AuditOutcome::Succeeded,
                Some(format!("verified; state {state}")),
            ),
            AuditOutcome::Succeeded => (
                AuditOutcome::SucceededUnverified,
                Some(format!(
                    "accepted; the plan did not show it in time; state {state}"
                )),
            ),
            AuditOutcome::Unknown => {
                let cause = self.detail.as_deref().unwrap_or("no answer");
                let shows = if seen.effect {
                    "shows"
                } else {
                    "does not show"
                };
                let detail = format!("{cause}; the plan {shows} the effect; state {state}");
                (AuditOutcome::Unknown, Some(detail))
            }
            other => (other, self.detail.clone()),
        }
    }
}

/// What the person is told, once the outcome is in the audit.
fn answer(
    result: Result<(), ActionError>,
    seen: Seen,
    before: &Subject,
    audit_id: AuditId,
) -> Result<Confirmed, ConfirmError> {
    match result {
        Ok(()) => Ok(Confirmed {
            verified: seen.effect,
            state: seen.state.unwrap_or_else(|| before.state()),
            audit_id,
        }),
        Err(ActionError::NotDone(cause)) => Err(ConfirmError::NotDone { cause, audit_id }),
        Err(ActionError::UnknownTarget) => Err(ConfirmError::Refused {
            reason: "the engine has no such object".to_owned(),
            audit_id,
        }),
        Err(ActionError::Refused(reason)) => Err(ConfirmError::Refused {
            reason: reason.as_ref().to_owned(),
            audit_id,
        }),
        Err(ActionError::OutcomeUnknown(cause)) => Err(ConfirmError::OutcomeUnknown {
            cause,
            audit_id,
            state: seen.state,
            effect_seen: seen.effect,
        }),
    }
}
