//! What may be done to what in which state, how its effect shows, and what it means for others.
//!
//! The table follows what engines accept; where they do "nothing" without saying so, we refuse,
//! since a person would be told of a success that did not happen.

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::model::{
    Action, ConfirmOutcome, Job, JobStatus, JobStream, LinkState, PromptAnswer, PromptStatus,
    RunId, StateWord, Subject,
};
use crate::text::Text;

/// The state of the target does not allow the action.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the state {state} does not allow that: {why}")]
pub struct NotAllowed {
    /// The state.
    pub state: StateWord,
    /// What would be needed.
    pub why: &'static str,
}

impl Action {
    /// Whether the job's state allows the action.
    ///
    /// # Errors
    /// [`NotAllowed`], with what would be needed.
    pub fn allowed_for(self, job: &Job) -> Result<(), NotAllowed> {
        let (allowed, why) = rule(self, job);
        if allowed {
            return Ok(());
        }
        Err(NotAllowed {
            state: job.state().into(),
            why,
        })
    }

    /// Whether it goes with the target, and the target's state allows it. A proposal and its
    /// confirmation ask it again, on the target as it is then.
    ///
    /// # Errors
    /// [`NotAllowed`], with what would be needed.
    pub fn allowed_on(self, subject: &Subject) -> Result<(), NotAllowed> {
        let (allowed, why) = match subject {
            Subject::Job(job) => return self.allowed_for(job),
            _ if !self.kind().goes_with(subject.target().kind()) => {
                (false, "that action does not go with such an object")
            }
            Subject::Stream(stream) => stream_rule(self, stream),
            Subject::Prompt(prompt) => (
                prompt.status == PromptStatus::Asked,
                "a reply needs a prompt that was asked and not answered",
            ),
            Subject::Workstation(station) => match self {
                Action::Link => (
                    station.link != LinkState::Linked,
                    "a link needs a workstation that is not linked",
                ),
                Action::Unlink => (
                    station.link != LinkState::Unlinked,
                    "an unlink needs a workstation that is linked",
                ),
                Action::Start => (
                    station.jobman_up != Some(true),
                    "a start needs a workstation that is stopped",
                ),
                Action::Stop => (
                    station.jobman_up != Some(false),
                    "a stop needs a workstation that runs",
                ),
                Action::Limit { limit } => (limit <= Self::MAX_LIMIT, "a limit is 0 to 1024"),
                _ => (true, ""),
            },
            Subject::Resource(_) => (true, ""),
        };
        if allowed {
            return Ok(());
        }
        Err(NotAllowed {
            state: subject.state(),
            why,
        })
    }
}

fn stream_rule(action: Action, stream: &JobStream) -> (bool, &'static str) {
    let over = stream.status.has_ended();
    match action {
        Action::Hold => (
            !over && stream.priority != Some(0),
            "a hold needs a job stream that has not ended and is not held",
        ),
        Action::Release => (
            !over && stream.priority == Some(0),
            "a release needs a job stream that is held",
        ),
        Action::Cancel => (
            !over && stream.status != JobStatus::CanclPending,
            "a cancel needs a job stream that has not ended and is not cancelled",
        ),
        _ => (
            stream.status == JobStatus::Hold,
            "that needs a job stream that waits",
        ),
    }
}

/// Whether the action is allowed, and what it needs.
fn rule(action: Action, job: &Job) -> (bool, &'static str) {
    use JobStatus as S;
    let over = job.cancelled || job.status.has_ended();
    match action {
        Action::Rerun(_) => {
            let ended = matches!(job.status, S::Succ | S::Abend | S::Fail);
            let runs = matches!(
                job.status,
                S::Exec | S::Wait | S::Intro | S::Pend | S::SuccPending | S::AbendPending
            );
            let has_run = job.latest_run().is_some();
            (
                has_run && (ended || job.cancelled && !runs),
                "a rerun needs a job that ran and has ended or was cancelled",
            )
        }
        Action::Hold => (
            !over && matches!(job.status, S::Hold | S::Ready | S::Fence),
            "a hold needs a job that has not started",
        ),
        Action::Release => (
            !over && job.priority == Some(0),
            "a release needs a job that is held",
        ),
        Action::Kill => (
            matches!(job.status, S::Exec | S::Wait | S::Intro),
            "a kill needs a job that runs",
        ),
        Action::Cancel => (
            !over && !job.cancel_pending,
            "a cancel needs a job that has not ended and is not cancelled",
        ),
        Action::Confirm { status } => {
            let both = matches!(job.status, S::Exec | S::Pend | S::Undecided);
            let as_success = matches!(job.status, S::AbendPending | S::Abend | S::Suppr);
            (
                !job.cancelled && (both || as_success && status == ConfirmOutcome::Succ),
                "a confirm needs a job that runs, awaits it or ended badly",
            )
        }
        Action::Priority { .. } => (!over, "a priority needs a job that has not ended"),
        Action::ReleaseDependencies => (
            !over && job.status == JobStatus::Hold,
            "that needs a job that waits",
        ),
        Action::Reply { .. }
        | Action::Link
        | Action::Unlink
        | Action::Start
        | Action::Stop
        | Action::Limit { .. }
        | Action::Fence { .. }
        | Action::Quantity { .. } => (false, "that action does not go with a job"),
    }
}

