//! The test of a connection: what an administrator wants to know before an engine is taken in.

use std::time::Duration;

use resync_kernel::Clock;
use serde::Serialize;
use tokio::time::timeout;

use crate::engines::Engine;
use crate::model::{Capabilities, JobQuery};
use crate::ports::GatewayError;

/// How long a test may take in all, whatever the client's own timeout is.
const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestReport {
    /// Whether the engine can be used.
    pub ok: bool,
    /// Its version, when it said.
    pub version: Option<String>,
    /// Its time zone, when it said.
    pub timezone: Option<String>,
    /// How long it took to say who it is, in milliseconds.
    pub info_ms: Option<u64>,
    /// How long one row of its jobs took, in milliseconds.
    pub jobs_ms: Option<u64>,
    /// How many jobs its plan has, when it counted.
    pub jobs: Option<u64>,
    /// What its release knows; an engine that does not tell can be used all the same.
    pub capabilities: Option<Capabilities>,
    /// Where it failed and why.
    pub failure: Option<TestFailure>,
}

/// Where a test failed and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestFailure {
    /// The step.
    pub step: TestStep,
    /// Why, for a program.
    pub reason: TestReason,
    /// Why, for a person; no secret.
    pub detail: String,
}

/// The steps of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TestStep {
    /// Who the engine is.
    Info,
    /// One row of its jobs.
    Jobs,
}

/// Why a step failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TestReason {
    /// No connection: name, port, firewall or certificate.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// User, password or key are wrong.
    CredentialsRefused,
    /// They are right, and lack the right to read the plan.
    Forbidden,
    /// It is busy or being switched.
    Busy,
    /// It did not accept the question.
    Rejected,
    /// Its release lacks it: often a wrong path in the address.
    Unsupported,
    /// It answers with something that is not the interface.
    Unreadable,
}

pub(super) fn reason_of(error: &GatewayError) -> TestReason {
    match error {
        GatewayError::Unreachable(_) => TestReason::Unreachable,
        GatewayError::TimedOut(_) => TestReason::TimedOut,
        GatewayError::CredentialsRefused => TestReason::CredentialsRefused,
        GatewayError::Forbidden => TestReason::Forbidden,
        GatewayError::Busy { .. } | GatewayError::CircuitOpen { .. } => TestReason::Busy,
        GatewayError::Rejected(_) => TestReason::Rejected,
        GatewayError::Unsupported => TestReason::Unsupported,
        GatewayError::Unreadable(_) => TestReason::Unreadable,
    }
}

pub(super) async fn run(engine: &Engine, clock: &dyn Clock) -> TestReport {
    let mut report = TestReport {
        ok: false,
        version: None,
        timezone: None,
        info_ms: None,
        jobs_ms: None,
        jobs: None,
        capabilities: None,
        failure: None,
    };
    let mut step = TestStep::Info;
    let steps = steps(engine, clock, &mut report, &mut step);
    let ended = timeout(TEST_TIMEOUT, steps).await;
    let ended = ended.unwrap_or(Err(GatewayError::TimedOut(TEST_TIMEOUT)));
    report.ok = ended.is_ok();
    report.failure = ended.err().map(|error| TestFailure {
        step,
        reason: reason_of(&error),
        detail: error.to_string(),
    });
    report
}

async fn steps(
    engine: &Engine,
    clock: &dyn Clock,
    report: &mut TestReport,
    step: &mut TestStep,
) -> Result<(), GatewayError> {
    let begin = clock.monotonic().millis();
    let info = engine.plan.engine_info().await?;
    let told = clock.monotonic().millis();
    report.info_ms = Some(told.saturating_sub(begin));
    report.version = info.version;
    report.timezone = info.timezone;
    *step = TestStep::Jobs;
    let query = JobQuery {
        limit: 1,
        ..JobQuery::default()
    };
    let page = engine.plan.jobs(&query).await?;
    report.jobs_ms = Some(clock.monotonic().millis().saturating_sub(told));
    report.jobs = page.total;
    report.capabilities = engine.monitor.capabilities().await.ok();
    Ok(())
}
