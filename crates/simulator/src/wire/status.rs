//! Statuses as the wire puts them together: internal, common, and why.

use serde::Serialize;

use crate::{
    engine::{Engine, Obstacle},
    model::{Job, Link, Status, Stream, StreamStatus, Target},
    table::JobKey,
};

/// The common status of a job's run.
pub(crate) fn common_status(status: Status, held: bool, canceled: bool) -> &'static str {
    match status {
        _ if canceled => "CANCELED",
        Status::Hold if held => "HELD",
        Status::Hold | Status::Fence | Status::Intro | Status::Wait | Status::Pend => "WAITING",
        Status::Ready => "READY",
        Status::Exec | Status::Succp | Status::Abenp => "RUNNING",
        Status::Succ => "SUCCESSFUL",
        Status::Abend | Status::Fail => "ERROR",
        Status::Suppr => "SUPPRESS",
    }
}

/// The common status of a stream.
pub(crate) fn stream_common(stream: &Stream) -> &'static str {
    match stream.status {
        _ if stream.canceled => "CANCELED",
        StreamStatus::Hold if stream.priority == 0 => "HELD",
        StreamStatus::Hold => "WAITING",
        StreamStatus::Ready => "READY",
        StreamStatus::Exec => "RUNNING",
        StreamStatus::Succ => "SUCCESSFUL",
        StreamStatus::Abend => "ERROR",
        StreamStatus::Stuck => "BLOCKED",
        StreamStatus::Suppr => "SUPPRESS",
    }
}

/// Why a job waits: prompt before predecessor before file before time.
pub(crate) fn substatus(engine: &Engine, key: JobKey) -> Option<&'static str> {
    let job = &engine.plan.jobs[key];
    let stream = &engine.plan.streams[job.stream];
    match job.status() {
        Status::Hold if job.priority == 0 => Some("HOLD_PRIORITY_ZERO"),
        Status::Hold => {
            let blocking: Vec<&Link> = job
                .links
                .iter()
                .chain(&stream.links)
                .filter(|link| link.blocks())
                .collect();
            let any = |test: fn(Target) -> bool| blocking.iter().any(|link| test(link.target));
            let asked = blocking.iter().any(|link| match link.target {
                Target::Prompt(prompt) => {
                    engine.plan.prompts[prompt].state != crate::model::Answer::NotAsked
                }
                _ => false,
            });
            if asked {
                return Some("HOLD_WAITING_FOR_PROMPT");
            }
            if any(|t| matches!(t, Target::Internal(_) | Target::Job(_) | Target::Stream(_))) {
                return Some("HOLD_WAITING_FOR_PREDECESSOR");
            }
            let early = engine.now() < stream.start.unwrap_or(stream.sched)
                || job.start.is_some_and(|start| engine.now() < start);
            if any(|t| matches!(t, Target::File(_))) && !early {
                return Some("HOLD_WAITING_FOR_FILE");
            }
            if early {
                return Some("HOLD_WAITING_FOR_TIME");
            }
            (stream.priority == 0).then_some("HOLD_PRIORITY_ZERO")
        }
        Status::Ready => Some(match engine.obstacle(key) {
            Some(Obstacle::Agent) => "READY_WAITING_FOR_AGENT",
            Some(Obstacle::Limit) => "READY_WAITING_FOR_LIMIT",
            Some(Obstacle::Resources) => "READY_WAITING_FOR_RESOURCES",
            None => "READY_SUBMITTED",
        }),
        Status::Suppr if job.until_gone => Some("SUCC_DO_NOT_RUN"),
        Status::Suppr => Some("SUPPR_UNSATISFIED_DEPENDENCY"),
        _ => None,
    }
}

/// `{status, substatus, flags}` of a run or a stream.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of the wire, each free of the others"
)]
pub(super) struct Composite {
    cancel_pending: bool,
    canceled: bool,
    dont_run: bool,
    error: bool,
    started: bool,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    substatus: Option<&'static str>,
}

/// Of a job's run; `why` says what it waits for.
pub(super) fn composite(
    job: &Job,
    status: Status,
    latest: bool,
    why: Option<&'static str>,
) -> Composite {
    Composite {
        cancel_pending: latest && job.cancel_pending,
        canceled: latest && job.canceled,
        dont_run: false,
        error: status.is_bad(),
        started: !status.waits() && status != Status::Suppr,
        status: status.text(),
        substatus: why,
    }
}

/// Of a stream.
pub(super) fn stream_composite(engine: &Engine, stream: &Stream) -> Composite {
    let jobs = stream.jobs.iter().map(|job| &engine.plan.jobs[*job]);
    let mut links = stream.links.iter().chain(jobs.flat_map(|job| &job.links));
    let asked = links.any(|link| match link.target {
        Target::Prompt(prompt) => {
            engine.plan.prompts[prompt].state == crate::model::Answer::Asked && link.blocks()
        }
        _ => false,
    });
    Composite {
        cancel_pending: stream.cancel_pending,
        canceled: stream.canceled,
        dont_run: false,
        error: matches!(stream.status, StreamStatus::Abend | StreamStatus::Stuck),
        started: stream.started.is_some(),
        status: stream.status.text(),
        substatus: asked.then_some("WAITING_FOR_USER_INTERVENTION"),
    }
}
