//! The laws of reading the plan.

use std::collections::{BTreeSet, HashSet};

use super::Stage;
use crate::model::{
    Job, JobId, JobQuery, JobSort, JobStatus, NamePattern, Neighbour, NeighbourDirection,
};

fn ids(jobs: &[Job]) -> BTreeSet<&str> {
    jobs.iter().map(|job| job.id.as_str()).collect()
}

fn pattern(text: &str) -> NamePattern {
    NamePattern::parse(text).expect("a pattern")
}

fn missing() -> JobId {
    JobId::parse("00000000-0000-3000-8000-00000000beef").expect("an id")
}

/// The jobs that `query` finds are those of the whole plan that `wanted` accepts.
async fn finds(stage: &Stage, query: JobQuery, wanted: impl Fn(&Job) -> bool) {
    let all = stage.every_job().await;
    let expected: BTreeSet<&str> = all
        .iter()
        .filter(|job| wanted(job))
        .map(|job| job.id.as_str())
        .collect();
    let found = stage.all_jobs(&query).await;
    assert!(!expected.is_empty(), "the law has nothing to bite on");
    assert_eq!(ids(&found), expected, "{query:?}");
}

/// A job of the middle of the plan, so that neither edge is all a law looks at.
async fn some_job(stage: &Stage) -> Job {
    let mut jobs = stage.every_job().await;
    let middle = jobs.len() / 2;
    jobs.swap_remove(middle)
}

/// The probe answers and names a version.
pub async fn the_engine_says_who_it_is(stage: &Stage) {
    let info = stage.plan.engine_info().await.expect("the engine's info");
    assert!(info.version.is_some());
}

/// A job that the plan lacks reads as `None`, not as an error.
pub async fn a_missing_job_is_none(stage: &Stage) {
    assert_eq!(stage.plan.job(&missing()).await, Ok(None));
}

/// Nor are there neighbours of such a job.
pub async fn a_missing_job_has_no_neighbours(stage: &Stage) {
    for direction in [
        NeighbourDirection::Predecessors,
        NeighbourDirection::Successors,
    ] {
        let around = stage.plan.neighbours(&missing(), direction, 1).await;
        assert_eq!(around, Ok(None));
    }
}

/// Pages of seven hold the same jobs in the same order as one large page, and none twice.
pub async fn paging_covers_every_job_once(stage: &Stage) {
    let whole = stage.every_job().await;
    let (mut paged, mut offset) = (Vec::new(), 0);
    loop {
        let query = JobQuery {
            offset,
            limit: 7,
            ..JobQuery::default()
        };
        let slice = stage.plan.jobs(&query).await.expect("a page of jobs");
        assert!(slice.items.len() <= 7);
        paged.extend(slice.items);
        match slice.next_offset {
            Some(next) => {
                assert!(next > offset);
                offset = next;
            }
            None => break,
        }
    }
    let order = |jobs: &[Job]| jobs.iter().map(|job| job.id.clone()).collect::<Vec<_>>();
    assert_eq!(order(&paged), order(&whole));
}

/// Past the last job there is an empty page, and nothing after it.
pub async fn an_offset_past_the_end_is_an_empty_last_page(stage: &Stage) {
    let query = JobQuery {
        offset: 1_000_000,
        limit: 10,
        ..JobQuery::default()
    };
    let slice = stage.plan.jobs(&query).await.expect("a page of jobs");
    assert!(slice.items.is_empty());
    assert_eq!(slice.next_offset, None);
}

/// When the engine counts, it counts every match and not the page.
pub async fn the_total_is_the_number_of_jobs(stage: &Stage) {
    let count = stage.every_job().await.len() as u64;
    let query = JobQuery {
        limit: 1,
        ..JobQuery::default()
    };
    let slice = stage.plan.jobs(&query).await.expect("a page of jobs");
    assert!(
        slice.total.is_none_or(|total| total == count),
        "{:?} of {count}",
        slice.total
    );
}

/// The list and the single read tell the same of a job.
pub async fn a_listed_job_reads_the_same_by_its_id(stage: &Stage) {
    let all = stage.every_job().await;
    for listed in all.iter().step_by((all.len() / 10).max(1)) {
        let one = stage.plan.job(&listed.id).await.expect("a read");
        let one = one.expect("a listed job");
        assert_eq!(one.id, listed.id);
        assert_eq!(one.label(), listed.label());
        assert_eq!(one.folder, listed.folder);
        assert_eq!(one.state(), listed.state());
        assert_eq!(one.priority, listed.priority);
        assert_eq!(one.runs, listed.runs);
    }
}

