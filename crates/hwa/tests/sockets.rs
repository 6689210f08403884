//! The simulator's faults on a real socket: each ends in time, with its error, and leaves nothing.

use std::time::{Duration, Instant};

use resync_hwa::{Credentials, HwaClient, HwaConfig};
use resync_kernel::SecretString;
use resync_simulator::{Builder, Effect, ErrorBody, RetryAfter, Role, Rule, Simulator, Speed};
use resync_tws::model::{EngineName, JobQuery, Slice};
use resync_tws::ports::{GatewayError, PlanGateway as _};
use tokio::runtime::Handle;

const LIMIT: Duration = Duration::from_millis(400);

fn builder() -> Builder {
    Simulator::builder()
        .seed(42)
        .jobs(100)
        .speed(Speed::Frozen)
        .user("operator", "secret", Role::Operator)
}

fn config(simulator: &Simulator) -> HwaConfig {
    let credentials = Credentials::Basic {
        username: "operator".to_owned(),
        password: SecretString::from("secret"),
    };
    let engine = EngineName::parse("SIM").unwrap();
    let mut config = HwaConfig::new(engine, simulator.base_url(), credentials);
    config.timeout = LIMIT;
    config.limits.retries = 0;
    config
}

fn status(code: u16, body: ErrorBody) -> Effect {
    let retry_after = Some(RetryAfter::Text("soon".to_owned()));
    Effect::Status {
        code,
        retry_after,
        body,
    }
}

/// What a read may end in.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Read,
    TimedOut,
    Unreachable,
    Unreadable,
    /// A reset may overtake the head of the answer.
    Broken,
    Busy,
    Refused,
    Forbidden,
    Rejected,
    Unsupported,
}

impl End {
    fn is(self, end: &Result<Slice<resync_tws::model::Job>, GatewayError>) -> bool {
        match (self, end) {
            (Self::Read, Ok(page)) => page.items.len() == 10,
            (Self::TimedOut, Err(GatewayError::TimedOut(limit))) => *limit == LIMIT,
            (Self::Unreachable | Self::Broken, Err(GatewayError::Unreachable(_)))
            | (Self::Unreadable | Self::Broken, Err(GatewayError::Unreadable(_)))
            | (Self::Busy, Err(GatewayError::Busy { retry_after: None }))
            | (Self::Refused, Err(GatewayError::CredentialsRefused))
            | (Self::Forbidden, Err(GatewayError::Forbidden))
            | (Self::Rejected, Err(GatewayError::Rejected(_)))
            | (Self::Unsupported, Err(GatewayError::Unsupported)) => true,
            _ => false,
        }
    }
}

fn faults() -> Vec<(Effect, End)> {
    let kind = |value: &str| Effect::ContentType {
        value: value.to_owned(),
    };
    vec![
        (
            Effect::Latency {
                ms: 5_000,
                up_to_ms: None,
            },
            End::TimedOut,
        ),
        (Effect::LatencyPerRows { ms: 500_000 }, End::TimedOut),
        (
            Effect::SlowChunks {
                bytes: 64,
                ms: 1_000,
            },
            End::TimedOut,
        ),
        (Effect::Trickle, End::TimedOut),
        (Effect::Never, End::TimedOut),
        (Effect::HalfOpen { bytes: 0 }, End::TimedOut),
        (Effect::HalfOpen { bytes: 40 }, End::TimedOut),
        (Effect::Close, End::Unreachable),
        (Effect::Refuse, End::Unreachable),
        (Effect::AcceptClose, End::Unreachable),
        (Effect::AfterCommit { code: None }, End::Unreachable),
        (Effect::AfterCommit { code: Some(504) }, End::Unreachable),
        (Effect::ResetAfterHeaders, End::Broken),
        (Effect::ResetAfter { bytes: 40 }, End::Broken),
        (Effect::Cut { bytes: 40 }, End::Broken),
        (Effect::CloseKeepAlive, End::Read),
        (Effect::MalformedJson, End::Unreadable),
        (kind("text/html"), End::Unreadable),
        (kind("text/plain"), End::Read),
        (Effect::ContentLength { off_by: 50 }, End::Broken),
        (Effect::ContentLength { off_by: -50 }, End::Unreadable),
        (Effect::Gzip, End::Unreadable),
        (Effect::Bom, End::Read),
        (Effect::DuplicateKeys, End::Unreadable),
        (Effect::Html, End::Unreadable),
        (Effect::InvalidUtf8, End::Unreadable),
        (Effect::Filler { bytes: 33 << 20 }, End::Unreadable),
        (status(400, ErrorBody::ArrayJson), End::Rejected),
        (status(401, ErrorBody::LibertyHtml), End::Refused),
        (status(403, ErrorBody::None), End::Forbidden),
        (status(404, ErrorBody::Text), End::Unsupported),
        (status(409, ErrorBody::TruncatedJson), End::Rejected),
        (status(422, ErrorBody::Problem), End::Rejected),
        (status(429, ErrorBody::MessageJson), End::Busy),
        (status(500, ErrorBody::VendorJson), End::Unreachable),
        (status(502, ErrorBody::ProxyHtml), End::Unreachable),
        (status(503, ErrorBody::ProxyHtml), End::Busy),
        (status(504, ErrorBody::None), End::Unreachable),
    ]
}

