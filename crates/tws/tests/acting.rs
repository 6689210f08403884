//! Proposing, confirming, and what goes wrong on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use resync_kernel::ExposeSecret;
use resync_memory::tws::{InMemoryAuditLog, ScriptedEngine};
use resync_tws::model::{
    Action, ConfirmOutcome, Dependency, DependencyKind, Job, JobStatus, Priority,
};
use resync_tws::ports::{
    ActionError, AuditAction, AuditEntry, AuditError, AuditLog, AuditOutcome, GatewayError,
    SealedRow,
};
use resync_tws::{
    CacheStatus, ConfirmError, ConfirmRequest, ProposeError, ProposeRequest, ReadError, Ticket,
};

use crate::fixture::{
    Stores, World, actor, confirmation, ended, id, name, request, token, waiting,
};

fn failed() -> Vec<Job> {
    let dependency = Dependency {
        id: None,
        satisfied: Some(false),
        kind: DependencyKind::Job {
            job_id: Some(id("a")),
            name: None,
            stream: None,
            workstation: None,
        },
    };
    let blocked = Job {
        dependencies: vec![dependency],
        ..waiting("b")
    };
    vec![ended("a", JobStatus::Abend, 12), blocked]
}

fn no_answer() -> GatewayError {
    GatewayError::TimedOut(Duration::from_secs(15))
}

#[tokio::test(start_paused = true)]
async fn a_rerun_is_proposed_confirmed_sent_once_seen_and_audited() {
    let world = World::new(failed());
    let request = ProposeRequest {
        ticket: Some(Ticket::parse("INC-4711").unwrap()),
        ..request("a", Action::RERUN)
    };
    let proposal = world.actions.propose(request).await.unwrap();
    assert_eq!(proposal.target.label, "WS#STREAM.A");
    assert_eq!(proposal.target.state, JobStatus::Abend);
    assert_eq!(
        (proposal.impact.blocked, proposal.impact.jobs.len()),
        (1, 1)
    );
    assert!(proposal.impact.note.is_some());
    assert!(world.engine.acted().is_empty());

    let done = world
        .confirm("a", Action::RERUN, &token(proposal))
        .await
        .unwrap();
    assert!(done.verified);
    assert_eq!(done.state, JobStatus::Ready);
    let sent = world.engine.acted();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0.run.as_ref().unwrap().as_str(), "a-run-1");
    assert_eq!(sent[0].1.reason, "disk cleaned");
    assert_eq!(sent[0].1.ticket.as_deref(), Some("INC-4711"));

    let rows = world.rows().await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].event.action, AuditAction::ActionIntent);
    assert_eq!(rows[1].event.action, AuditAction::ActionOutcome);
    assert_eq!(rows[1].event.outcome, AuditOutcome::Succeeded);
    assert_eq!(rows[1].event.action_id, rows[0].event.action_id);
    assert_eq!(rows[1].event.actor, "user1");
    assert_eq!(
        rows[1].event.target.as_deref(),
        Some("rerun WS#STREAM.A (a)")
    );
    assert_eq!(rows[1].id, done.audit_id);
}

/// I-10: who reads after the answer sees the new state, whatever the cache held before.
#[tokio::test(start_paused = true)]
async fn a_read_after_the_answer_shows_the_new_state() {
    let world = World::new(failed());
    world.plan.job(None, &id("a")).await.unwrap();
    world.plan.summary(None).await.unwrap();
    world.act("a", Action::RERUN).await.unwrap();
    let read = world.plan.job(None, &id("a")).await.unwrap();
    assert_eq!(read.meta.cache, CacheStatus::Miss);
    assert_eq!(read.value.state, JobStatus::Ready);
    let board = world.plan.summary(None).await.unwrap();
    assert_eq!(board.value.by_status["READY"], 1);
}

/// I-10: also when the plan shows the effect late, and others read in between.
#[tokio::test(start_paused = true)]
async fn an_effect_that_shows_late_is_waited_for() {
    let world = World::new(failed());
    // One read by the proposal, one by the confirmation, three looks without effect.
    world.engine.set_effects_late(6);
    let done = world.act("a", Action::RERUN).await.unwrap();
    assert!(done.verified);
    let read = world.plan.job(None, &id("a")).await.unwrap();
    assert_eq!(read.value.state, JobStatus::Ready);
}

