//! Answers through the whole stack: the server's own wiring, a simulated engine, documents, SQLite.

use resync_chat::{Answer, markdown, recheck};
use resync_kernel::UserId;
use resync_rag::NewUpload;
use resync_simulator::{Effect, Rule};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Options, Resync};

/// The demo's questions in both languages, with what each is understood as and a part of its answer.
const QUESTIONS: [(&str, &str, &str); 12] = [
    ("How is the plan doing?", "plan_summary", "jobs in the plan"),
    ("Como está o plano?", "plan_summary", "jobs no plano"),
    ("Why did FIN_GL_POST fail?", "job_diagnose", "Cause ("),
    ("Por que o FIN_GL_POST falhou?", "job_diagnose", "Causa ("),
    ("Which jobs failed?", "job_list", "FIN_GL_POST (ABEND"),
    ("Quais jobs falharam?", "job_list", "FIN_GL_POST (ABEND"),
    (
        "What should I do when FIN_GL_POST meets a deadlock?",
        "knowledge",
        "deadlock.md",
    ),
    (
        "O que fazer quando o FIN_GL_POST tem um deadlock?",
        "knowledge",
        "deadlock.md",
    ),
    ("Rerun FIN_GL_POST", "action_rerun", "Nothing has been done"),
    ("Reexecute o FIN_GL_POST", "action_rerun", "Nada foi feito"),
    (
        "What is the impact of FIN_GL_POST?",
        "impact",
        "told by sim",
    ),
    (
        "Mostre o log do FIN_GL_POST",
        "job_log",
        "informados por sim",
    ),
];

const DEADLOCK: &str =
    "# Deadlock of FIN_GL_POST\n\n## What to do\n\n1. Wait 10 minutes.\n2. Rerun the job.\n";

async fn started(options: Options) -> Resync {
    let resync = Resync::start(options).await;
    let by = UserId(Uuid::nil());
    let upload = NewUpload::new("deadlock.md", DEADLOCK, by);
    let document = resync.app.knowledge.upload(upload).await.unwrap();
    resync.app.knowledge.settled(document.id).await;
    resync
}

/// The answer as its own type, which an API client's JSON must read as.
fn read(value: &Value) -> Answer {
    serde_json::from_value(value.clone()).unwrap()
}

/// I-15 and B6: what the real engine told is in the evidence of each answer, and again when the history
/// is read; the HTML is that of the text.
#[tokio::test]
async fn answers_stand_on_their_evidence_when_they_are_given_and_when_they_are_read_again() {
    let resync = started(Options::default()).await;
    let olga = resync.sign_in("olga").await;
    let mut session = None::<String>;
    for (question, intent, part) in QUESTIONS {
        let mut body = json!({"message": question});
        if let Some(session) = &session {
            body["session_id"] = json!(session);
        }
        let (status, value) = olga.post("/api/v1/chat", body).await;
        assert_eq!(status, 200, "{value}");
        assert_eq!(value["intent"], intent, "{value}");
        let answer = read(&value);
        assert!(
            answer.answer.contains(part),
            "{question}: {}",
            answer.answer
        );
        assert_eq!(recheck(&answer), Ok(()), "{question}: {}", answer.answer);
        assert!(!answer.evidence.is_empty() && answer.saved, "{question}");
        assert_eq!(answer.html, markdown::html(&answer.answer), "{question}");
        session = Some(value["session_id"].as_str().unwrap().to_owned());
    }
    let path = format!("/api/v1/chat/history?session_id={}", session.unwrap());
    let (status, history) = olga.get(&path).await;
    assert_eq!(status, 200, "{history}");
    let answers: Vec<&Value> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["role"] == "assistant")
        .collect();
    assert_eq!(answers.len(), QUESTIONS.len());
    for value in answers {
        let answer = read(&value["answer"]);
        assert_eq!(recheck(&answer), Ok(()), "{}", answer.answer);
        assert_eq!(answer.html, markdown::html(&answer.answer));
    }
    resync.stop().await;
}

/// Without its engine an answer says so, has no figure, and that is on record as evidence, too.
#[tokio::test]
async fn an_engine_that_is_down_is_on_record_and_gives_no_figure() {
    let options = Options {
        adjust: |config| {
            config.cache.job_status_fresh_seconds = 0;
            config.cache.job_status_stale_seconds = 0;
        },
        ..Options::default()
    };
    let resync = started(options).await;
    let olga = resync.sign_in("olga").await;
    resync.engine.add_fault(Rule::new(Effect::Close)).await;
    for question in ["Why did FIN_GL_POST fail?", "Por que o FIN_GL_POST falhou?"] {
        let answer = read(&olga.ask(question).await);
        assert!(
            answer.incomplete && answer.figures.is_empty(),
            "{}",
            answer.answer
        );
        assert_eq!(recheck(&answer), Ok(()), "{}", answer.answer);
        let nothing = answer
            .evidence
            .iter()
            .filter(|one| one.facts.iter().any(|f| f.name == "outcome"));
        assert!(nothing.count() > 0, "{:?}", answer.evidence);
        assert!(answer.answer.contains("deadlock.md"), "{}", answer.answer);
    }
    resync.stop().await;
}