/// The run that a rerun starts from.
pub(super) fn run_of(subject: &Subject, action: Action) -> Option<RunId> {
    match action {
        Action::Rerun(_) => {
            let run = subject.job().and_then(Job::latest_run);
            run.map(|run| run.id.clone())
        }
        _ => None,
    }
}

/// A digest of what a person decided by, in hex. Of a job: state, priority and latest run.
pub(super) fn fingerprint(subject: &Subject) -> String {
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    let facts = match subject {
        Subject::Job(job) => return job_fingerprint(job),
        Subject::Stream(stream) => vec![
            stream.status.as_str().to_owned(),
            number(stream.priority.map(u32::from)),
        ],
        Subject::Workstation(station) => vec![
            subject.state().as_str().to_owned(),
            format!("{:?}", station.jobman_up),
            number(station.limit),
            number(station.fence),
        ],
        Subject::Resource(resource) => vec![number(resource.quantity)],
        Subject::Prompt(prompt) => vec![
            prompt.status.as_str().to_owned(),
            prompt.text.clone().unwrap_or_default(),
        ],
    };
    // With its length before each part, no two lists of parts are the same bytes.
    let mut digest = Sha256::new();
    for fact in facts {
        digest.update((fact.len() as u64).to_be_bytes());
        digest.update(fact);
    }
    hex::encode(digest.finalize())
}

fn job_fingerprint(job: &Job) -> String {
    let run = job.latest_run().map(|run| {
        let code = run.return_code.map(|code| code.to_string());
        format!(
            "{}\n{}\n{}",
            run.id,
            run.status,
            code.as_deref().unwrap_or("")
        )
    });
    let priority = job.priority.map(|priority| priority.to_string());
    // No part holds a line break: words of the engine, ids and numbers.
    let facts = [
        job.state().as_str(),
        job.status.as_str(),
        priority.as_deref().unwrap_or(""),
        &job.runs.len().to_string(),
        run.as_deref().unwrap_or(""),
    ]
    .join("\n");
    hex::encode(Sha256::digest(facts))
}

/// The state of what the engine no longer lists.
pub(super) const GONE: &str = "GONE";

/// Whether the engine may stop listing the target because of the action. Engines without a list of
/// prompts show one only as a dependency that is not met: answered yes, it is met.
pub(super) fn goes_with_its_effect(action: Action) -> bool {
    let yes = PromptAnswer::Yes;
    action == Action::Reply { answer: yes }
}

/// Whether `now` shows the effect of the action on the target that was `before`.
pub(super) fn shows(action: Action, before: &Subject, now: &Subject) -> bool {
    match (before, now) {
        (Subject::Job(before), Subject::Job(now)) => job_shows(action, before, now),
        (Subject::Stream(before), Subject::Stream(now)) => match action {
            Action::Hold => now.priority == Some(0),
            Action::Release => now.priority.is_some_and(|priority| priority > 0),
            Action::Cancel => {
                matches!(now.status, JobStatus::Cancl | JobStatus::CanclPending)
            }
            _ => now.status != before.status,
        },
        (Subject::Workstation(_), Subject::Workstation(now)) => match action {
            Action::Link => now.link == LinkState::Linked,
            Action::Unlink => now.link == LinkState::Unlinked,
            Action::Start => now.jobman_up == Some(true),
            Action::Stop => now.jobman_up == Some(false),
            Action::Limit { limit } => now.limit == Some(u32::from(limit)),
            Action::Fence { fence } => now.fence == Some(u32::from(fence.get())),
            _ => false,
        },
        (Subject::Resource(_), Subject::Resource(now)) => match action {
            Action::Quantity { quantity } => now.quantity == Some(quantity),
            _ => false,
        },
        (Subject::Prompt(_), Subject::Prompt(now)) => match action {
            Action::Reply {
                answer: PromptAnswer::Yes,
            } => now.status == PromptStatus::AnsweredYes,
            Action::Reply {
                answer: PromptAnswer::No,
            } => now.status == PromptStatus::AnsweredNo,
            _ => false,
        },
        _ => false,
    }
}

fn job_shows(action: Action, before: &Job, now: &Job) -> bool {
    use JobStatus as S;
    let latest = |job: &Job| job.latest_run().map(|run| run.id.clone());
    match action {
        Action::Rerun(_) => latest(now) != latest(before) || now.runs.len() > before.runs.len(),
        Action::Hold => now.priority == Some(0),
        Action::Release => now.priority.is_some_and(|priority| priority > 0),
        Action::Cancel => now.cancelled || now.cancel_pending,
        Action::Kill => now.status.has_ended(),
        Action::Confirm {
            status: ConfirmOutcome::Succ,
        } => {
            matches!(now.status, S::Succ | S::SuccPending)
        }
        Action::Confirm {
            status: ConfirmOutcome::Abend,
        } => {
            matches!(now.status, S::Abend | S::AbendPending)
        }
        Action::Priority { priority } => now.priority == Some(priority.get()),
        Action::ReleaseDependencies => {
            let unmet = now.dependencies.iter().any(|d| d.satisfied == Some(false));
            now.status != S::Hold || !unmet && now.unresolved_dependencies == Some(0)
        }
        _ => false,
    }
}

