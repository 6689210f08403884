//! Stores that go away, or are slow, while people sign in, ask, act, upload and look.
//!
//! Nothing that was acknowledged is lost, no request hangs, and the service recovers by itself.

use std::time::{Duration, Instant};

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::command::{PASSWORD, log_in};
use crate::server::{PATIENCE, Server};
use crate::site::{OwnPostgres, Person, Site, read, until};
use crate::wire::{Way, Wire};

/// The longest answer while a store is away: 2 s for a connection, and what a busy machine adds.
const AWAY: Duration = Duration::from_secs(6);
/// The longest answer while a store is slow: 5 s for a statement, of which a request may need a few.
const SLOW: Duration = Duration::from_secs(20);

/// What was acknowledged.
#[derive(Default)]
struct Ledger {
    conversation: Option<Value>,
    messages: Vec<Value>,
    documents: Vec<Value>,
    actions: Vec<Value>,
}

/// One of each thing that people do. Gives how each ended.
struct Day<'a> {
    server: &'a Server,
    olga: Person,
    adam: Person,
    ledger: Ledger,
    count: u64,
    longest: Duration,
}

impl<'a> Day<'a> {
    async fn start(server: &'a Server) -> Self {
        let olga = Person::sign_in(server, "olga").await;
        Self {
            adam: Person::sign_in(server, "adam").await,
            olga,
            server,
            ledger: Ledger::default(),
            count: 0,
            longest: Duration::ZERO,
        }
    }

    /// Signs in, looks, asks, uploads, proposes and confirms; each within `most`. True when all went well;
    /// otherwise what did not was refused as a store's absence is.
    async fn round(&mut self, most: Duration) -> bool {
        self.count += 1;
        let before = Instant::now();
        let mut all = vec![log_in(self.server, "vera", PASSWORD).await.0];
        self.took(before, most, "signing in");
        all.push(self.look(most).await);
        all.push(self.ask(most).await);
        all.push(self.upload(most).await);
        all.push(self.act(most).await);
        // 409 and 404: a proposal of before, when the answer to it was lost on the way.
        let known = [200, 202, 409, 404, 503];
        assert!(all.iter().all(|status| known.contains(status)), "{all:?}");
        all.iter().all(|status| matches!(status, 200 | 202))
    }

    fn took(&mut self, since: Instant, most: Duration, what: &str) {
        let took = since.elapsed();
        assert!(took < most, "{what} took {took:?}");
        self.longest = self.longest.max(took);
    }

    async fn look(&mut self, most: Duration) -> u16 {
        let before = Instant::now();
        let (status, _) = self.olga.get(self.server, "/api/v1/tws/jobs?limit=5").await;
        self.took(before, most, "looking");
        status
    }

    async fn ask(&mut self, most: Duration) -> u16 {
        let before = Instant::now();
        let body = json!({
            "message": format!("status of FIN_GL_POST, try {}", self.count),
            "session_id": self.ledger.conversation,
        });
        let (status, answer) = self.olga.post(self.server, "/api/v1/chat", body).await;
        self.took(before, most, "asking");
        if status == 200 && answer["saved"] == json!(true) {
            self.ledger.conversation = Some(answer["session_id"].clone());
            self.ledger.messages.push(answer["message_id"].clone());
        }
        status
    }

    async fn upload(&mut self, most: Duration) -> u16 {
        let before = Instant::now();
        let text = format!("# Page {0}\n\nThe page number {0}.\n", self.count);
        let part = Part::text(text).file_name(format!("page-{}.md", self.count));
        let origin = format!("http://{}", self.server.address);
        let request = self
            .server
            .client
            .post(format!("{origin}/api/v1/rag/documents"))
            .headers(self.adam.headers(&origin))
            .multipart(Form::new().part("file", part));
        let (status, document) = read(request.send().await.unwrap()).await;
        self.took(before, most, "uploading");
        if status == 202 {
            self.ledger.documents.push(document["id"].clone());
        }
        status
    }