#[tokio::test(start_paused = true)]
async fn an_effect_that_does_not_show_is_accepted_and_not_verified() {
    let world = World::new(failed());
    world.engine.set_effects(false);
    let start = tokio::time::Instant::now();
    let done = world.act("a", Action::RERUN).await.unwrap();
    assert!(!done.verified);
    assert_eq!(done.state, JobStatus::Abend);
    assert_eq!(start.elapsed().as_secs(), 10);
    let outcomes = world.outcomes().await;
    assert_eq!(
        outcomes,
        [AuditOutcome::Intended, AuditOutcome::SucceededUnverified]
    );
}

#[tokio::test(start_paused = true)]
async fn every_action_shows_its_effect() {
    let held = Job {
        priority: Some(0),
        ..waiting("held")
    };
    let runs = |id| ScriptedEngine::plain_job(id, JobStatus::Exec);
    let world = World::new(vec![
        waiting("w1"),
        held,
        waiting("w2"),
        runs("r1"),
        runs("r2"),
        waiting("w3"),
    ]);
    let succ = Action::Confirm {
        status: ConfirmOutcome::Succ,
    };
    let priority = Action::Priority {
        priority: Priority::new(90).unwrap(),
    };
    for (job, action, state) in [
        ("w1", Action::Hold, JobStatus::Hold),
        ("held", Action::Release, JobStatus::Hold),
        ("w2", Action::Cancel, JobStatus::Cancl),
        ("r1", Action::Kill, JobStatus::Abend),
        ("r2", succ, JobStatus::Succ),
        ("w3", priority, JobStatus::Hold),
    ] {
        let done = world.act(job, action).await.unwrap();
        assert!(done.verified, "{action:?}");
        assert_eq!(done.state, state, "{action:?}");
    }
    assert_eq!(world.engine.acted().len(), 6);
}

/// C3: twenty confirms at once are one action.
#[tokio::test(start_paused = true)]
async fn twenty_confirms_at_once_are_one_action() {
    let world = World::new(failed());
    let token = token(world.propose("a", Action::RERUN).await.unwrap());
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (actions, request) = (
            world.actions.clone(),
            confirmation("a", Action::RERUN, &token),
        );
        callers.spawn(async move { actions.confirm(request).await });
    }
    let results = callers.join_all().await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let used = results
        .iter()
        .filter(|result| matches!(result, Err(ConfirmError::Used)));
    assert_eq!(used.count(), 19);
    assert_eq!(world.engine.acted().len(), 1);
    assert_eq!(world.rows().await.len(), 2);
}

/// I-08: a stranger, another session, another job, action or engine learn nothing of a proposal.
#[tokio::test(start_paused = true)]
async fn another_user_session_job_action_or_engine_finds_no_proposal() {
    let world = World::new(failed());
    let token = token(world.propose("a", Action::RERUN).await.unwrap());
    let own = confirmation("a", Action::RERUN, &token);
    let mut forged = token.expose_secret().to_owned();
    forged.pop();
    forged.push(if token.expose_secret().ends_with('A') {
        'E'
    } else {
        'A'
    });
    let strangers = [
        ConfirmRequest {
            actor: actor(2, "s1"),
            ..own.clone()
        },
        ConfirmRequest {
            actor: actor(1, "s2"),
            ..own.clone()
        },
        ConfirmRequest {
            target: id("b").into(),
            ..own.clone()
        },
        ConfirmRequest {
            kind: Action::Kill.kind(),
            ..own.clone()
        },
        ConfirmRequest {
            engine: Some(name("test")),
            ..own.clone()
        },
        ConfirmRequest {
            token: forged.into(),
            ..own.clone()
        },
        ConfirmRequest {
            token: "garbage".to_owned().into(),
            ..own.clone()
        },
    ];
    for stranger in strangers {
        let result = world.actions.confirm(stranger.clone()).await;
        assert!(
            matches!(result, Err(ConfirmError::UnknownProposal)),
            "{stranger:?}"
        );
    }
    assert!(world.engine.acted().is_empty());
    assert!(world.rows().await.is_empty());
    let own = ConfirmRequest {
        engine: None,
        ..own
    };
    world.actions.confirm(own).await.unwrap();
}

