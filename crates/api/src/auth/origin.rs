//! Who does something, for the audit log: person, address and request.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use resync_auth::{Actor, AgentLabel, Client, Origin};
use resync_tws::ports::{AuditAction, AuditEvent, AuditOutcome};

use crate::edge::guard::{From as Address, principal};
use crate::edge::request_id::RequestId;
use crate::problem::Problem;
use crate::state::App;

/// What the caller does: by whoever is proven, or by nobody where nobody need be.
#[derive(Debug, Clone)]
pub(crate) struct By(pub(crate) Origin);

impl By {
    /// A row of the audit for `action`, which the caller did just now.
    pub(crate) fn row(&self, app: &App, action: AuditAction) -> AuditEvent {
        let Self(origin) = self;
        let actor = origin.actor.to_string();
        let mut row = app.audit.event(actor, action, AuditOutcome::Succeeded);
        let key = origin.actor.api_key();
        let said = [
            origin.address.map(|address| format!("from {address}")),
            key.map(|key| format!("by API key {key}")),
        ];
        let said: Vec<_> = said.into_iter().flatten().collect();
        row.user_id = origin.actor.user_id();
        row.detail = (!said.is_empty()).then(|| said.join(", "));
        row.request_id.clone_from(&origin.request_id);
        row
    }
}

impl FromRequestParts<App> for By {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Address(address) = Address::from_request_parts(parts, app).await?;
        let actor = principal(parts).map_or(Actor::Unproven, Actor::from);
        let origin = Origin::of(actor).at(address);
        Ok(Self(origin.in_request(request_id(parts))))
    }
}

/// From where somebody signs in, and what their client calls itself.
#[derive(Debug, Clone)]
pub(crate) struct SignsIn(pub(crate) Client);

impl FromRequestParts<App> for SignsIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Address(address) = Address::from_request_parts(parts, app).await?;
        Ok(Self(Client {
            address,
            agent: agent(&parts.headers),
            request_id: request_id(parts),
        }))
    }
}

fn request_id(parts: &Parts) -> Option<String> {
    let id = RequestId::of_request(parts);
    id.map(|id| id.as_str().to_owned())
}

fn agent(headers: &HeaderMap) -> Option<AgentLabel> {
    let text = headers.get(USER_AGENT)?.to_str().ok()?;
    AgentLabel::of(text)
}
