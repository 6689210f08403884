//! The tools about actions. Neither of them acts.
//!
//! Invariants:
//! - The confirmation token of a proposal is dropped here: no program holds it, so none can confirm.
//! - What `execute_action` says was done is what the audit says a person confirmed (I-08).

use resync_auth::{RateClass, RateKey};
use resync_tws::model::{ActionKind, ConfirmOutcome, ObjectKind, Target};
use resync_tws::ports::{AuditOutcome, ProposalId};
use resync_tws::{Followed, ProposeRequest, Reason, Ticket};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Asking;
use super::read::{arguments, engine_of};
use super::tools::Called;
use crate::edge::extract::parsed;
use crate::problem::Problem;
use crate::tws::act::{ActRequest, action_of, actor_of};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PreviewArguments {
    action: String,
    job: String,
    reason: String,
    ticket: Option<String>,
    status: Option<ConfirmOutcome>,
    priority: Option<u8>,
    engine: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExecuteArguments {
    proposal_id: Uuid,
}

impl Asking {
    pub(super) async fn preview(&self, given: &Value) -> Result<Called, Problem> {
        let given: PreviewArguments = arguments(given)?;
        let app = &self.app;
        app.limits
            .pass(RateClass::Actions, RateKey::of(&self.principal))
            .await?;
        let kind = ActionKind::parse(&given.action)
            .filter(|kind| kind.goes_with(ObjectKind::Job))
            .ok_or_else(|| Problem::invalid("/action", "is no action on a job"))?;
        let engine = engine_of(given.engine.as_deref())?;
        let id = self.job_id(engine.as_ref(), &given.job).await?;
        let parameters = ActRequest {
            priority: given.priority,
            status: given.status,
            ..ActRequest::default()
        };
        let request = ProposeRequest {
            actor: actor_of(&self.principal),
            engine,
            target: Target::Job(id),
            action: action_of(kind, &parameters)?,
            reason: parsed("/reason", Reason::parse(&given.reason))?,
            ticket: given
                .ticket
                .as_deref()
                .map(|text| parsed("/ticket", Ticket::parse(text)))
                .transpose()?,
            request_id: self.request_id.clone(),
            dry_run: false,
        };
        let proposal = app.actions.propose(request).await?;
        // The token goes no further than this.
        let proposal_id = proposal.handle.map(|handle| handle.id);
        let target = &proposal.target;
        let link = self.link(target.engine.as_str(), &target.target);
        let value = json!({
            "proposal_id": proposal_id,
            "executed": false,
            "action": proposal.action,
            "target": target,
            "impact": proposal.impact,
            "expires_at": proposal.expires_at,
            "confirm_at": link,
            "next": "A person opens confirm_at, looks at the impact there and confirms; then execute_action tells what came of it.",
        });
        Ok(Called {
            value,
            text: None,
            untrusted: true,
        })
    }

    pub(super) async fn execute(&self, given: &Value) -> Result<Called, Problem> {
        let given: ExecuteArguments = arguments(given)?;
        let id = ProposalId(given.proposal_id);
        let followed = self.app.actions.follow(self.principal.user_id, id).await?;
        let link = self.link(followed.engine.as_str(), &followed.target);
        Ok(Called {
            value: outcome(&followed, &link),
            text: None,
            untrusted: true,
        })
    }

    fn link(&self, engine: &str, target: &Target) -> String {
        let links = &self.app.edge.links;
        match target.job() {
            Some(job) => links.job(engine, job.as_str()),
            None => links.home(),
        }
    }
}

fn outcome(followed: &Followed, link: &str) -> Value {
    let word = match &followed.confirmed {
        Some(confirmed) => match confirmed.outcome {
            AuditOutcome::Intended => "under_way",
            AuditOutcome::Succeeded => "executed",
            AuditOutcome::SucceededUnverified => "executed_unverified",
            AuditOutcome::Refused => "refused",
            AuditOutcome::Failed => "failed",
            AuditOutcome::Unknown => "outcome_unknown",
        },
        None if followed.expired => "expired",
        None => "needs_confirmation",
    };
    let done = [AuditOutcome::Succeeded, AuditOutcome::SucceededUnverified];
    let confirmed = followed.confirmed.as_ref();
    let executed = confirmed.is_some_and(|confirmed| done.contains(&confirmed.outcome));
    json!({
        "status": word,
        "executed": executed,
        "proposal": followed,
        "confirm_at": followed.confirmed.is_none().then_some(link),
    })
}
