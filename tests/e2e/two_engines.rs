//! Two engines whose plans share every id: what is done to a job of one reaches that one alone.

use resync_simulator::{Control, Role, Simulator, Speed};
use serde_json::{Value, json};

use crate::harness::{Options, Resync, Session};

const JOB: &str = "FIN_GL_POST";

/// Resync before `sim`, the first engine, and `b`, its twin.
struct Twins {
    resync: Resync,
    b: Simulator,
    /// The id that both plans have.
    job: String,
}

impl Twins {
    async fn start() -> Self {
        let options = Options {
            speed: Speed::Times(60),
            ..Options::default()
        };
        // As the harness makes the first one: the same seed, so the same names and ids.
        let b = Simulator::builder()
            .jobs(options.jobs)
            .speed(options.speed)
            .user("resync", "secret-of-b", Role::Operator)
            .start()
            .await
            .unwrap();
        let resync = Resync::start(options).await;
        let admin = resync.sign_in("adam").await;
        let draft = json!({
            "name": "b",
            "urls": [b.base_url()],
            "username": "resync",
            "password": "secret-of-b",
        });
        let (status, made) = admin.post("/api/v1/admin/engines", draft).await;
        assert_eq!(status, 201, "{made}");
        let job = admin.job("FIN_EOD", JOB).await;
        for engine in [&resync.engine, &b.control()] {
            let truth = engine.truth().await;
            let ids: Vec<_> = items(&truth["failures"])
                .iter()
                .filter(|failure| failure["jobId"] == job.as_str())
                .collect();
            assert_eq!(ids.len(), 1, "not shared: {job} in {truth}");
        }
        Self { resync, b, job }
    }

    fn action(&self, query: &str) -> String {
        format!("/api/v1/tws/jobs/{}/actions/rerun{query}", self.job)
    }

    async fn propose(&self, session: &Session, query: &str) -> Value {
        let body = json!({"reason": "the deadlock is gone"});
        let (status, proposal) = session.post(&self.action(query), body).await;
        assert_eq!(status, 202, "{proposal}");
        proposal
    }

    async fn confirm(&self, session: &Session, query: &str, proposal: &Value) -> (u16, Value) {
        let body = json!({"confirmation_token": proposal["confirmation_token"]});
        session.post(&self.action(query), body).await
    }
}

fn items(list: &Value) -> &Vec<Value> {
    list.as_array().unwrap()
}

/// What the engine was told to do, by its own log of requests.
async fn writes(engine: &Control) -> Vec<String> {
    let requests = engine.requests().await.into_iter();
    let writes = requests.filter(|request| request.method != "GET");
    writes.map(|request| request.path).collect()
}

/// The actions that the engine carried out, by its own journal.
async fn reruns(engine: &Control) -> usize {
    let journal = engine.journal().await;
    let accepted = |entry: &&Value| entry["what"] == "accepted rerun";
    items(&journal["entries"]).iter().filter(accepted).count()
}

async fn whole_plans_read(engine: &Control) -> usize {
    let requests = engine.requests().await;
    let lists = requests
        .iter()
        .filter(|request| request.path.ends_with("/plan/jobstream"));
    lists.count()
}

