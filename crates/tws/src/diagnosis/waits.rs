//! A job that does not run, or that ran without what it needs: what it waits for, and the failed jobs
//! behind that.
//!
//! Invariants:
//! - A job that waits for a failed one is a victim, and the cause is that one, however many jobs lie
//!   between; a hold or a pending confirm comes first, since it keeps the job whatever the others do.
//! - That a predecessor's failure took a job's input is at most likely: the plan does not tell which file
//!   comes from whom.

use super::causes::{Known, code};
use super::{
    Cause, Diagnosis, Evidence, EvidenceKind, Facts, MAX_ROOTS, Root, Transience, Verdict, told,
    with_code,
};
use crate::model::{Job, JobStatus};
use crate::plan::waits_by_stream;
use crate::text::Text;

/// What the engine's word for why it waits means; the code that stays the same for each.
const WAITS: &[(&str, &str)] = &[
    ("PROMPT", "waiting-for-prompt"),
    ("RESOURCE", "waiting-for-resource"),
    ("AGENT", "waiting-for-agent"),
    ("FILE", "waiting-for-file"),
    ("LIMIT", "waiting-for-limit"),
    ("TIME", "waiting-for-time"),
    ("PREDECESSOR", "waiting-for-predecessor"),
];

pub(super) fn explain(found: &mut Diagnosis, facts: &Facts<'_>) {
    use JobStatus::{AbendPending, Exec, SuccPending};
    let job = &facts.view.job;
    let why = facts.view.why_waiting.as_ref();
    let held = job.priority == Some(0);
    let running = matches!(facts.view.state, Exec | SuccPending | AbendPending);
    match facts.failed_roots.split_first() {
        Some((root, others)) if !held && !running && job.status != JobStatus::Pend => {
            blocked(found, root, others.len());
            take_roots(found, &facts.failed_roots);
        }
        _ => match why {
            Some(why) => {
                let code = waits_for(job);
                if let Some(known) = facts.causes.named(code) {
                    found.take(known, Verdict::Confirmed);
                }
                found.verdict = Verdict::Confirmed;
                if waits_by_stream(job) {
                    by_stream(found, job);
                }
                found.cause = Some(Cause {
                    code: code.into(),
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
        let why = told(EvidenceKind::Dependency, None, why.clone());
        found.evidence.push(why);
    }
    if held {
        found.next_steps = vec![Text::new(
            "Release the job once the reason for the hold is gone.",
            "Libere o job quando o motivo da retenção tiver passado.",
        )];
    }
}

/// A job that its stream holds back: which predecessor that is, the job does not tell.
fn by_stream(found: &mut Diagnosis, job: &Job) {
    found.verdict = Verdict::Likely;
    found.missing.push(Text::new(
        "What its job stream waits for was not looked at.",
        "Não foi visto o que seu job stream espera.",
    ));
    if let Some(stream) = &job.stream.name {
        found.next_steps.push(Text::new(
            format!("See what the job stream {stream} follows, and whether that has failed."),
            format!("Veja de que o job stream {stream} depende, e se isso falhou."),
        ));
    }
}

/// The code for what the job waits for.
fn waits_for(job: &Job) -> &'static str {
    if job.priority == Some(0) {
        return "waiting";
    }
    let word = job.substatus.as_deref().unwrap_or_default();
    let known = WAITS.iter().find(|(part, _)| word.contains(part));
    known.map_or("waiting", |(_, code)| code)
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

/// A job that ran and missed its input while one that it follows has failed: most likely that is why.
pub(super) fn misses_its_input(found: &mut Diagnosis, facts: &Facts<'_>, missed: &Known) {
    let Some(root) = facts.failed_before.first() else {
        return;
    };
    let (label, state) = (root.label(), root.state());
    if let Some(known) = facts.causes.named(code::PREDECESSOR_FAILED) {
        found.take(known, Verdict::Likely);
    }
    let (en, pt) = (&missed.says.en, &missed.says.pt);
    found.cause = Some(Cause {
        code: code::PREDECESSOR_FAILED.into(),
        en: format!(
            "{en} Most likely that is because {label}, which it follows, ended in {state}."
        ),
        pt: format!("{pt} Provavelmente porque {label}, do qual depende, terminou em {state}."),
    });
    found.next_steps.insert(
        0,
        Text::new(
            format!("Look at {label} first."),
            format!("Veja primeiro {label}."),
        ),
    );
    take_roots(found, &facts.failed_before);
}

fn take_roots(found: &mut Diagnosis, roots: &[&std::sync::Arc<Job>]) {
    let roots = || roots.iter().take(MAX_ROOTS);
    found.evidence.extend(roots().map(|root| evidence(root)));
    found.roots = roots().map(|root| Root::of(root)).collect();
}

impl Root {
    fn of(job: &Job) -> Self {
        Self {
            job_id: job.id.clone(),
            label: job.label(),
            state: job.state().as_str().to_owned(),
            return_code: job.return_code(),
            cause: None,
            verdict: Verdict::Unknown,
        }
    }
}

fn evidence(root: &Job) -> Evidence {
    let (label, state) = (root.label(), root.state());
    told(
        EvidenceKind::Dependency,
        root.latest_run().map(|run| run.id.clone()),
        with_code(&format!("{label}: {state}"), root.return_code()),
    )
}
