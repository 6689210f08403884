//! Conversations over HTTP: their names, their file, feedback, their end, and answers as events.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Method;
use resync_simulator::{Effect, Rule};
use serde_json::{Value, json};

use crate::harness::{Options, Resync, Session, read};

const QUESTION: &str = "Why did FIN_GL_POST fail?";

async fn patch(session: &Session, path: &str, body: Value) -> (u16, Value) {
    read(session.send(Method::PATCH, path, Some(body)).await).await
}

#[tokio::test]
async fn a_conversation_is_named_judged_saved_as_a_file_and_deleted_by_its_owner() {
    let resync = Resync::start(Options::default()).await;
    let olga = resync.sign_in("olga").await;
    let answer = olga.ask(QUESTION).await;
    let id = answer["session_id"].as_str().unwrap();
    let path = format!("/api/v1/chat/sessions/{id}");

    let (status, renamed) = patch(&olga, &path, json!({"title": " The ledger \n"})).await;
    assert_eq!((status, &renamed["title"]), (200, &json!("The ledger")));
    let feedback = |verdict: &str| json!({"session_id": id, "message_id": answer["message_id"], "verdict": verdict, "reason": "wrong run"});
    for verdict in ["up", "down"] {
        let (status, said) = olga.post("/api/v1/chat/feedback", feedback(verdict)).await;
        assert_eq!((status, &said["verdict"]), (200, &json!(verdict)), "{said}");
    }
    let (_, history) = olga
        .get(&format!("/api/v1/chat/history?session_id={id}"))
        .await;
    assert_eq!(history["items"][1]["feedback"]["verdict"], "down");
    assert_eq!(history["items"][1]["feedback"]["reason"], "wrong run");
    let (status, problem) = patch(&olga, &path, json!({"title": ""})).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/title"))
    );
    let long = json!({"session_id": id, "message_id": answer["message_id"], "verdict": "up", "reason": "x".repeat(1_001)});
    let (status, problem) = olga.post("/api/v1/chat/feedback", long).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/reason"))
    );

    let file = olga
        .send(Method::GET, &format!("{path}/export"), None)
        .await;
    assert_eq!(
        file.headers()["content-type"],
        "text/markdown; charset=utf-8"
    );
    let named = file.headers()["content-disposition"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        named.starts_with("attachment; filename=\"resync-") && named.ends_with("-the-ledger.md\""),
        "{named}"
    );
    let markdown = file.text().await.unwrap();
    assert!(markdown.starts_with("# The ledger\n"), "{markdown}");
    assert!(
        markdown.contains("> Why did FIN\\_GL\\_POST fail?"),
        "{markdown}"
    );
    assert!(
        markdown.contains(&format!("({}/#job/", resync.origin())),
        "{markdown}"
    );
    assert!(markdown.contains("not helpful: wrong run"), "{markdown}");

    // P1-08: for everybody else it is as one that is not there.
    let otto = resync.sign_in("otto").await;
    let missing = "/api/v1/chat/sessions/00000000-0000-7000-8000-000000000000";
    for path in [path.as_str(), missing, "/api/v1/chat/sessions/nonsense"] {
        for (status, problem) in [
            patch(&otto, path, json!({"title": "mine"})).await,
            otto.get(&format!("{path}/export")).await,
            otto.delete(path).await,
        ] {
            assert_eq!(
                (status, &problem["code"]),
                (404, &json!("unknown-session")),
                "{path}"
            );
        }
    }
    let (status, problem) = otto.post("/api/v1/chat/feedback", feedback("up")).await;
    assert_eq!((status, &problem["code"]), (404, &json!("unknown-message")));

    let (status, deleted) = olga.delete(&path).await;
    assert_eq!((status, &deleted["deleted"]), (200, &json!(2)));
    let (status, _) = olga.get(&format!("{path}/export")).await;
    assert_eq!(status, 404);
    assert_eq!(olga.delete(&path).await.0, 404);
}

