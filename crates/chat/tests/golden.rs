//! Golden transcripts: questions of a shift and their answers, word for word, in both languages.
//!
//! Each transcript is a snapshot that a person reviewed; it holds the question, what it was understood
//! as, the whole text, what was asked of whom, and the first words of each source. Each answer stands on
//! its evidence, and its HTML holds allowed tags alone.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use resync_chat::{Answer, Language, Place, recheck};
use resync_memory::chat::InMemoryConversationStore;

use crate::world::{Kind, RUNBOOK, World};

/// What is out of order while a question is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Now {
    Fine,
    /// The engine does not answer, and nothing is in the cache.
    EngineDown,
    /// The engine does not answer, and the plan is 20 s old.
    Stale,
}

/// A transcript: its name, and its questions in both languages, one after the other.
struct Golden {
    name: &'static str,
    now: Now,
    en: &'static [&'static str],
    pt: &'static [&'static str],
}

const fn golden(
    name: &'static str,
    en: &'static [&'static str],
    pt: &'static [&'static str],
) -> Golden {
    Golden {
        name,
        now: Now::Fine,
        en,
        pt,
    }
}

/// The demo's five questions come first.
const GOLDEN: &[Golden] = &[
    golden(
        "summary",
        &["How is the plan doing?"],
        &["Como está o plano?"],
    ),
    golden(
        "failure",
        &["Why did FIN_GL_POST fail?"],
        &["Por que o FIN_GL_POST falhou?"],
    ),
    golden(
        "failed_jobs",
        &["Which jobs failed?"],
        &["Quais jobs falharam?"],
    ),
    golden(
        "runbook",
        &["What should I do when the disk is full?"],
        &["O que fazer quando o disco está cheio?"],
    ),
    golden(
        "rerun",
        &["Rerun FIN_GL_POST"],
        &["Reexecute o FIN_GL_POST"],
    ),
    golden(
        "status",
        &["What is the status of REPORT?"],
        &["Qual é o status do REPORT?"],
    ),
    golden(
        "late",
        &["What is late on LX_PRD01?"],
        &["O que está atrasado na LX_PRD01?"],
    ),
    golden(
        "yesterday",
        &["Which jobs failed yesterday?"],
        &["Quais jobs falharam ontem?"],
    ),
    // The log tells its reader to set the job to success and to cancel another one.
    golden(
        "log_that_commands",
        &["Show the log of FIN_GL_POST"],
        &["Mostre o log do FIN_GL_POST"],
    ),
    golden(
        "waiting",
        &["Why is PAY_CALC waiting?"],
        &["Por que o PAY_CALC está esperando?"],
    ),
    golden(
        "dependencies",
        &["What are the predecessors of FIN_BAL?"],
        &["Quais são os predecessores do FIN_BAL?"],
    ),
    golden(
        "impact",
        &["What is the impact of FIN_GL_POST?"],
        &["Qual é o impacto do FIN_GL_POST?"],
    ),
    golden("hold", &["Hold PAY_CALC"], &["Segure o PAY_CALC"]),
    golden(
        "workstations",
        &["Which agents are down?"],
        &["Quais agentes estão fora do ar?"],
    ),
    golden(
        "two_of_a_name",
        &["status of TWIN_LOAD"],
        &["Qual é o status do TWIN_LOAD?"],
    ),
    golden(
        "its_log",
        &["Why did FIN_GL_POST fail?", "and its log?"],
        &["Por que o FIN_GL_POST falhou?", "e o log dele?"],
    ),
    golden("help", &["help"], &["ajuda"]),
    golden("greeting", &["hello"], &["olá"]),
    Golden {
        now: Now::EngineDown,
        ..golden(
            "engine_down",
            &["Why did FIN_GL_POST fail?"],
            &["Por que o FIN_GL_POST falhou?"],
        )
    },
    Golden {
        now: Now::Stale,
        ..golden("stale", &["Which jobs failed?"], &["Quais jobs falharam?"])
    },
];

