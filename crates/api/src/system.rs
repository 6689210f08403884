//! Whether the process lives and can serve.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use resync_kernel::BoxError;
use resync_tws::EngineState;
use resync_tws::model::BreakerState;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;
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
    /// `ready`, or `degraded` when an engine, Redis or the language model is away.
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
    /// Redis, which is reported, where there is one. While it is away each process counts attempts on
    /// passwords on its own, with half the limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) redis: Option<Check>,
    /// The language model, which is reported, where there is one. While it is away every answer is
    /// made by rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) llm: Option<Check>,
}

/// One thing looked at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Check {
    /// `ok`, or `degraded` for what the server can do without. With a database that is away there is
    /// no such answer, but a 503.
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
    /// Whether calls go out to it: `closed`, `half_open` or `open`.
    #[schema(value_type = String)]
    pub(crate) breaker: BreakerState,
}

/// `GET /healthz`: knows nothing of any dependency (I-17).
pub(crate) async fn health() -> Json<HealthAnswer> {
    Json(HealthAnswer { status: "ok" })
}

/// `GET /readyz`: 503 when the database is away or the process is ending.
pub(crate) async fn ready(State(app): State<App>) -> Result<Json<ReadyAnswer>, Problem> {
    let (store, engines) = tokio::join!(app.store.ping(), app.plan.engines_status());
    let engines = engines
        .into_iter()
        .map(|engine| EngineCheck {
            name: engine.name.to_string(),
            status: engine.state,
            breaker: engine.breaker.state,
        })
        .collect();
    let beside = Beside {
        redis: app.redis.as_ref().map(|redis| redis.answers()),
        llm: app.llm.as_ref().map(|llm| llm.answers()),
    };
    judged(
        store,
        app.draining.has_begun() || app.shutdown.is_cancelled(),
        engines,
        beside,
    )
    .map(Json)
}

/// What the server can do without: whether it answers, where it is configured.
#[derive(Debug, Clone, Copy, Default)]
struct Beside {
    redis: Option<bool>,
    llm: Option<bool>,
}

fn judged(
    store: Result<(), BoxError>,
    ending: bool,
    engines: Vec<EngineCheck>,
    beside: Beside,
) -> Result<ReadyAnswer, Problem> {
    let not_ready = || {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not-ready",
            "Resync cannot serve now",
        )
    };
    if let Err(error) = store {
        return Err(not_ready()
            .detail("the database does not answer")
            .caused_by(error));
    }
    if ending {
        return Err(not_ready().detail("it is shutting down"));
    }
    let all = engines
        .iter()
        .all(|engine| engine.status == EngineState::Ok)
        && beside.redis.unwrap_or(true)
        && beside.llm.unwrap_or(true);
    let check = |answers| Check {
        status: if answers { "ok" } else { "degraded" },
    };
    Ok(ReadyAnswer {
        status: if all { "ready" } else { "degraded" },
        checks: ReadyChecks {
            database: Check { status: "ok" },
            engines,
            redis: beside.redis.map(check),
            llm: beside.llm.map(check),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_cannot_serve_says_why() {
        let away = judged(Err("gone".into()), false, Vec::new(), Beside::default()).unwrap_err();
        assert_eq!((away.status().as_u16(), away.code()), (503, "not-ready"));
        let body = serde_json::to_value(away.body("/readyz", "id")).unwrap();
        assert_eq!(body["detail"], "the database does not answer");
        let ending = judged(Ok(()), true, Vec::new(), Beside::default()).unwrap_err();
        let body = serde_json::to_value(ending.body("/readyz", "id")).unwrap();
        assert_eq!(body["detail"], "it is shutting down");
        let ready = judged(Ok(()), false, Vec::new(), Beside::default()).unwrap();
        let body = serde_json::to_value(&ready).unwrap();
        assert_eq!(body["status"], "ready");
        assert!(body["checks"].get("redis").is_none());
    }

    /// F1: Redis is reported, and nobody is sent away for it.
    #[test]
    fn without_redis_it_is_degraded_and_serves() {
        let judge = |redis| {
            let beside = Beside {
                redis: Some(redis),
                llm: None,
            };
            judged(Ok(()), false, Vec::new(), beside).unwrap()
        };
        let away = judge(false);
        assert_eq!(away.status, "degraded");
        assert_eq!(away.checks.redis.unwrap().status, "degraded");
        let there = judge(true);
        assert_eq!(
            (there.status, there.checks.redis.unwrap().status),
            ("ready", "ok")
        );
        assert!(there.checks.llm.is_none());
    }

    /// F4: so is the language model.
    #[test]
    fn without_the_language_model_it_is_degraded_and_serves() {
        for (answers, status, check) in [(true, "ready", "ok"), (false, "degraded", "degraded")] {
            let beside = Beside {
                redis: None,
                llm: Some(answers),
            };
            let ready = judged(Ok(()), false, Vec::new(), beside).unwrap();
            assert_eq!(
                (ready.status, ready.checks.llm.unwrap().status),
                (status, check)
            );
        }
    }
}
