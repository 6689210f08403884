//! F3: each way in which an engine can misbehave, against each address that reads the plan.
//!
//! Cold, an answer comes in time: the data when the engine is only slow or odd, else a problem with a
//! code of its own, and never a 500. Warm, what was known is still told, and marked as stale. After it
//! all no task is left.

use std::time::Duration;

use futures_util::future::join_all;
use resync_simulator::{Effect, ErrorBody, RetryAfter, Rule};
use serde_json::Value;

use crate::harness::{Options, Resync, Session};

/// Longer than the engine's timeout of two seconds, with all that stands around it.
const DEADLINE: Duration = Duration::from_secs(12);

/// Whether the data can still be read under a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Data {
    /// The engine answers wrongly or not at all.
    Gone,
    /// It is slow or odd, and what it says can be read.
    Readable,
}

fn status(code: u16, body: ErrorBody) -> Effect {
    Effect::Status {
        code,
        retry_after: None,
        body,
    }
}

fn faults() -> Vec<(Effect, Data)> {
    use Data::{Gone, Readable};
    let mut all = vec![
        (
            Effect::Latency {
                ms: 30,
                up_to_ms: None,
            },
            Readable,
        ),
        (
            Effect::LatencyCurve {
                median_ms: 5,
                p99_ms: 40,
            },
            Readable,
        ),
        (Effect::CloseKeepAlive, Readable),
        (Effect::Bom, Readable),
        (Effect::WrongCount { off_by: 3 }, Readable),
        (
            Effect::ForeignNext {
                url: "http://127.0.0.1:1/plan".to_owned(),
            },
            Readable,
        ),
        (Effect::Trickle, Gone),
        (Effect::Never, Gone),
        (Effect::Close, Gone),
        (Effect::Refuse, Gone),
        (Effect::AcceptClose, Gone),
        (Effect::ResetAfterHeaders, Gone),
        (Effect::ResetAfter { bytes: 40 }, Gone),
        (Effect::HalfOpen { bytes: 40 }, Gone),
        (Effect::MalformedJson, Gone),
        (Effect::Cut { bytes: 40 }, Gone),
        (Effect::Html, Gone),
        (Effect::InvalidUtf8, Gone),
        (Effect::Filler { bytes: 40 << 20 }, Gone),
        (
            Effect::Status {
                code: 429,
                retry_after: Some(RetryAfter::Seconds(1)),
                body: ErrorBody::ProxyHtml,
            },
            Gone,
        ),
        (
            Effect::Status {
                code: 503,
                retry_after: Some(RetryAfter::Text("soon".to_owned())),
                body: ErrorBody::LibertyHtml,
            },
            Gone,
        ),
    ];
    for body in [
        ErrorBody::None,
        ErrorBody::VendorJson,
        ErrorBody::MessageJson,
        ErrorBody::ArrayJson,
        ErrorBody::Problem,
        ErrorBody::LibertyHtml,
        ErrorBody::ProxyHtml,
        ErrorBody::Text,
        ErrorBody::TruncatedJson,
    ] {
        all.push((status(500, body), Gone));
    }
    for code in [301, 400, 401, 403, 405, 409, 412, 422, 423, 502, 504] {
        all.push((status(code, ErrorBody::VendorJson), Gone));
    }
    all
}

/// Every address that reads the plan; `{id}` and `{name}` are filled in.
fn addresses(job: &str, stream: &str, workstation: &str) -> Vec<String> {
    let rows = resync_api::routes::table();
    let reads = rows.iter().filter(|row| {
        row.method == "GET"
            && row.path.starts_with("/api/v1/tws/")
            // It tells how the engines are, whatever they are.
            && row.path != "/api/v1/tws/engines"
    });
    reads
        .map(|row| {
            let id = if row.path.contains("job-streams") {
                stream
            } else {
                job
            };
            let path = row.path.replace("{id}", id);
            path.replace("{name}", workstation)
        })
        .collect()
}

async fn names(session: &Session) -> (String, String, String) {
    let first = async |list: &str, field: &str| {
        let (_, page) = session.get(list).await;
        page["items"][0][field].as_str().unwrap().to_owned()
    };
    (
        first("/api/v1/tws/jobs?status=SUCC&limit=1", "id").await,
        first("/api/v1/tws/job-streams?limit=1", "id").await,
        first("/api/v1/tws/workstations", "name").await,
    )
}

