//! What is asked, and how answers of every shape are read.

use resync_hwa::{Credentials, HwaClient};
use resync_kernel::SecretString;
use resync_tws::model::{
    DependencyKind, Job, JobId, JobQuery, JobSort, JobStatus, LineRange, NamePattern, Neighbour,
    NeighbourDirection, Phase, RunId,
};
use resync_tws::ports::{GatewayError, LogGateway, PlanGateway};
use serde_json::{Value, json};

use crate::fixture::{Fixture, Reply};

const SAMPLE: &str = include_str!("data/job.json");

fn sample() -> Value {
    serde_json::from_str(SAMPLE).unwrap()
}

async fn read(job: Value) -> Result<Job, GatewayError> {
    let fixture = Fixture::always(Reply::json(&job.to_string())).await;
    let id = JobId::parse("a").unwrap();
    fixture.client().job(&id).await.map(Option::unwrap)
}

#[tokio::test]
async fn a_whole_job_is_read() {
    let job = read(sample()).await.unwrap();
    assert_eq!(job.label(), "FINDB01#FIN_EOD.FIN_GL_POST");
    assert_eq!(job.folder.as_deref(), Some("/FIN/EOD/"));
    assert_eq!(job.status, JobStatus::Abend);
    assert_eq!(job.priority, Some(50));
    assert_eq!(job.return_code(), Some(12));
    assert_eq!(job.estimated_seconds, Some(18 * 60));
    assert_eq!(job.recovery.as_deref(), Some("STOP"));
    assert_eq!(job.unresolved_dependencies, Some(0));
    assert!(job.late && job.critical && !job.requires_confirmation && !job.long_running);
    assert_eq!(
        job.deadline.unwrap().to_rfc3339(),
        "2026-03-03T01:30:00+00:00"
    );
    let run = job.latest_run().unwrap();
    assert_eq!(run.number, Some(278_944_031));
    assert_eq!(run.elapsed_seconds, Some(252));
    assert_eq!(run.workstation.as_deref(), Some("FINDB01"));
    assert_eq!(job.dependencies.len(), 2);
    assert_eq!(job.dependencies[0].satisfied, Some(true));
    assert!(matches!(
        &job.dependencies[0].kind,
        DependencyKind::Job { name: Some(name), .. } if name == "FIN_GL_EXTRACT"
    ));
    assert!(matches!(
        job.dependencies[1].kind,
        DependencyKind::Resource {
            quantity: Some(2),
            ..
        }
    ));
}

/// Every field but the id and the name may be missing, null, or of another shape.
#[tokio::test]
async fn a_job_is_read_with_any_of_its_fields_spoiled() {
    let whole = sample();
    let keys: Vec<String> = whole.as_object().unwrap().keys().cloned().collect();
    let fixture = Fixture::start(move |request| {
        // The id asked for says which field is spoiled, and how.
        let path = request.line.split(' ').nth(1).unwrap();
        let (key, how) = path.rsplit('/').next().unwrap().split_once('-').unwrap();
        let mut job = sample();
        let fields = job.as_object_mut().unwrap();
        match how {
            "gone" => drop(fields.remove(key)),
            "null" => drop(fields.insert(key.to_owned(), Value::Null)),
            "list" => drop(fields.insert(key.to_owned(), json!([[1], {"a": 2}]))),
            "object" => drop(fields.insert(key.to_owned(), json!({"x": {"y": []}}))),
            _ => drop(fields.insert(key.to_owned(), json!(true))),
        }
        Reply::json(&job.to_string())
    })
    .await;
    let client = fixture.client();
    for key in &keys {
        for how in ["gone", "null", "list", "object", "flag"] {
            let id = JobId::parse(&format!("{key}-{how}")).unwrap();
            let read = client.job(&id).await;
            if matches!(key.as_str(), "id" | "name") {
                let said = format!("job.{key} is missing");
                assert_eq!(read, Err(GatewayError::Unreadable(said.into())), "{how}");
            } else {
                assert_eq!(read.unwrap().unwrap().name, "FIN_GL_POST", "{key} {how}");
            }
        }
    }
}

#[tokio::test]
async fn texts_for_numbers_and_words_that_nobody_knows_are_taken() {
    let mut job = sample();
    job["priority"] = json!("50");
    job["jobOptions"]["critical"] = json!("true");
    job["lastRunCompositeStatus"]["status"] = json!("QUEUED_NEW");
    job["jobruns"][0]["returnCode"] = json!("12");
    job["jobruns"][0]["timeInfo"]["elapsedTime"] = json!(252_000);
    job["jobruns"][0]["rerunType"] = json!("RERUN_NEW");
    job["schedTime"] = json!("2026-03-02T21:00:00.000+01:00");
    job["dependencies"][0]["dependencyType"] = json!("TELEPATHY");
    job["dependencies"][0]["dependencyStatus"] = json!("MAYBE");
    job["somethingNew"] = json!({"deep": [1, {"er": null}]});
    let job = read(job).await.unwrap();
    assert_eq!(job.priority, Some(50));
    assert!(job.critical);
    assert_eq!(job.status.as_str(), "QUEUED_NEW");
    assert_eq!(job.phase(), Phase::Undecided);
    assert_eq!(job.return_code(), Some(12));
    assert_eq!(job.runs[0].elapsed_seconds, Some(252));
    assert_eq!(job.runs[0].kind.as_deref(), Some("RERUN_NEW"));
    assert_eq!(
        job.scheduled_at.unwrap().to_rfc3339(),
        "2026-03-02T20:00:00+00:00"
    );
    assert_eq!(job.dependencies[0].satisfied, None);
    assert_eq!(
        job.dependencies[0].kind,
        DependencyKind::Other {
            kind: "TELEPATHY".to_owned()
        }
    );
}

