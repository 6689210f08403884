//! Why a job failed or does not run, as far as facts tell.
//!
//! Invariants:
//! - A cause is named only when a line of the log, the return code or the engine's status says so,
//!   and that line is shown as evidence.
//! - The words of a log are data: what a log asks its reader to do is never a next step.
//! - Where nothing matched the verdict is `unknown`, and it is said what was looked at.

mod causes;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::history::PastRun;
use crate::model::{Job, JobId, JobStatus, RunId};
use crate::plan::{JobView, LogView, ReadError};
use crate::text::Text;

/// How many lines a piece of evidence holds before and behind those that name the cause.
const CONTEXT: usize = 1;
/// How many failed jobs that a job waits for are shown.
const MAX_ROOTS: usize = 5;
/// How near to its end a line must stand to be what a run died of, and not something it got over.
const LAST_LINES: usize = 50;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
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
    pub(crate) view: &'a JobView,
    pub(crate) log: Result<&'a LogView, &'a ReadError>,
    pub(crate) victims: Result<usize, &'a ReadError>,
    /// Failed jobs that it waits for; empty also when the plan could not be read, as `victims` tells.
    pub(crate) failed_roots: Vec<&'a Arc<Job>>,
}

/// A line of the log that names a cause.
#[derive(Clone, Copy)]
struct Match {
    cause: &'static causes::Known,
    at: usize,
    at_the_end: bool,
}

/// How far apart lines of one cause may stand to be shown together.
const TOGETHER: usize = 5;

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
    let needs_log = state.has_ended() || job.long_running;
    if let (Err(error), true) = (&facts.log, needs_log) {
        found.missing.push(missing_log(error));
    }
    if *state == JobStatus::Succ {
        // What a job met and got over explains nothing.
        return well_ended(found, facts);
    }
    let in_log = facts
        .log
        .ok()
        .and_then(|log| best_match(log).map(|found| (log, found)));
    if let Some((log, (matched, first))) = in_log {
        // A run that goes on may get over it, too.
        let sure = matched.at_the_end && state.has_ended();
        let verdict = if sure {
            Verdict::Confirmed
        } else {
            Verdict::Likely
        };
        found.take(matched.cause, verdict);
        found.evidence.push(log_evidence(log, first, matched.at));
        return found;
    }
    if !state.has_ended() {
        return waiting(found, facts);
    }
    by_code(found, facts)
}

impl Diagnosis {
    fn take(&mut self, known: &causes::Known, verdict: Verdict) {
        self.verdict = verdict;
        self.cause = Some(Cause {
            code: known.code.into(),
            en: known.en.to_owned(),
            pt: known.pt.to_owned(),
        });
        self.transience = known.transience;
        self.next_steps = known
            .steps
            .iter()
            .map(|(en, pt)| Text::new(*en, *pt))
            .collect();
    }
}

/// The log's best sign, and the line of the first one for the same cause: a sign near the end beats
/// an earlier one, then the weight of its cause, then the later line, since the end of a log is where
/// a job died.
fn best_match(log: &LogView) -> Option<(Match, usize)> {
    let the_end = log.lines.len().saturating_sub(LAST_LINES);
    let matches = log.lines.iter().enumerate().flat_map(|(at, line)| {
        let line = line.to_lowercase();
        let known = causes::KNOWN.iter().filter(move |known| known.is_in(&line));
        known.map(move |cause| Match {
            cause,
            at,
            at_the_end: at >= the_end,
        })
    });
    let matches: Vec<Match> = matches.collect();
    let best = matches
        .iter()
        .max_by_key(|found| (found.at_the_end, found.cause.weight, found.at))?;
    // The first words for a cause are mostly the clearest: an error, then the script's complaint.
    let near = |found: &&Match| {
        found.cause.code == best.cause.code && found.at <= best.at && best.at - found.at <= TOGETHER
    };
    let first = matches.iter().find(near).map_or(best.at, |found| found.at);
    Some((*best, first))
}