async fn ask_all(session: &Session, addresses: &[String]) -> Vec<(String, u16, Value)> {
    let asked = addresses.iter().map(|address| async move {
        let answer = tokio::time::timeout(DEADLINE, session.get(address)).await;
        let (status, body) = answer.unwrap_or_else(|_| panic!("{address} took too long"));
        (address.clone(), status, body)
    });
    join_all(asked).await
}

/// A server of its own, small and impatient.
async fn impatient() -> Resync {
    Resync::start(Options {
        jobs: 100,
        adjust: |config| {
            config.cache.job_status_fresh_seconds = 0;
            config.cache.job_status_stale_seconds = 3600;
            config.cache.job_logs_fresh_seconds = 0;
            config.cache.job_logs_stale_seconds = 3600;
            config.cache.graph_fresh_seconds = 0;
            config.cache.graph_stale_seconds = 3600;
            config.cache.static_fresh_seconds = 0;
            config.cache.static_stale_seconds = 3600;
            config.cache.default_fresh_seconds = 0;
            config.cache.default_stale_seconds = 3600;
        },
        ..Options::default()
    })
    .await
}

fn is_told(effect: &Effect, data: Data, address: &str, status: u16, body: &Value) {
    let case = format!("{effect:?} at {address}: {status} {body}");
    if status == 200 {
        assert_eq!(data, Data::Readable, "{case}");
        assert!(body["meta"]["fetched_at"].is_string(), "{case}");
        return;
    }
    assert!(matches!(status, 502..=504), "{case}");
    let code = body["code"].as_str().unwrap_or("");
    assert!(code.starts_with("upstream-"), "{case}");
    assert!(body["request_id"].is_string(), "{case}");
    assert_eq!(data, Data::Gone, "{case}");
}

async fn cold(effects: Vec<(Effect, Data)>) {
    for (effect, data) in effects {
        let resync = impatient().await;
        let session = resync.sign_in("vera").await;
        let (job, stream, workstation) = names(&session).await;
        resync
            .app
            .plan
            .invalidate(&resync_tws::PlanScope::default())
            .await;
        resync.engine.add_fault(Rule::new(effect.clone())).await;
        let addresses = addresses(&job, &stream, &workstation);
        assert!(addresses.len() > 15, "{addresses:?}");
        for (address, status, body) in ask_all(&session, &addresses).await {
            is_told(&effect, data, &address, status, &body);
        }
        resync.stop().await;
        assert!(resync.app.tracker.is_empty(), "{effect:?} left a task");
    }
}

/// The faults in four parts, so that they run beside each other.
fn part(number: usize) -> Vec<(Effect, Data)> {
    faults().into_iter().skip(number).step_by(4).collect()
}

#[tokio::test]
async fn every_fault_is_told_by_every_address_1_of_4() {
    cold(part(0)).await;
}

#[tokio::test]
async fn every_fault_is_told_by_every_address_2_of_4() {
    cold(part(1)).await;
}

#[tokio::test]
async fn every_fault_is_told_by_every_address_3_of_4() {
    cold(part(2)).await;
}

#[tokio::test]
async fn every_fault_is_told_by_every_address_4_of_4() {
    cold(part(3)).await;
}

/// C2, F3: what was read before goes on being told.
#[tokio::test]
async fn what_was_known_is_still_told_under_every_fault_and_marked_as_stale() {
    let resync = impatient().await;
    let session = resync.sign_in("vera").await;
    let (job, stream, workstation) = names(&session).await;
    let addresses = addresses(&job, &stream, &workstation);
    for (address, status, body) in ask_all(&session, &addresses).await {
        assert_eq!(status, 200, "{address}: {body}");
    }
    for (effect, data) in faults() {
        if data == Data::Readable {
            continue;
        }
        resync.engine.clear_faults().await;
        resync.engine.add_fault(Rule::new(effect.clone())).await;
        for (address, status, body) in ask_all(&session, &addresses).await {
            assert_eq!(status, 200, "{effect:?} at {address}: {body}");
            assert_eq!(body["meta"]["stale"], true, "{effect:?} at {address}");
        }
    }
    resync.stop().await;
    assert!(resync.app.tracker.is_empty());
}
