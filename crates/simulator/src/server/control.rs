//! The control plane: the handle's functions over HTTP, on a port of its own and never below
//! `/twsd`. It knows no users: whoever reaches the port controls the simulator.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Method, StatusCode};
use hyper::body::Incoming;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Shared, Speed, World,
    api::read_body,
    body::{Response, full, response},
    http1::Dropped,
};
use crate::{
    engine::{Entry, Outcome},
    fault::Rule,
    names::iso,
};

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Clock {
    Freeze,
    Advance { seconds: u64 },
    Run { speed: u32 },
    Until(Until),
}

/// A moment to wait for: a time, or a status of a job, whichever comes first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Until {
    #[serde(default)]
    time: Option<DateTime<Utc>>,
    /// A job: id, path, `STREAM.JOB` or name.
    #[serde(default)]
    job: Option<String>,
    /// `EXEC`, `SUCC`.
    #[serde(default)]
    status: Option<String>,
    /// A day when absent.
    #[serde(default)]
    within_seconds: Option<u32>,
}

/// What happens to the plan as a whole.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum PlanChange {
    /// The day's edge comes now.
    Switch,
    /// Nobody is answered for so many virtual seconds.
    Down { seconds: u32 },
    /// Reads lag behind; 0 ends it.
    Lag { seconds: u32 },
}

/// Something that failures come from is mended: every job that failed this way may succeed again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fix {
    failure: String,
    #[serde(default)]
    job: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listener {
    open: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    job: String,
    outcome: Outcome,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Rules {
    Many(Vec<Rule>),
    One(Box<Rule>),
}

pub(super) async fn respond(
    shared: Arc<Shared>,
    request: http::Request<Incoming>,
) -> Result<Response, Dropped> {
    let (parts, body) = request.into_parts();
    let body = read_body(body).await.unwrap_or_default();
    let mut world = shared.world.lock().await;
    world.tick();
    let path = parts.uri.path();
    let answer = if (&parts.method, path) == (&Method::POST, "/listener") {
        read(&body).map(|Listener { open }| {
            shared.open.send_replace(open);
            json!({"open": open})
        })
    } else {
        handle(&mut world, &parts.method, path, &body)
    };
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err((status, text)) => (status, json!({"error": text})),
    };
    let bytes = serde_json::to_vec(&body).unwrap_or_default();
    Ok(response(status, "application/json", full(bytes)))
}

type Refused = (StatusCode, String);

fn handle(world: &mut World, method: &Method, path: &str, body: &Bytes) -> Result<Value, Refused> {
    match (method, path) {
        (&Method::GET, "/state") => Ok(state(world)),
        (&Method::GET, "/truth") => Ok(world.engine.truth()),
        (&Method::GET, "/requests") => Ok(json!({"requests": world.requests()})),
        (&Method::GET, "/journal") => Ok(journal(world)),
        (&Method::POST, "/clock") => {
            match read(body)? {
                Clock::Freeze => world.set_speed(Speed::Frozen),
                Clock::Advance { seconds } => world.advance(Duration::from_secs(seconds)),
                Clock::Run { speed } => world.set_speed(Speed::Times(speed)),
                Clock::Until(until) => return wait_for(world, &until),
            }
            Ok(state(world))
        }
        (&Method::POST, "/plan") => {
            match read(body)? {
                PlanChange::Switch => world.engine.switch_soon(),
                PlanChange::Down { seconds } => world.go_down(seconds.into()),
                PlanChange::Lag { seconds } => world.set_lag(seconds.into()),
            }
            Ok(state(world))
        }
        (&Method::POST, "/fix") => {
            let Fix { failure, job } = read(body)?;
            Ok(json!({"jobs": world.engine.fix(&failure, job.as_deref())}))
        }
        (&Method::GET, "/faults") => {
            let rule = |(rule, count)| json!({"rule": rule, "matched": count});
            Ok(world.faults.list().map(rule).collect())
        }
        (&Method::POST, "/faults") => {
            match read(body)? {
                Rules::One(rule) => world.faults.add(*rule),
                Rules::Many(rules) => rules.into_iter().for_each(|rule| world.faults.add(rule)),
            }
            Ok(json!({}))
        }
        (&Method::DELETE, "/faults") => {
            world.faults.clear();
            Ok(json!({}))
        }
        (&Method::POST, "/script") => {
            let Script { job, outcome } = read(body)?;
            world.engine.script(&job, outcome);
            Ok(json!({}))
        }
        (&Method::POST, "/reset") => {
            world.reset();
            Ok(state(world))
        }
        _ => Err((
            StatusCode::NOT_FOUND,
            format!("there is no {method} {path}"),
        )),
    }
}

fn wait_for(world: &mut World, until: &Until) -> Result<Value, Refused> {
    let now = world.engine.now();
    let within = until.within_seconds.map_or(86_400, i64::from);
    let within = until.time.map_or(within, |time| {
        (time.timestamp() - now).clamp(0, 40 * 86_400)
    });
    let met = match (&until.job, &until.status) {
        (Some(job), Some(status)) => world.advance_until(within, |engine| {
            engine.status_of(job).is_some_and(|found| found == status)
        }),
        (None, None) if until.time.is_some() => {
            world.advance_until(within, |_| false);
            true
        }
        _ => {
            let text = "until takes a time, or a job and a status".to_owned();
            return Err((StatusCode::BAD_REQUEST, text));
        }
    };
    let mut state = state(world);
    if let Value::Object(fields) = &mut state {
        fields.insert("met".to_owned(), json!(met));
    }
    Ok(state)
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

/// The engine's state with the clock's speed: 0 when frozen.
pub(crate) fn state(world: &World) -> Value {
    let mut state = world.engine.state();
    let speed = match world.speed() {
        Speed::Frozen => 0,
        Speed::Times(times) => times,
    };
    if let Value::Object(fields) = &mut state {
        fields.insert("speed".to_owned(), json!(speed));
    }
    state
}

/// Every entry of the journal, oldest first.
pub(crate) fn journal(world: &World) -> Value {
    let entry = |entry: &Entry| {
        let by = entry.by.as_ref().map(|by| {
            json!({"user": by.user, "category": by.category, "description": by.description,
                   "ticket": by.ticket})
        });
        json!({"version": entry.version, "at": iso(entry.at), "object": entry.object.to_string(),
               "what": entry.deed.to_string(), "by": by})
    };
    json!({"entries": world.engine.journal().map(entry).collect::<Vec<_>>()})
}