/// I-08, C3: a token dies with its use and with its time.
#[tokio::test(start_paused = true)]
async fn a_token_dies_with_its_use_and_after_five_minutes() {
    let world = World::new(vec![waiting("a"), waiting("b")]);
    let used = token(world.propose("a", Action::Hold).await.unwrap());
    world.confirm("a", Action::Hold, &used).await.unwrap();
    let again = world.confirm("a", Action::Hold, &used).await;
    assert!(matches!(again, Err(ConfirmError::Used)));

    let late = token(world.propose("b", Action::Hold).await.unwrap());
    world.clock.advance(Duration::from_mins(5));
    let result = world.confirm("b", Action::Hold, &late).await;
    assert!(matches!(result, Err(ConfirmError::Expired)));
    assert_eq!(world.engine.acted().len(), 1);
}

/// I-08: what was shown must still hold.
#[tokio::test(start_paused = true)]
async fn a_job_that_changed_meanwhile_is_not_acted_on() {
    let world = World::new(failed());
    let token = token(world.propose("a", Action::RERUN).await.unwrap());
    // The cache still holds the old state; the confirmation reads past it.
    world.plan.job(None, &id("a")).await.unwrap();
    world.engine.put(ended("a", JobStatus::Succ, 0));
    let result = world.confirm("a", Action::RERUN, &token).await;
    let Err(ConfirmError::StateChanged { state }) = result else {
        panic!("{result:?}")
    };
    assert_eq!(state, JobStatus::Succ);
    world.engine.remove(&id("a"));
    let result = world.confirm("a", Action::RERUN, &token).await;
    assert!(matches!(result, Err(ConfirmError::UnknownJob(_))));
    assert!(world.engine.acted().is_empty());
    assert!(world.rows().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_done_is_not_proposed() {
    let world = World::new(failed());
    let not_allowed = world.propose("a", Action::Kill).await.unwrap_err();
    assert!(matches!(not_allowed, ProposeError::NotAllowed(why) if why.state == JobStatus::Abend));
    let unknown = world.propose("x", Action::Kill).await.unwrap_err();
    assert!(matches!(unknown, ProposeError::UnknownJob(_)));
    let view = ProposeRequest {
        engine: Some(name("view")),
        ..request("a", Action::RERUN)
    };
    let read_only = world.actions.propose(view).await.unwrap_err();
    assert!(matches!(read_only, ProposeError::ReadOnly));
    let nobody = ProposeRequest {
        engine: Some(name("x")),
        ..request("a", Action::RERUN)
    };
    let unknown = world.actions.propose(nobody).await.unwrap_err();
    assert!(matches!(unknown, ProposeError::UnknownEngine(_)));
}

/// An impact that is not known is an error, and not "blocks nobody".
#[tokio::test(start_paused = true)]
async fn no_impact_no_proposal() {
    let world = World::new(failed());
    world.engine.fail_pages_from(0, no_answer());
    let error = world.propose("a", Action::RERUN).await.unwrap_err();
    assert!(matches!(error, ProposeError::Read(ReadError::Gateway(_))));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_ends_at_the_impact() {
    let world = World::new(failed());
    let dry = ProposeRequest {
        dry_run: true,
        ..request("a", Action::RERUN)
    };
    let proposal = world.actions.propose(dry).await.unwrap();
    assert!(proposal.handle.is_none());
    assert_eq!(proposal.impact.blocked, 1);
}

/// I-09: whatever the engine says, there is one intent and one outcome, and one call.
#[tokio::test(start_paused = true)]
async fn every_end_of_a_call_leaves_one_outcome() {
    let cases = [
        (ActionError::NotDone(no_answer()), AuditOutcome::Failed),
        (ActionError::UnknownTarget, AuditOutcome::Refused),
        (
            ActionError::Refused("AWSJCO018E wrong state".into()),
            AuditOutcome::Refused,
        ),
        (
            ActionError::OutcomeUnknown(no_answer()),
            AuditOutcome::Unknown,
        ),
    ];
    for (error, outcome) in cases {
        let world = World::new(failed());
        world.engine.fail_actions(Some(error.clone()));
        let result = world.act("a", Action::RERUN).await;
        let audit_id = match (&error, result.unwrap_err()) {
            (ActionError::NotDone(_), ConfirmError::NotDone { audit_id, .. })
            | (
                ActionError::UnknownTarget | ActionError::Refused(_),
                ConfirmError::Refused { audit_id, .. },
            )
            | (ActionError::OutcomeUnknown(_), ConfirmError::OutcomeUnknown { audit_id, .. }) => {
                audit_id
            }
            (error, result) => panic!("{error:?} became {result:?}"),
        };
        assert_eq!(world.outcomes().await, [AuditOutcome::Intended, outcome]);
        assert_eq!(world.rows().await[1].id, audit_id);
        assert_eq!(world.engine.acted().len(), 1, "never sent again");
    }
}

/// A lost answer stays unknown; what the plan shows afterwards is told beside it.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_unknown_and_the_plan_is_looked_at() {
    for shows in [true, false] {
        let world = World::new(failed());
        world
            .engine
            .fail_actions(Some(ActionError::OutcomeUnknown(no_answer())));
        world.engine.set_effects(shows);
        let error = world.act("a", Action::RERUN).await.unwrap_err();
        let ConfirmError::OutcomeUnknown {
            effect_seen, state, ..
        } = error
        else {
            panic!("{error:?}")
        };
        assert_eq!(effect_seen, shows);
        assert!(state.is_some());
        let detail = world.rows().await[1].event.detail.clone().unwrap();
        assert_eq!(detail.contains("does not show"), !shows, "{detail}");
    }
}

/// How an audit breaks.
#[derive(Clone, Copy, PartialEq)]
enum Break {
    Fails,
    Panics,
}

/// An audit that breaks at its `at`-th row, counted from 1.
struct Breaking {
    inner: Arc<InMemoryAuditLog>,
    at: usize,
    how: Break,
    rows: AtomicUsize,
}

#[async_trait]
impl AuditLog for Breaking {
    async fn append(&self, entry: AuditEntry) -> Result<SealedRow, AuditError> {
        let row = self.rows.fetch_add(1, Ordering::SeqCst) + 1;
        if row == self.at {
            assert!(self.how == Break::Fails, "as told");
            return Err(AuditError::Unavailable("disk full".into()));
        }
        self.inner.append(entry).await
    }

    async fn after(&self, after: u64, limit: u32) -> Result<Vec<SealedRow>, AuditError> {
        self.inner.after(after, limit).await
    }

    async fn before(&self, before: Option<u64>, limit: u32) -> Result<Vec<SealedRow>, AuditError> {
        self.inner.before(before, limit).await
    }

    async fn unfinished(&self, limit: u32) -> Result<Vec<SealedRow>, AuditError> {
        self.inner.unfinished(limit).await
    }
}

fn breaking(at: usize, how: Break) -> (World, Arc<InMemoryAuditLog>) {
    let inner = Arc::new(InMemoryAuditLog::default());
    let audit = Breaking {
        inner: inner.clone(),
        at,
        how,
        rows: AtomicUsize::new(0),
    };
    let stores = Stores {
        audit: Some(Arc::new(audit)),
        ..Stores::default()
    };
    (World::with(failed(), stores), inner)
}

/// I-09: no audit, no action.
#[tokio::test(start_paused = true)]
async fn without_an_intent_nothing_is_sent() {
    for how in [Break::Fails, Break::Panics] {
        let (world, log) = breaking(1, how);
        let error = world.act("a", Action::RERUN).await.unwrap_err();
        assert!(matches!(error, ConfirmError::NoAudit(_)), "{error:?}");
        assert!(world.engine.acted().is_empty());
        assert!(log.after(0, 9).await.unwrap().is_empty());
    }
}

/// I-09: an outcome that cannot be written is told to the caller, and made up for at the next start.
#[tokio::test(start_paused = true)]
async fn an_outcome_that_cannot_be_written_is_told_and_reconciled() {
    for how in [Break::Fails, Break::Panics] {
        let (world, log) = breaking(2, how);
        let error = world.act("a", Action::RERUN).await.unwrap_err();
        let ConfirmError::NotAudited {
            executed, audit_id, ..
        } = error
        else {
            panic!("{error:?}")
        };
        assert_eq!(executed, Some(true));
        assert_eq!(world.engine.acted().len(), 1);
        let rows = log.after(0, 9).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].id, audit_id);

        let ids = Arc::new(resync_kernel::SystemIds);
        let audit = resync_tws::AuditService::new(log.clone(), world.clock.clone(), ids);
        let young = audit.reconcile_unfinished(Duration::from_mins(1)).await;
        assert_eq!(young.unwrap(), 0, "another process may be at it");
        assert_eq!(log.after(0, 9).await.unwrap().len(), 1);
        world.clock.advance(Duration::from_mins(1));
        let old = audit.reconcile_unfinished(Duration::from_mins(1)).await;
        assert_eq!(old.unwrap(), 1);
        assert_eq!(audit.reconcile_unfinished(Duration::ZERO).await.unwrap(), 0);
        let rows = log.after(0, 9).await.unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1].open().unwrap().event.outcome, AuditOutcome::Unknown);
    }
}

