//! Recorded answers, spoiled at random: each is read or refused, nothing panics, and nothing is read
//! as something that it is not.
//!
//! The answers come from the simulator and from the sample job. What a job must read as is worked out
//! here from the spoiled text itself, by a reading of its own.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use resync_hwa::HwaClient;
use resync_simulator::{Role, Simulator, Speed, Version};
use resync_tws::model::{
    CountBy, Counted, DefinitionQuery, Job, JobId, JobQuery, NeighbourDirection,
};
use resync_tws::ports::{
    DefinitionGateway as _, EngineMonitor as _, GatewayError, ObjectGateway as _, PlanGateway as _,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::fixture::{Fixture, Reply};

/// Which answer it is, and so which call reads it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Jobs,
    Job,
    Neighbours,
    Streams,
    Stream,
    Workstations,
    Resources,
    Prompts,
    Counts,
    Definitions,
    Abilities,
    Info,
}

const KINDS: [(Kind, &str); 11] = [
    (Kind::Jobs, "/plan/job?limit=6"),
    (Kind::Neighbours, "/plan/job/{job}/successors?depth=3"),
    (Kind::Streams, "/plan/jobstream?limit=6"),
    (Kind::Stream, "/plan/jobstream/{stream}"),
    (Kind::Workstations, "/plan/workstation?limit=6"),
    (Kind::Resources, "/plan/resource?limit=6"),
    (Kind::Prompts, "/plan/prompt?limit=6"),
    (
        Kind::Counts,
        "/plan/job/count?plan_filter=%2F%40%2F%40%23%2F%40%2F%40.%40&grouping_filters=status",
    ),
    (Kind::Definitions, "/model/jobstream?limit=3"),
    (Kind::Abilities, "/objects-info"),
    (Kind::Info, "/engine/info"),
];

async fn recorded() -> Vec<(Kind, Value)> {
    let simulator = Simulator::builder()
        .seed(7)
        .jobs(100)
        .speed(Speed::Frozen)
        .version(Version::V10_2_8)
        .user("operator", "secret", Role::Operator)
        .start()
        .await
        .unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let base = simulator.base_url();
    let get = async |path: &str| -> Value {
        let request = http.get(format!("{base}{path}"));
        let answer = request.basic_auth("operator", Some("secret")).send().await;
        let answer = answer.unwrap().error_for_status().unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    };
    let jobs = get("/plan/job?limit=1").await;
    let job = jobs["results"][0]["id"].as_str().unwrap().to_owned();
    let stream = jobs["results"][0]["jobStreamId"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut all = Vec::new();
    for (kind, path) in KINDS {
        let path = path.replace("{job}", &job).replace("{stream}", &stream);
        all.push((kind, get(&path).await));
    }
    let sample: Value = serde_json::from_str(include_str!("data/job.json")).unwrap();
    all.push((Kind::Job, sample.clone()));
    all.push((Kind::Jobs, json!({"count": 2, "results": [sample, sample]})));
    all
}

/// One way to spoil a place of a tree.
#[derive(Debug, Clone)]
enum Spoil {
    Drop,
    Null,
    Other(Value),
    Twice,
    Rename,
    Deep,
    Huge,
}

/// Stand for what no tree of values can hold: a number beyond all bounds, and 200 lists in each other.
/// Where a field is read, both are of another kind than it; `twin` holds such a value in their place.
const HUGE: &str = "\u{1}huge\u{1}";
const DEEP: &str = "\u{1}deep\u{1}";

fn any_spoil() -> impl Strategy<Value = Spoil> {
    let other = prop_oneof![
        Just(json!("abc")),
        Just(json!("")),
        Just(json!("17")),
        Just(json!(-1)),
        Just(json!(256)),
        Just(json!(3.5)),
        Just(json!(true)),
        Just(json!("True")),
        Just(json!([1, [2], {"a": 3}])),
        Just(json!({"id": {"x": []}})),
        Just(json!("a/b'c\u{0}")),
        Just(json!(i64::MAX)),
    ];
    prop_oneof![
        Just(Spoil::Drop),
        Just(Spoil::Null),
        other.prop_map(Spoil::Other),
        Just(Spoil::Twice),
        Just(Spoil::Rename),
        Just(Spoil::Deep),
        Just(Spoil::Huge),
    ]
}

fn places(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(places).sum(),
        Value::Object(map) => map.values().map(places).sum(),
        _ => 0,
    }
}