fn ten() -> JobQuery {
    JobQuery {
        limit: 10,
        ..JobQuery::default()
    }
}

/// Lets what was dropped come to its end.
async fn settled(tasks: usize) -> bool {
    for _ in 0..10_000 {
        if Handle::current().metrics().num_alive_tasks() <= tasks {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

/// F3, with every fault that the simulator knows for a list. No task and no connection outlives it:
/// each connection of either side is a task of this runtime.
#[tokio::test]
async fn every_fault_ends_in_time_with_its_error_and_leaves_nothing() {
    let before = Handle::current().metrics().num_alive_tasks();
    for (effect, expected) in faults() {
        let simulator = builder().start().await.unwrap();
        simulator
            .control()
            .add_fault(Rule::new(effect.clone()))
            .await;
        let mut config = config(&simulator);
        // A large body needs its time on a busy machine.
        if matches!(expected, End::Read | End::Unreadable) {
            config.timeout = Duration::from_secs(15);
        }
        let client = HwaClient::new(config).unwrap();
        let started = Instant::now();
        let end = client.jobs(&ten()).await;
        assert!(expected.is(&end), "{effect:?}: {end:?}");
        assert!(started.elapsed() < LIMIT * 10, "{effect:?} took too long");
        let health = client.health();
        assert_eq!((health.in_flight, health.queued), (0, 0), "{effect:?}");
        drop(client);
        simulator.stop().await;
    }
    assert!(settled(before).await, "something is left running");
}

/// One connection serves many calls, one after another, and many at once use no more than there are
/// places.
#[tokio::test]
async fn connections_are_used_again() {
    let simulator = builder().start().await.unwrap();
    let mut config = config(&simulator);
    config.timeout = Duration::from_secs(15);
    let client = HwaClient::new(config).unwrap();
    client.jobs(&ten()).await.unwrap();
    let tasks = Handle::current().metrics().num_alive_tasks();
    for _ in 0..50 {
        client.jobs(&ten()).await.unwrap();
    }
    assert!(Handle::current().metrics().num_alive_tasks() <= tasks + 1);
}

/// Own CA: trusted when it is named, refused when it is not, taken unseen only when said so.
#[tokio::test]
async fn a_certificate_is_trusted_by_its_ca_or_by_order_alone() {
    let simulator = builder().tls().start().await.unwrap();
    let pem = simulator.ca_pem().unwrap().as_bytes().to_vec();
    let mut trusting = config(&simulator);
    trusting.timeout = Duration::from_secs(15);
    trusting.ca_pem = Some(pem);
    let client = HwaClient::new(trusting.clone()).unwrap();
    assert_eq!(client.jobs(&ten()).await.unwrap().items.len(), 10);
    let mut stranger = trusting.clone();
    stranger.ca_pem = None;
    let client = HwaClient::new(stranger.clone()).unwrap();
    assert_eq!(
        client.jobs(&ten()).await,
        Err(GatewayError::Unreachable(
            "its certificate is not trusted".into()
        ))
    );
    stranger.insecure_tls = true;
    let client = HwaClient::new(stranger).unwrap();
    assert_eq!(client.jobs(&ten()).await.unwrap().items.len(), 10);
}

/// The lock of an account is not brought about by asking again: one call, one try.
#[tokio::test]
async fn wrong_credentials_are_tried_once_a_call() {
    let simulator = builder().start().await.unwrap();
    let mut config = config(&simulator);
    config.limits.retries = 2;
    config.credentials = Credentials::Basic {
        username: "operator".to_owned(),
        password: SecretString::from("wrong"),
    };
    let client = HwaClient::new(config).unwrap();
    assert_eq!(
        client.jobs(&ten()).await,
        Err(GatewayError::CredentialsRefused)
    );
    assert_eq!(simulator.control().requests().await.len(), 1);
    assert!(client.health().credentials_refused);
}
