//! Actions on a job or a prompt, in two calls on one path: propose, then confirm.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use resync_auth::{Permission, Principal};
use resync_kernel::{ExposeSecret, SecretString};
use resync_tws::model::{
    Action, ActionKind, ConfirmOutcome, ObjectKind, Priority, PromptAnswer, PromptId, RerunOptions,
    StateWord, Target,
};
use resync_tws::ports::AuditId;
use resync_tws::{
    ActionActor, ConfirmRequest, Impact, Proposal, ProposeRequest, ProposedTarget, Reason, Ticket,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::idempotency::{fingerprint, once};
use super::reads::{engine, job_id};
use crate::edge::extract::{JsonBytes, Query, parse_json, parsed};
use crate::edge::guard::Caller;
use crate::edge::request_id::RequestId;
use crate::problem::Problem;
use crate::state::App;

/// The body of either call: a reason proposes, a token confirms.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActRequest {
    /// Why, 1 to 500 characters; goes to the engine's own audit.
    pub(crate) reason: Option<String>,
    /// A ticket number, 1 to 64 visible ASCII characters.
    pub(crate) ticket: Option<String>,
    /// For `priority`, and for `rerun` if its priority is to be another: 0 to 101.
    pub(crate) priority: Option<u8>,
    /// For `rerun`: not before this time.
    pub(crate) start_at: Option<DateTime<Utc>>,
    /// For `rerun`: on the workstation that it ran on.
    pub(crate) same_workstation: Option<bool>,
    /// For `reply`: `yes` or `no`.
    #[schema(value_type = Option<String>)]
    pub(crate) answer: Option<PromptAnswer>,
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

/// Who acts, and by which request.
pub(crate) struct Acting {
    principal: Principal,
    request_id: String,
    address: String,
    headers: HeaderMap,
}

impl<S: Send + Sync> FromRequestParts<S> for Acting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Caller(principal) = Caller::from_request_parts(parts, state).await?;
        let request_id = RequestId::of_request(parts);
        Ok(Self {
            principal,
            request_id: request_id.map_or_else(String::new, |id| id.as_str().to_owned()),
            address: parts.uri.to_string(),
            headers: parts.headers.clone(),
        })
    }
}

/// `POST tws/jobs/{id}/actions/{action}`
pub(crate) async fn act(
    State(app): State<App>,
    acting: Acting,
    Path((id, action)): Path<(String, String)>,
    Query(query): Query<ActQuery>,
    JsonBytes(body): JsonBytes,
) -> Result<Response, Problem> {
    let kind = ActionKind::parse(&action)
        .filter(|kind| kind.goes_with(ObjectKind::Job))
        .ok_or_else(unknown_action)?;
    acted_once(&app, acting, kind, Target::Job(job_id(&id)?), query, &body).await
}

/// `POST tws/prompts/{id}/actions/reply`
pub(crate) async fn reply(
    State(app): State<App>,
    acting: Acting,
    Path(id): Path<String>,
    Query(query): Query<ActQuery>,
    JsonBytes(body): JsonBytes,
) -> Result<Response, Problem> {
    let target = Target::Prompt(parsed("/{id}", PromptId::parse(&id))?);
    acted_once(&app, acting, ActionKind::Reply, target, query, &body).await
}

async fn acted_once(
    app: &App,
    acting: Acting,
    kind: ActionKind,
    target: Target,
    query: ActQuery,
    body: &[u8],
) -> Result<Response, Problem> {
    let digest = fingerprint(&acting.address, body);
    let work = two_steps(app, &acting, kind, target, query, parse_json(body)?);
    let user = acting.principal.user_id;
    once(&*app.answers, user, &acting.headers, digest, work).await
}

fn unknown_action() -> Problem {
    Problem::not_found("unknown-action", "There is no such action")
}

async fn two_steps(
    app: &App,
    acting: &Acting,
    kind: ActionKind,
    target: Target,
    query: ActQuery,
    mut body: ActRequest,
) -> Result<Response, Problem> {
    let principal = &acting.principal;
    let engine = engine(query.engine.as_deref())?;
    let actor = actor_of(principal);
    let request_id = Some(acting.request_id.clone());
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
            body.start_at.is_some(),
            body.same_workstation.is_some(),
            body.answer.is_some(),
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

pub(crate) fn actor_of(principal: &Principal) -> ActionActor {
    ActionActor {
        user: principal.user_id,
        username: principal.username.to_string(),
        session: principal.session_id.to_string(),
    }
}

/// The action of a path with the parameters of a body; a parameter that does not belong is refused.
pub(crate) fn action_of(kind: ActionKind, body: &ActRequest) -> Result<Action, Problem> {
    use ActionKind as K;
    let belongs: [(&str, bool, &[ActionKind]); 5] = [
        (
            "/priority",
            body.priority.is_some(),
            &[K::Priority, K::Rerun],
        ),
        ("/start_at", body.start_at.is_some(), &[K::Rerun]),
        (
            "/same_workstation",
            body.same_workstation.is_some(),
            &[K::Rerun],
        ),
        ("/answer", body.answer.is_some(), &[K::Reply]),
        ("/status", body.status.is_some(), &[K::Confirm]),
    ];
    for (place, given, kinds) in belongs {
        if given && !kinds.contains(&kind) {
            return Err(Problem::invalid(place, "does not belong to this action"));
        }
    }
    let priority = body
        .priority
        .map(|number| parsed("/priority", Priority::new(number)))
        .transpose()?;
    Ok(match kind {
        K::Rerun => Action::Rerun(RerunOptions {
            priority,
            start_at: body.start_at,
            same_workstation: body.same_workstation.unwrap_or(false),
        }),
        K::Hold => Action::Hold,
        K::Release => Action::Release,
        K::Cancel => Action::Cancel,
        K::Kill => Action::Kill,
        K::Confirm => Action::Confirm {
            status: body
                .status
                .ok_or_else(|| Problem::invalid("/status", "is missing: succ or abend"))?,
        },
        K::Priority => Action::Priority {
            priority: priority
                .ok_or_else(|| Problem::invalid("/priority", "is missing: 0 to 101"))?,
        },
        K::ReleaseDependencies => Action::ReleaseDependencies,
        K::Reply => Action::Reply {
            answer: body
                .answer
                .ok_or_else(|| Problem::invalid("/answer", "is missing: yes or no"))?,
        },
        // Of workstations and resources, which have no address here.
        K::Link | K::Unlink | K::Start | K::Stop | K::Limit | K::Fence | K::Quantity => {
            return Err(unknown_action());
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