/// A filter by status: for every state of the plan, all of its jobs and only those.
pub async fn a_status_finds_its_jobs_and_no_others(stage: &Stage) {
    let states: HashSet<JobStatus> = stage.every_job().await.iter().map(Job::state).collect();
    for status in states {
        let query = JobQuery {
            status: vec![status.clone()],
            ..JobQuery::default()
        };
        finds(stage, query, |job| job.state() == status).await;
    }
}

/// Several statuses are any of them.
pub async fn several_statuses_find_the_jobs_of_each(stage: &Stage) {
    let wanted = vec![JobStatus::Succ, JobStatus::Hold, JobStatus::Cancl];
    let query = JobQuery {
        status: wanted.clone(),
        ..JobQuery::default()
    };
    finds(stage, query, |job| wanted.contains(&job.state())).await;
}

/// A name without a wildcard is that name alone.
pub async fn a_name_finds_its_jobs_and_no_others(stage: &Stage) {
    let name = some_job(stage).await.name;
    let query = JobQuery {
        name: Some(pattern(&name)),
        ..JobQuery::default()
    };
    finds(stage, query, |job| job.name == name).await;
}

/// `*` is any run of characters, `?` is one.
pub async fn a_wildcard_finds_what_it_stands_for(stage: &Stage) {
    let name = some_job(stage).await.name;
    let (head, tail) = (&name[..1], &name[name.len() - 1..]);
    let query = JobQuery {
        name: Some(pattern(&format!("{head}*{tail}"))),
        ..JobQuery::default()
    };
    finds(stage, query, |job| {
        job.name.len() >= 2 && job.name.starts_with(head) && job.name.ends_with(tail)
    })
    .await;
    let query = JobQuery {
        name: Some(pattern(&format!("?{}", &name[1..]))),
        ..JobQuery::default()
    };
    finds(stage, query, |job| {
        job.name.len() == name.len() && job.name[1..] == name[1..]
    })
    .await;
}

/// A workstation is found by its name, whatever folder it lies in.
pub async fn a_workstation_finds_its_jobs_and_no_others(stage: &Stage) {
    let name = some_job(stage).await.workstation.expect("a workstation");
    let query = JobQuery {
        workstation: Some(pattern(&name)),
        ..JobQuery::default()
    };
    finds(stage, query, |job| job.workstation.as_ref() == Some(&name)).await;
}

/// A folder is that folder alone, however its end is written.
pub async fn a_folder_is_found_with_and_without_its_slash(stage: &Stage) {
    let folders: BTreeSet<String> = stage
        .every_job()
        .await
        .into_iter()
        .filter_map(|job| job.folder)
        .collect();
    for folder in folders {
        let bare = folder.trim_end_matches('/');
        for text in [folder.as_str(), if bare.is_empty() { "/" } else { bare }] {
            let query = JobQuery {
                folder: Some(pattern(text)),
                ..JobQuery::default()
            };
            finds(stage, query, |job| job.folder.as_ref() == Some(&folder)).await;
        }
    }
}

/// A stream is found by its name.
pub async fn a_stream_finds_its_jobs_and_no_others(stage: &Stage) {
    let name = some_job(stage).await.stream.name.expect("a stream");
    let query = JobQuery {
        stream: Some(pattern(&name)),
        ..JobQuery::default()
    };
    finds(stage, query, |job| job.stream.name.as_ref() == Some(&name)).await;
}

/// Two filters are both of them.
pub async fn filters_narrow_each_other(stage: &Stage) {
    let job = some_job(stage).await;
    let workstation = job.workstation.clone().expect("a workstation");
    let status = job.state();
    let query = JobQuery {
        status: vec![status.clone()],
        workstation: Some(pattern(&workstation)),
        ..JobQuery::default()
    };
    finds(stage, query, |other| {
        other.state() == status && other.workstation.as_ref() == Some(&workstation)
    })
    .await;
}

/// Nothing found is an empty page, not an error.
pub async fn a_name_that_nobody_has_finds_nothing(stage: &Stage) {
    let query = JobQuery {
        name: Some(pattern("NOBODY_HAS_THIS_NAME")),
        limit: 10,
        ..JobQuery::default()
    };
    let slice = stage.plan.jobs(&query).await.expect("a page of jobs");
    assert!(slice.items.is_empty());
    assert_eq!(slice.next_offset, None);
}

/// `JobSort::Name` puts A first.
pub async fn an_order_by_name_goes_up(stage: &Stage) {
    let query = JobQuery {
        sort: JobSort::Name,
        ..JobQuery::default()
    };
    let jobs = stage.all_jobs(&query).await;
    assert!(jobs.is_sorted_by(|a, b| a.name <= b.name));
    assert_eq!(jobs.len(), stage.every_job().await.len());
}

