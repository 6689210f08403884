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
