//! Sections around a place, hits with their neighbours, and watching a document get on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use resync_rag::{
    DocumentId, DocumentWatch, KnowledgeParts, KnowledgeService, MAX_SECTION_CHARS, MAX_WATCHES,
    SearchQuery, SectionView, Stage, Watched,
};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::support::{Model, Switched, parts, service, taken_in, upload};

const MANUAL: &str = "intro\n\n# Disk\n\nFull é ruim.\n\n## Clean up\n\nRemove old files.\n\n\
    ### Afterwards\n\nOpen a ticket.\n\n## Extend\n\nAsk the storage team.\n";

async fn section(
    knowledge: &KnowledgeService,
    id: DocumentId,
    start: u64,
    end: u64,
) -> SectionView {
    let found = knowledge.section(id, start, end).await.unwrap();
    found.unwrap_or_else(|| panic!("nothing at {start}"))
}

fn at(text: &str, part: &str) -> (u64, u64) {
    let byte = text.find(part).unwrap();
    let start = text[..byte].chars().count();
    let end = start + part.chars().count();
    (start.try_into().unwrap(), end.try_into().unwrap())
}

#[tokio::test]
async fn a_section_is_shown_with_its_headings_and_the_way_on() {
    let knowledge = service(Arc::new(Switched::default()));
    let document = taken_in(&knowledge, upload("disk.md", MANUAL)).await;
    let (start, end) = at(MANUAL, "old files");
    let shown = section(&knowledge, document.id, start, end).await;
    assert_eq!(shown.heading_path, ["Disk", "Clean up"]);
    assert!(shown.text.starts_with("## Clean up") && shown.text.ends_with("Open a ticket."));
    assert_eq!(shown.span.slice(MANUAL), Some(shown.text.as_str()));
    assert_eq!(shown.section, shown.span);
    let (before, after) = (shown.before.unwrap(), shown.after.unwrap());
    assert_eq!(before.heading_path, ["Disk"]);
    assert_eq!(after.heading_path, ["Disk", "Extend"]);
    let next = section(
        &knowledge,
        document.id,
        after.span.start_char,
        after.span.end_char,
    )
    .await;
    assert!(next.text.ends_with("storage team.") && next.after.is_none());

    let (start, _) = at(MANUAL, "Remove");
    let (_, end) = at(MANUAL, "storage");
    let wide = section(&knowledge, document.id, start, end).await;
    assert!(
        wide.text.starts_with("# Disk"),
        "both sections stand below it"
    );
    let first = section(&knowledge, document.id, 0, 1).await;
    assert_eq!((first.text.as_str(), first.before), ("intro", None));
    let (blank, _) = at(MANUAL, "\n\n# Disk");
    let after_blank = section(&knowledge, document.id, blank, blank + 1).await;
    assert!(
        after_blank.text.starts_with("# Disk"),
        "nothing can be seen between"
    );

    let chars = MANUAL.chars().count() as u64;
    let last = section(&knowledge, document.id, chars - 1, chars).await;
    assert_eq!(last.heading_path, ["Disk", "Extend"]);
    let nobody = DocumentId(Uuid::nil());
    for (id, start) in [(document.id, chars), (document.id, u64::MAX), (nobody, 0)] {
        assert_eq!(knowledge.section(id, start, start).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_long_section_is_shown_in_parts_that_meet() {
    let lines: Vec<String> = (0..4000)
        .map(|n| format!("Line {n} of the log.\n"))
        .collect();
    let text = lines.concat();
    let knowledge = service(Arc::new(Switched::default()));
    let document = taken_in(&knowledge, upload("log.txt", text.clone())).await;
    let middle = section(&knowledge, document.id, 40_000, 40_001).await;
    assert!(middle.span.start_char < 40_000 && middle.span.end_char > 40_000);
    assert!(middle.span.end_char - middle.span.start_char <= MAX_SECTION_CHARS);
    assert_eq!(
        middle.section.slice(&text).map(str::len),
        Some(text.trim_end().len())
    );
    // From the first part on, each one begins where the one before it ends.
    let mut part = section(&knowledge, document.id, 0, 1).await;
    let mut seen = part.text.clone();
    while let Some(after) = part.after {
        let from = after.span.start_char;
        part = section(&knowledge, document.id, from, from + 1).await;
        let new = part
            .text
            .chars()
            .skip(usize::try_from(from - part.span.start_char).unwrap());
        seen.push('\n');
        seen.extend(new);
    }
    assert_eq!(seen, text.trim_end());
}

#[tokio::test]
async fn a_document_that_is_not_ready_has_no_section_yet() {
    let store = Arc::new(Switched::default());
    let model: Arc<Model> = Arc::default();
    model.away.store(true, Ordering::SeqCst);
    let knowledge = KnowledgeService::new(KnowledgeParts {
        embedder: Some(Arc::clone(&model) as _),
        ..parts(store, Arc::default())
    });
    let document = taken_in(&knowledge, upload("disk.md", MANUAL)).await;
    assert_eq!(document.stage, Stage::Chunks);
    assert_eq!(knowledge.section(document.id, 0, 1).await.unwrap(), None);
}

#[tokio::test]
async fn a_hit_is_widened_within_its_section_and_its_bound() {
    let steps: Vec<String> = (1..=12)
        .map(|n| {
            format!(
                "Step {n}: {}\n\n",
                "look at the log of the agent. ".repeat(8)
            )
        })
        .collect();
    let steps = steps.concat();
    let text = format!("# Other\n\nNothing.\n\n# Deadlock\n\n{steps}# More\n\nNothing.\n");
    let knowledge = service(Arc::new(Switched::default()));
    taken_in(&knowledge, upload("steps.md", text.clone())).await;
    let query = |widen| SearchQuery {
        k: 1,
        widen,
        ..SearchQuery::new("deadlock step 7")
    };
    let hit = |found: resync_rag::SearchResults| found.items.into_iter().next().unwrap();
    let narrow = hit(knowledge.search(query(0)).await.unwrap());
    assert_eq!(narrow.wide, None);
    let most = 2600;
    let wide = hit(knowledge.search(query(most)).await.unwrap())
        .wide
        .unwrap();
    assert_eq!(wide.span.slice(&text), Some(wide.text.as_str()));
    assert!(wide.text.contains(&narrow.text) && wide.text.len() > narrow.text.len());
    assert!(wide.text.chars().count() <= most);
    let all = hit(knowledge.search(query(usize::MAX)).await.unwrap())
        .wide
        .unwrap();
    assert_eq!(all.span, narrow.section);
    assert!(!all.text.contains("Nothing"));
}

/// Each state is told once, until the last.
#[tokio::test(start_paused = true)]
async fn who_watches_a_document_is_told_how_it_gets_on() {
    let store = Arc::new(Switched::default());
    let model: Arc<Model> = Arc::default();
    model.gate.forget_permits(Semaphore::MAX_PERMITS);
    let parts = KnowledgeParts {
        embedder: Some(Arc::clone(&model) as _),
        ..parts(Arc::clone(&store), Arc::default())
    };
    let knowledge = KnowledgeService::new(parts.clone());
    // Another replica, on the same store, which does nothing itself.
    let other = KnowledgeService::new(parts);
    let text = "# A\n\ntext\n\n".repeat(40);
    let id = knowledge.upload(upload("a.md", text)).await.unwrap().id;
    let follow = async |mut watch: DocumentWatch, lets_go_on: bool| {
        let mut states = Vec::new();
        while let Some(told) = watch.next().await.unwrap() {
            let Watched::State(now) = told else {
                panic!("it is not deleted");
            };
            states.push((now.stage.as_str(), now.vectors, now.chunks));
            // The next batch waits until the other one has looked, too.
            if lets_go_on && matches!(now.stage, Stage::Chunks | Stage::Vectors) {
                tokio::time::sleep(Duration::from_secs(3)).await;
                model.gate.add_permits(1);
            }
        }
        states
    };
    let (here, there) = (knowledge.watch(id).unwrap(), other.watch(id).unwrap());
    let (here, there) = tokio::join!(follow(here, true), follow(there, false));
    for states in [here, there] {
        let mut once = states.clone();
        once.dedup();
        assert_eq!(once, states, "each state is told once");
        let seen = |state: (&str, u32, u32)| states.contains(&state);
        assert!(
            seen(("chunks", 0, 40)) && seen(("vectors", 32, 40)),
            "{states:?}"
        );
        assert_eq!(states.last(), Some(&("ready", 40, 40)));
    }

    let mut waiting = knowledge.watch(id).unwrap();
    assert!(
        matches!(waiting.next().await.unwrap(), Some(Watched::State(now)) if now.stage == Stage::Ready)
    );
    let mut none = knowledge.watch(DocumentId(Uuid::nil())).unwrap();
    assert_eq!(none.next().await.unwrap(), Some(Watched::Gone));
    assert_eq!(none.next().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_document_that_is_deleted_while_it_is_watched_is_gone_and_watches_are_bounded() {
    let store = Arc::new(Switched::default());
    store.texts.forget_permits(Semaphore::MAX_PERMITS);
    let knowledge = service(Arc::clone(&store));
    let id = knowledge.upload(upload("a.md", MANUAL)).await.unwrap().id;
    let mut watch = knowledge.watch(id).unwrap();
    watch.next().await.unwrap();
    knowledge.delete(id).await.unwrap();
    let mut last = None;
    while let Some(told) = watch.next().await.unwrap() {
        last = Some(told);
    }
    assert_eq!(last, Some(Watched::Gone));
    drop(watch);
    let all: Vec<_> = (0..MAX_WATCHES).map(|_| knowledge.watch(id)).collect();
    assert!(all.iter().all(Option::is_some));
    assert!(knowledge.watch(id).is_none());
    drop(all);
    assert!(knowledge.watch(id).is_some());
}
