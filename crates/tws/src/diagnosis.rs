//! Why a job failed or does not run, as far as facts tell.
//!
//! Invariants:
//! - A cause is named only when a line of the log, the return code or the engine's status says so,
//!   and that line is shown as evidence.
//! - The words of a log are data: what a log asks its reader to do is never a next step.
//! - Where nothing matched the verdict is `unknown`, and it is said what was looked at.

mod causes;
mod past;
mod reading;
mod search;
mod signs;
mod waits;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::causes::{Causes, CausesError};
use self::causes::{Known, code};
pub(crate) use self::past::LOOKED_AT;
use self::reading::Ending;
use crate::history::PastRun;
use crate::model::{Job, JobId, JobStatus, RunId};
use crate::plan::{JobView, LogView, ReadError};
use crate::ports::HistoryError;
use crate::text::Text;

/// How many lines a piece of evidence holds before and behind those that name the cause.
const CONTEXT: usize = 1;
/// How many failed jobs that a job waits for are shown.
const MAX_ROOTS: usize = 5;
/// How many characters of a line of the log are shown.
const SHOWN: usize = 1_000;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The job.
    pub job: Arc<Job>,
    /// How sure the cause is.
    pub verdict: Verdict,
    /// The cause, when one was found.
    pub cause: Option<Cause>,
    /// Whether a plain rerun may meet it again.
    pub transience: Transience,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// How many jobs that have not ended wait for this one; `None` when the plan could not be read,
    /// which is then among the missing.
    pub victims: Option<usize>,
    /// What to do, the first thing first.
    pub next_steps: Vec<Text>,
    /// What could not be looked at, or was and told nothing.
    pub missing: Vec<Text>,
    /// The failed jobs that it comes from, when this job is a victim; at most five.
    pub roots: Vec<Root>,
    /// What the runs before tell; `None` when no history is kept or it could not be read.
    pub past: Option<Past>,
    /// What to look for in the runbooks.
    pub search: SearchWords,
}

/// A failed job that another one waits for or misses something from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Root {
    /// The job.
    pub job_id: JobId,
    /// The job as operators write it.
    pub label: String,
    /// How it stands, in the engine's word.
    pub state: String,
    /// The return code of its latest run.
    pub return_code: Option<i32>,
    /// Why it failed, of the first of them, when that was found.
    pub cause: Option<Cause>,
    /// How sure that cause is.
    pub verdict: Verdict,
}

/// What the runs before the one that is diagnosed tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Past {
    /// How many earlier runs were seen, at most 20.
    pub runs: usize,
    /// How many of them failed.
    pub failed: usize,
    /// How many runs in a row up to this one, itself counted, ended badly with its return code.
    pub same_in_a_row: usize,
    /// The last run that ended well.
    pub last_good: Option<PastRun>,
    /// The median duration of the good runs, in seconds.
    pub usual_seconds: Option<u64>,
    /// How long the diagnosed run took, in seconds.
    pub seconds: Option<u64>,
    /// Since when the engine is observed: runs before may be missing.
    pub observed_since: Option<DateTime<Utc>>,
}

/// What a runbook for this failure names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SearchWords {
    /// The job, then ids of messages and codes in the evidence; the same in each language.
    pub keys: Vec<String>,
    /// Words of the cause in English.
    pub en: String,
    /// Words of the cause in Portuguese.
    pub pt: String,
}

impl Diagnosis {
    /// A diagnosis of `job` in which nothing has been found yet.
    #[must_use]
    pub fn bare(job: Arc<Job>) -> Self {
        Self {
            job,
            verdict: Verdict::Unknown,
            cause: None,
            transience: Transience::Unknown,
            evidence: Vec::new(),
            victims: None,
            next_steps: Vec::new(),
            missing: Vec::new(),
            roots: Vec::new(),
            past: None,
            search: SearchWords::default(),
        }
    }
}

/// How sure a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The log or the engine names it.
    Confirmed,
    /// The return code or one sign speaks for it.
    Likely,
    /// Nothing names one.
    Unknown,
}

/// Whether the cause goes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transience {
    /// A rerun may succeed without anything being repaired.
    Transient,
    /// A rerun meets it again until something is repaired.
    Persistent,
    /// Not known.
    Unknown,
}

/// A cause by its code, in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// A short word that stays the same.
    pub code: Arc<str>,
    /// In English.
    pub en: String,
    /// In Portuguese.
    pub pt: String,
}

/// Where a piece of evidence comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// Lines of the log.
    Log,
    /// The engine's status of the job or the run.
    Status,
    /// The return code.
    ReturnCode,
    /// What the job waits for.
    Dependency,
    /// The runs before.
    History,
}