/// `JobSort::Priority` puts the highest first.
pub async fn an_order_by_priority_goes_down(stage: &Stage) {
    let query = JobQuery {
        sort: JobSort::Priority,
        ..JobQuery::default()
    };
    let jobs = stage.all_jobs(&query).await;
    assert!(jobs.is_sorted_by(|a, b| a.priority >= b.priority));
    assert_eq!(jobs.len(), stage.every_job().await.len());
}

/// Jobs that have a job before them, with these.
async fn pairs(stage: &Stage) -> Vec<(Job, Job)> {
    let mut pairs = Vec::new();
    for job in stage.every_job().await {
        let before = stage
            .plan
            .neighbours(&job.id, NeighbourDirection::Predecessors, 1)
            .await
            .expect("a walk")
            .expect("a job of the plan");
        for node in before {
            if let Neighbour::Job(before) = node {
                pairs.push((job.clone(), *before));
            }
        }
        if pairs.len() >= 5 {
            break;
        }
    }
    assert!(!pairs.is_empty(), "no job of the stage waits for another");
    pairs
}

/// A predecessor's successors hold the job again.
pub async fn a_neighbour_is_no_stranger_to_the_job(stage: &Stage) {
    for (job, before) in pairs(stage).await {
        let after = stage
            .plan
            .neighbours(&before.id, NeighbourDirection::Successors, 1)
            .await
            .expect("a walk")
            .expect("a job of the plan");
        assert!(
            after
                .iter()
                .any(|node| matches!(node, Neighbour::Job(found) if found.id == job.id)),
            "{} comes after {}",
            job.label(),
            before.label()
        );
    }
}

/// However deep the walk, each node once, and the job itself not at all.
pub async fn no_job_is_its_own_neighbour_and_none_comes_twice(stage: &Stage) {
    for (job, _) in pairs(stage).await {
        for direction in [
            NeighbourDirection::Predecessors,
            NeighbourDirection::Successors,
        ] {
            let around = stage.plan.neighbours(&job.id, direction, 10).await;
            let mut seen = HashSet::from([job.id.as_str().to_owned()]);
            for node in around.expect("a walk").expect("a job of the plan") {
                let id = match node {
                    Neighbour::Job(job) => job.id.as_str().to_owned(),
                    Neighbour::Stream(stream) => stream.id.as_str().to_owned(),
                };
                assert!(seen.insert(id.clone()), "{id}");
            }
        }
    }
}

/// What depth one finds, depth ten finds as well.
pub async fn a_deeper_walk_finds_no_less(stage: &Stage) {
    let direction = NeighbourDirection::Predecessors;
    for (job, before) in pairs(stage).await {
        let deep = stage.plan.neighbours(&job.id, direction, 10).await;
        let deep = deep.expect("a walk").expect("a job of the plan");
        assert!(
            deep.iter()
                .any(|node| matches!(node, Neighbour::Job(found) if found.id == before.id))
        );
    }
}

/// A list with dependencies holds those of the job that is known to wait.
pub async fn dependencies_come_when_asked_for(stage: &Stage) {
    let query = JobQuery {
        with_dependencies: true,
        ..JobQuery::default()
    };
    let listed = stage.all_jobs(&query).await;
    let (job, _) = pairs(stage).await.swap_remove(0);
    let one = stage.plan.job(&job.id).await.expect("a read");
    let one = one.expect("a job of the plan");
    let listed = listed.iter().find(|listed| listed.id == job.id);
    assert!(!one.dependencies.is_empty());
    assert_eq!(
        listed.map(|listed| &listed.dependencies),
        Some(&one.dependencies)
    );
}

/// Pages of three hold every stream once.
pub async fn paging_covers_every_stream_once(stage: &Stage) {
    let whole = stage.plan.streams(0, 1_000).await.expect("streams");
    let (mut paged, mut offset) = (Vec::new(), 0);
    loop {
        let slice = stage.plan.streams(offset, 3).await.expect("streams");
        assert!(slice.items.len() <= 3);
        paged.extend(slice.items);
        match slice.next_offset {
            Some(next) => {
                assert!(next > offset);
                offset = next;
            }
            None => break,
        }
    }
    assert!(!paged.is_empty());
    if whole.next_offset.is_none() {
        assert_eq!(paged, whole.items);
    }
}

/// Workstations come whole, each once, and jobs name no other.
pub async fn every_workstation_comes_once(stage: &Stage) {
    let workstations = stage.plan.workstations().await.expect("workstations");
    let ids: HashSet<&str> = workstations.iter().map(|w| w.id.as_str()).collect();
    assert_eq!(ids.len(), workstations.len());
    let names: HashSet<&str> = workstations.iter().map(|w| w.name.as_str()).collect();
    for job in stage.every_job().await {
        let name = job.workstation.as_deref().expect("a workstation");
        assert!(names.contains(name), "{name}");
    }
}