    async fn act(&mut self, most: Duration) -> u16 {
        let before = Instant::now();
        let waiting = "/api/v1/tws/jobs?status=HOLD&limit=1";
        let (status, page) = self.olga.get(self.server, waiting).await;
        self.took(before, most, "looking for a job");
        let Some(job) = page["items"][0]["id"].as_str() else {
            return status;
        };
        let path = format!("/api/v1/tws/jobs/{job}/actions/priority");
        let before = Instant::now();
        let body = json!({"reason": "outage", "priority": self.count % 100});
        let (status, proposal) = self.olga.post(self.server, &path, body).await;
        self.took(before, most, "proposing");
        if status != 202 {
            return status;
        }
        let before = Instant::now();
        let token = json!({"confirmation_token": proposal["confirmation_token"]});
        let (status, done) = self.olga.post(self.server, &path, token).await;
        // It may watch the job as long as tws.verify_seconds.
        self.took(before, most + Duration::from_secs(10), "confirming");
        if status == 200 {
            self.ledger.actions.push(done["audit_id"].clone());
        }
        status
    }

    /// Rounds until one goes well; how long that took.
    async fn recovers(&mut self) -> Duration {
        let began = Instant::now();
        while !self.round(SLOW).await {
            assert!(began.elapsed() < PATIENCE, "it does not recover");
        }
        began.elapsed()
    }

