//! Job logs, written when somebody reads them.
//!
//! A log depends on the run and, while it goes on, on the time: lines that are not due yet are not
//! there. Nothing of it is stored.

use super::{Answer, Quirk, Request, Settings, missing};
use crate::{
    dice::Dice,
    engine::Engine,
    failure::Failure,
    model::{Job, Run, Status},
    names::{Secs, local},
    table::JobKey,
};

const BAR: &str = "===============================================================";

const STEPS: &[&str] = &[
    "INFO  reading parameters of the run",
    "INFO  connected, session opened",
    "INFO  input checked, nothing missing",
    "INFO  batch %N started",
    "INFO  batch %N committed, %M rows",
    "INFO  %M records read, 0 rejected",
    "DEBUG work area at %P percent",
    "INFO  step %N of the run done",
    "INFO  checkpoint written",
];

/// The log of a run, or the part of it that the request asks for.
pub(super) fn answer(
    engine: &Engine,
    settings: &Settings,
    request: &Request,
    key: JobKey,
    number: u32,
) -> Result<Answer, Answer> {
    if !engine.is_able(engine.plan.jobs[key].model.station) {
        return Err(super::error(
            http::StatusCode::INTERNAL_SERVER_ERROR,
            "AWSJCO930E",
            "JobLogException",
            "the agent that holds the job log does not answer",
        ));
    }
    let content_only = request.query("contentOnly") == Some("true");
    let Some(text) = render(engine, key, number, content_only) else {
        if settings.has(Quirk::LogEmpty) {
            return Ok(Answer::text(Vec::new()));
        }
        return Err(missing("the run has not started, there is no job log"));
    };
    let from = request.number("from_line")?.unwrap_or(1).max(1);
    let to = request.number("to_line")?.unwrap_or(i64::MAX);
    let kept = (1_i64..)
        .zip(text.lines())
        .filter(|(line, _)| (from..=to).contains(line));
    let mut body = String::new();
    for (_, line) in kept {
        body.push_str(line);
        body.push('\n');
    }
    Ok(Answer::text(body.into_bytes()))
}

/// The whole log of a run, or `None` before it has anything to say.
fn render(engine: &Engine, key: JobKey, number: u32, content_only: bool) -> Option<String> {
    let job = &engine.plan.jobs[key];
    let run = job.runs().find(|run| run.number == number)?;
    // A launch that was refused leaves a log without a start.
    let refused = run.status == Status::Fail;
    let from = run.started.or(run.submitted.filter(|_| refused))?;
    let mut lines = Vec::new();
    if !content_only {
        header(engine, job, run, from, &mut lines);
    }
    content(engine, job, run, from, &mut lines);
    if let (Some(ended), false) = (run.ended, content_only) {
        trailer(run, from, ended, &mut lines);
    }
    let mut text = lines.join("\n");
    text.push('\n');
    Some(text)
}

fn stamp(seconds: Secs) -> String {
    local(seconds).format("%a %b %e %H:%M:%S %Z %Y").to_string()
}

fn header(engine: &Engine, job: &Job, run: &Run, from: Secs, lines: &mut Vec<String>) {
    let stream = &engine.plan.streams[job.stream];
    let stations = &engine.catalogue.stations;
    let planned = &stations[stream.model.station].name;
    let sched = local(stream.sched).format("%H%M %m/%d/%y");
    let (name, internal) = (&stream.model.name, &stream.internal_id);
    let day = day(engine);
    lines.push(BAR.to_owned());
    lines.push(format!(
        "= JOB       : {planned}#{name}[({sched}),({internal})].{}",
        job.model.name
    ));
    lines.push(format!("= USER      : {}", job.model.user));
    lines.push(format!("= JCLFILE   : {} {day}", job.model.script));
    if job.model.ok_to > 0 {
        lines.push(format!("= TWSRCMAP  : (RC<={})", job.model.ok_to));
    }
    lines.push(format!("= AGENT     : {}", stations[run.station].name));
    lines.push(format!("= Job Number: {}", run.job_number.unwrap_or(0)));
    lines.push(format!("= {}", stamp(from)));
    lines.push(BAR.to_owned());
}

fn day(engine: &Engine) -> String {
    local(engine.plan.start).format("%Y%m%d").to_string()
}

fn content(engine: &Engine, job: &Job, run: &Run, from: Secs, lines: &mut Vec<String>) {
    let mut dice = Dice::new(engine.seed(), "log", &job.persistent_id, run.number);
    let program = job
        .model
        .script
        .rsplit('/')
        .next()
        .unwrap_or("run.sh")
        .to_owned();
    let duration = run.fate.map_or(1, |fate| fate.duration).max(1);
    let until = run.ended.unwrap_or_else(|| engine.now());
    let failure = run.fate.and_then(|fate| fate.failure);
    let wanted = (duration / 20).clamp(5, 60);
    if run.status != Status::Fail {
        for step in 0..wanted {
            let at = from + duration * step / wanted;
            let line = dice.pick(STEPS).copied().unwrap_or("INFO  running");
            let (batch, rows) = (dice.between(1, 900), dice.between(1000, 900_000));
            if at > until {
                break;
            }
            let line = line
                .replace("%N", &format!("{batch:04}"))
                .replace("%M", &rows.to_string())
                .replace("%P", &(rows % 60 + 20).to_string());
            lines.push(format!("{} {program} {line}", local(at).format("%H:%M:%S")));
        }
    }
    let Some(ended) = run.ended else {
        if let Some(kind) = failure.filter(|kind| kind.code == "F24") {
            excerpt(engine, job, kind, until, lines);
        }
        return;
    };
    if run.killed {
        let at = local(ended).format("%H:%M:%S");
        lines.push(format!("{at} received SIGTERM"));
        lines.push("stopping after current chunk ... no answer within 10 s".to_owned());
        lines.push("process group terminated".to_owned());
    } else if let Some(kind) = failure {
        excerpt(engine, job, kind, ended, lines);
    } else if let Some(code) = run.code.filter(|code| *code != 0) {
        lines.push(format!("{program}: exit {code}"));
    } else {
        lines.push(format!(
            "{} {program} INFO  done",
            local(ended).format("%H:%M:%S")
        ));
    }
}

fn excerpt(engine: &Engine, job: &Job, kind: &Failure, at: Secs, lines: &mut Vec<String>) {
    let station = &engine.catalogue.stations[job.model.station].name;
    let at = local(at);
    for line in kind.lines {
        lines.push(
            line.replace("%T", &at.format("%H:%M:%S").to_string())
                .replace("%D", &day(engine))
                .replace("%J", &job.model.name)
                .replace("%W", station)
                .replace("%U", &job.model.user),
        );
    }
}

fn trailer(run: &Run, from: Secs, ended: Secs, lines: &mut Vec<String>) {
    let elapsed = ended - from;
    let (h, m, s) = (elapsed / 3600, elapsed / 60 % 60, elapsed % 60);
    lines.push(BAR.to_owned());
    if let Some(code) = run.code {
        lines.push(format!("= Exit Status           : {code}"));
    } else {
        lines.push("= Exit Status           : none".to_owned());
    }
    lines.push(format!("= Elapsed Time (hh:mm:ss) : {h:02}:{m:02}:{s:02}"));
    lines.push(format!("= Job CPU usage (ms) : {}", elapsed * 400));
    lines.push(format!(
        "= Job Memory usage (kb) : {}",
        40_000 + elapsed % 977 * 64
    ));
    lines.push(format!("= {}", stamp(ended)));
    lines.push(BAR.to_owned());
}