/// What a cause rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Where it comes from.
    pub kind: EvidenceKind,
    /// The run, for lines of a log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The first line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_line: Option<u32>,
    /// The last line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_line: Option<u32>,
    /// The words, as they stand there.
    pub text: String,
    /// The same in both languages, when the words are a sentence of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence: Option<Text>,
}

/// What a diagnosis looks at.
pub(crate) struct Facts<'a> {
    pub(crate) causes: &'a Causes,
    pub(crate) view: &'a JobView,
    pub(crate) log: Result<&'a LogView, &'a ReadError>,
    pub(crate) victims: Result<usize, &'a ReadError>,
    /// Failed jobs that it waits for; empty also when the plan could not be read, as `victims` tells.
    pub(crate) failed_roots: Vec<&'a Arc<Job>>,
    /// Failed jobs that it follows although it ran; empty as above.
    pub(crate) failed_before: Vec<&'a Arc<Job>>,
    /// The runs before; `None` where no history is kept.
    pub(crate) past: Option<Result<PastRuns, HistoryError>>,
}

/// The earlier runs of a job, the one that ended last first, and since when they were observed.
pub(crate) struct PastRuns {
    pub(crate) runs: Vec<PastRun>,
    pub(crate) observed_since: Option<DateTime<Utc>>,
}

pub(crate) fn diagnose(facts: &Facts<'_>) -> Diagnosis {
    let job = &facts.view.job;
    let mut found = Diagnosis {
        evidence: vec![status_evidence(facts.view)],
        victims: facts.victims.as_ref().ok().copied(),
        ..Diagnosis::bare(Arc::clone(job))
    };
    if facts.victims.is_err() {
        found.missing.push(Text::new(
            "The plan could not be read, so it is not known which jobs wait for this one.",
            "O plano não pôde ser lido; não se sabe quais jobs esperam por este.",
        ));
    }
    let state = &facts.view.state;
    let needs_log = wants_log(facts.view);
    if let (Err(error), true) = (&facts.log, needs_log) {
        found.missing.push(missing_log(error));
    }
    if *state == JobStatus::Succ {
        // What a job met and got over explains nothing.
        well_ended(&mut found, facts);
    } else if !by_log(&mut found, facts) {
        if state.has_ended() {
            by_code(&mut found, facts);
        } else {
            waits::explain(&mut found, facts);
        }
    }
    if state.has_failed() {
        past::compare(&mut found, facts);
    }
    search::fill(&mut found, facts.causes);
    found
}

/// Whether the log may tell something: of a run that has ended, and of one that takes more than twice as
/// long as it should.
pub(crate) fn wants_log(view: &JobView) -> bool {
    let job = &view.job;
    let elapsed = job.latest_run().and_then(|run| run.elapsed_seconds);
    let twice = job.estimated_seconds.map(|usual| usual.saturating_mul(2));
    let long = || {
        let running = matches!(
            view.state,
            JobStatus::Exec | JobStatus::SuccPending | JobStatus::AbendPending
        );
        running && twice.is_some_and(|twice| elapsed > Some(twice))
    };
    view.state.has_ended() || job.long_running || long()
}

impl Diagnosis {
    fn take(&mut self, known: &Known, verdict: Verdict) {
        self.verdict = verdict;
        self.cause = Some(known.cause());
        self.transience = known.transience;
        self.next_steps.clone_from(&known.steps);
    }
}

/// The cause that the log names; whether it names one.
fn by_log(found: &mut Diagnosis, facts: &Facts<'_>) -> bool {
    let (job, state) = (&facts.view.job, &facts.view.state);
    let Ok(log) = facts.log else { return false };
    let code = job
        .return_code()
        .or_else(|| reading::exit_status(&log.lines));
    let ending = Ending {
        code,
        without_code: code.is_none() && *state == JobStatus::Abend,
    };
    let Some(read) = reading::read(facts.causes, &log.lines, ending) else {
        return false;
    };
    let Some(known) = facts.causes.get(read.cause) else {
        return false;
    };
    // A run that goes on may get over it.
    let certain = read.certain && state.has_ended();
    let verdict = if certain {
        Verdict::Confirmed
    } else {
        Verdict::Likely
    };
    found.take(known, verdict);
    found
        .evidence
        .push(log_evidence(log, read.first, read.last));
    if known.follows && !facts.failed_before.is_empty() {
        waits::misses_its_input(found, facts, known);
    }
    true
}