fn log_evidence(log: &LogView, first: usize, last: usize) -> Evidence {
    let from = first.saturating_sub(CONTEXT);
    let to = (last + 1 + CONTEXT).min(log.lines.len());
    let number = |at: usize| {
        log.from_line
            .saturating_add(u32::try_from(at).unwrap_or(u32::MAX))
    };
    Evidence {
        kind: EvidenceKind::Log,
        run: Some(log.run.clone()),
        from_line: Some(number(from)),
        to_line: Some(number(to.saturating_sub(1))),
        text: log.lines.get(from..to).unwrap_or(&[]).join("\n"),
        sentence: None,
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

fn well_ended(mut found: Diagnosis, facts: &Facts<'_>) -> Diagnosis {
    let code = facts.view.job.return_code();
    if let Some(code) = code.filter(|&code| code != 0) {
        found.take(&causes::MAPPED, Verdict::Confirmed);
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
    found
}

fn waiting(mut found: Diagnosis, facts: &Facts<'_>) -> Diagnosis {
    use JobStatus::{AbendPending, Exec, SuccPending};
    let job = &facts.view.job;
    let why = facts.view.why_waiting.as_ref();
    let held = job.priority == Some(0);
    let running = matches!(facts.view.state, Exec | SuccPending | AbendPending);
    match facts.failed_roots.split_first() {
        // A hold or a pending confirm keeps the job whatever the others do.
        Some((root, others)) if !held && !running && job.status != JobStatus::Pend => {
            blocked(&mut found, root, others.len());
            let roots = facts.failed_roots.iter().take(MAX_ROOTS);
            found.evidence.extend(roots.map(|root| root_evidence(root)));
        }
        _ => match why {
            Some(why) => {
                found.verdict = Verdict::Confirmed;
                found.cause = Some(Cause {
                    code: "waiting".into(),
                    en: why.en.clone(),
                    pt: why.pt.clone(),
                });
            }
            None if running => {
                found.missing.push(Text::new(
                    "The job is running; there is nothing to explain.",
                    "O job está em execução; não há o que explicar.",
                ));
            }
            None => found.missing.push(Text::new(
                "Looked at the status, the dependencies and the workstation; none tells why.",
                "Foram vistos o status, as dependências e a workstation; nada diz por quê.",
            )),
        },
    }
    if let Some(why) = why {
        found
            .evidence
            .push(told(EvidenceKind::Dependency, None, why.clone()));
    }
    if held {
        found.next_steps.push(Text::new(
            "Release the job once the reason for the hold is gone.",
            "Libere o job quando o motivo da retenção tiver passado.",
        ));
    }
    found
}

/// A job that waits for a failed one: that one is the cause.
fn blocked(found: &mut Diagnosis, root: &Job, others: usize) {
    let (label, state) = (root.label(), root.state());
    let (more_en, more_pt) = match others {
        0 => (String::new(), String::new()),
        n => (format!(", and for {n} more"), format!(", e mais {n}")),
    };
    found.verdict = Verdict::Confirmed;
    found.transience = Transience::Persistent;
    found.cause = Some(Cause {
        code: "blocked-by-failure".into(),
        en: format!("It waits for {label}, which ended in {state}{more_en}."),
        pt: format!("Espera {label}, que terminou em {state}{more_pt}."),
    });
    found.next_steps.push(Text::new(
        format!("Look at {label} first; this job goes on when that one has ended well."),
        format!("Veja primeiro {label}; este job segue quando aquele terminar bem."),
    ));
}

fn root_evidence(root: &Job) -> Evidence {
    let (label, state) = (root.label(), root.state());
    told(
        EvidenceKind::Dependency,
        root.latest_run().map(|run| run.id.clone()),
        with_code(&format!("{label}: {state}"), root.return_code()),
    )
}

fn by_code(mut found: Diagnosis, facts: &Facts<'_>) -> Diagnosis {
    let job = &facts.view.job;
    let code = job.return_code();
    if let Some(code) = code
        && let Some(known) = causes::of_return_code(code)
    {
        found.take(known, Verdict::Likely);
        found.evidence.push(code_evidence(facts.view, code));
    }
    if facts.log.is_ok() {
        found.missing.push(Text::new(
            "Looked through the log of the latest run; no known message stands in it.",
            "O log da última execução foi examinado; não há nele nenhuma mensagem conhecida.",
        ));
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
    found
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
mod tests;