/// What the action means for others.
pub(super) fn note(subject: &Subject, action: Action) -> Option<Text> {
    if let Subject::Stream(_) = subject {
        return stream_note(action);
    }
    let executing = subject
        .job()
        .is_some_and(|job| job.status == JobStatus::Exec);
    let (en, pt) = match action {
        Action::Rerun(_) => (
            "The job runs once more from its beginning; what its last run did is done again.",
            "O job executa de novo desde o início; o que a última execução fez será refeito.",
        ),
        Action::Hold => (
            "The job does not start until it is released; what waits for it waits on.",
            "O job não inicia até ser liberado; o que espera por ele continua esperando.",
        ),
        Action::Release => (
            "The job starts as soon as its dependencies, limit and fence allow.",
            "O job inicia assim que dependências, limite e fence permitirem.",
        ),
        Action::Cancel if executing => (
            "The job goes on to its end, without recovery, and what waits for it is released at once.",
            "O job segue até o fim, sem recuperação, e o que espera por ele é liberado na hora.",
        ),
        Action::Cancel => (
            "The job will not run, and what waits for it is released at once.",
            "O job não executará, e o que espera por ele é liberado na hora.",
        ),
        Action::Kill => (
            "The run ends now as ABEND; what waits for it stays blocked.",
            "A execução termina agora como ABEND; o que espera por ela continua bloqueado.",
        ),
        Action::Confirm {
            status: ConfirmOutcome::Succ,
        } => (
            "The job counts as successful whatever it did, and what waits for it goes on.",
            "O job conta como bem-sucedido, seja o que tiver feito, e o que espera por ele segue.",
        ),
        Action::Confirm {
            status: ConfirmOutcome::Abend,
        } => (
            "The job counts as failed; what waits for it stays blocked.",
            "O job conta como falho; o que espera por ele continua bloqueado.",
        ),
        Action::Priority { priority } if priority.get() == 0 => {
            ("Priority 0 holds the job.", "A prioridade 0 retém o job.")
        }
        Action::ReleaseDependencies => (
            "The job waits for nothing any more, its start time included; a rerun waits again.",
            "O job não espera mais nada, nem sua hora de início; uma reexecução volta a esperar.",
        ),
        Action::Reply {
            answer: PromptAnswer::Yes,
        } => (
            "What waits for the prompt goes on; the answer cannot be taken back.",
            "O que espera pelo prompt segue; a resposta não pode ser desfeita.",
        ),
        Action::Reply {
            answer: PromptAnswer::No,
        } => (
            "What waits for the prompt stays blocked; the answer cannot be taken back.",
            "O que espera pelo prompt continua bloqueado; a resposta não pode ser desfeita.",
        ),
        Action::Unlink => (
            "The master no longer reaches the workstation; what is planned on it waits.",
            "O master deixa de alcançar a workstation; o que está planejado nela espera.",
        ),
        Action::Stop => (
            "The workstation starts no job until it is started again.",
            "A workstation não inicia nenhum job até ser iniciada de novo.",
        ),
        Action::Limit { limit: 0 } => (
            "With a limit of 0 only jobs of high priority start on the workstation.",
            "Com limite 0, só jobs de alta prioridade iniciam na workstation.",
        ),
        Action::Fence { .. } => (
            "Only jobs with a priority above the fence start on the workstation.",
            "Só jobs com prioridade acima da fence iniciam na workstation.",
        ),
        Action::Priority { .. }
        | Action::Link
        | Action::Start
        | Action::Limit { .. }
        | Action::Quantity { .. } => return None,
    };
    Some(Text::new(en, pt))
}

fn stream_note(action: Action) -> Option<Text> {
    let (en, pt) = match action {
        Action::Hold => (
            "No further job of the stream starts until it is released.",
            "Nenhum outro job do stream inicia até ele ser liberado.",
        ),
        Action::Release => (
            "The jobs of the stream start as soon as their dependencies, limit and fence allow.",
            "Os jobs do stream iniciam assim que dependências, limite e fence permitirem.",
        ),
        Action::Cancel => (
            "The jobs of the stream that have not started will not run, and what waits for them is released at once.",
            "Os jobs do stream que não iniciaram não executarão, e o que espera por eles é liberado na hora.",
        ),
        Action::ReleaseDependencies => (
            "The stream waits for nothing any more, its start time included.",
            "O stream não espera mais nada, nem sua hora de início.",
        ),
        _ => return None,
    };
    Some(Text::new(en, pt))
}

#[cfg(test)]
mod tests;