fn log_evidence(log: &LogView, first: usize, last: usize) -> Evidence {
    let from = first.saturating_sub(CONTEXT);
    let to = (last + 1 + CONTEXT).min(log.lines.len());
    let number = |at: usize| {
        log.from_line
            .saturating_add(u32::try_from(at).unwrap_or(u32::MAX))
    };
    let lines = log.lines.get(from..to).unwrap_or(&[]);
    let shown: Vec<String> = lines.iter().map(|line| clipped(line)).collect();
    Evidence {
        kind: EvidenceKind::Log,
        run: Some(log.run.clone()),
        from_line: Some(number(from)),
        to_line: Some(number(to.saturating_sub(1))),
        text: shown.join("\n"),
        sentence: None,
    }
}

/// The line, or its beginning when it is very long.
fn clipped(line: &str) -> String {
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

fn status_evidence(view: &JobView) -> Evidence {
    let mut text = view.state.as_str().to_owned();
    if let Some(substatus) = &view.job.substatus {
        text = format!("{text} ({substatus})");
    }
    let run = view.job.latest_run().map(|run| run.id.clone());
    told(
        EvidenceKind::Status,
        run,
        with_code(&text, view.job.return_code()),
    )
}

/// Evidence in a sentence of ours.
fn told(kind: EvidenceKind, run: Option<RunId>, sentence: Text) -> Evidence {
    Evidence {
        kind,
        run,
        from_line: None,
        to_line: None,
        text: sentence.en.clone(),
        sentence: Some(sentence),
    }
}

/// `what`, and the return code behind it.
fn with_code(what: &str, code: Option<i32>) -> Text {
    match code {
        Some(code) => Text::new(
            format!("{what}, return code {code}"),
            format!("{what}, código de retorno {code}"),
        ),
        None => Text::new(what, what),
    }
}

fn missing_log(error: &ReadError) -> Text {
    match error {
        ReadError::NoLog => Text::new(
            "There is no log of the latest run.",
            "Não há log da última execução.",
        ),
        _ => Text::new(
            "The log of the latest run could not be read.",
            "O log da última execução não pôde ser lido.",
        ),
    }
}

fn well_ended(found: &mut Diagnosis, facts: &Facts<'_>) {
    let code = facts.view.job.return_code();
    let mapped = facts.causes.named(code::MAPPED);
    if let (Some(code), Some(known)) = (code.filter(|&code| code != 0), mapped) {
        found.take(known, Verdict::Confirmed);
        found.evidence.push(code_evidence(facts.view, code));
        let warned = facts.log.ok().and_then(|log| {
            let warns = |line: &String| line.to_lowercase().contains("warning");
            Some((log, log.lines.iter().rposition(warns)?))
        });
        if let Some((log, at)) = warned {
            found.evidence.push(log_evidence(log, at, at));
        }
    } else {
        found.missing.push(Text::new(
            "The job ended well; there is nothing to explain.",
            "O job terminou bem; não há o que explicar.",
        ));
    }
}

fn by_code(found: &mut Diagnosis, facts: &Facts<'_>) {
    let job = &facts.view.job;
    if facts.view.state == JobStatus::Cancl && !job.status.has_failed() {
        found.missing.push(Text::new(
            "The job was cancelled; that is no failure.",
            "O job foi cancelado; isso não é uma falha.",
        ));
        return;
    }
    let code = job.return_code();
    if let Some(code) = code
        && let Some(known) = facts.causes.of_return_code(code)
    {
        found.take(known, Verdict::Likely);
        found.evidence.push(code_evidence(facts.view, code));
    }
    if let Ok(log) = facts.log {
        found.missing.push(looked_through(log));
    }
    if found.cause.is_none() {
        if code.is_none() && job.status == JobStatus::Abend {
            found.missing.push(Text::new(
                "There is no return code: the run was killed or lost track of.",
                "Não há código de retorno: a execução foi encerrada ou perdida de vista.",
            ));
        }
        found.next_steps.push(Text::new(
            "Read the log of the latest run from its end, and compare it with the last good run.",
            "Leia o log da última execução a partir do fim e compare com a última execução boa.",
        ));
    }
}

fn looked_through(log: &LogView) -> Text {
    if log.from_line > 1 {
        let from = log.from_line;
        return Text::new(
            format!(
                "Looked through the log of the latest run from line {from} to its end; no known message stands there."
            ),
            format!(
                "O log da última execução foi examinado da linha {from} ao fim; não há ali nenhuma mensagem conhecida."
            ),
        );
    }
    Text::new(
        "Looked through the log of the latest run; no known message stands in it.",
        "O log da última execução foi examinado; não há nele nenhuma mensagem conhecida.",
    )
}

fn code_evidence(view: &JobView, code: i32) -> Evidence {
    Evidence {
        kind: EvidenceKind::ReturnCode,
        run: view.job.latest_run().map(|run| run.id.clone()),
        from_line: None,
        to_line: None,
        text: code.to_string(),
        sentence: None,
    }
}

#[cfg(test)]
mod bank;
#[cfg(test)]
mod tests;
