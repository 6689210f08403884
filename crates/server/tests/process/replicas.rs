//! Two replicas on one PostgreSQL and one Redis behave as one.

use reqwest::Method;
use serde_json::{Value, json};

use crate::command::{PASSWORD, log_in, run_with};
use crate::server::Server;
use crate::site::{Person, Site, until};

struct Pair {
    site: Site,
    one: Server,
    other: Server,
    _folder: tempfile::TempDir,
}

impl Pair {
    async fn start() -> Self {
        let (site, folder) = (Site::start().await, tempfile::tempdir().unwrap());
        let (one, other) = tokio::join!(site.replica(folder.path()), site.replica(folder.path()));
        Self {
            site,
            one,
            other,
            _folder: folder,
        }
    }
}

/// A5 over replicas: who signed out at one is nobody at the other.
#[tokio::test]
async fn signing_out_at_one_replica_counts_at_the_other_at_once() {
    let pair = Pair::start().await;
    let vera = Person::sign_in(&pair.one, "vera").await;
    let verify = "/api/v1/auth/verify";
    // It is remembered at both.
    for _ in 0..3 {
        for at in [&pair.one, &pair.other] {
            assert_eq!(vera.get(at, verify).await.0, 200);
        }
    }
    let (status, done) = vera.post(&pair.one, "/api/v1/auth/logout", json!({})).await;
    assert_eq!((status, &done["revoked"]), (200, &json!(true)), "{done}");
    assert_eq!(vera.get(&pair.one, verify).await.0, 401);
    let took = until(
        async || vera.get(&pair.other, verify).await.0,
        |status| *status == 401,
    )
    .await;
    assert!(took.as_millis() < 1000, "{took:?}");
    // What a restart remembers, a restart of both would, too.
    assert_eq!(vera.get(&pair.other, verify).await.0, 401);
}

#[tokio::test]
async fn failures_at_both_replicas_count_together_and_an_unlock_counts_for_both() {
    let pair = Pair::start().await;
    for at in [&pair.one, &pair.other, &pair.one, &pair.other, &pair.one] {
        assert_eq!(log_in(at, "vera", "wrong").await.0, 401);
    }
    for at in [&pair.one, &pair.other] {
        assert_eq!(log_in(at, "vera", PASSWORD).await.0, 429);
    }
    let folder = tempfile::tempdir().unwrap();
    let unlock = ["user", "unlock", "vera"];
    run_with(folder.path(), None, &unlock, &pair.site.settings())
        .await
        .ok();
    assert_eq!(log_in(&pair.other, "vera", PASSWORD).await.0, 200);
}

#[tokio::test]
async fn a_new_password_at_one_replica_ends_every_session_at_the_other() {
    let pair = Pair::start().await;
    let (here, there) = (
        Person::sign_in(&pair.one, "vera").await,
        Person::sign_in(&pair.other, "vera").await,
    );
    assert_eq!(there.get(&pair.other, "/api/v1/auth/verify").await.0, 200);
    let body =
        json!({"current_password": PASSWORD, "new_password": "seven otters cross the ferry"});
    let (status, done) = here.post(&pair.one, "/api/v1/auth/password", body).await;
    assert_eq!(status, 200, "{done}");
    let over = async || there.get(&pair.other, "/api/v1/auth/verify").await.0;
    until(over, |status| *status == 401).await;
    assert_eq!(log_in(&pair.other, "vera", PASSWORD).await.0, 401);
    let new = "seven otters cross the ferry";
    assert_eq!(log_in(&pair.other, "vera", new).await.0, 200);
}

/// C3 over replicas: proposed at one, confirmed at the other, done once; and nobody is shown what was before.
#[tokio::test]
async fn a_proposal_is_confirmed_at_the_other_replica_once_and_both_show_what_came_of_it() {
    let pair = Pair::start().await;
    let olga = Person::sign_in(&pair.one, "olga").await;
    let job = olga.job(&pair.one, "FIN_GL_POST").await;
    let (path, actions) = (
        format!("/api/v1/tws/jobs/{job}"),
        format!("/api/v1/tws/jobs/{job}/actions/rerun"),
    );
    let runs = |job: &Value| job["job"]["runs"].as_array().map(Vec::len);
    let (_, before) = olga.get(&pair.one, &path).await;
    assert_eq!(olga.get(&pair.other, &path).await.0, 200);
    let (status, proposal) = olga
        .post(&pair.one, &actions, json!({"reason": "test"}))
        .await;
    assert_eq!(status, 202, "{proposal}");

    let token = json!({"confirmation_token": proposal["confirmation_token"]});
    let tries = (0..10).map(|n| {
        let at = if n % 2 == 0 { &pair.other } else { &pair.one };
        olga.post(at, &actions, token.clone())
    });
    let tries = futures_util::future::join_all(tries).await;
    let done: Vec<_> = tries.iter().filter(|(status, _)| *status == 200).collect();
    assert_eq!(done.len(), 1, "{tries:?}");
    let requests = pair.site.simulator.control().requests().await;
    let writes = requests.iter().filter(|request| request.method != "GET");
    assert_eq!(writes.count(), 1);
    for at in [&pair.one, &pair.other] {
        let now = async || olga.get(at, &path).await.1;
        let took = until(now, |job| runs(job) == runs(&before).map(|runs| runs + 1)).await;
        assert!(took.as_millis() < 2000, "{took:?}");
    }
}

