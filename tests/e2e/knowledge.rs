//! Documents and conversations over HTTP.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Options, Resync, Session, read};

const RUNBOOK: &str = "# Disk full on LX_PRD01\n\nTwo steps.\n\n## Clean up\n\nRemove files older than 7 days from /var/tmp, then rerun the job.\n";

/// Uploads a file with two tags.
async fn upload(resync: &Resync, by: &Session, name: &str, bytes: Vec<u8>) -> (u16, Value) {
    let part = reqwest::multipart::Part::bytes(bytes).file_name(name.to_owned());
    let form = reqwest::multipart::Form::new()
        .part("file", part)
        .text("tags", "disk, linux");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client
        .post(resync.url("/api/v1/rag/documents"))
        .headers(by.headers.clone());
    read(request.multipart(form).send().await.unwrap()).await
}

#[tokio::test]
async fn a_document_is_uploaded_found_by_the_other_language_read_and_deleted() {
    let resync = Resync::start(Options::default()).await;
    let admin = resync.sign_in("adam").await;
    let upload = async |name: &str, bytes: Vec<u8>| upload(&resync, &admin, name, bytes).await;
    let (status, uploaded) = upload("disk.md", RUNBOOK.into()).await;
    assert_eq!(status, 202, "{uploaded}");
    let id = uploaded["id"].as_str().unwrap().to_owned();
    resync
        .app
        .knowledge
        .settled(resync_rag::DocumentId(id.parse().unwrap()))
        .await;
    let (_, document) = admin.get(&format!("/api/v1/rag/documents/{id}")).await;
    assert_eq!(
        (&document["stage"], &document["tags"]),
        (&json!("ready"), &json!(["disk", "linux"]))
    );
    let (_, found) = admin.get("/api/v1/rag/search?q=disco%20cheio").await;
    let hit = &found["items"][0];
    assert_eq!(
        (&hit["source"], &found["answerable"]),
        (&json!("disk.md"), &json!(true)),
        "{found}"
    );
    let (_, text) = admin.get(&format!("/api/v1/rag/documents/{id}/text")).await;
    let chars: Vec<char> = text["text"].as_str().unwrap().chars().collect();
    let at = |name: &str| usize::try_from(hit["span"][name].as_u64().unwrap()).unwrap();
    let slice: String = chars[at("start_char")..at("end_char")].iter().collect();
    assert_eq!(slice, hit["text"].as_str().unwrap());

    let (status, problem) = upload("tool.exe", b"MZ\x90\x00\x03\x00\x00\x00".to_vec()).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (415, &json!("/file"))
    );
    // Which of two files was meant is not for us to guess, nor what a garbled collection says.
    let file =
        |name: &str| reqwest::multipart::Part::bytes(RUNBOOK.as_bytes()).file_name(name.to_owned());
    let garbled = reqwest::multipart::Part::bytes(b"\xff".as_slice());
    for (form, pointer) in [
        (
            reqwest::multipart::Form::new()
                .part("file", file("a.md"))
                .part("file", file("b.md")),
            "/file",
        ),
        (
            reqwest::multipart::Form::new()
                .part("file", file("a.md"))
                .part("collection", garbled),
            "/collection",
        ),
    ] {
        let request = reqwest::Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .post(resync.url("/api/v1/rag/documents"));
        let request = request.headers(admin.headers.clone()).multipart(form);
        let (status, problem) = read(request.send().await.unwrap()).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (400, &json!(pointer)),
            "{problem}"
        );
    }

    let deleted = admin
        .send(Method::DELETE, &format!("/api/v1/rag/documents/{id}"), None)
        .await;
    assert_eq!(read(deleted).await, (200, json!({"deleted": true})));
    assert_eq!(
        admin.get(&format!("/api/v1/rag/documents/{id}")).await.0,
        404
    );
    let (_, found) = admin.get("/api/v1/rag/search?q=disco%20cheio").await;
    let items = found["items"].as_array().unwrap();
    assert!(
        items.iter().all(|hit| hit["source"] != "disk.md"),
        "{found}"
    );
}

