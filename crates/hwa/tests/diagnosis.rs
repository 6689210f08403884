//! Diagnoses against the truth: what the simulator did to a run, and what is told of it from outside.
//!
//! Which cause a kind of failure is, is known here alone: neither side knows the other's words.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeZone, Utc};
use resync_hwa::HwaClient;
use resync_kernel::SystemClock;
use resync_simulator::{Control, Outcome, Role, Simulator, Speed};
use resync_tws::model::{EngineName, Job, JobId};
use resync_tws::{
    CacheLimits, CachePolicy, Diagnosis, Engine, Engines, PlanParts, PlanScope, PlanService,
    Snapshot, Verdict,
};
use serde_json::Value;
use tokio_util::task::TaskTracker;

use crate::fixture::config;

/// The cause that each kind of failure is; of several any.
const KINDS: &[(&str, &[&str])] = &[
    ("F01", &["database-deadlock"]),
    ("F02", &["tablespace-full"]),
    ("F03", &["database-sessions"]),
    ("F04", &["database-account-locked"]),
    ("F05", &["file-system-full"]),
    ("F06", &["input-missing"]),
    ("F07", &["input-rejected"]),
    ("F08", &["connection-refused"]),
    ("F09", &["host-key-changed"]),
    ("F10", &["certificate-expired"]),
    ("F11", &["http-unavailable"]),
    ("F12", &["out-of-memory"]),
    ("F13", &["java-heap"]),
    ("F14", &["segmentation-fault"]),
    ("F15", &["script-not-found"]),
    ("F16", &["not-executable"]),
    ("F17", &["login-unknown"]),
    ("F18", &["agent-no-answer"]),
    ("F19", &["balance-difference"]),
    ("F20", &["duplicate-key"]),
    ("F21", &["sap-job-cancelled"]),
    ("F22", &["tape-media"]),
    ("F23", &["mapped-return-code", "ended-with-warnings"]),
    ("F24", &["waits-for-lock"]),
    ("F25", &["killed"]),
    ("F26", &["logon-right"]),
    ("F27", &["variable-not-set"]),
    ("F28", &["already-running"]),
    ("F29", &["data-exception"]),
    // Its one honest line: all rows were rejected.
    ("F30", &["input-rejected"]),
];

/// How a log may look; most are plain.
const STYLES: &[&str] = &[
    "plain", "plain", "latin1", "plain", "crlf", "ansi", "plain", "secrets", "short", "steering",
    "plain", "unended",
];

/// An engine whose plan has just begun.
struct Night {
    /// Stops when it is dropped.
    _simulator: Simulator,
    control: Control,
    plan: PlanService,
}

impl Night {
    async fn begin(seed: u64) -> Self {
        let simulator = Simulator::builder()
            .seed(seed)
            .jobs(2_000)
            .speed(Speed::Frozen)
            .start_time(Utc.with_ymd_and_hms(2026, 3, 2, 15, 1, 0).unwrap())
            .user("operator", "secret", Role::Operator)
            .start()
            .await
            .unwrap();
        let client = Arc::new(HwaClient::new(config(&simulator.base_url())).unwrap());
        let engine = Engine::of(EngineName::parse("sim").unwrap(), client);
        let plan = PlanService::new(PlanParts {
            engines: Engines::new(vec![engine]).unwrap(),
            clock: Arc::new(SystemClock::new()),
            tracker: TaskTracker::new(),
            policy: CachePolicy::default(),
            limits: CacheLimits {
                max_entries: 100_000,
                max_bytes: 256 << 20,
            },
        });
        Self {
            control: simulator.control(),
            _simulator: simulator,
            plan,
        }
    }

    /// Forces a failure of each kind in turn on the first jobs of streams, `each` of a kind.
    async fn script(&self, seed: u64, each: usize) {
        let before = self.snapshot().await;
        let mut free: Vec<&Job> = before.jobs.iter().map(|job| &**job).collect();
        free.retain(|job| {
            let plain = job.dependencies.is_empty() && !job.every && !job.requires_confirmation;
            plain && job.runs.iter().all(|run| run.started_at.is_none()) && job.recovery.is_none()
        });
        // Another order with each seed; the ids are spread like a hash.
        free.sort_by_key(|job| {
            let id = job.id.as_str().as_bytes();
            id.iter()
                .fold(seed, |sum, byte| sum.wrapping_mul(31) ^ u64::from(*byte))
        });
        let kinds = KINDS.iter().cycle().take(KINDS.len() * each);
        for (at, (job, (kind, _))) in free.iter().zip(kinds).enumerate() {
            let outcome =
                Outcome::fails(kind).logging(STYLES[(at + at / KINDS.len()) % STYLES.len()]);
            self.control.script(job.id.as_str(), outcome).await;
        }
    }

