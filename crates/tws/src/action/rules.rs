//! What may be done to a job in which state, how its effect shows, and what it means for others.
//!
//! The table follows what engines accept; where they do "nothing" without saying so, we refuse,
//! since a person would be told of a success that did not happen.

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::model::{Action, ConfirmOutcome, Job, JobStatus, RunId};
use crate::text::Text;

/// The job's state does not allow the action.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a job in state {state} does not allow that: {why}")]
pub struct NotAllowed {
    /// The state.
    pub state: JobStatus,
    /// What would be needed.
    pub why: &'static str,
}

impl Action {
    /// Whether the job's state allows the action. A proposal and its confirmation ask it again, on
    /// the job as it is then.
    ///
    /// # Errors
    /// [`NotAllowed`], with what would be needed.
    pub fn allowed_for(self, job: &Job) -> Result<(), NotAllowed> {
        let (allowed, why) = rule(self, job);
        if allowed {
            Ok(())
        } else {
            Err(NotAllowed {
                state: job.state(),
                why,
            })
        }
    }
}

/// Whether the action is allowed, and what it needs.
fn rule(action: Action, job: &Job) -> (bool, &'static str) {
    use JobStatus as S;
    let over = job.cancelled || job.status.has_ended();
    match action {
        Action::Rerun => {
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
    }
}

/// The run that a rerun starts from.
pub(super) fn run_of(job: &Job, action: Action) -> Option<RunId> {
    match action {
        Action::Rerun => job.latest_run().map(|run| run.id.clone()),
        _ => None,
    }
}

/// A digest of what a person decided by: state, priority and latest run. In hex.
pub(super) fn fingerprint(job: &Job) -> String {
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

/// Whether `now` shows the effect of the action on the job that was `before`.
pub(super) fn shows(action: Action, before: &Job, now: &Job) -> bool {
    use JobStatus as S;
    let latest = |job: &Job| job.latest_run().map(|run| run.id.clone());
    match action {
        Action::Rerun => latest(now) != latest(before) || now.runs.len() > before.runs.len(),
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
    }
}

/// What the action means for others.
pub(super) fn note(job: &Job, action: Action) -> Option<Text> {
    let (en, pt) = match action {
        Action::Rerun => (
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
        Action::Cancel if job.status == JobStatus::Exec => (
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
        Action::Priority { .. } => return None,
    };
    Some(Text::new(en, pt))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Priority, Run};
    use crate::test_support::{job, run};

    fn with_run(status: JobStatus) -> Job {
        Job {
            runs: vec![Run {
                status: status.clone(),
                ..run("r1")
            }],
            ..job("A", status)
        }
    }

    const SUCC: Action = Action::Confirm {
        status: ConfirmOutcome::Succ,
    };
    const ABEND: Action = Action::Confirm {
        status: ConfirmOutcome::Abend,
    };

    #[test]
    fn each_action_is_allowed_in_its_states_and_no_other() {
        use JobStatus as S;
        let priority = Action::Priority {
            priority: Priority::new(50).unwrap(),
        };
        let table: [(Action, &[JobStatus]); 6] = [
            (Action::Rerun, &[S::Succ, S::Abend, S::Fail]),
            (Action::Hold, &[S::Hold, S::Ready, S::Fence]),
            (Action::Kill, &[S::Exec, S::Wait, S::Intro]),
            (
                SUCC,
                &[
                    S::Exec,
                    S::Pend,
                    S::Undecided,
                    S::AbendPending,
                    S::Abend,
                    S::Suppr,
                ],
            ),
            (ABEND, &[S::Exec, S::Pend, S::Undecided]),
            (Action::Release, &[]),
        ];
        for (action, allowed) in table {
            for status in S::all() {
                let result = action.allowed_for(&with_run(status.clone()));
                assert_eq!(
                    result.is_ok(),
                    allowed.contains(&status),
                    "{action:?} in {status}"
                );
            }
        }
        for action in [Action::Cancel, priority] {
            for status in S::all() {
                let result = action.allowed_for(&with_run(status.clone()));
                assert_eq!(
                    result.is_ok(),
                    !status.has_ended(),
                    "{action:?} in {status}"
                );
            }
        }
    }

    #[test]
    fn a_rerun_needs_a_run_and_takes_the_latest() {
        assert!(
            Action::Rerun
                .allowed_for(&job("A", JobStatus::Abend))
                .is_err()
        );
        let mut cancelled = with_run(JobStatus::Hold);
        assert!(Action::Rerun.allowed_for(&cancelled).is_err());
        cancelled.cancelled = true;
        assert!(Action::Rerun.allowed_for(&cancelled).is_ok());
        assert_eq!(run_of(&cancelled, Action::Rerun).unwrap().as_str(), "r1");
        assert_eq!(run_of(&cancelled, Action::Hold), None);
        let mut runs_on = with_run(JobStatus::Exec);
        runs_on.cancelled = true;
        assert!(Action::Rerun.allowed_for(&runs_on).is_err());
    }

    #[test]
    fn a_release_needs_priority_0_and_shows_by_another() {
        let mut held = job("A", JobStatus::Hold);
        held.priority = Some(0);
        assert!(Action::Release.allowed_for(&held).is_ok());
        assert!(!shows(Action::Release, &held, &held));
        let freed = Job {
            priority: Some(10),
            ..held.clone()
        };
        assert!(shows(Action::Release, &held, &freed));
        assert!(Action::Release.allowed_for(&freed).is_err());
    }

    #[test]
    fn no_effect_shows_before_something_changed() {
        let before = with_run(JobStatus::Exec);
        for action in [
            Action::Rerun,
            Action::Hold,
            Action::Cancel,
            Action::Kill,
            SUCC,
            ABEND,
        ] {
            assert!(!shows(action, &before, &before), "{action:?}");
        }
    }

    #[test]
    fn the_fingerprint_follows_state_priority_and_run_and_nothing_that_drifts() {
        let before = with_run(JobStatus::Abend);
        let same = Job {
            late: true,
            substatus: Some("X".to_owned()),
            ..before.clone()
        };
        assert_eq!(fingerprint(&before), fingerprint(&same));
        let moved = [
            Job {
                status: JobStatus::Succ,
                ..before.clone()
            },
            Job {
                priority: Some(1),
                ..before.clone()
            },
            Job {
                cancelled: true,
                ..before.clone()
            },
            Job {
                runs: vec![run("r2")],
                ..before.clone()
            },
        ];
        for job in moved {
            assert_ne!(fingerprint(&before), fingerprint(&job), "{job:?}");
        }
    }
}