/// What an administrator throws away at one replica is not served by the other; until then one fetch
/// serves both.
#[tokio::test]
async fn an_invalidation_at_one_replica_reaches_the_other() {
    let pair = Pair::start().await;
    let adam = Person::sign_in(&pair.one, "adam").await;
    let jobs = "/api/v1/tws/jobs?limit=5";
    let asked = async || {
        let requests = pair.site.simulator.control().requests().await;
        requests.iter().filter(|r| r.path.contains("job")).count()
    };
    assert_eq!(adam.get(&pair.one, jobs).await.0, 200);
    let before = asked().await;
    let (_, shared) = adam.get(&pair.other, jobs).await;
    assert_eq!(asked().await, before, "one fetch served both");
    let body = json!({"engine": "sim"});
    let (status, done) = adam.post(&pair.one, "/api/v1/cache/invalidate", body).await;
    assert_eq!(status, 200, "{done}");
    let at = |page: &Value| page["meta"]["fetched_at"].as_str().unwrap().to_owned();
    let there = async || at(&adam.get(&pair.other, jobs).await.1);
    let took = until(there, |now| *now > at(&shared)).await;
    assert!(took.as_millis() < 2000, "{took:?}");
    assert!(asked().await > before);
}

#[tokio::test]
async fn a_document_that_one_replica_took_in_is_found_and_deleted_at_the_other() {
    let pair = Pair::start().await;
    let adam = Person::sign_in(&pair.one, "adam").await;
    let text = "# Zebra queue is full\n\nDrain the zebra queue, then rerun the job.\n";
    let part = reqwest::multipart::Part::text(text).file_name("zebra.md");
    let form = reqwest::multipart::Form::new().part("file", part);
    let origin = format!("http://{}", pair.one.address);
    let upload = pair
        .one
        .client
        .post(format!("{origin}/api/v1/rag/documents"));
    let upload = upload.headers(adam.headers(&origin)).multipart(form).send();
    let (status, uploaded) = crate::site::read(upload.await.unwrap()).await;
    assert_eq!(status, 202, "{uploaded}");
    let search = "/api/v1/rag/search?q=zebra%20queue%20full";
    let found = async |at: &Server| {
        adam.get(at, search).await.1["items"]
            .as_array()
            .map(Vec::len)
    };
    for at in [&pair.one, &pair.other] {
        until(async || found(at).await, |items| *items == Some(1)).await;
    }
    let path = format!("/api/v1/rag/documents/{}", uploaded["id"].as_str().unwrap());
    let deleted = adam.send(&pair.other, Method::DELETE, &path, None).await;
    assert!(deleted.status().is_success(), "{deleted:?}");
    for at in [&pair.one, &pair.other] {
        until(async || found(at).await, |items| *items == Some(0)).await;
    }
}

#[tokio::test]
async fn a_conversation_goes_on_at_the_other_replica() {
    let pair = Pair::start().await;
    let olga = Person::sign_in(&pair.one, "olga").await;
    let ask = async |at: &Server, message: &str, session: Option<&Value>| {
        let body = json!({"message": message, "session_id": session});
        let (status, answer) = olga.post(at, "/api/v1/chat", body).await;
        assert_eq!((status, &answer["saved"]), (200, &json!(true)), "{answer}");
        answer
    };
    let first = ask(&pair.one, "status of FIN_GL_POST", None).await;
    let session = &first["session_id"];
    let second = ask(&pair.other, "and its log?", Some(session)).await;
    assert_eq!(&second["session_id"], session);
    let said = second["answer"].as_str().unwrap();
    assert!(
        said.contains("log of") && said.contains("FIN_GL_POST"),
        "{second}"
    );
    let path = format!(
        "/api/v1/chat/history?session_id={}",
        session.as_str().unwrap()
    );
    for at in [&pair.one, &pair.other] {
        let (status, history) = olga.get(at, &path).await;
        assert_eq!(status, 200);
        assert_eq!(history["items"].as_array().unwrap().len(), 4, "{history}");
    }
}

/// An engine that an administrator adds at one replica is known at the other, and goes at both.
#[tokio::test]
async fn an_engine_that_was_added_at_one_replica_is_known_at_the_other() {
    let pair = Pair::start().await;
    let adam = Person::sign_in(&pair.one, "adam").await;
    let engine = json!({
        "name": "second",
        "urls": [pair.site.simulator.base_url()],
        "username": "resync",
        "password": "engine-secret",
        "timeout_seconds": 5,
    });
    let (status, added) = adam.post(&pair.one, "/api/v1/admin/engines", engine).await;
    assert_eq!(status, 201, "{added}");
    let jobs = "/api/v1/tws/jobs?engine=second&limit=1";
    for at in [&pair.one, &pair.other] {
        until(async || adam.get(at, jobs).await.0, |status| *status == 200).await;
    }
    let path = "/api/v1/admin/engines/second";
    let removed = adam.send(&pair.other, Method::DELETE, path, None).await;
    assert!(removed.status().is_success(), "{removed:?}");
    for at in [&pair.one, &pair.other] {
        until(async || adam.get(at, jobs).await.0, |status| *status == 404).await;
    }
}

/// What only one replica does is taken over by another when its holder is killed without a word.
#[tokio::test]
async fn the_work_of_a_killed_replica_is_taken_over_by_the_other() {
    let (site, folder) = (Site::start().await, tempfile::tempdir().unwrap());
    // Each holder of a lease has a greater number than the one before.
    let number = async || {
        let said = site
            .redis
            .ask(&["GET", "resync:{lease}:number:history"])
            .await;
        said.parse::<u64>().unwrap_or_default()
    };
    let holder = site.replica(folder.path()).await;
    until(number, |number| *number > 0).await;
    let first = number().await;
    let other = site.replica(folder.path()).await;
    let vera = Person::sign_in(&other, "vera").await;
    assert_eq!(number().await, first, "it has its holder");
    holder.kill();
    let took = until(number, |number| *number > first).await;
    assert!(took.as_secs() < 20, "{took:?}");
    assert_eq!(vera.get(&other, "/api/v1/auth/verify").await.0, 200);
}
