//! The laws of what is in the plan beside jobs, and of the engine itself.

use std::collections::HashSet;

use super::Stage;
use super::action::why;
use crate::model::{
    Action, BreakerState, Command, CountBy, Counted, Job, JobKey, JobQuery, JobSort, ObjectKind,
    PromptAnswer, PromptId, PromptStatus, ResourceId, StreamId, Target, WorkstationId,
};
use crate::ports::ActionError;

const MISSING: &str = "00000000-0000-3000-8000-00000000beef";

/// The list and the single read tell the same of a stream.
pub async fn a_listed_stream_reads_the_same_by_its_id(stage: &Stage) {
    let page = stage.plan.streams(0, 10).await.expect("a page of streams");
    assert!(!page.items.is_empty(), "the law has nothing to bite on");
    for listed in page.items {
        let one = stage.objects.stream(&listed.id).await.expect("a read");
        let one = one.expect("a listed stream");
        assert_eq!(
            (&one.id, &one.name, &one.status),
            (&listed.id, &listed.name, &listed.status)
        );
        assert_eq!(one.priority, listed.priority);
    }
}

/// The list and the single read tell the same of a workstation.
pub async fn a_listed_workstation_reads_the_same_by_its_id(stage: &Stage) {
    let all = stage.plan.workstations().await.expect("the workstations");
    assert!(!all.is_empty(), "the law has nothing to bite on");
    for listed in all.into_iter().take(5) {
        let one = stage.objects.workstation(&listed.id).await.expect("a read");
        assert_eq!(one, Some(listed));
    }
}

/// Every resource is listed once, and reads the same by its id.
pub async fn every_resource_comes_once_and_reads_the_same_by_its_id(stage: &Stage) {
    let all = stage.objects.resources().await.expect("the resources");
    assert!(!all.is_empty(), "the law has nothing to bite on");
    let mut seen = HashSet::new();
    for listed in all {
        assert!(seen.insert(listed.id.clone()), "{} comes twice", listed.id);
        let one = stage.objects.resource(&listed.id).await.expect("a read");
        let one = one.expect("a listed resource");
        assert_eq!((one.name, one.quantity), (listed.name, listed.quantity));
    }
}

/// Every prompt is listed once, and reads the same by its id.
pub async fn every_prompt_comes_once_and_reads_the_same_by_its_id(stage: &Stage) {
    let all = stage.objects.prompts().await.expect("the prompts").items;
    assert!(!all.is_empty(), "the law has nothing to bite on");
    let mut seen = HashSet::new();
    for listed in all {
        assert!(seen.insert(listed.id.clone()), "{} comes twice", listed.id);
        let one = stage.objects.prompt(&listed.id).await.expect("a read");
        let one = one.expect("a listed prompt");
        assert_eq!((one.name, one.status), (listed.name, listed.status));
    }
}

/// What the plan lacks reads as `None`, not as an error.
pub async fn a_missing_object_is_none(stage: &Stage) {
    let objects = &stage.objects;
    let stream = StreamId::parse(MISSING).expect("an id");
    assert_eq!(objects.stream(&stream).await, Ok(None));
    let station = WorkstationId::parse(MISSING).expect("an id");
    assert_eq!(objects.workstation(&station).await, Ok(None));
    let resource = ResourceId::parse(MISSING).expect("an id");
    assert_eq!(objects.resource(&resource).await, Ok(None));
    let prompt = PromptId::parse(MISSING).expect("an id");
    assert_eq!(objects.prompt(&prompt).await, Ok(None));
}

/// The engine's count is the number of jobs that it lists.
pub async fn a_count_is_the_number_of_jobs(stage: &Stage) {
    let counts = stage
        .objects
        .count(Counted::Jobs, None)
        .await
        .expect("a count");
    assert_eq!(counts.total, stage.every_job().await.len() as u64);
}

/// Grouped by status, the groups add up to the whole.
pub async fn the_groups_of_a_count_add_up_to_it(stage: &Stage) {
    for what in [Counted::Jobs, Counted::Streams] {
        let by = Some(CountBy::Status);
        let counts = stage.objects.count(what, by).await.expect("a count");
        assert!(!counts.groups.is_empty());
        assert_eq!(counts.groups.values().sum::<u64>(), counts.total);
    }
}