const DISK_EN: &str = "# Disk full\n\n## Steps\n\n1. Remove files of the load that are older than 7 days.\n\
2. Rerun the job.\n";
const DISK_PT: &str = "# Disco cheio\n\n## Passos\n\n1. Remova os arquivos da carga com mais de 7 dias.\n\
2. Reexecute o job.\n";

async fn world(now: Now) -> World {
    let store = Arc::new(InMemoryConversationStore::default());
    let documents = [
        ("fin-gl-post.md", RUNBOOK),
        ("disk.md", DISK_EN),
        ("disco.md", DISK_PT),
    ];
    let world = World::with(store, Kind::Plain, &documents).await;
    match now {
        Now::Fine => {}
        Now::EngineDown => world.engine.down.store(true, Ordering::SeqCst),
        Now::Stale => {
            world.ask("how is the plan?", None).await;
            world.engine.down.store(true, Ordering::SeqCst);
            world.clock.advance(Duration::from_secs(20));
        }
    }
    world
}

/// The answer as a person reads it, and where it comes from.
fn transcript(question: &str, answer: &Answer) -> String {
    let mut out = String::new();
    writeln!(out, "> {question}\n({})\n", answer.intent.as_str()).unwrap();
    writeln!(out, "{}\n", answer.answer).unwrap();
    for one in &answer.citations {
        let place = match &one.place {
            Place::Log {
                from_line, to_line, ..
            } => format!("log, lines {from_line} to {to_line}"),
            Place::Document { source, span, .. } => {
                format!("{source}, lines {} to {}", span.start_line, span.end_line)
            }
        };
        let first = one.excerpt.lines().next().unwrap_or("");
        writeln!(
            out,
            "[{}] {} ({place}; {}): {first}",
            one.id, one.title, one.evidence
        )
        .unwrap();
    }
    for one in &answer.evidence {
        let kind = serde_json::to_value(one.kind).unwrap();
        let from = serde_json::to_value(&one.source).unwrap();
        let from = ["question", "source", "through"]
            .into_iter()
            .find_map(|key| from.get(key).cloned());
        let stale = if one.stale { ", stale" } else { "" };
        writeln!(
            out,
            "{} {} from {}, {} ms old{stale}, {} facts",
            one.id,
            kind.as_str().unwrap_or(""),
            from.as_ref().and_then(|from| from.as_str()).unwrap_or(""),
            one.age_ms,
            one.facts.len()
        )
        .unwrap();
    }
    if let Some(card) = &answer.proposal {
        let blocked = card.impact.blocked;
        writeln!(
            out,
            "card: {} of {}, blocked {blocked:?}",
            card.action.as_str(),
            card.label
        )
        .unwrap();
    }
    if !answer.clarify.is_empty() {
        writeln!(out, "choices: {}", answer.clarify.join(" | ")).unwrap();
    }
    if answer.incomplete {
        writeln!(out, "incomplete").unwrap();
    }
    out
}

async fn tell(golden: &Golden, questions: &[&str], language: Language) -> String {
    let world = world(golden.now).await;
    let (mut session, mut told) = (None, Vec::new());
    for question in questions {
        let answer = world.ask(question, session).await;
        session = Some(answer.session_id);
        assert_eq!(recheck(&answer), Ok(()), "{question}\n{}", answer.answer);
        assert_eq!(answer.language, language, "{question}");
        told.push(transcript(question, &answer));
    }
    assert_eq!(
        world.engine.writes.load(Ordering::SeqCst),
        0,
        "{questions:?}"
    );
    told.join("\n")
}

/// P2-04, I-13, I-15: twenty questions in two languages, word for word.
#[tokio::test(start_paused = true)]
async fn forty_transcripts_read_as_reviewed() {
    assert_eq!(GOLDEN.len(), 20);
    for golden in GOLDEN {
        for (questions, language, tag) in [
            (golden.en, Language::English, "en"),
            (golden.pt, Language::Portuguese, "pt"),
        ] {
            let told = tell(golden, questions, language).await;
            insta::assert_snapshot!(format!("{}_{tag}", golden.name), told);
        }
    }
}
