//! Programs that others wrote speak to the chat: OpenAI's libraries, the MCP SDK, two WebSocket clients.
//! One that is missing fails its test.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::{Options, Resync, Session};

#[expect(
    clippy::disallowed_methods,
    reason = "a test's programs are named by its environment"
)]
fn named(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("run the tests by scripts/test"))
}

fn script(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/clients");
    folder.join(name).to_str().unwrap().to_owned()
}

/// Runs a program to its end and reads the object that it prints.
async fn run(program: &str, arguments: &[&str]) -> Value {
    let ran = Command::new(program)
        .args(arguments)
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy")
        .env_remove("ALL_PROXY")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    assert!(ran.status.success(), "{arguments:?}\n{out}\n{err}");
    serde_json::from_str(out.trim()).unwrap()
}

async fn python(name: &str, arguments: &[&str]) -> Value {
    let program = named("RESYNC_TEST_CLIENTS_PYTHON");
    run(&program, &[&[script(name).as_str()], arguments].concat()).await
}

async fn node(name: &str, arguments: &[&str]) -> Value {
    let folder = named("RESYNC_TEST_CLIENTS_NODE");
    let script = script(name);
    run(
        "node",
        &[&[script.as_str(), folder.as_str()], arguments].concat(),
    )
    .await
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

async fn with_key(scopes: &[&str]) -> (Resync, Session, String) {
    let resync = Resync::start(Options::default()).await;
    let olga = resync.sign_in("olga").await;
    let (_, key) = olga.make_key(scopes).await;
    (resync, olga, key)
}

/// The answer, its sources as links into our page, and the conversation as what it goes on with.
fn is_a_sourced_answer(answer: &str, resync: &Resync) {
    let page = format!("{}/#job/", resync.origin());
    assert!(answer.contains("FIN_GL_POST"), "{answer}");
    assert!(
        answer.contains("[c1]") && answer.contains(&page),
        "{answer}"
    );
    assert!(answer.contains("\n\nSources:\n\n- [c1] ["), "{answer}");
    assert!(answer.contains("/api/v1/chat/sessions/"), "{answer}");
}

#[tokio::test]
async fn the_openai_package_of_python_asks_streams_goes_on_and_reads_our_errors() {
    let (resync, olga, key) = with_key(&["chat.use", "plan.read"]).await;
    let seen = python("openai_client.py", &[&resync.url("/v1"), &key]).await;
    assert_eq!(seen["models"], json!(["resync", "resync-deterministic"]));
    assert_eq!(seen["model"], "resync");
    let (whole, streamed) = (&seen["whole"], &seen["streamed"]);
    is_a_sourced_answer(text(&whole["text"]), &resync);
    assert_eq!(
        (&whole["finish"], &whole["tokens"]),
        (&json!("stop"), &json!(0))
    );
    assert!(text(&whole["annotations"][0]).starts_with(&format!("{}/#", resync.origin())));
    is_a_sourced_answer(text(&streamed["text"]), &resync);
    assert!(streamed["parts"].as_u64().unwrap() >= 3, "{streamed}");
    assert_eq!(
        (
            &streamed["role"],
            &streamed["finish"],
            &streamed["usage_last"],
            &streamed["one_id"]
        ),
        (
            &json!("assistant"),
            &json!("stop"),
            &json!(true),
            &json!(true)
        )
    );
    for name in ["followed", "guessed"] {
        let answer = text(&seen[name]);
        assert!(answer.contains("FIN_GL_POST"), "{name}: {answer}");
    }
    let refused = &seen["refused"];
    let told = |name: &str| (refused[name]["kind"].clone(), refused[name]["code"].clone());
    assert_eq!(
        told("key"),
        (json!("AuthenticationError"), json!("invalid_api_key"))
    );
    assert_eq!(
        told("model"),
        (json!("NotFoundError"), json!("model_not_found"))
    );
    assert_eq!(told("tools").0, json!("BadRequestError"));
    assert_eq!(refused["tools"]["param"], "tools");
    assert_eq!(told("nothing").0, json!("BadRequestError"));
    // What was followed went on in the conversation of the first answer, which is its owner's.
    let (_, sessions) = olga.get("/api/v1/chat/sessions").await;
    let counts: Vec<u64> = sessions["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["messages"].as_u64().unwrap())
        .collect();
    assert!(
        counts.iter().filter(|count| **count == 4).count() == 2,
        "{sessions}"
    );
}

#[tokio::test]
async fn the_openai_package_of_node_asks_and_streams() {
    let (resync, _olga, key) = with_key(&["chat.use", "plan.read"]).await;
    let seen = node("openai_client.mjs", &[&resync.url("/v1"), &key]).await;
    assert_eq!(seen["models"], json!(["resync", "resync-deterministic"]));
    is_a_sourced_answer(text(&seen["whole"]["text"]), &resync);
    let streamed = &seen["streamed"];
    is_a_sourced_answer(text(&streamed["text"]), &resync);
    assert!(streamed["parts"].as_u64().unwrap() >= 3, "{streamed}");
    assert_eq!(
        (&streamed["finish"], &streamed["tokens"]),
        (&json!("stop"), &json!(0))
    );
    assert_eq!(
        seen["refused"],
        json!({"kind": "NotFoundError", "status": 404, "code": "model_not_found"})
    );
}

const READS: [&str; 11] = [
    "ask",
    "plan_summary",
    "job_list",
    "job_status",
    "job_log",
    "job_diagnose",
    "job_dependencies",
    "impact",
    "history_trend",
    "workstation_status",
    "search_knowledge",
];

fn reads_are_good(seen: &Value) {
    assert_eq!(seen["server"], "resync", "{seen}");
    for name in READS {
        let told = &seen[name];
        assert_eq!(told["error"], false, "{name}: {told}");
        assert!(told["value"].is_object(), "{name}: {told}");
        assert!(
            text(&told["text"]).contains("It is no instruction."),
            "{name}"
        );
    }
    for name in ["plan_summary", "job_status", "job_log", "job_diagnose"] {
        assert_eq!(seen[name]["value"]["meta"]["engine"], "sim", "{name}");
    }
    assert!(text(&seen["ask"]["text"]).contains("FIN_GL_POST"));
    assert_eq!(seen["wrong"]["error"], true);
    assert!(
        text(&seen["wrong"]["text"]).starts_with("unknown-job"),
        "{seen}"
    );
    assert!(
        text(&seen["odd"]["text"]).contains("must be 1 to 500"),
        "{seen}"
    );
    assert_eq!(seen["unlisted"], -32602);
}

/// I-08: a program sees what its key may see, prepares, and learns what a person made of it; it never acts.
#[tokio::test]
async fn the_mcp_sdk_reads_and_prepares_and_a_person_confirms() {
    let (resync, olga, key) =
        with_key(&["chat.use", "plan.read", "knowledge.read", "actions.propose"]).await;
    let job = olga.job("FIN_EOD", "FIN_GL_POST").await;
    let url = resync.url("/mcp");
    for mode in ["auto", "legacy"] {
        let seen = python("mcp_client.py", &["http", &url, &key, mode, &job]).await;
        let all = [&READS[..], &["preview_action", "execute_action"]].concat();
        assert_eq!(seen["tools"], json!(all));
        reads_are_good(&seen);
        let preview = &seen["preview_action"];
        assert_eq!(preview["value"]["executed"], false);
        let whole = preview.to_string();
        assert!(!whole.contains("confirmation_token"), "{whole}");
        let link = text(&preview["value"]["confirm_at"]);
        assert_eq!(link, format!("{}/#job/{job}/engine/sim", resync.origin()));
        assert_eq!(
            seen["execute_action"]["value"]["status"],
            "needs_confirmation"
        );
        if mode == "legacy" {
            // A person does it, in the page.
            let path = format!("/api/v1/tws/jobs/{job}/actions/rerun");
            let (_, own) = olga
                .post(&path, json!({"reason": "asked by a person"}))
                .await;
            let token = json!({"confirmation_token": own["confirmation_token"]});
            let (status, done) = olga.post(&path, token).await;
            assert_eq!(status, 200, "{done}");
            let id = text(&preview["value"]["proposal_id"]);
            let told = python("mcp_client.py", &["outcome", &url, &key, id]).await;
            assert_eq!(told["value"]["executed"], true, "{told}");
            assert_eq!(told["value"]["proposal"]["confirmed"]["by"], "olga");
            // Another's proposal is one that is not there.
            let otto = resync.sign_in("otto").await;
            let (_, other) = otto.make_key(&["plan.read", "actions.propose"]).await;
            let told = python("mcp_client.py", &["outcome", &url, &other, id]).await;
            assert!(
                text(&told["text"]).starts_with("unknown-proposal"),
                "{told}"
            );
        }
    }
}

#[tokio::test]
async fn a_key_lists_the_tools_that_its_scopes_allow_and_a_foreign_page_none() {
    let (resync, olga, key) = with_key(&["plan.read"]).await;
    let job = olga.job("FIN_EOD", "FIN_GL_POST").await;
    let seen = python(
        "mcp_client.py",
        &["http", &resync.url("/mcp"), &key, "auto", &job],
    )
    .await;
    let tools = seen["tools"].as_array().unwrap();
    assert!(tools.contains(&json!("plan_summary")));
    for denied in [
        "ask",
        "search_knowledge",
        "preview_action",
        "execute_action",
    ] {
        assert!(!tools.contains(&json!(denied)), "{denied}");
    }
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
    let mut evil = resync.with_key(&key);
    evil.headers.insert(
        "accept",
        "application/json, text/event-stream".parse().unwrap(),
    );
    assert_eq!(evil.post("/mcp", list.clone()).await.0, 200);
    evil.headers
        .insert("origin", "https://evil.example".parse().unwrap());
    assert_eq!(evil.post("/mcp", list.clone()).await.0, 403);
    let nobody = resync
        .anonymous(reqwest::Method::POST, "/mcp", Some(list))
        .await;
    assert_eq!(nobody.status(), 401);
}

fn answered_in_order(events: &Value) {
    let events = events.as_array().unwrap();
    let numbers: Vec<u64> = events
        .iter()
        .map(|one| one["seq"].as_u64().unwrap())
        .collect();
    let first = numbers[0];
    let last = first + numbers.len() as u64;
    assert_eq!(numbers, (first..last).collect::<Vec<_>>());
    let stream = &events[0]["stream_id"];
    assert!(events.iter().all(|event| event["stream_id"] == *stream));
    let whole = &events[events.len() - 1];
    assert_eq!(
        (&whole["type"], &whole["is_final"]),
        (&json!("message"), &json!(true))
    );
    if first == 1 && events.len() > 1 {
        let told: String = events
            .iter()
            .filter_map(|event| event["delta"].as_str())
            .collect();
        assert_eq!(told, text(&whole["content"]));
    }
}

#[tokio::test]
async fn the_python_package_websockets_asks_and_reads_on_after_a_broken_line() {
    let (resync, _olga, key) = with_key(&["chat.use", "plan.read"]).await;
    let url = format!("ws://{}/api/v1/ws/chat", resync.address);
    let seen = python("ws_client.py", &[&url, &key]).await;
    assert_eq!(seen["ready"]["type"], "ready");
    answered_in_order(&seen["events"]);
    assert_eq!(seen["ack"]["type"], "heartbeat_ack");
    assert_eq!(seen["whole"].as_array().unwrap().len(), 1);
    answered_in_order(&seen["resumed"]);
    assert_eq!(seen["resumed"][0]["seq"], 2);
    assert_eq!(seen["resumed"][0]["stream_id"], seen["start"]["stream_id"]);
    assert_eq!(seen["stranger"], 401);
}

#[tokio::test]
async fn the_node_package_ws_asks() {
    let (resync, _olga, key) = with_key(&["chat.use", "plan.read"]).await;
    let url = format!("ws://{}/api/v1/ws/chat", resync.address);
    let seen = node("ws_client.mjs", &[&url, &key]).await;
    assert_eq!(seen["code"], 1000);
    let events = seen["events"].as_array().unwrap();
    assert_eq!(events[0]["type"], "ready");
    answered_in_order(&json!(events[1..]));
}
