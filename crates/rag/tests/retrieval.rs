//! The gate of retrieval: a golden set over manuals and runbooks in both languages.
//!
//! The questions were written before anything was tuned, and split in two: weights and bounds were
//! chosen by `golden-tune.jsonl`, and `golden-held.jsonl` says what that is worth elsewhere.
//! `docs/retrieval.md` has the figures; the bounds are in `retrieval-*.toml`.

use std::path::Path;
use std::sync::Arc;

use resync_embed::{BundledEmbedder, BundledModel};
use resync_rag::eval::{GoldenQuestion, Report, Thresholds, compare, evaluate, golden};
use resync_rag::{Fusion, KnowledgeParts, KnowledgeService, Strategy};

use crate::support::{Switched, parts, service, taken_in, upload};

/// The corpus and the demo's runbooks in `knowledge`.
async fn fill(knowledge: &KnowledgeService) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        here.join("tests/corpus"),
        here.join("../server/demo/runbooks"),
    ];
    let mut files: Vec<_> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        taken_in(knowledge, upload(&name, std::fs::read(file).unwrap())).await;
    }
}

fn tuned() -> Vec<GoldenQuestion> {
    golden(include_str!("golden-tune.jsonl")).unwrap()
}

fn held() -> Vec<GoldenQuestion> {
    golden(include_str!("golden-held.jsonl")).unwrap()
}

fn show(name: &str, report: &Report) {
    println!("{name}\n{report}");
    for miss in &report.misses {
        println!("  {miss:?}");
    }
}

fn check(name: &str, report: &Report, thresholds: &str) {
    let failures = Thresholds::parse(thresholds).unwrap().failures(report);
    assert!(failures.is_empty(), "{name}: {failures:#?}\n{report}");
}

#[test]
fn the_golden_set_is_large_and_mixed_enough() {
    let all: Vec<_> = tuned().into_iter().chain(held()).collect();
    let count = |of: &dyn Fn(&GoldenQuestion) -> bool| all.iter().filter(|q| of(q)).count();
    let kind = |name: &str| count(&|question| question.kind.to_string() == name);
    assert!(all.len() >= 150);
    assert!(count(&|question| question.language.to_string() == "pt") >= 50);
    assert!(kind("paraphrase") >= 40);
    assert!(kind("no_answer") >= 20);
    assert!(kind("message_id") >= 20);
}

/// Words and meaning, by the models that ship in the binary.
#[tokio::test]
async fn words_and_meaning_find_the_section() {
    let store = Arc::new(Switched::default());
    let knowledge = KnowledgeService::new(KnowledgeParts {
        embedder: Some(Arc::new(BundledEmbedder::new(
            BundledModel::MultilingualAndEnglish,
        ))),
        ..parts(store, Arc::default())
    });
    fill(&knowledge).await;
    let full = Strategy::default();
    let strategies = [
        (
            "words, no glossary",
            Strategy {
                glossary: false,
                dense: false,
                ..full
            },
        ),
        (
            "words",
            Strategy {
                dense: false,
                ..full
            },
        ),
        (
            "meaning",
            Strategy {
                lexical: false,
                ..full
            },
        ),
        (
            "plain reciprocal ranks",
            Strategy {
                fusion: Fusion::ReciprocalRanks,
                ..full
            },
        ),
        ("all", full),
    ];
    for (name, set) in [("tuned", tuned()), ("held", held())] {
        let mut reports = Vec::new();
        for (strategy, parts) in strategies {
            reports.push((strategy, evaluate(&knowledge, &set, parts).await.unwrap()));
        }
        let table: Vec<_> = reports
            .iter()
            .map(|(name, report)| (*name, report))
            .collect();
        println!("{name}\n{}", compare(&table));
        let (_, report) = reports.last().unwrap();
        println!("{report}");
        check(name, report, include_str!("retrieval-all.toml"));
    }
}

/// Words alone, as where no model is configured.
#[tokio::test]
async fn words_alone_find_the_section() {
    let knowledge = service(Arc::new(Switched::default()));
    fill(&knowledge).await;
    let plain = Strategy {
        glossary: false,
        ..Strategy::default()
    };
    for (name, set) in [("tuned", tuned()), ("held", held())] {
        let without = evaluate(&knowledge, &set, plain).await.unwrap();
        let report = evaluate(&knowledge, &set, Strategy::default())
            .await
            .unwrap();
        show(name, &report);
        println!(
            "{}",
            compare(&[("no glossary", &without), ("words", &report)])
        );
        check(name, &report, include_str!("retrieval-words.toml"));
    }
}