/// P1-04, P1-08
#[tokio::test]
async fn history_is_the_owners_alone_and_deleting_it_really_deletes() {
    let resync = Resync::start(Options::default()).await;
    let (olga, otto) = (resync.sign_in("olga").await, resync.sign_in("otto").await);
    let answer = olga.ask("Quais jobs falharam?").await;
    assert_eq!(
        (&answer["language"], &answer["saved"]),
        (&json!("pt"), &json!(true))
    );
    let path = format!(
        "/api/v1/chat/history?session_id={}",
        answer["session_id"].as_str().unwrap()
    );
    let (status, history) = olga.get(&path).await;
    assert_eq!(
        (status, history["items"].as_array().unwrap().len()),
        (200, 2)
    );
    assert_eq!(
        resync.anonymous(Method::GET, &path, None).await.status(),
        401
    );
    assert_eq!(otto.get(&path).await.0, 404);
    assert_eq!(otto.send(Method::DELETE, &path, None).await.status(), 404);
    assert_eq!(
        otto.post(
            "/api/v1/chat",
            json!({"message": "hi", "session_id": answer["session_id"]})
        )
        .await
        .0,
        404
    );
    assert_eq!(olga.send(Method::DELETE, &path, None).await.status(), 200);
    assert_eq!(olga.get(&path).await.0, 404);
}

#[tokio::test]
async fn a_text_in_another_encoding_is_read_for_what_it_is() {
    let resync = Resync::start(Options::default()).await;
    let admin = resync.sign_in("adam").await;
    let bytes = b"# Caf\xe9\n\nO caf\xe9 est\xe1 frio.\n".to_vec();
    let (status, latin) = upload(&resync, &admin, "latin.md", bytes).await;
    assert_eq!(status, 202, "{latin}");
    let id = latin["id"].as_str().unwrap();
    let settled = resync_rag::DocumentId(id.parse().unwrap());
    resync.app.knowledge.settled(settled).await;
    let path = format!("/api/v1/rag/documents/{id}/text");
    let (_, text) = admin.get(&path).await;
    assert_eq!(text["text"], "# Café\n\nO café está frio.\n");
}

/// Up to the last byte of the limit a file is taken, and one byte more is refused.
#[tokio::test]
async fn an_upload_of_25_mib_is_taken_and_one_byte_more_is_not() {
    let resync = Resync::start(Options {
        adjust: |config| config.rag.embedder = "none".to_owned(),
        ..Options::default()
    })
    .await;
    let admin = resync.sign_in("adam").await;
    let limit = 25 * 1024 * 1024;
    let line = "When the disk is full, call the storage team before midnight.\n";
    let mut bytes = line.repeat(limit / line.len() + 1).into_bytes();
    bytes.truncate(limit + 1);
    let (status, problem) = upload(&resync, &admin, "big.txt", bytes.clone()).await;
    assert_eq!(
        (status, &problem["code"]),
        (413, &json!("too-large")),
        "{problem}"
    );
    bytes.truncate(limit);
    let (status, uploaded) = upload(&resync, &admin, "big.txt", bytes).await;
    assert_eq!(status, 202, "{uploaded}");
    let id = uploaded["id"].as_str().unwrap();
    let settled = resync_rag::DocumentId(id.parse().unwrap());
    resync.app.knowledge.settled(settled).await;
    let (_, document) = admin.get(&format!("/api/v1/rag/documents/{id}")).await;
    assert_eq!(
        (&document["stage"], &document["bytes"]),
        (&json!("ready"), &json!(limit))
    );
}