    /// Compares the diagnosis of every failure that the engine tells of, and was not seen yet, with its truth.
    async fn judge(
        &self,
        seed: u64,
        judged: &mut HashSet<String>,
        rows: &mut BTreeMap<String, Row>,
        false_certainty: &mut Vec<String>,
    ) {
        let truth = self.control.truth().await;
        let failures = truth["failures"].as_array().unwrap();
        let odd = truth["odd"].as_array().unwrap();
        for made in failures.iter().chain(odd) {
            let id = text(made, "jobId");
            let found = self.diagnosis(id).await;
            // Nobody outside can know yet that a run will take long.
            let shows = text(made, "status") != "EXEC" || takes_long(&found.job);
            // The agent that holds the log is lost for some hours; then it is looked at again.
            let unread = found
                .missing
                .iter()
                .any(|text| text.en.contains("could not be read"));
            if unread {
                let mapped = text(made, "status") == "SUCC";
                assert!(
                    mapped || found.verdict != Verdict::Confirmed,
                    "certain of {} without a log",
                    found.job.label()
                );
            }
            if !shows || unread || !judged.insert(id.to_owned()) {
                continue;
            }
            // A killed run has no kind.
            let kind = made["kind"].as_str().unwrap_or("F25").to_owned();
            let known = KINDS.iter().find(|(code, _)| *code == kind);
            let wanted = match known {
                // Its mapping counts the code as success.
                _ if text(made, "status") == "SUCC" => &["mapped-return-code"],
                Some((_, wanted)) => *wanted,
                None => &[],
            };
            let code = found.cause.as_ref().map_or("-", |cause| &*cause.code);
            let row = rows.entry(kind).or_default();
            row.seen += 1;
            row.confirmed += usize::from(found.verdict == Verdict::Confirmed);
            if wanted.contains(&code) {
                row.right += 1;
                continue;
            }
            let line = format!("{seed} {} {code} {:?}", text(made, "job"), found.verdict);
            if found.verdict == Verdict::Confirmed {
                false_certainty.push(line.clone());
            }
            row.wrong.push(line);
        }
    }

    /// Lets time pass; what was read before is not asked for again.
    async fn advance(&self, hours: u64) {
        self.control.advance(Duration::from_hours(hours)).await;
        self.plan.invalidate(&PlanScope::default()).await;
    }

    async fn snapshot(&self) -> Arc<Snapshot> {
        self.plan.snapshot(None).await.unwrap().value
    }

    async fn diagnosis(&self, id: &str) -> Arc<Diagnosis> {
        let id = JobId::parse(id).unwrap();
        self.plan.diagnosis(None, &id).await.unwrap().value
    }
}

/// Of one kind: how many, how many right, what else was named.
#[derive(Default)]
struct Row {
    seen: usize,
    right: usize,
    confirmed: usize,
    wrong: Vec<String>,
}

fn table(rows: &BTreeMap<String, Row>) -> String {
    let mut text = String::from("kind   seen right confirmed  wrong\n");
    for (kind, row) in rows {
        let (seen, right, sure) = (row.seen, row.right, row.confirmed);
        writeln!(
            text,
            "{kind:6} {seen:4} {right:5} {sure:9}  {}",
            row.wrong.join("; ")
        )
        .unwrap();
    }
    text
}

/// Whether a run takes more than twice as long as it should, as an operator would see it.
fn takes_long(job: &Job) -> bool {
    let elapsed = job.latest_run().and_then(|run| run.elapsed_seconds);
    let twice = job.estimated_seconds.map(|usual| 2 * usual);
    job.long_running || elapsed > twice && twice.is_some()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("-")
}

