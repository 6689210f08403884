//! Lists, graphs and impacts through the cache.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::DateTime;
use resync_memory::tws::ScriptedEngine;
use resync_tws::model::{Counted, Job, JobStatus, NamePattern, PromptStatus, Target};
use resync_tws::{
    CacheStatus, GraphDirection, JobListQuery, ListCursor, ListSort, PlanScope, ReadError,
    offset_of_cursor,
};

use crate::fixture::{World, id, stream, waiting};

fn named(number: usize) -> Job {
    Job {
        priority: Some(u8::try_from(number % 5).unwrap()),
        scheduled_at: DateTime::from_timestamp(
            1_772_409_600 + i64::try_from(number).unwrap() * 60,
            0,
        ),
        ..waiting(&format!("job_{number:02}"))
    }
}

fn by(sort: ListSort, cursor: Option<&str>) -> JobListQuery {
    JobListQuery {
        sort,
        cursor: cursor.map(|text| ListCursor::parse(text, sort).unwrap()),
        limit: 7,
        ..JobListQuery::default()
    }
}

/// Reads every page; before each page but the first, `disturb` moves the plan.
async fn all_pages(world: &World, sort: ListSort, disturb: impl Fn(usize)) -> Vec<String> {
    let (mut names, mut cursor) = (Vec::new(), None::<String>);
    for page in 0.. {
        if page > 0 {
            disturb(page);
            world.plan.invalidate(&PlanScope::default()).await;
        }
        let query = by(sort, cursor.as_deref());
        let live = world.plan.job_list(None, query).await.unwrap();
        names.extend(live.value.items.iter().map(|job| job.name.clone()));
        cursor.clone_from(&live.value.next_cursor);
        if cursor.is_none() {
            break;
        }
    }
    names
}

#[tokio::test]
async fn jobs_that_come_and_go_between_two_pages_make_no_gap_and_no_double() {
    for sort in [ListSort::Name, ListSort::Scheduled, ListSort::Priority] {
        let world = World::new((10..40).map(named).collect());
        let names = all_pages(&world, sort, |page| {
            // One vanishes behind the reader and one before, and others appear at both ends.
            world.engine.remove(&id(&format!("job_{:02}", 9 + page)));
            world.engine.remove(&id(&format!("job_{:02}", 40 - page)));
            world.engine.put(named(page));
            world.engine.put(named(60 + page));
        })
        .await;
        let unique: BTreeSet<&String> = names.iter().collect();
        assert_eq!(unique.len(), names.len(), "{sort:?}: one comes twice");
        for stayed in 16..34 {
            let name = format!("JOB_{stayed}");
            assert!(unique.contains(&name), "{sort:?}: {name} is missing");
        }
    }
}

#[tokio::test]
async fn a_time_or_another_order_is_answered_from_the_snapshot() {
    let world = World::new((0..20).map(named).collect());
    let at = |minute: i64| DateTime::from_timestamp(1_772_409_600 + minute * 60, 0);
    let query = JobListQuery {
        since: at(5),
        until: at(10),
        sort: ListSort::Priority,
        name: Some(NamePattern::parse("JOB_*").unwrap()),
        limit: 50,
        ..JobListQuery::default()
    };
    let first = world.plan.job_list(None, query.clone()).await.unwrap();
    let names: Vec<&str> = first.value.items.iter().map(|job| &*job.name).collect();
    assert_eq!(names, ["JOB_09", "JOB_08", "JOB_07", "JOB_06", "JOB_05"]);
    assert_eq!(first.value.total, Some(5));
    world.clock.advance(Duration::from_secs(3));
    let again = world.plan.job_list(None, query).await.unwrap();
    assert_eq!(
        (again.meta.cache, again.meta.age_ms),
        (CacheStatus::Hit, 3_000)
    );
    assert_eq!(again.etag, first.etag);
}

#[tokio::test]
async fn a_cursor_of_another_order_is_no_cursor() {
    let world = World::new((0..20).map(named).collect());
    let page = world
        .plan
        .job_list(None, by(ListSort::Name, None))
        .await
        .unwrap();
    let cursor = page.value.next_cursor.clone().unwrap();
    assert!(ListCursor::parse(&cursor, ListSort::Name).is_ok());
    assert!(ListCursor::parse(&cursor, ListSort::Deadline).is_err());
    assert!(ListCursor::parse("garbage", ListSort::Name).is_err());
}