/// A client that hangs up changes nothing: the action goes on to its outcome.
#[tokio::test(start_paused = true)]
async fn a_caller_that_hangs_up_changes_nothing() {
    let world = World::new(failed());
    world.engine.set_effects(false);
    let token = token(world.propose("a", Action::RERUN).await.unwrap());
    let confirm = world.confirm("a", Action::RERUN, &token);
    // The call goes out at once and is then watched for 10 s; the caller leaves after one.
    let left = tokio::time::timeout(Duration::from_secs(1), confirm).await;
    assert!(left.is_err());
    assert_eq!(world.engine.acted().len(), 1);
    assert_eq!(world.rows().await.len(), 1);
    world.tracker.close();
    world.tracker.wait().await;
    let outcomes = world.outcomes().await;
    assert_eq!(
        outcomes,
        [AuditOutcome::Intended, AuditOutcome::SucceededUnverified]
    );
}

/// When the job cannot be read nothing is done, and the proposal can be used when it can.
#[tokio::test(start_paused = true)]
async fn an_engine_that_is_away_does_not_use_up_the_proposal() {
    let world = World::new(failed());
    let token = token(world.propose("a", Action::RERUN).await.unwrap());
    world.engine.fail_reads(Some(no_answer()));
    let error = world.confirm("a", Action::RERUN, &token).await.unwrap_err();
    assert!(matches!(error, ConfirmError::Read(_)));
    world.engine.fail_reads(None);
    assert!(
        world
            .confirm("a", Action::RERUN, &token)
            .await
            .unwrap()
            .verified
    );
}

