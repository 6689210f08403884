use super::*;
use crate::model::{Priority, Prompt, PromptId, Run, Workstation, WorkstationId};
use crate::test_support::{job, run};

fn on(job: &Job) -> Subject {
    Subject::Job(Box::new(job.clone()))
}

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
        (Action::RERUN, &[S::Succ, S::Abend, S::Fail]),
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
        Action::RERUN
            .allowed_for(&job("A", JobStatus::Abend))
            .is_err()
    );
    let mut cancelled = with_run(JobStatus::Hold);
    assert!(Action::RERUN.allowed_for(&cancelled).is_err());
    cancelled.cancelled = true;
    assert!(Action::RERUN.allowed_for(&cancelled).is_ok());
    assert_eq!(
        run_of(&on(&cancelled), Action::RERUN).unwrap().as_str(),
        "r1"
    );
    assert_eq!(run_of(&on(&cancelled), Action::Hold), None);
    let mut runs_on = with_run(JobStatus::Exec);
    runs_on.cancelled = true;
    assert!(Action::RERUN.allowed_for(&runs_on).is_err());
}

#[test]
fn a_release_needs_priority_0_and_shows_by_another() {
    let mut held = job("A", JobStatus::Hold);
    held.priority = Some(0);
    assert!(Action::Release.allowed_for(&held).is_ok());
    assert!(!shows(Action::Release, &on(&held), &on(&held)));
    let freed = Job {
        priority: Some(10),
        ..held.clone()
    };
    assert!(shows(Action::Release, &on(&held), &on(&freed)));
    assert!(Action::Release.allowed_for(&freed).is_err());
}

#[test]
fn no_effect_shows_before_something_changed() {
    let before = with_run(JobStatus::Exec);
    for action in [
        Action::RERUN,
        Action::Hold,
        Action::Cancel,
        Action::Kill,
        SUCC,
        ABEND,
    ] {
        assert!(!shows(action, &on(&before), &on(&before)), "{action:?}");
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
    assert_eq!(fingerprint(&on(&before)), fingerprint(&on(&same)));
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
        assert_ne!(fingerprint(&on(&before)), fingerprint(&on(&job)), "{job:?}");
    }
}

fn prompt(status: PromptStatus) -> Subject {
    Subject::Prompt(Prompt {
        id: PromptId::parse("p1").unwrap(),
        name: None,
        folder: None,
        text: Some("go on?".to_owned()),
        status,
        number: Some(7),
        kind: None,
        waiting: Vec::new(),
        waiting_count: 0,
    })
}

#[test]
fn a_prompt_is_answered_once_and_shows_the_answer_that_was_given() {
    let reply = |answer| Action::Reply { answer };
    let asked = prompt(PromptStatus::Asked);
    assert_eq!(reply(PromptAnswer::Yes).allowed_on(&asked), Ok(()));
    for status in [
        PromptStatus::NotAsked,
        PromptStatus::AnsweredYes,
        PromptStatus::AnsweredNo,
        PromptStatus::Other("X".into()),
    ] {
        assert!(reply(PromptAnswer::No).allowed_on(&prompt(status)).is_err());
    }
    let (yes, no) = (
        prompt(PromptStatus::AnsweredYes),
        prompt(PromptStatus::AnsweredNo),
    );
    assert!(shows(reply(PromptAnswer::Yes), &asked, &yes));
    assert!(!shows(reply(PromptAnswer::Yes), &asked, &no));
    assert!(!shows(reply(PromptAnswer::No), &asked, &asked));
    assert_ne!(fingerprint(&asked), fingerprint(&yes));
}

#[test]
fn an_action_on_what_it_does_not_go_with_is_refused() {
    let refused = Action::Kill
        .allowed_on(&prompt(PromptStatus::Asked))
        .unwrap_err();
    assert!(refused.why.contains("does not go with"));
    let reply = Action::Reply {
        answer: PromptAnswer::Yes,
    };
    assert!(reply.allowed_for(&job("A", JobStatus::Hold)).is_err());
}

#[test]
fn a_workstation_allows_what_changes_something() {
    let station = |link, jobman_up| {
        Subject::Workstation(Workstation {
            id: WorkstationId::parse("w1").unwrap(),
            name: "FINDB01".to_owned(),
            folder: None,
            kind: None,
            os: None,
            limit: Some(10),
            fence: Some(0),
            link,
            jobman_up,
            ignored: false,
        })
    };
    let up = station(LinkState::Linked, Some(true));
    let down = station(LinkState::Unlinked, Some(false));
    for (action, from, to) in [
        (Action::Link, &down, &up),
        (Action::Unlink, &up, &down),
        (Action::Start, &down, &up),
        (Action::Stop, &up, &down),
    ] {
        assert_eq!(action.allowed_on(from), Ok(()), "{action:?}");
        assert!(action.allowed_on(to).is_err(), "{action:?}");
        assert!(
            shows(action, from, to) && !shows(action, from, from),
            "{action:?}"
        );
    }
    assert!(Action::Limit { limit: 1_025 }.allowed_on(&up).is_err());
    assert!(shows(Action::Limit { limit: 10 }, &up, &up));
}