#[tokio::test]
async fn without_a_status_of_its_own_a_job_has_that_of_its_latest_run() {
    let mut job = sample();
    let fields = job.as_object_mut().unwrap();
    fields.remove("lastRunCompositeStatus");
    assert_eq!(read(job.clone()).await.unwrap().status, JobStatus::Abend);
    job["jobruns"] = json!([]);
    // A common status of ERROR may be ABEND or FAIL: it is kept as a word that we do not know.
    let status = read(job).await.unwrap().status;
    assert_eq!(status.as_str(), "ERROR");
    assert_eq!(status.phase(), Phase::Undecided);
}

#[tokio::test]
async fn an_object_that_cannot_be_named_fails_its_page_with_its_place() {
    for (item, said) in [
        (json!({"name": "B"}), "results[1].id is missing"),
        (json!({"id": "b"}), "results[1].name is missing"),
        (
            json!({"id": "a/b", "name": "B"}),
            "results[1].id: job id holds a character that is not allowed at position 2",
        ),
        (json!(7), "results[1] is no object"),
    ] {
        let page = json!({"results": [{"id": "a", "name": "A"}, item]});
        let fixture = Fixture::always(Reply::json(&page.to_string())).await;
        assert_eq!(
            fixture.client().jobs(&JobQuery::default()).await,
            Err(GatewayError::Unreadable(said.into()))
        );
    }
}

#[tokio::test]
async fn a_run_without_an_id_is_left_out_and_the_job_kept() {
    let mut job = sample();
    job["jobruns"][0]["id"] = Value::Null;
    let job = read(job).await.unwrap();
    assert!(job.runs.is_empty());
    assert_eq!(job.status, JobStatus::Abend);
}

