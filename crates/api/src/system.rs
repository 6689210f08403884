//! Whether the process lives and can serve.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use resync_tws::EngineState;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::App;

/// The answer of `GET /healthz`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthAnswer {
    /// Always `ok`: a process that cannot say so says nothing.
    pub(crate) status: &'static str,
}

/// The answer of `GET /readyz`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReadyAnswer {
    /// `ready`, `degraded` (an engine is away) or `unavailable` (the database is, or it is shutting down).
    pub(crate) status: &'static str,
    /// What was looked at.
    pub(crate) checks: ReadyChecks,
}

/// What readiness looked at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReadyChecks {
    /// The store, which is required.
    pub(crate) database: Check,
    /// The engines, which are reported.
    pub(crate) engines: Vec<EngineCheck>,
}

/// One thing looked at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Check {
    /// `ok` or `unavailable`.
    pub(crate) status: &'static str,
}

/// One engine looked at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EngineCheck {
    /// The engine's name.
    pub(crate) name: String,
    /// As in `tws/engines`.
    #[schema(value_type = String)]
    pub(crate) status: EngineState,
}

/// `GET /healthz`: knows nothing of any dependency (I-17).
pub(crate) async fn health() -> Json<HealthAnswer> {
    Json(HealthAnswer { status: "ok" })
}

/// `GET /readyz`
pub(crate) async fn ready(State(app): State<App>) -> (StatusCode, Json<ReadyAnswer>) {
    let (store, engines) = tokio::join!(app.store.ping(), app.plan.engines_status());
    let database = match store {
        Ok(()) => Check { status: "ok" },
        Err(error) => {
            tracing::error!(error = %error, "the store does not answer");
            Check {
                status: "unavailable",
            }
        }
    };
    let engines: Vec<EngineCheck> = engines
        .into_iter()
        .map(|engine| EngineCheck {
            name: engine.name.to_string(),
            status: engine.state,
        })
        .collect();
    let (code, status) = if database.status != "ok" || app.shutdown.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    } else if engines
        .iter()
        .all(|engine| engine.status == EngineState::Ok)
    {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::OK, "degraded")
    };
    (
        code,
        Json(ReadyAnswer {
            status,
            checks: ReadyChecks { database, engines },
        }),
    )
}