/// Spoils the child at `at`, counted in the order of the text; the root itself stays.
fn spoil(value: &mut Value, at: &mut usize, how: &Spoil) -> bool {
    match value {
        Value::Array(items) => {
            for index in 0..items.len() {
                if *at == 0 {
                    match how {
                        Spoil::Drop => drop(items.remove(index)),
                        Spoil::Twice => items.insert(index, items[index].clone()),
                        Spoil::Null | Spoil::Rename => items[index] = Value::Null,
                        Spoil::Other(other) => items[index] = other.clone(),
                        Spoil::Deep => items[index] = json!(DEEP),
                        Spoil::Huge => items[index] = json!(HUGE),
                    }
                    return true;
                }
                *at -= 1;
                if spoil(&mut items[index], at, how) {
                    return true;
                }
            }
            false
        }
        Value::Object(map) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            for key in keys {
                if *at == 0 {
                    let old = map.remove(&key).unwrap();
                    let new = match how {
                        Spoil::Drop => return true,
                        Spoil::Rename => {
                            map.insert(format!("{key}New"), old);
                            return true;
                        }
                        // A second of the same name is made in the text.
                        Spoil::Twice => {
                            map.insert(format!("{key}\u{1}"), old.clone());
                            old
                        }
                        Spoil::Null => Value::Null,
                        Spoil::Other(other) => other.clone(),
                        Spoil::Deep => json!(DEEP),
                        Spoil::Huge => json!(HUGE),
                    };
                    map.insert(key, new);
                    return true;
                }
                *at -= 1;
                if spoil(map.get_mut(&key).unwrap(), at, how) {
                    return true;
                }
            }
            false
        }
        _ => false,
    }
}

/// What is sent, and what a reading of our own makes of it: nothing when it is no JSON.
fn spoiled(
    answer: &Value,
    spoils: &[(prop::sample::Index, Spoil)],
    cut: Option<prop::sample::Index>,
) -> (Vec<u8>, Option<Value>) {
    let mut answer = answer.clone();
    for (at, how) in spoils {
        let mut at = at.index(places(&answer));
        spoil(&mut answer, &mut at, how);
    }
    let text = serde_json::to_string(&answer).unwrap();
    let text = text.replace("\\u0001\":", "\":");
    let (huge, deep) = ("\"\\u0001huge\\u0001\"", "\"\\u0001deep\\u0001\"");
    let twin = text.replace(huge, "null").replace(deep, "[]");
    let lists = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let sent = text
        .replace(huge, "1e999999999999999999")
        .replace(deep, &lists);
    let mut sent = sent.into_bytes();
    let mut twin = serde_json::from_str(&twin).ok();
    if let Some(cut) = cut {
        sent.truncate(cut.index(sent.len()));
        twin = None;
    }
    (sent, twin)
}

/// A reading of our own: what a value says as a number, a flag, a text.
fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
            format!("{float:.0}").parse().ok()
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn flag(value: &Value) -> bool {
    *value == json!(true)
        || value
            .as_str()
            .is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (!text.trim().is_empty()).then(|| text.clone()),
        Value::Number(number) => number.as_i64().map(|number| number.to_string()),
        _ => None,
    }
}

/// Every field of `job` is what `wire` says, or absent where it says nothing of that kind.
fn says_the_same(job: &Job, wire: &Value) {
    assert_eq!(Some(job.id.to_string()), text(&wire["id"]));
    assert_eq!(Some(job.name.clone()), text(&wire["name"]));
    let priority = int(&wire["priority"]).and_then(|number| u8::try_from(number).ok());
    assert_eq!(job.priority, priority, "{}", wire["priority"]);
    assert_eq!(job.critical, flag(&wire["jobOptions"]["critical"]));
    assert_eq!(job.stream.name, text(&wire["jobStreamName"]));
    let composite = &wire["lastRunCompositeStatus"];
    assert_eq!(job.cancelled, flag(&composite["canceled"]));
    if let Some(status) = text(&composite["status"]) {
        let known = ["UNDCDED", "EXEC"].contains(&job.status.as_str());
        assert!(job.status.as_str() == status.trim() || known, "{status}");
    }
    let stats = &wire["dependenciesStats"]["numberOfUnresolvedDependencies"];
    let unresolved = int(stats).and_then(|number| u32::try_from(number).ok());
    assert_eq!(job.unresolved_dependencies, unresolved);
    let empty = Vec::new();
    for run in &job.runs {
        let runs = wire["jobruns"].as_array().unwrap_or(&empty);
        let same = |wire: &&Value| {
            let code = int(&wire["returnCode"]).and_then(|number| i32::try_from(number).ok());
            text(&wire["id"]).as_deref() == Some(run.id.as_str()) && code == run.return_code
        };
        assert!(runs.iter().any(|wire| same(&wire)), "{run:?}");
    }
}

struct Stage {
    runtime: Runtime,
    client: HwaClient,
    body: Arc<Mutex<Vec<u8>>>,
    answers: Vec<(Kind, Value)>,
    _fixture: Fixture,
}