/// I-04, I-08: an id that two plans share, acted on at one of them.
#[tokio::test]
async fn an_action_reaches_the_engine_it_was_proposed_on_and_no_other() {
    let twins = Twins::start().await;
    let session = twins.resync.sign_in("olga").await;
    let (sim, b) = (twins.resync.engine.clone(), twins.b.control());

    let proposal = twins.propose(&session, "?engine=b").await;
    assert_eq!(proposal["target"]["engine"], "b", "{proposal}");
    // On the first engine, named or meant, that token is no proposal of anybody's.
    for query in ["?engine=sim", ""] {
        let (status, problem) = twins.confirm(&session, query, &proposal).await;
        assert_eq!(
            (status, &problem["code"]),
            (404, &json!("unknown-proposal")),
            "{query}: {problem}"
        );
    }
    assert_eq!((writes(&sim).await.len(), writes(&b).await.len()), (0, 0));

    let (status, done) = twins.confirm(&session, "?engine=b", &proposal).await;
    assert_eq!(
        (status, &done["verified"]),
        (200, &json!(true)),
        "the refusals used nothing up: {done}"
    );
    assert_eq!((writes(&sim).await.len(), writes(&b).await.len()), (0, 1));
    assert_eq!((reruns(&sim).await, reruns(&b).await), (0, 1));

    let admin = twins.resync.sign_in("adam").await;
    let (_, audit) = admin.get("/api/v1/audit").await;
    let rows: Vec<_> = items(&audit["items"])
        .iter()
        .filter(|row| row["action"].as_str().unwrap().starts_with("action."))
        .map(|row| (row["action"].as_str().unwrap(), row["engine"].clone()))
        .collect();
    assert_eq!(
        rows,
        [
            ("action.outcome", json!("b")),
            ("action.intent", json!("b"))
        ]
    );
    twins.b.stop().await;
}

/// Without `engine` the first engine is meant, by both calls.
#[tokio::test]
async fn without_a_name_it_is_the_first_engine() {
    let twins = Twins::start().await;
    let session = twins.resync.sign_in("olga").await;
    let proposal = twins.propose(&session, "").await;
    assert_eq!(proposal["target"]["engine"], "sim", "{proposal}");
    let (status, problem) = twins.confirm(&session, "?engine=b", &proposal).await;
    assert_eq!(
        (status, &problem["code"]),
        (404, &json!("unknown-proposal"))
    );
    let (status, done) = twins.confirm(&session, "", &proposal).await;
    assert_eq!((status, &done["executed"]), (200, &json!(true)), "{done}");
    let (sim, b) = (&twins.resync.engine, &twins.b.control());
    assert_eq!((reruns(sim).await, reruns(b).await), (1, 0));

    let body = json!({"reason": "test"});
    let (status, problem) = session.post(&twins.action("?engine=c"), body).await;
    assert_eq!((status, &problem["code"]), (404, &json!("unknown-engine")));
    twins.b.stop().await;
}

/// P1-02: what is known of one engine is neither told of the other nor dropped with it.
#[tokio::test]
async fn what_is_cached_of_one_engine_is_not_the_others() {
    let twins = Twins::start().await;
    let session = twins.resync.sign_in("olga").await;
    let (sim, b) = (twins.resync.engine.clone(), twins.b.control());
    // From here on the plans differ by the rerun alone.
    sim.freeze().await;
    let read = async |path: String| {
        let (status, answer) = session.get(&path).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    };
    let board = async |engine: &str| read(format!("/api/v1/tws/summary?engine={engine}")).await;
    let runs = async |engine: &str| {
        let job = read(format!("/api/v1/tws/jobs/{}?engine={engine}", twins.job)).await;
        assert_eq!(job["meta"]["engine"], engine);
        items(&job["job"]["runs"]).len()
    };
    let before = (runs("sim").await, runs("b").await);
    let boards = (board("sim").await, board("b").await);
    let read_before = (whole_plans_read(&sim).await, whole_plans_read(&b).await);

    let proposal = twins.propose(&session, "?engine=b").await;
    let (status, done) = twins.confirm(&session, "?engine=b", &proposal).await;
    assert_eq!(status, 200, "{done}");
    assert_eq!(
        (runs("sim").await, runs("b").await),
        (before.0, before.1 + 1)
    );
    let (of_sim, of_b) = (board("sim").await, board("b").await);
    assert_eq!(
        (&of_sim["meta"]["engine"], &of_b["meta"]["engine"]),
        (&json!("sim"), &json!("b"))
    );
    let fetched = |board: &Value| board["meta"]["fetched_at"].clone();
    assert_eq!(fetched(&of_sim), fetched(&boards.0), "dropped with b's");
    assert_ne!(fetched(&of_b), fetched(&boards.1), "kept beyond an action");
    let read_after = (whole_plans_read(&sim).await, whole_plans_read(&b).await);
    assert_eq!(read_after.0, read_before.0);
    assert!(read_after.1 > read_before.1);
    twins.b.stop().await;
}
