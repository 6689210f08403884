//! The laws of definitions and submissions.

use std::collections::HashSet;

use super::Stage;
use super::action::why;
use crate::model::{
    DefinitionId, DefinitionQuery, NamePattern, StreamDefinition, Submission, SubmitOptions,
};
use crate::ports::ActionError;

fn page(offset: u64, limit: u32) -> DefinitionQuery {
    DefinitionQuery {
        offset,
        limit,
        ..DefinitionQuery::default()
    }
}

async fn every_stream(stage: &Stage) -> Vec<StreamDefinition> {
    let page = stage.definitions.stream_definitions(&page(0, 1_000)).await;
    let all = page.expect("the defined streams").items;
    assert!(all.len() >= 2, "the law has nothing to bite on");
    all
}

/// Pages of one hold the same definitions as one large page, and none twice.
pub async fn paging_covers_every_definition_once(stage: &Stage) {
    let whole = every_stream(stage).await;
    let (mut offset, mut seen) = (0, HashSet::new());
    loop {
        let page = stage.definitions.stream_definitions(&page(offset, 1)).await;
        let page = page.expect("a page of definitions");
        for definition in page.items {
            assert!(
                seen.insert(definition.id.clone()),
                "{} comes twice",
                definition.id
            );
        }
        match page.next_offset {
            Some(next) => {
                assert!(next > offset);
                offset = next;
            }
            None => break,
        }
    }
    assert_eq!(
        seen,
        whole.into_iter().map(|definition| definition.id).collect()
    );
    let jobs = stage.definitions.job_definitions(&page(0, 1_000)).await;
    let jobs = jobs.expect("the defined jobs").items;
    let ids: HashSet<_> = jobs.iter().map(|definition| &definition.id).collect();
    assert_eq!((ids.len(), jobs.is_empty()), (jobs.len(), false));
}

/// A filter by name finds all of that name and no other.
pub async fn a_name_finds_its_definitions_and_no_others(stage: &Stage) {
    let whole = every_stream(stage).await;
    let name = &whole[0].name;
    let query = DefinitionQuery {
        name: Some(NamePattern::parse(name).expect("a pattern")),
        ..page(0, 1_000)
    };
    let found = stage.definitions.stream_definitions(&query).await;
    let found = found.expect("a page of definitions").items;
    let expected: Vec<_> = whole.iter().filter(|d| d.name == *name).cloned().collect();
    assert_eq!(found, expected);
}

/// What is not defined is not submitted.
pub async fn a_submission_of_no_definition_finds_none(stage: &Stage) {
    let definition = DefinitionId::parse("00000000-0000-3000-8000-00000000beef").expect("an id");
    let options = SubmitOptions::default();
    let submission = Submission::Stream {
        definition,
        options,
    };
    let end = stage.submit.submit(&submission, &why()).await;
    assert_eq!(end, Err(ActionError::UnknownTarget));
}

/// A stream that was submitted is in the plan.
pub async fn a_submitted_stream_comes_into_the_plan(stage: &Stage) {
    let whole = every_stream(stage).await;
    // Whether it keeps its name without an alias is the engine's choice.
    let streams = async || {
        let page = stage.plan.streams(0, 1_000).await;
        page.expect("a page of streams").items.len()
    };
    let before = streams().await;
    let submission = Submission::Stream {
        definition: whole[0].id.clone(),
        options: SubmitOptions::default(),
    };
    let done = stage.submit.submit(&submission, &why()).await;
    let done = done.expect("a submission");
    (stage.settle)().await;
    assert_eq!(streams().await, before + 1);
    for id in done.ids {
        let id = crate::model::StreamId::parse(&id).expect("an id");
        let found = stage.objects.stream(&id).await.expect("a read");
        assert!(found.is_some(), "{id} is not in the plan");
    }
}
