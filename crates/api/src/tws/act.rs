//! Actions on a job, in two calls on one path: propose, then confirm.

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use resync_auth::{Permission, Principal};
use resync_kernel::{ExposeSecret, SecretString};
use resync_tws::model::{
    Action, ActionKind, ConfirmOutcome, ObjectKind, Priority, StateWord, Target,
};
use resync_tws::ports::AuditId;
use resync_tws::{
    ActionActor, ConfirmRequest, Impact, Proposal, ProposeRequest, ProposedTarget, Reason, Ticket,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::reads::{engine, job_id};
use crate::edge::extract::{JsonBody, Query, parsed};
use crate::edge::guard::Caller;
use crate::edge::request_id::RequestId;
use crate::problem::Problem;
use crate::state::App;

/// The body of either call: a reason proposes, a token confirms.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActRequest {
    /// Why, 1 to 500 characters; goes to the engine's own audit.
    pub(crate) reason: Option<String>,
    /// A ticket number, 1 to 64 visible ASCII characters.
    pub(crate) ticket: Option<String>,
    /// For `priority`: 0 to 101.
    pub(crate) priority: Option<u8>,
    /// For `confirm`: `succ` or `abend`.
    #[schema(value_type = Option<String>)]
    pub(crate) status: Option<ConfirmOutcome>,
    /// The token of the first call's answer; nothing else stands beside it.
    #[schema(value_type = Option<String>)]
    pub(crate) confirmation_token: Option<SecretString>,
}

/// The query of both calls.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActQuery {
    engine: Option<String>,
    #[serde(default)]
    dry_run: bool,
}

/// The answer of the first call.
#[derive(Debug, Serialize)]
struct ProposalAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal_id: Option<Uuid>,
    // The one place where the token leaves: to the person who proposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmation_token: Option<String>,
    action: ActionKind,
    target: ProposedTarget,
    impact: Impact,
    plan_revision: String,
    expires_at: DateTime<Utc>,
}

/// The answer of the second call.
#[derive(Debug, Serialize)]
struct ConfirmedAnswer {
    executed: bool,
    verified: bool,
    state: StateWord,
    audit_id: AuditId,
}

/// `POST tws/jobs/{id}/actions/{action}`
pub(crate) async fn act(
    State(app): State<App>,
    Caller(principal): Caller,
    Extension(request_id): Extension<RequestId>,
    Path((id, action)): Path<(String, String)>,
    Query(query): Query<ActQuery>,
    JsonBody(mut body): JsonBody<ActRequest>,
) -> Result<Response, Problem> {
    let kind = ActionKind::parse(&action)
        .filter(|kind| kind.goes_with(ObjectKind::Job))
        .ok_or_else(|| Problem::not_found("unknown-action", "There is no such action"))?;
    let (engine, target) = (engine(query.engine.as_deref())?, Target::Job(job_id(&id)?));
    let actor = actor_of(&principal);
    let request_id = Some(request_id.as_str().to_owned());
    if let Some(token) = body.confirmation_token.take() {
        if !principal.can(Permission::ConfirmActions) {
            return Err(Problem::forbidden(
                "not-permitted",
                "Your role does not allow this",
            ));
        }
        let beside = [
            body.reason.is_some(),
            body.ticket.is_some(),
            body.priority.is_some(),
            body.status.is_some(),
        ];
        if beside.contains(&true) || query.dry_run {
            return Err(Problem::invalid(
                "/confirmation_token",
                "stands alone: what it confirms is fixed",
            ));
        }
        let request = ConfirmRequest {
            actor,
            engine,
            target,
            kind,
            token,
            request_id,
        };
        let confirmed = app.actions.confirm(request).await?;
        let answer = ConfirmedAnswer {
            executed: true,
            verified: confirmed.verified,
            state: confirmed.state,
            audit_id: confirmed.audit_id,
        };
        return Ok(Json(answer).into_response());
    }
    let request = ProposeRequest {
        actor,
        engine,
        target,
        action: action_of(kind, &body)?,
        reason: parsed(
            "/reason",
            Reason::parse(body.reason.as_deref().unwrap_or("")),
        )?,
        ticket: body
            .ticket
            .as_deref()
            .map(|text| parsed("/ticket", Ticket::parse(text)))
            .transpose()?,
        request_id,
        dry_run: query.dry_run,
    };
    let proposal = app.actions.propose(request).await?;
    let status = if query.dry_run {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok((status, Json(answer_of(proposal))).into_response())
}

fn actor_of(principal: &Principal) -> ActionActor {
    ActionActor {
        user: principal.user_id,
        username: principal.username.to_string(),
        session: principal.session_id.to_string(),
    }
}

/// The action of a path with the parameters of a body; a parameter that does not belong is refused.
fn action_of(kind: ActionKind, body: &ActRequest) -> Result<Action, Problem> {
    if body.priority.is_some() && kind != ActionKind::Priority {
        return Err(Problem::invalid(
            "/priority",
            "belongs to the action priority only",
        ));
    }
    if body.status.is_some() && kind != ActionKind::Confirm {
        return Err(Problem::invalid(
            "/status",
            "belongs to the action confirm only",
        ));
    }
    Ok(match kind {
        ActionKind::Rerun => Action::RERUN,
        ActionKind::Hold => Action::Hold,
        ActionKind::Release => Action::Release,
        ActionKind::Cancel => Action::Cancel,
        ActionKind::Kill => Action::Kill,
        ActionKind::Confirm => Action::Confirm {
            status: body
                .status
                .ok_or_else(|| Problem::invalid("/status", "is missing: succ or abend"))?,
        },
        ActionKind::Priority => {
            let number = body
                .priority
                .ok_or_else(|| Problem::invalid("/priority", "is missing: 0 to 101"))?;
            Action::Priority {
                priority: parsed("/priority", Priority::new(number))?,
            }
        }
        ActionKind::ReleaseDependencies => Action::ReleaseDependencies,
        ActionKind::Reply
        | ActionKind::Link
        | ActionKind::Unlink
        | ActionKind::Start
        | ActionKind::Stop
        | ActionKind::Limit
        | ActionKind::Fence
        | ActionKind::Quantity => {
            return Err(Problem::not_found(
                "unknown-action",
                "There is no such action",
            ));
        }
    })
}

fn answer_of(proposal: Proposal) -> ProposalAnswer {
    let (proposal_id, confirmation_token) = match proposal.handle {
        Some(handle) => (
            Some(handle.id.0),
            Some(handle.confirmation_token.expose_secret().to_owned()),
        ),
        None => (None, None),
    };
    ProposalAnswer {
        proposal_id,
        confirmation_token,
        action: proposal.action,
        target: proposal.target,
        impact: proposal.impact,
        plan_revision: proposal.plan_revision,
        expires_at: proposal.expires_at,
    }
}
