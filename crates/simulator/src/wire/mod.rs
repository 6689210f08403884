//! The engine as seen from the wire: a function from a request to an answer.
//!
//! 1. No answer depends on anything but the engine's state, the settings and the request; equal
//!    requests to equal engines give equal bytes.
//! 2. What is absent is left out, never null, unless a quirk says so.
//! 3. Reads change nothing; an action is checked at once and happens later.

mod about;
mod bodies;
mod bulk;
mod count;
mod graph;
mod joblog;
mod list;
mod metrics;
mod model;
mod places;
mod quirk;
mod read;
mod status;
mod submit;
mod values;
mod version;
mod view;
mod write;

pub(crate) use metrics::metrics;
pub use quirk::{Quirk, UnknownQuirk};
pub use version::{UnknownVersion, Version};

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    engine::{By, Engine},
    fault::Effect,
    names::parse_id,
};

/// Where the interface lies below the server's root.
pub(crate) const ROOT: &str = "/twsd/api/v2";

/// What a user may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Reads.
    #[default]
    Viewer,
    /// Reads and acts.
    Operator,
    /// Everything.
    Admin,
}

/// How answers are shaped.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Scheme, host and port that `next` and `url` name; a client must not follow them.
    pub(crate) external: String,
    pub(crate) quirks: BTreeSet<Quirk>,
    /// Which release answers.
    pub(crate) version: Version,
    /// The profile's name, for who asks whether this is a simulator.
    pub(crate) profile: &'static str,
    /// Names of users, for `engine/users`.
    pub(crate) users: Vec<String>,
}

impl Settings {
    pub(crate) fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }
}

/// A request whose sender is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Below [`ROOT`], percent-decoded segment by segment; a trailing slash leaves an empty one.
    pub(crate) segments: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Bytes,
    pub(crate) user: String,
    pub(crate) role: Role,
    /// Folders whose objects the user may not see: they are absent, not forbidden.
    pub(crate) hidden: Vec<String>,
    /// A fault of paging, for lists.
    pub(crate) paging: Option<Effect>,
}

impl Request {
    /// Whether objects of this folder are there for the user.
    fn sees(&self, folder: &str) -> bool {
        !self
            .hidden
            .iter()
            .any(|hidden| folder.starts_with(hidden.as_str()))
    }

    fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn number(&self, name: &str) -> Result<Option<i64>, Answer> {
        self.query(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| bad(&format!("{name} is no number: {text}")))
            })
            .transpose()
    }

    fn by(&self) -> By {
        let header = |name| self.header(name).map(str::to_owned);
        By {
            user: self.user.clone(),
            category: header("justification-category"),
            description: header("justification-description"),
            ticket: header("justification-ticket-num"),
        }
    }
}

/// What goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    /// Objects of a list's page.
    pub(crate) rows: usize,
}

impl Answer {
    pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self {
            status,
            content_type: "application/json",
            body,
            rows: 0,
        }
    }

    /// An answer to a reader, the way the quirks ask for. Without any it is written straight.
    fn of(engine: &Engine, settings: &Settings, body: &impl Serialize) -> Self {
        if !settings.quirks.is_empty() {
            let mut body = view::tree(body);
            quirk::apply(settings, engine.seed(), &mut body);
            return Self::json(StatusCode::OK, &body);
        }
        Self::json(StatusCode::OK, body)
    }

    fn ok(body: &Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    fn text(body: Vec<u8>) -> Self {
        Self {
            status: StatusCode::OK,
            content_type: "text/plain; charset=utf-8",
            body,
            rows: 0,
        }
    }
}

/// The vendor's way to say no; the message's number is our own.
pub(crate) fn error(status: StatusCode, id: &str, exception: &str, text: &str) -> Answer {
    let body = json!({"messages": [format!("{id} {text}")], "exceptionName": exception});
    Answer::json(status, &body)
}

fn bad(text: &str) -> Answer {
    error(
        StatusCode::BAD_REQUEST,
        "AWSJCO901E",
        "BadRequestException",
        text,
    )
}

fn missing(what: &str) -> Answer {
    error(
        StatusCode::NOT_FOUND,
        "AWSJCO904E",
        "ObjectNotFoundException",
        what,
    )
}

fn forbidden(user: &str) -> Answer {
    let text = format!("the user {user} is not authorized to perform this action");
    error(
        StatusCode::FORBIDDEN,
        "AWSJCO903E",
        "NotAuthorizedException",
        &text,
    )
}

fn wrong_query(text: &str) -> Answer {
    let text = format!("OQL_FILTER_SYNTAX_ERROR: {text}");
    error(
        StatusCode::BAD_REQUEST,
        "AWSJCO940E",
        "OqlFilterException",
        &text,
    )
}

/// Name, path and id of the object that a path names by its id; nothing when it names none.
pub(crate) fn named(engine: &Engine, segments: &[String]) -> Vec<String> {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let of_job = |key| {
        let job: &crate::model::Job = &engine.plan.jobs[key];
        vec![
            job.model.name.to_string(),
            job.path().to_string(),
            job.id.to_string(),
        ]
    };
    let (sort, id) = match *segments.as_slice() {
        ["plan", "job", "run", id, ..] => ("run", id),
        ["plan", sort, id, ..] => (sort, id),
        _ => return Vec::new(),
    };
    let Some(key) = parse_id(id) else {
        return Vec::new();
    };
    match sort {
        "run" => engine.index.runs.get(&key).map(|(key, _)| of_job(*key)),
        "job" => engine.index.jobs.get(&key).map(|key| of_job(*key)),
        "jobstream" => engine.index.streams.get(&key).map(|key| {
            let stream = &engine.plan.streams[*key];
            vec![
                stream.model.name.clone(),
                stream.path.to_string(),
                stream.id.to_string(),
            ]
        }),
        "workstation" => {
            let mut stations = engine.catalogue.stations.rows().iter();
            let station = stations.find(|station| station.id() == key);
            station.map(|station| {
                vec![
                    station.name.clone(),
                    station.path().to_owned(),
                    id.to_owned(),
                ]
            })
        }
        "prompt" => engine.index.prompts.get(&key).map(|key| {
            let prompt = &engine.plan.prompts[*key];
            vec![prompt.name.to_string(), prompt.id.to_string()]
        }),
        _ => None,
    }
    .unwrap_or_default()
}

/// Answers one request.
pub(crate) fn answer(engine: &mut Engine, settings: &Settings, request: &Request) -> Answer {
    let result = match request.method.as_str() {
        "GET" if engine.is_switching() => Err(error(
            StatusCode::SERVICE_UNAVAILABLE,
            "AWSJCO950E",
            "PlanSwitchException",
            "the plan is being switched, try again later",
        )),
        "GET" => read::get(engine, settings, request),
        "PUT" => write::put(engine, settings, request),
        "POST" => submit::post(engine, settings, request),
        "PATCH" => write::patch(engine, settings, request),
        _ => Err(error(
            StatusCode::METHOD_NOT_ALLOWED,
            "AWSJCO905E",
            "MethodNotAllowedException",
            "the method is not allowed here",
        )),
    };
    result.unwrap_or_else(|refusal| refusal)
}
