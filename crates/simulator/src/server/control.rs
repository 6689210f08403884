//! The control plane: the handle's functions over HTTP, on a port of its own and never below
//! `/twsd`. It knows no users: whoever reaches the port controls the simulator.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Shared, Speed, World,
    api::read_body,
    http1::{Body, Dropped, full, response},
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
) -> Result<Response<Body>, Dropped> {
    let (parts, body) = request.into_parts();
    let body = read_body(body).await.unwrap_or_default();
    let mut world = shared.world.lock().await;
    world.tick();
    let answer = handle(&mut world, &parts.method, parts.uri.path(), &body);
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
            }
            Ok(state(world))
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
        json!({"version": entry.version, "at": iso(entry.at), "object": entry.object,
               "what": entry.what, "by": by})
    };
    json!({"entries": world.engine.journal().map(entry).collect::<Vec<_>>()})
}