    /// Everything that was acknowledged is there.
    async fn nothing_is_lost(&self) {
        let kinds = [
            &self.ledger.messages,
            &self.ledger.documents,
            &self.ledger.actions,
        ];
        assert!(kinds.iter().all(|kind| kind.len() > 1), "{kinds:?}");
        let session = self.ledger.conversation.as_ref().unwrap().as_str().unwrap();
        let path = format!("/api/v1/chat/history?session_id={session}&limit=500");
        let (_, history) = self.olga.get(self.server, &path).await;
        let there: Vec<_> = history["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| &m["message_id"])
            .collect();
        for message in &self.ledger.messages {
            assert!(there.contains(&message), "{message} is lost");
        }
        for document in &self.ledger.documents {
            let path = format!("/api/v1/rag/documents/{}", document.as_str().unwrap());
            assert_eq!(
                self.adam.get(self.server, &path).await.0,
                200,
                "{document} is lost"
            );
        }
        let (_, audit) = self.adam.get(self.server, "/api/v1/audit?limit=500").await;
        let rows: Vec<_> = audit["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| &row["id"])
            .collect();
        for action in &self.ledger.actions {
            assert!(rows.contains(&action), "the row {action} is lost");
        }
        let (_, verdict) = self.adam.get(self.server, "/api/v1/audit/verify").await;
        assert_eq!(verdict["valid"], json!(true), "{verdict}");
    }
}

/// F2, F6: PostgreSQL is killed while it works, comes back, and everything that was acknowledged is there.
#[tokio::test]
async fn postgresql_is_killed_and_comes_back() {
    let postgres = OwnPostgres::start().await;
    let site = Site::on(postgres.database().await).await;
    let folder = tempfile::tempdir().unwrap();
    let server = site.replica(folder.path()).await;
    let mut day = Day::start(&server).await;
    assert!(day.round(SLOW).await, "all is well");
    for _ in 0..2 {
        postgres.kill();
        assert!(!day.round(AWAY).await, "the store is away");
        // What is cached is served, also to who is known only from the store a second ago.
        let (status, _) = read(server.ask(reqwest::Method::GET, "/readyz", None).await).await;
        assert_eq!(status, 503);
        postgres.start_again().await;
        let ready = async || {
            server
                .ask(reqwest::Method::GET, "/readyz", None)
                .await
                .status()
        };
        let back = until(ready, |status| *status == 200).await;
        let well = day.recovers().await;
        eprintln!("ready after {back:?}, a whole round after {well:?} more");
        assert!(back < Duration::from_secs(5), "{back:?}");
    }
    day.nothing_is_lost().await;
    eprintln!("the longest answer took {:?}", day.longest);
}

/// F2: a way to PostgreSQL that is slow, stalled and cut.
#[tokio::test]
async fn the_way_to_postgresql_is_slow_stalled_and_cut() {
    let postgres = OwnPostgres::start().await;
    let wire = Wire::to(postgres.port).await;
    let database = postgres.database().await;
    let site = Site::on(database).await;
    let settings = site.settings();
    let near = site
        .database
        .url
        .replace(&postgres.port.to_string(), &wire.port.to_string());
    let mut settings: Vec<_> = settings
        .into_iter()
        .filter(|(key, _)| *key != "RESYNC_DATABASE_URL")
        .collect();
    settings.push(("RESYNC_DATABASE_URL", &near));
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &settings).await;
    let mut day = Day::start(&server).await;
    assert!(day.round(SLOW).await, "all is well");
    wire.set(Way::Slow(Duration::from_millis(50)));
    assert!(day.round(SLOW).await, "50 ms a piece are no outage");
    for way in [Way::Stalled, Way::Cut] {
        wire.set(way);
        assert!(!day.round(SLOW).await, "{way:?}");
        wire.set(Way::Open);
        let well = day.recovers().await;
        eprintln!("{way:?}: a whole round {well:?} after it was open again");
    }
    day.nothing_is_lost().await;
    eprintln!("the longest answer took {:?}", day.longest);
}

/// F1: whatever befalls Redis, everything goes on.
#[tokio::test]
async fn redis_is_killed_paused_flushed_full_and_moved_and_nobody_notices() {
    let mut site = Site::start().await;
    let wire = Wire::to(site.redis.port).await;
    let near = format!("redis://127.0.0.1:{}/", wire.port);
    let folder = tempfile::tempdir().unwrap();
    let server = {
        let settings = site.settings();
        let mut settings: Vec<_> = settings
            .into_iter()
            .filter(|(key, _)| *key != "RESYNC_REDIS_URL")
            .collect();
        settings.push(("RESYNC_REDIS_URL", &near));
        Server::start(folder.path(), &settings).await
    };
    let status = async || {
        let ready = read(server.ask(reqwest::Method::GET, "/readyz", None).await).await;
        assert_eq!(ready.0, 200, "{}", ready.1);
        ready.1["checks"]["redis"]["status"].clone()
    };
    let is_back = async || {
        let back = until(status, |status| *status == json!("ok")).await;
        assert!(back < Duration::from_secs(5), "{back:?}");
    };
    let mut day = Day::start(&server).await;
    assert!(day.round(SLOW).await, "all is well");

    site.redis.kill().await;
    assert!(day.round(AWAY).await, "killed");
    assert_eq!(status().await, json!("degraded"));
    site.redis.start_again().await;
    is_back().await;
    assert!(day.round(AWAY).await, "back and empty");

    site.redis.pause();
    assert!(day.round(AWAY).await, "paused");
    site.redis.go_on();
    is_back().await;

    site.redis.command(&["FLUSHALL"]).await;
    assert!(day.round(AWAY).await, "flushed");

    site.redis
        .command(&["CONFIG", "SET", "maxmemory", "1"])
        .await;
    assert!(day.round(AWAY).await, "full");
    site.redis
        .command(&["CONFIG", "SET", "maxmemory", "0"])
        .await;
    is_back().await;

    wire.set(Way::Stalled);
    assert!(day.round(AWAY).await, "no answer");
    wire.set(Way::Cut);
    assert!(day.round(AWAY).await, "no way");
    let other = crate::site::Redis::start().await;
    wire.leads_to(other.port);
    is_back().await;
    assert!(day.round(AWAY).await, "another Redis at the same address");
    day.nothing_is_lost().await;
    eprintln!("the longest answer took {:?}", day.longest);
}
