//! The laws of acting.

use super::Stage;
use crate::model::{Action, Command, Job, JobId, JobStatus, Justification};
use crate::ports::ActionError;

pub(super) fn why() -> Justification {
    Justification {
        reason: "proving a law".to_owned(),
        ticket: None,
        category: "resync".to_owned(),
    }
}

fn on(job: &Job, action: Action) -> Command {
    Command {
        target: job.id.clone().into(),
        run: job.latest_run().map(|run| run.id.clone()),
        action,
    }
}

/// A job that the plan lacks is told apart from a refusal.
pub async fn an_action_on_a_missing_job_finds_no_such_job(stage: &Stage) {
    let command = Command {
        target: JobId::parse("00000000-0000-3000-8000-00000000beef")
            .expect("an id")
            .into(),
        run: None,
        action: Action::Kill,
    };
    let end = stage.actions.act(&command, &why()).await;
    assert_eq!(end, Err(ActionError::UnknownTarget));
}

/// The engine's refusal by state comes as such, with words.
pub async fn an_ended_job_cannot_be_killed(stage: &Stage) {
    let job = stage.job_in(&JobStatus::Succ).await;
    let end = stage.actions.act(&on(&job, Action::Kill), &why()).await;
    assert!(
        matches!(&end, Err(ActionError::Refused(said)) if !said.is_empty()),
        "{end:?}"
    );
}

/// Without a run there is nothing to run again.
pub async fn a_rerun_without_a_run_is_not_sent(stage: &Stage) {
    let job = stage.job_in(&JobStatus::Succ).await;
    let command = Command {
        run: None,
        ..on(&job, Action::RERUN)
    };
    let end = stage.actions.act(&command, &why()).await;
    assert!(matches!(end, Err(ActionError::NotDone(_))), "{end:?}");
}

/// An action that the state allows is accepted.
pub async fn a_waiting_job_can_be_held(stage: &Stage) {
    let job = stage.job_in(&JobStatus::Hold).await;
    let end = stage.actions.act(&on(&job, Action::Hold), &why()).await;
    assert_eq!(end, Ok(()));
}