/// What a reader of a hit needs: the section around it, and the way on.
#[tokio::test]
async fn the_section_around_a_hit_is_shown_with_the_way_on() {
    let resync = Resync::start(Options::default()).await;
    let (admin, vera) = (resync.sign_in("adam").await, resync.sign_in("vera").await);
    let (_, uploaded) = upload(&resync, &admin, "disk.md", RUNBOOK.into()).await;
    let id = uploaded["id"].as_str().unwrap();
    let settled = resync_rag::DocumentId(id.parse().unwrap());
    resync.app.knowledge.settled(settled).await;
    let (_, found) = vera
        .get("/api/v1/rag/search?q=remove%20files%20older&explain=true&widen=2000")
        .await;
    let hit = &found["items"][0];
    assert!(hit["explanation"]["total"].is_number(), "{found}");
    let snippet = &hit["snippet"];
    assert!(snippet["end"].as_u64() > snippet["start"].as_u64(), "{hit}");
    assert!(!hit["matches"].as_array().unwrap().is_empty(), "{hit}");
    let path = format!("/api/v1/rag/documents/{id}/section");
    let at = |place: &str| format!("{path}?start_char={}", hit["span"][place]);
    let (status, section) = vera.get(&at("start_char")).await;
    assert_eq!(status, 200, "{section}");
    assert_eq!(
        section["heading_path"],
        json!(["Disk full on LX_PRD01", "Clean up"])
    );
    assert_eq!(section["span"], hit["section"]);
    assert_eq!(
        section["before"]["heading_path"],
        json!(["Disk full on LX_PRD01"])
    );
    assert_eq!(section["after"], Value::Null);
    for (query, status) in [
        ("?start_char=100000", 404),
        ("?start_char=5&end_char=5", 400),
        ("?start_char=-1", 400),
        ("", 400),
    ] {
        let (found, problem) = vera.get(&format!("{path}{query}")).await;
        assert_eq!(found, status, "{query}: {problem}");
    }
    let missing = "/api/v1/rag/documents/nope/section?start_char=0";
    assert_eq!(vera.get(missing).await.0, 404);
    assert_eq!(vera.get("/api/v1/rag/search?q=x&widen=8001").await.0, 400);
    assert_eq!(
        resync.anonymous(Method::GET, &path, None).await.status(),
        401
    );
}

/// The stages of an upload are told as they come, to the last one; who has seen that comes no more.
#[tokio::test]
async fn an_upload_is_watched_to_its_end() {
    let resync = Resync::start(Options::default()).await;
    let admin = resync.sign_in("adam").await;
    let text = "# Disk full\n\nCall.\n\n".repeat(70);
    let (_, uploaded) = upload(&resync, &admin, "disk.md", text.into()).await;
    let id = uploaded["id"].as_str().unwrap();
    let path = format!("/api/v1/rag/documents/{id}/events");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |last: Option<&str>| {
        let request = client.get(resync.url(&path)).headers(admin.headers.clone());
        let request = match last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        };
        request.send().await.unwrap()
    };
    let answer = ask(None).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    // It ends by itself with the last stage.
    let body = answer.text().await.unwrap();
    let lines = |field: &str| {
        let values = body.lines().filter_map(|line| line.strip_prefix(field));
        values
            .map(|value| value.trim().to_owned())
            .collect::<Vec<_>>()
    };
    let ids = lines("id:");
    assert!(
        lines("event:").iter().all(|event| event == "stage"),
        "{body}"
    );
    assert_eq!(ids.last().unwrap(), "ready;70/70");
    let last: Value = serde_json::from_str(lines("data:").last().unwrap()).unwrap();
    assert_eq!(
        (&last["id"], &last["stage"], &last["progress"]),
        (
            &json!(id),
            &json!("ready"),
            &json!({"done": 70, "total": 70})
        )
    );
    assert_eq!(ask(ids.last().map(String::as_str)).await.status(), 204);
    let again = ask(Some("chunks;0/70")).await.text().await.unwrap();
    assert!(again.contains("ready;70/70"), "{again}");
    admin.delete(&format!("/api/v1/rag/documents/{id}")).await;
    assert_eq!(admin.get(&path).await.0, 404);
}