impl Stage {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let body = Arc::new(Mutex::new(Vec::new()));
        let sent = Arc::clone(&body);
        let (fixture, answers) = runtime.block_on(async {
            let fixture = Fixture::start(move |_| {
                Reply::with(200, "application/json", &sent.lock().unwrap())
            });
            (fixture.await, recorded().await)
        });
        Self {
            client: fixture.client(),
            runtime,
            body,
            answers,
            _fixture: fixture,
        }
    }

    /// Reads what is sent as that kind of answer; what it must say is checked where it is a job.
    async fn read(&self, kind: Kind, twin: Option<Value>) -> Result<(), GatewayError> {
        let client = &self.client;
        // What is no JSON must not be read at all.
        let whole = || twin.unwrap();
        let job = JobId::parse("a").unwrap();
        match kind {
            Kind::Jobs => {
                let jobs = client
                    .jobs(&JobQuery {
                        limit: 10,
                        ..JobQuery::default()
                    })
                    .await?;
                let whole = whole();
                for (job, wire) in jobs.items.iter().zip(whole["results"].as_array().unwrap()) {
                    says_the_same(job, wire);
                }
                Ok(())
            }
            Kind::Job => {
                let read = client.job(&job).await?.unwrap();
                says_the_same(&read, &whole());
                Ok(())
            }
            Kind::Neighbours => {
                let around = NeighbourDirection::Successors;
                client.neighbours(&job, around, 3).await.map(drop)
            }
            Kind::Streams => client.streams(0, 10).await.map(drop),
            Kind::Stream => {
                let id = resync_tws::model::StreamId::parse("a").unwrap();
                client.stream(&id).await.map(drop)
            }
            Kind::Workstations => client.workstations().await.map(drop),
            Kind::Resources => client.resources().await.map(drop),
            Kind::Prompts => client.prompts().await.map(drop),
            Kind::Counts => {
                let counts = client.count(Counted::Jobs, Some(CountBy::Status)).await?;
                let whole = whole();
                if let Some(total) = int(&whole["count"]).filter(|total| *total >= 0) {
                    assert_eq!(i64::try_from(counts.total), Ok(total));
                }
                for (group, count) in &counts.groups {
                    assert_eq!(
                        int(&whole["groupedCount"][group]),
                        i64::try_from(*count).ok()
                    );
                }
                Ok(())
            }
            Kind::Definitions => {
                let query = DefinitionQuery {
                    limit: 10,
                    ..DefinitionQuery::default()
                };
                client.stream_definitions(&query).await.map(drop)
            }
            Kind::Abilities => client.capabilities().await.map(drop),
            Kind::Info => client.engine_info().await.map(drop),
        }
    }

    fn run(&self, cases: u32, wanted: impl Fn(Kind) -> bool) {
        let answers: Vec<&(Kind, Value)> = self
            .answers
            .iter()
            .filter(|(kind, _)| wanted(*kind))
            .collect();
        let strategy = (
            any::<prop::sample::Index>(),
            proptest::collection::vec((any::<prop::sample::Index>(), any_spoil()), 1..4),
            proptest::option::weighted(0.15, any::<prop::sample::Index>()),
        );
        let config = Config {
            failure_persistence: None,
            ..Config::with_cases(cases)
        };
        let (read, refused) = (Mutex::new(0), Mutex::new(0));
        TestRunner::new(config)
            .run(&strategy, |(which, spoils, cut)| {
                let (kind, answer) = answers[which.index(answers.len())];
                let (sent, twin) = spoiled(answer, &spoils, cut);
                *self.body.lock().unwrap() = sent;
                match self.runtime.block_on(self.read(*kind, twin)) {
                    Ok(()) => *read.lock().unwrap() += 1,
                    Err(GatewayError::Unreadable(_)) => *refused.lock().unwrap() += 1,
                    Err(other) => prop_assert!(false, "{kind:?}: {other}"),
                }
                Ok(())
            })
            .unwrap();
        // Both happen, or nothing would be proved.
        let (read, refused) = (read.into_inner().unwrap(), refused.into_inner().unwrap());
        assert!(
            read > cases / 10 && refused > cases / 10,
            "{read} read, {refused} refused"
        );
    }
}

#[test]
fn a_thousand_spoiled_jobs_are_read_as_what_they_say_or_refused() {
    let stage = Stage::new();
    stage.run(1_000, |kind| matches!(kind, Kind::Jobs | Kind::Job));
}

#[test]
fn a_thousand_spoiled_answers_of_other_kinds_are_read_or_refused() {
    let stage = Stage::new();
    stage.run(1_000, |kind| !matches!(kind, Kind::Jobs | Kind::Job));
}

/// The case by which a silent wrong reading would show first.
#[tokio::test]
async fn a_priority_that_is_no_number_is_absent_and_never_zero() {
    for wrong in [
        json!("abc"),
        json!(-1),
        json!(256),
        json!(3.5),
        json!([0]),
        json!({}),
        json!(""),
    ] {
        let mut job: Value = serde_json::from_str(include_str!("data/job.json")).unwrap();
        job["priority"] = wrong.clone();
        let fixture = Fixture::always(Reply::json(&job.to_string())).await;
        let read = fixture.client().job(&JobId::parse("a").unwrap()).await;
        assert_eq!(read.unwrap().unwrap().priority, None, "{wrong}");
    }
}
