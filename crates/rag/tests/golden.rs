//! The golden set: questions in both languages over the demo's runbooks.
//!
//! It asserts what `README.md` states. A change of the analysis, the lexicon or the weights that
//! makes answers worse stops here.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use resync_rag::{KnowledgeService, SearchQuery};

use crate::support::{Switched, service, taken_in, upload};

struct Question {
    kind: &'static str,
    source: &'static str,
    text: &'static str,
}

fn questions() -> Vec<Question> {
    let lines = include_str!("golden.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'));
    let read = |line: &'static str| {
        let mut cells = line.split('\t');
        let mut cell = || {
            cells
                .next()
                .unwrap_or_else(|| panic!("three cells in {line:?}"))
        };
        Question {
            kind: cell(),
            source: cell(),
            text: cell(),
        }
    };
    lines.map(read).collect()
}

async fn runbooks() -> KnowledgeService {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/demo/runbooks");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    let knowledge = service(Arc::new(Switched::default()));
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        taken_in(&knowledge, upload(&name, std::fs::read(file).unwrap())).await;
    }
    knowledge
}

#[derive(Default)]
struct Tally {
    asked: usize,
    first: usize,
    in_three: usize,
    judged_right: usize,
}

async fn tally(knowledge: &KnowledgeService) -> BTreeMap<&'static str, Tally> {
    let mut tallies = BTreeMap::<_, Tally>::new();
    for question in questions() {
        let query = SearchQuery {
            k: 10,
            explain: true,
            ..SearchQuery::new(question.text)
        };
        let found = knowledge.search(query).await.unwrap();
        let mut sources: Vec<&str> = Vec::new();
        for hit in &found.items {
            if !sources.contains(&hit.source.as_str()) {
                sources.push(&hit.source);
            }
        }
        let three: Vec<&str> = found
            .items
            .iter()
            .take(3)
            .map(|hit| hit.source.as_str())
            .collect();
        let tally = tallies.entry(question.kind).or_default();
        let has_answer = question.source != "-";
        tally.asked += 1;
        tally.first += usize::from(three.first() == Some(&question.source));
        tally.in_three += usize::from(three.contains(&question.source));
        tally.judged_right += usize::from(found.answerable == has_answer);
        if found.answerable != has_answer || (has_answer && !three.contains(&question.source)) {
            let explanation = found.items.first().and_then(|hit| hit.explanation.as_ref());
            println!(
                "{} {:?}: answerable {}, {three:?}, best hit {explanation:?}",
                question.kind, question.text, found.answerable
            );
        }
    }
    tallies
}

fn share(part: usize, of: usize) -> f64 {
    f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(of).unwrap())
}

/// Rule 6 of the design: a question in one language finds a runbook in the other.
#[tokio::test]
async fn the_golden_set_is_answered_in_both_languages_and_across() {
    let knowledge = runbooks().await;
    let tallies = tally(&knowledge).await;
    let (mut tuned, mut held) = (Sums::default(), Sums::default());
    for (kind, tally) in &tallies {
        println!(
            "{kind}: {} asked, recall@1 {:.3}, recall@3 {:.3}, answerable {:.3}",
            tally.asked,
            share(tally.first, tally.asked),
            share(tally.in_three, tally.asked),
            share(tally.judged_right, tally.asked),
        );
        let sums = if kind.starts_with("held") {
            &mut held
        } else {
            &mut tuned
        };
        let sum = if kind.ends_with("none") {
            &mut sums.without
        } else {
            &mut sums.with
        };
        sum.add(tally);
    }
    for (name, sums) in [("tuned", &tuned), ("held", &held)] {
        println!(
            "{name}: recall@1 {:.3}, recall@3 {:.3}, answerable {:.3} and {:.3}",
            share(sums.with.first, sums.with.asked),
            share(sums.with.in_three, sums.with.asked),
            share(sums.with.judged_right, sums.with.asked),
            share(sums.without.judged_right, sums.without.asked),
        );
    }
    assert!(tuned.with.asked >= 80 && tuned.without.asked >= 25);
    assert!(share(tuned.with.in_three, tuned.with.asked) >= 0.97);
    assert!(share(tuned.with.first, tuned.with.asked) >= 0.93);
    assert!(share(tuned.with.judged_right, tuned.with.asked) >= 0.97);
    assert!(share(tuned.without.judged_right, tuned.without.asked) >= 0.92);
    assert!(held.with.asked >= 20 && held.without.asked >= 10);
    assert!(share(held.with.in_three, held.with.asked) >= 0.95);
    assert!(share(held.with.judged_right, held.with.asked) >= 0.8);
    assert!(share(held.without.judged_right, held.without.asked) >= 0.9);
}

/// Questions with an answer, and those without one.
#[derive(Default)]
struct Sums {
    with: Tally,
    without: Tally,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.first += other.first;
        self.in_three += other.in_three;
        self.judged_right += other.judged_right;
    }
}