#[tokio::test]
async fn a_question_is_pushed_down_whole() {
    let fixture = Fixture::always(Reply::json(r#"{"count":0,"results":[]}"#)).await;
    let pattern = |text: &str| Some(NamePattern::parse(text).unwrap());
    let query = JobQuery {
        status: vec![JobStatus::Hold],
        name: pattern("FIN_*"),
        sort: JobSort::Name,
        offset: 20,
        limit: 10,
        ..JobQuery::default()
    };
    fixture.client().jobs(&query).await.unwrap();
    let sent = fixture.only();
    assert_eq!(
        sent.line,
        "GET /twsd/api/v2/plan/job?oql=name%20LIKE%20%27FIN_%40%27%20AND%20\
         lastRunCompositeStatus.status%20%3D%20%27HOLD%27%20AND%20\
         lastRunCompositeStatus.canceled%20%21%3D%20true%20\
         ORDER%20BY%20name%20ASC%2C%20id%20ASC&limit=10&offset=20 HTTP/1.1"
    );
    assert_eq!(
        sent.header("scope"),
        Some("WHOLE_NO_JOB_DEFINITIONS_AND_NO_DEPENDENCIES")
    );
    assert_eq!(sent.header("include-count"), Some("true"));
    assert_eq!(sent.header("accept"), Some("application/json"));
    assert_eq!(
        sent.header("authorization"),
        Some("Basic b3BlcmF0b3I6c2VjcmV0")
    );
}

#[tokio::test]
async fn an_api_key_is_sent_as_a_bearer_token() {
    let fixture = Fixture::always(Reply::json("{}")).await;
    let mut config = fixture.config();
    config.credentials = Credentials::ApiKey(SecretString::from("abc.def"));
    let client = HwaClient::new(config).unwrap();
    client.engine_info().await.unwrap();
    let sent = fixture.only();
    assert_eq!(sent.header("authorization"), Some("Bearer abc.def"));
    assert!(!format!("{client:?}").contains("abc.def"));
}

#[tokio::test]
async fn what_the_filter_let_through_is_looked_at_again() {
    let page = json!({"count": 2, "results": [
        {"id": "a", "name": "A", "lastRunCompositeStatus": {"status": "HOLD"}},
        {"id": "b", "name": "B", "lastRunCompositeStatus": {"status": "HOLD", "canceled": true}},
    ]});
    let fixture = Fixture::always(Reply::json(&page.to_string())).await;
    let query = JobQuery {
        status: vec![JobStatus::Hold],
        limit: 10,
        ..JobQuery::default()
    };
    let slice = fixture.client().jobs(&query).await.unwrap();
    assert_eq!(slice.items.len(), 1);
    // The engine counted something else than was asked.
    assert_eq!(slice.total, None);
}

#[tokio::test]
async fn an_engine_without_the_last_run_is_asked_by_any_run() {
    let fixture = Fixture::start(|request| {
        if request.line.contains("lastRunCompositeStatus") {
            let body = br#"{"messages":["OQL_FILTER_SYNTAX_ERROR: unknown field"]}"#;
            Reply::with(400, "application/json", body)
        } else {
            Reply::json(r#"{"count":0,"results":[]}"#)
        }
    })
    .await;
    let client = fixture.client();
    let query = JobQuery {
        status: vec![JobStatus::Abend],
        limit: 10,
        ..JobQuery::default()
    };
    assert!(client.jobs(&query).await.is_ok());
    assert!(client.jobs(&query).await.is_ok());
    let sent = fixture.received();
    // The first question shows it; later ones do not ask again.
    assert_eq!(sent.len(), 3);
    assert!(sent[2].line.contains("jobruns.compositeStatus.status"));
}

#[tokio::test]
async fn neighbours_are_jobs_and_streams_each_once_without_the_job_itself() {
    let stream = json!({"flowNodeType": "JOBSTREAM", "id": "s", "name": "S",
        "compositeStatus": {"status": "STUCK"}});
    let page = json!({"results": [
        {"flowNodeType": "JOB", "id": "a", "name": "A"}, stream, stream,
        {"flowNodeType": "JOB", "id": "self", "name": "SELF"},
    ]});
    let fixture = Fixture::always(Reply::json(&page.to_string())).await;
    let id = JobId::parse("self").unwrap();
    let nodes = fixture
        .client()
        .neighbours(&id, NeighbourDirection::Successors, 3)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(nodes.len(), 2);
    assert!(matches!(&nodes[0], Neighbour::Job(job) if job.name == "A"));
    assert!(matches!(&nodes[1], Neighbour::Stream(stream) if stream.status == JobStatus::Stuck));
    assert_eq!(
        fixture.only().line,
        "GET /twsd/api/v2/plan/job/self/successors?depth=3 HTTP/1.1"
    );
}

#[tokio::test]
async fn a_log_is_asked_by_lines_with_one_to_spare() {
    let fixture = Fixture::always(Reply::with(200, "text/plain", b"c\nd\ne\n")).await;
    let run = RunId::parse("run;1").unwrap();
    let log = fixture
        .client()
        .job_log(&run, LineRange::clamped(3, 2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((log.from_line, log.truncated), (3, true));
    assert_eq!(log.lines, ["c", "d"]);
    let sent = fixture.only();
    assert_eq!(
        sent.line,
        "GET /twsd/api/v2/plan/job/run/run%3B1/joblog?from_line=3&to_line=5 HTTP/1.1"
    );
    assert_eq!(sent.header("accept"), Some("text/plain"));
}

/// B4: an id that is a step of a path reaches no path at all.
#[tokio::test]
async fn dots_are_no_id() {
    let fixture = Fixture::always(Reply::json("{}")).await;
    let client = fixture.client();
    for dots in [".", ".."] {
        let id = JobId::parse(dots).unwrap();
        assert_eq!(client.job(&id).await, Ok(None));
        let around = client
            .neighbours(&id, NeighbourDirection::Predecessors, 1)
            .await;
        assert_eq!(around, Ok(None));
        let run = RunId::parse(dots).unwrap();
        let log = client.job_log(&run, LineRange::clamped(1, 1)).await;
        assert_eq!(log, Ok(None));
    }
    assert!(fixture.received().is_empty());
}

/// B4: ids of every character that one may hold stay in their segment.
#[tokio::test]
async fn no_id_reaches_another_path() {
    let fixture = Fixture::always(Reply::with(404, "text/plain", b"")).await;
    let client = fixture.client();
    let tricks = [
        "...",
        "..;",
        ";a",
        "a;jsessionid=1",
        "#",
        "a#b",
        "@host",
        "a@b",
        "-",
        "_",
        ".a",
        "a.",
        "..a",
        "a..",
        "a.;.b",
        ".;.",
        ".#",
        "..#",
        "@@",
        "A;..;B",
    ];
    for trick in tricks {
        // `=` is not in the alphabet: that trick does not even become an id.
        if let Ok(id) = JobId::parse(trick) {
            assert_eq!(client.job(&id).await, Ok(None));
        }
    }
    for sent in fixture.received() {
        let path = sent.line.split(' ').nth(1).unwrap();
        let rest = path.strip_prefix("/twsd/api/v2/plan/job/").unwrap();
        assert!(
            !rest.contains(['/', '?', '#', ';', '@']) && rest != "..",
            "{path}"
        );
    }
}