struct Sse {
    name: String,
    id: u64,
    data: Value,
}

fn parsed(text: &str) -> Vec<Sse> {
    let blocks = text.split("\n\n").filter(|block| block.contains("data: "));
    blocks
        .map(|block| {
            let field = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_else(|| panic!("no {name} in {block}"))
                    .to_owned()
            };
            Sse {
                name: field("event: "),
                id: field("id: ").parse().unwrap(),
                data: serde_json::from_str(&field("data: ")).unwrap(),
            }
        })
        .collect()
}

async fn ask_for_events(session: &Session, body: Value) -> reqwest::Response {
    let mut session = session.clone();
    session
        .headers
        .insert("accept", "text/event-stream".parse().unwrap());
    session.send(Method::POST, "/api/v1/chat", Some(body)).await
}

#[tokio::test]
async fn an_answer_comes_as_events_in_their_order() {
    let resync = Resync::start(Options::default()).await;
    let olga = resync.sign_in("olga").await;
    let answer = ask_for_events(&olga, json!({"message": QUESTION})).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers()["x-accel-buffering"], "no");
    let events = parsed(&answer.text().await.unwrap());
    let ids: Vec<u64> = events.iter().map(|event| event.id).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    let mut names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    names.dedup();
    assert_eq!(names, ["meta", "step", "delta", "citation", "done"]);
    let told: String = events
        .iter()
        .filter_map(|event| event.data["delta"].as_str())
        .collect();
    let done = &events[events.len() - 1].data;
    assert_eq!(
        (done["answer"].as_str().unwrap(), &done["saved"]),
        (told.as_str(), &json!(true))
    );
    assert_eq!(done["session_id"], events[0].data["session_id"]);

    // What cannot be answered has its own status, as without events.
    let unknown =
        json!({"message": QUESTION, "session_id": "00000000-0000-7000-8000-000000000000"});
    let refused = ask_for_events(&olga, unknown).await;
    assert_eq!(refused.status(), 404);
    assert_eq!(
        refused.headers()["content-type"],
        "application/problem+json"
    );
    let empty = ask_for_events(&olga, json!({"message": " "})).await;
    assert_eq!(empty.status(), 400);
}

/// Hanging up is the cancel: nothing half is in the history, and the place is given back.
#[tokio::test]
async fn who_hangs_up_has_cancelled() {
    let resync = Resync::start(Options::default()).await;
    let olga = resync.sign_in("olga").await;
    // An engine that does not answer leaves time to go.
    resync.engine.add_fault(Rule::new(Effect::Never)).await;
    let asked = ask_for_events(&olga, json!({"message": QUESTION})).await;
    assert_eq!(asked.status(), 200);
    let mut body = asked.bytes_stream();
    let first = body.next().await.unwrap().unwrap();
    assert!(first.starts_with(b"event: meta"));
    assert_eq!(resync.app.streams.count(), 1);
    drop(body);
    let gone = async {
        while resync.app.streams.count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone)
        .await
        .unwrap();
    let (_, sessions) = olga.get("/api/v1/chat/sessions").await;
    assert_eq!(sessions["items"], json!([]));
}

#[tokio::test]
async fn a_user_streams_no_more_answers_at_once_than_sockets() {
    let adjust =
        |config: &mut resync_server::config::Config| config.ws.max_connections_per_user = 1;
    let resync = Resync::start(Options {
        adjust,
        ..Options::default()
    })
    .await;
    let olga = resync.sign_in("olga").await;
    resync.engine.add_fault(Rule::new(Effect::Never)).await;
    let first = ask_for_events(&olga, json!({"message": QUESTION})).await;
    assert_eq!(first.status(), 200);
    let second = ask_for_events(&olga, json!({"message": QUESTION})).await;
    assert_eq!(second.status(), 429);
    assert_eq!(second.headers()["retry-after"], "5");
    let problem: Value = second.json().await.unwrap();
    assert_eq!(problem["code"], "too-many-streams");
}