/// Over two hundred failures of every kind, of chance, of incidents and of the scripted night: the cause is
/// right in 95 of 100, and what is called confirmed is never wrong.
#[tokio::test]
async fn causes_are_those_that_the_engine_made() {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let mut false_certainty = Vec::new();
    for seed in [7, 42, 1001, 90_210] {
        let night = Night::begin(seed).await;
        night.script(seed, 3).await;
        let mut judged = HashSet::new();
        for hours in [1, 2, 3, 4, 4] {
            night.advance(hours).await;
            night
                .judge(seed, &mut judged, &mut rows, &mut false_certainty)
                .await;
        }
    }
    let (seen, right) = rows.values().fold((0, 0), |(seen, right), row| {
        (seen + row.seen, right + row.right)
    });
    let told = format!("{right} of {seen} right\n{}", table(&rows));
    println!("{told}");
    for (kind, _) in KINDS {
        assert!(rows.contains_key(*kind), "no failure of {kind}\n{told}");
    }
    assert!(seen >= 200, "{told}");
    assert!(
        false_certainty.is_empty(),
        "confirmed and wrong: {false_certainty:?}\n{told}"
    );
    assert!(right * 100 >= seen * 95, "{told}");
}

/// A job that waits for a failed one is its victim: the failed one is named, however far it is away.
#[tokio::test]
async fn a_victim_names_a_root_that_the_engine_knows() {
    let night = Night::begin(42).await;
    night.script(42, 1).await;
    night.advance(9).await;
    let truth = night.control.truth().await;
    let plan = night.snapshot().await;
    let failures = truth["failures"].as_array().unwrap();
    let failed: Vec<&str> = failures.iter().map(|made| text(made, "jobId")).collect();
    let mut looked_at = 0;
    for made in failures {
        let root = JobId::parse(text(made, "jobId")).unwrap();
        let victims = plan.victims(&root);
        let known = made["victims"].as_array().unwrap();
        for victim in &victims {
            let name = victim.stream.name.as_deref().unwrap_or_default();
            let end = format!("{name}.{}", victim.name);
            let is_known = known
                .iter()
                .any(|path| path.as_str().unwrap().ends_with(&end));
            assert!(is_known, "{} does not wait for {root}", victim.label());
        }
        // The nearest, the farthest and one between.
        let chosen = [0, victims.len() / 2, victims.len().saturating_sub(1)];
        for victim in chosen.iter().filter_map(|&at| victims.get(at)) {
            let found = night.diagnosis(victim.id.as_str()).await;
            let code = found.cause.as_ref().map(|cause| &*cause.code);
            if victim.priority == Some(0) || code == Some("waiting-for-prompt") {
                continue;
            }
            assert_eq!(code, Some("blocked-by-failure"), "{}", victim.label());
            assert_eq!(found.verdict, Verdict::Confirmed);
            let known = |id: &JobId| failed.contains(&id.as_str());
            assert!(
                found.roots.iter().all(|root| known(&root.job_id)),
                "{:?}",
                found.roots
            );
            let first = &found.roots[0];
            assert!(first.verdict != Verdict::Unknown, "{first:?}");
            looked_at += 1;
        }
    }
    assert!(looked_at >= 10, "{looked_at} victims");
}

/// The end of a log of 200,000 lines is where its error stands, and it is found without reading the rest.
#[tokio::test]
async fn a_huge_log_is_diagnosed_by_its_end() {
    let night = Night::begin(7).await;
    let before = night.snapshot().await;
    let job = before.jobs_named("HK_TMP").next().or_else(|| {
        before
            .jobs
            .iter()
            .find(|job| job.dependencies.is_empty() && !job.every && job.recovery.is_none())
    });
    let id = job.unwrap().id.clone();
    night
        .control
        .script(id.as_str(), Outcome::fails("F02").logging("huge"))
        .await;
    night.advance(14).await;
    let found = night.diagnosis(id.as_str()).await;
    assert_eq!(found.job.state().as_str(), "ABEND");
    assert_eq!(
        found.cause.as_ref().map(|cause| &*cause.code),
        Some("tablespace-full")
    );
    assert!(
        found.evidence[1].from_line > Some(199_000),
        "{:?}",
        found.evidence[1]
    );
}