#[tokio::test]
async fn a_graph_and_an_impact_are_worked_out_once_a_plan() {
    let world = World::new(vec![waiting("a"), waiting("b")]);
    let both = GraphDirection::Both;
    let graph = world.plan.graph(None, &id("a"), both, 99).await.unwrap();
    assert_eq!((graph.value.depth, graph.value.nodes.len()), (10, 1));
    let again = world.plan.graph(None, &id("a"), both, 10).await.unwrap();
    assert_eq!(
        (again.meta.cache, again.etag),
        (CacheStatus::Hit, graph.etag)
    );
    let impact = world.plan.impact(None, &id("a")).await.unwrap();
    assert_eq!(impact.value.total, 0);
    assert!(matches!(
        world.plan.impact(None, &id("x")).await,
        Err(ReadError::UnknownJob(_))
    ));
    // An action or an invalidation takes the plan and what was worked out of it.
    world.engine.put(Job {
        status: JobStatus::Abend,
        ..waiting("a")
    });
    world.plan.invalidate(&PlanScope::default()).await;
    let changed = world.plan.graph(None, &id("a"), both, 10).await.unwrap();
    assert_ne!(changed.etag, graph.etag);
}

#[tokio::test]
async fn prompts_that_wait_come_first_and_counts_are_the_engines() {
    let world = World::new(vec![waiting("a")]);
    world.engine.set_prompts(vec![
        ScriptedEngine::plain_prompt("p1", PromptStatus::AnsweredYes),
        ScriptedEngine::plain_prompt("p2", PromptStatus::Asked),
    ]);
    let prompts = world.plan.prompts(None).await.unwrap();
    assert_eq!(prompts.value.items[0].id.as_str(), "p2");
    assert!(prompts.value.complete && !prompts.value.truncated);
    assert_eq!(prompts.value.total, Some(2));
    let counts = world.plan.counts(None, Counted::Jobs, None).await.unwrap();
    assert_eq!(counts.value.total, 1);
    let target = Target::Prompt(prompts.value.items[0].id.clone());
    assert_eq!(target.id(), "p2");
}

/// A list of prompts is cut, keeps those that wait, and says what it knows of the rest.
#[tokio::test]
async fn a_list_of_prompts_is_bounded_and_says_when_it_was_cut() {
    let prompts = |answered: usize| {
        let plain = |at, status| ScriptedEngine::plain_prompt(&format!("p{at}"), status);
        let answered = (0..answered).map(|at| plain(at, PromptStatus::AnsweredYes));
        let asked = std::iter::once(plain(9_999, PromptStatus::Asked));
        answered.chain(asked).collect()
    };
    let world = World::new(vec![waiting("a")]);
    world.engine.set_prompts(prompts(600));
    let long = world.plan.prompts(None).await.unwrap();
    assert_eq!(long.value.items.len(), 500);
    assert_eq!(long.value.items[0].status, PromptStatus::Asked);
    assert_eq!((long.value.total, long.value.truncated), (Some(601), true));

    // What could not be read to its end has no total, however few came.
    let world = World::new(vec![waiting("a")]);
    world.engine.set_prompts(prompts(3));
    world.engine.cut_prompts();
    let cut = world.plan.prompts(None).await.unwrap();
    assert_eq!(cut.value.items.len(), 4);
    assert_eq!((cut.value.total, cut.value.truncated), (None, true));
}

#[tokio::test]
async fn a_cursor_leads_to_the_next_page() {
    let world = World::new((0..5).map(|n| waiting(&format!("j{n}"))).collect());
    let mut query = JobListQuery {
        limit: 2,
        ..JobListQuery::default()
    };
    let mut ids = Vec::new();
    loop {
        let page = world.plan.job_list(None, query.clone()).await.unwrap();
        // Behind a cursor an engine counts what is left, which is no total.
        assert_eq!(page.value.total, query.cursor.is_none().then_some(5));
        ids.extend(page.value.items.iter().map(|job| job.id.to_string()));
        let Some(cursor) = &page.value.next_cursor else {
            break;
        };
        query.cursor = Some(ListCursor::parse(cursor, query.sort).unwrap());
    }
    assert_eq!(ids, ["j0", "j1", "j2", "j3", "j4"]);
}

#[tokio::test]
async fn a_cursor_of_streams_is_an_offset() {
    let world = World::new(Vec::new());
    let streams = (0..3).map(|n| stream(&format!("s{n}"), JobStatus::Exec));
    world.engine.set_streams(streams.collect());
    let (mut ids, mut offset) = (Vec::new(), 0);
    loop {
        let page = world.plan.streams(None, offset, 2).await.unwrap();
        assert_eq!(page.value.total, Some(3));
        ids.extend(page.value.items.iter().map(|stream| stream.id.to_string()));
        let Some(cursor) = &page.value.next_cursor else {
            break;
        };
        offset = offset_of_cursor(cursor).unwrap();
    }
    assert_eq!(ids, ["s0", "s1", "s2"]);
    assert!(offset_of_cursor("nonsense").is_err());
}