/// What the plan lacks is told apart from a refusal.
pub async fn an_action_on_a_missing_object_finds_no_such_object(stage: &Stage) {
    let command = Command {
        target: Target::Prompt(PromptId::parse(MISSING).expect("an id")),
        run: None,
        action: Action::Reply {
            answer: PromptAnswer::Yes,
        },
    };
    let end = stage.actions.act(&command, &why()).await;
    assert_eq!(end, Err(ActionError::UnknownTarget));
}

/// A kill of a prompt does not go out.
pub async fn an_action_that_does_not_go_with_its_target_is_not_sent(stage: &Stage) {
    let prompts = stage.objects.prompts().await.expect("the prompts").items;
    let prompt = prompts.first().expect("a prompt");
    let command = Command {
        target: Target::Prompt(prompt.id.clone()),
        run: None,
        action: Action::Kill,
    };
    let end = stage.actions.act(&command, &why()).await;
    assert!(matches!(end, Err(ActionError::NotDone(_))), "{end:?}");
}

/// A prompt that was asked is answered, and shows the answer.
pub async fn an_asked_prompt_takes_an_answer(stage: &Stage) {
    let prompts = stage.objects.prompts().await.expect("the prompts").items;
    let asked = |prompt: &&crate::model::Prompt| prompt.status == PromptStatus::Asked;
    let prompt = prompts.iter().find(asked).expect("a prompt that was asked");
    let command = Command {
        target: Target::Prompt(prompt.id.clone()),
        run: None,
        action: Action::Reply {
            answer: PromptAnswer::Yes,
        },
    };
    assert_eq!(stage.actions.act(&command, &why()).await, Ok(()));
    (stage.settle)().await;
    let after = stage.objects.prompt(&prompt.id).await.expect("a read");
    // A prompt of one job alone may leave the plan with its answer.
    if let Some(after) = after {
        assert_eq!(after.status, PromptStatus::AnsweredYes);
    }
}

/// Pages that each begin behind the last job of the one before hold every job once, in the order by
/// name and id.
pub async fn pages_behind_a_job_cover_every_job_once(stage: &Stage) {
    let mut whole: Vec<JobKey> = stage.every_job().await.iter().map(JobKey::of).collect();
    whole.sort();
    let mut paged: Vec<JobKey> = Vec::new();
    loop {
        let query = JobQuery {
            sort: JobSort::Name,
            after: paged.last().cloned(),
            limit: 7,
            ..JobQuery::default()
        };
        let page = stage.plan.jobs(&query).await.expect("a page of jobs");
        paged.extend(page.items.iter().map(JobKey::of));
        if page.next_offset.is_none() {
            break;
        }
    }
    assert_eq!(paged, whole);
}

/// Behind the last job there is an empty last page.
pub async fn behind_the_last_job_there_is_nothing(stage: &Stage) {
    let jobs = stage.every_job().await;
    let last: Option<JobKey> = jobs.iter().map(JobKey::of).max();
    let query = JobQuery {
        sort: JobSort::Name,
        after: last,
        limit: 7,
        ..JobQuery::default()
    };
    let page = stage.plan.jobs(&query).await.expect("a page of jobs");
    assert_eq!((page.items, page.next_offset), (Vec::<Job>::new(), None));
}

/// Discovery tells what can be done to a job.
pub async fn the_engine_tells_what_can_be_done_to_a_job(stage: &Stage) {
    let known = stage
        .monitor
        .capabilities()
        .await
        .expect("the capabilities");
    let job = known
        .objects
        .get(&ObjectKind::Job)
        .expect("abilities of a job");
    assert!(!job.actions.is_empty());
}

/// Calls go out as long as they get answers.
pub async fn after_a_good_call_the_breaker_is_closed(stage: &Stage) {
    stage.plan.engine_info().await.expect("the engine's info");
    let breaker = stage.monitor.breaker();
    assert_eq!(
        (breaker.state, breaker.consecutive_failures),
        (BreakerState::Closed, 0)
    );
}