#[tokio::test(start_paused = true)]
async fn debug_of_a_proposal_does_not_print_its_token() {
    let world = World::new(failed());
    let proposal = world.propose("a", Action::RERUN).await.unwrap();
    let printed = format!("{proposal:?}");
    assert!(!printed.contains(token(proposal).expose_secret()));
}

/// A prompt is answered by the same two steps as a job is acted on: once, audited, verified by reading.
#[tokio::test(start_paused = true)]
async fn a_prompt_is_answered_once_in_two_steps_and_verified() {
    use resync_tws::model::{PromptAnswer, PromptId, PromptStatus, Target};
    let world = World::new(failed());
    let asked = resync_memory::tws::ScriptedEngine::plain_prompt("p1", PromptStatus::Asked);
    world.engine.set_prompts(vec![asked]);
    let target = Target::Prompt(PromptId::parse("p1").unwrap());
    let reply = Action::Reply {
        answer: PromptAnswer::Yes,
    };
    let request = ProposeRequest {
        target: target.clone(),
        ..request("a", reply)
    };
    let proposal = world.actions.propose(request.clone()).await.unwrap();
    assert_eq!(proposal.target.label, "P1");
    let confirmation = ConfirmRequest {
        target,
        ..confirmation("a", reply, &token(proposal))
    };
    let done = world.actions.confirm(confirmation.clone()).await.unwrap();
    assert!(done.verified);
    assert_eq!(done.state.as_str(), "ANSWERED_YES");
    let again = world.actions.confirm(confirmation).await;
    assert!(matches!(again, Err(ConfirmError::Used)));
    let refused = world.actions.propose(request).await;
    assert!(matches!(refused, Err(ProposeError::NotAllowed(_))));
    assert_eq!(
        world.outcomes().await,
        [AuditOutcome::Intended, AuditOutcome::Succeeded]
    );
    assert_eq!(world.engine.acted().len(), 1);
}
