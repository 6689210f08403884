//! The client in conversation with a server that is held to the vendor's document.
//!
//! ```text
//! prism_session proxy URL     a simulator behind a validating proxy: every answer must be right
//! prism_session mock URL      values made up from the document: every answer is read or refused in type
//! ```
//!
//! URL is a base URL, as in the client's configuration. Exits 0 only if all held.

use std::fmt::{self, Debug};
use std::process::ExitCode;
use std::time::Duration;

use resync_hwa::{Credentials, HwaClient, HwaConfig};
use resync_kernel::{BoxError, SecretString};
use resync_tws::model::{
    Action, Command, ConfirmOutcome, CountBy, Counted, DefinitionQuery, EngineName, Job, JobId,
    JobQuery, JobSort, JobStatus, Justification, LineRange, NamePattern, NeighbourDirection,
    Priority, PromptAnswer, PromptId, ResourceId, RunId, StreamId, Submission, SubmitOptions,
    Target, WorkstationId,
};
use resync_tws::ports::{
    ActionError, ActionGateway, DefinitionGateway, EngineMonitor, GatewayError, LogGateway,
    ObjectGateway, PlanGateway, SubmitGateway,
};

/// What was tried, and how it went.
#[derive(Default)]
struct Report {
    held: u32,
    read: u32,
    broken: Vec<String>,
}

impl Report {
    fn check(&mut self, what: impl fmt::Display, held: bool, saw: &dyn Debug) {
        if held {
            self.held += 1;
            return;
        }
        let saw: String = format!("{saw:?}").chars().take(400).collect();
        println!("broken: {what}: {saw}");
        self.broken.push(what.to_string());
    }

    /// A read that must be answered, and answered rightly.
    fn right<T: Debug>(
        &mut self,
        what: impl fmt::Display,
        answer: Result<T, GatewayError>,
        right: impl FnOnce(&T) -> bool,
    ) -> Option<T> {
        match answer {
            Ok(value) => {
                self.check(what, right(&value), &value);
                Some(value)
            }
            Err(error) => {
                self.check(what, false, &error);
                None
            }
        }
    }

    /// A call that may end in any way that its types allow.
    fn any<T, E: Debug>(&mut self, what: impl fmt::Display, answer: Result<T, E>) {
        self.held += 1;
        match answer {
            Ok(_) => self.read += 1,
            Err(error) => println!("not read: {what}: {error:?}"),
        }
    }
}

fn client(base_url: &str) -> Result<HwaClient, BoxError> {
    let credentials = Credentials::Basic {
        username: "operator".to_owned(),
        password: SecretString::from("secret"),
    };
    let mut config = HwaConfig::new(EngineName::parse("PRISM")?, base_url, credentials);
    // The proxy compiles a validator at the first call of each operation.
    config.timeout = Duration::from_secs(30);
    config.limits.attempt = config.timeout;
    config.limits.retries = 0;
    config.limits.breaker_failures = u32::MAX;
    Ok(HwaClient::new(config)?)
}

fn why() -> Justification {
    Justification {
        reason: "Reinício após correção".to_owned(),
        ticket: Some("INC-1".to_owned()),
        category: "resync".to_owned(),
    }
}

fn queries() -> Result<Vec<JobQuery>, BoxError> {
    let pattern = |text: &str| NamePattern::parse(text).map(Some);
    let base = JobQuery {
        limit: 50,
        ..JobQuery::default()
    };
    Ok(vec![
        base.clone(),
        JobQuery {
            with_dependencies: true,
            limit: 1_000,
            ..base.clone()
        },
        JobQuery {
            status: vec![JobStatus::Abend, JobStatus::Fail],
            sort: JobSort::Name,
            ..base.clone()
        },
        JobQuery {
            status: JobStatus::all().collect(),
            ..base.clone()
        },
        JobQuery {
            status: vec![JobStatus::Undecided, JobStatus::Cancl],
            ..base.clone()
        },
        JobQuery {
            name: pattern("*_?*")?,
            stream: pattern("*")?,
            workstation: pattern("*")?,
            folder: pattern("/*")?,
            sort: JobSort::Priority,
            ..base.clone()
        },
        JobQuery {
            offset: 1_000_000,
            ..base
        },
    ])
}

/// The first job of the plan that shows as `status` and meets `more`.
fn find<'a>(jobs: &'a [Job], status: &JobStatus, more: impl Fn(&Job) -> bool) -> Option<&'a Job> {
    jobs.iter().find(|job| job.state() == *status && more(job))
}

async fn reads(client: &HwaClient, report: &mut Report) -> Result<Vec<Job>, BoxError> {
    report.right("engine info", client.engine_info().await, |info| {
        info.version.is_some() && info.timezone.is_some()
    });
    for query in queries()? {
        let wanted = query.status.clone();
        report.right(
            format!("jobs {query:?}"),
            client.jobs(&query).await,
            |page| {
                page.items
                    .iter()
                    .all(|job| wanted.is_empty() || wanted.contains(&job.state()))
            },
        );
    }
    let all = JobQuery {
        limit: 1_000,
        ..JobQuery::default()
    };
    let jobs = report
        .right("the whole plan", client.jobs(&all).await, |page| {
            page.items.len() >= 100 && page.total == u64::try_from(page.items.len()).ok()
        })
        .map_or_else(Vec::new, |page| page.items);
    report.right("streams", client.streams(0, 50).await, |page| {
        !page.items.is_empty()
    });
    report.right("workstations", client.workstations().await, |all| {
        !all.is_empty()
    });
    for job in jobs.iter().step_by(5) {
        report.right(
            format!("job {}", job.label()),
            client.job(&job.id).await,
            |one| one.as_ref().is_some_and(|one| one.state() == job.state()),
        );
        for direction in [
            NeighbourDirection::Predecessors,
            NeighbourDirection::Successors,
        ] {
            let around = client.neighbours(&job.id, direction, 10).await;
            report.right(
                format!("{direction:?} of {}", job.label()),
                around,
                Option::is_some,
            );
        }
    }
    for status in [JobStatus::Succ, JobStatus::Abend, JobStatus::Exec] {
        let run = find(&jobs, &status, |job| job.latest_run().is_some());
        if let Some(run) = run.and_then(Job::latest_run) {
            let log = client.job_log(&run.id, LineRange::clamped(1, 5)).await;
            report.right(format!("a log of {status}"), log, |log| {
                log.as_ref().is_some_and(|log| !log.lines.is_empty())
            });
        }
    }
    let nobody = JobId::parse("00000000-0000-3000-8000-00000000beef")?;
    report.right("a missing job", client.job(&nobody).await, Option::is_none);
    let run = RunId::parse(nobody.as_str())?;
    let log = client.job_log(&run, LineRange::clamped(1, 5)).await;
    report.right("a missing log", log, Option::is_none);
    Ok(jobs)
}

/// Each kind of action: on a job whose state allows it, and refused on one whose state does not.
async fn actions(client: &HwaClient, jobs: &[Job], report: &mut Report) -> Result<(), BoxError> {
    let priority = Action::Priority {
        priority: Priority::new(50)?,
    };
    let confirm = |status| Action::Confirm { status };
    // Each on a job of its own: the plan stands still, but an accepted action changes its job.
    let mut waiting = jobs
        .iter()
        .filter(|job| job.state() == JobStatus::Hold && job.priority.is_some_and(|p| p > 0));
    let mut running = jobs.iter().filter(|job| job.state() == JobStatus::Exec);
    let mut failed = jobs.iter().filter(|job| job.state() == JobStatus::Abend);
    let ended = find(jobs, &JobStatus::Succ, |job| job.latest_run().is_some());
    for (action, job) in [
        (Action::Hold, waiting.next()),
        (priority, waiting.next()),
        (Action::Cancel, waiting.next()),
        (Action::Kill, running.next()),
        (confirm(ConfirmOutcome::Abend), running.next()),
        (confirm(ConfirmOutcome::Succ), failed.next()),
        (Action::RERUN, failed.next()),
    ] {
        let Some(job) = job else {
            report.check(format!("a job to {action:?}"), false, &"none in the plan");
            continue;
        };
        let end = client.act(&on(job, action), &why()).await;
        report.check(
            format!("{action:?} of {}", job.label()),
            end == Ok(()),
            &end,
        );
    }
    for action in [
        Action::Hold,
        Action::Release,
        Action::Cancel,
        Action::Kill,
        confirm(ConfirmOutcome::Succ),
        priority,
    ] {
        let Some(job) = ended else {
            report.check("an ended job", false, &"none in the plan");
            break;
        };
        let end = client.act(&on(job, action), &why()).await;
        let refused = matches!(end, Err(ActionError::Refused(_)));
        report.check(
            format!("{action:?} of an ended job is refused"),
            refused,
            &end,
        );
    }
    let nobody = Command {
        target: JobId::parse("00000000-0000-3000-8000-00000000beef")?.into(),
        run: None,
        action: Action::Kill,
    };
    let end = client.act(&nobody, &why()).await;
    report.check(
        "kill of nobody",
        end == Err(ActionError::UnknownTarget),
        &end,
    );
    Ok(())
}

fn on(job: &Job, action: Action) -> Command {
    Command {
        target: job.id.clone().into(),
        run: job.latest_run().map(|run| run.id.clone()),
        action,
    }
}

/// What is in the plan beside jobs, definitions, discovery; then a write of each kind.
async fn objects(client: &HwaClient, report: &mut Report) -> Result<(), BoxError> {
    let some = DefinitionQuery {
        limit: 20,
        ..DefinitionQuery::default()
    };
    for what in [Counted::Jobs, Counted::Streams] {
        for by in [None, Some(CountBy::Status), Some(CountBy::Workstation)] {
            let counts = client.count(what, by).await;
            report.right("a count", counts, |counts| counts.total > 0);
        }
    }
    report.right("prompts", client.prompts().await, |all| {
        !all.items.is_empty()
    });
    report.right("capabilities", client.capabilities().await, |known| {
        !known.objects.is_empty()
    });
    let jobs = client.job_definitions(&some).await;
    report.right("job definitions", jobs, |page| !page.items.is_empty());
    let defined = client.stream_definitions(&some).await;
    let defined = report.right("stream definitions", defined, |page| !page.items.is_empty());
    let mut writes = Vec::new();
    if let Some(resource) = report
        .right("resources", client.resources().await, |all| !all.is_empty())
        .and_then(|all| all.into_iter().next())
    {
        let one = client.resource(&resource.id).await;
        report.right("a resource", one, Option::is_some);
        writes.push((
            Target::Resource(resource.id),
            Action::Quantity { quantity: 9 },
        ));
    }
    if let Some(stream) = client.streams(0, 1).await?.items.into_iter().next() {
        let one = client.stream(&stream.id).await;
        report.right("a stream", one, Option::is_some);
    }
    for station in client.workstations().await?.into_iter().take(1) {
        let one = client.workstation(&station.id).await;
        report.right("a workstation", one, Option::is_some);
        let fence = Priority::new(0)?;
        for action in [
            Action::Limit { limit: 50 },
            Action::Fence { fence },
            Action::Link,
        ] {
            writes.push((Target::Workstation(station.id.clone()), action));
        }
    }
    for (target, action) in writes {
        let command = Command {
            target,
            run: None,
            action,
        };
        let end = client.act(&command, &why()).await;
        report.check(format!("{action:?}"), end == Ok(()), &end);
    }
    if let Some(definition) = defined.and_then(|page| page.items.into_iter().next()) {
        let submission = Submission::Stream {
            definition: definition.id,
            options: SubmitOptions::default(),
        };
        let end = client.submit(&submission, &why()).await;
        report.check("a submission", end.is_ok(), &end);
    }
    Ok(())
}

async fn objects_of_mock(client: &HwaClient, report: &mut Report) -> Result<(), BoxError> {
    let id = "a788f98b-7064-3c3b-98b1-e20e97a076dc";
    let (stream, station) = (StreamId::parse(id)?, WorkstationId::parse(id)?);
    let (resource, prompt) = (ResourceId::parse(id)?, PromptId::parse(id)?);
    let some = DefinitionQuery {
        limit: 20,
        ..DefinitionQuery::default()
    };
    report.any("stream", client.stream(&stream).await);
    report.any("workstation", client.workstation(&station).await);
    report.any("resources", client.resources().await);
    report.any("resource", client.resource(&resource).await);
    report.any(
        "count",
        client.count(Counted::Jobs, Some(CountBy::Status)).await,
    );
    report.any("stream definitions", client.stream_definitions(&some).await);
    report.any("job definitions", client.job_definitions(&some).await);
    report.any("capabilities", client.capabilities().await);
    let answer = PromptAnswer::Yes;
    for (target, action) in [
        (Target::Stream(stream.clone()), Action::Hold),
        (Target::Stream(stream), Action::ReleaseDependencies),
        (Target::Workstation(station.clone()), Action::Link),
        (Target::Workstation(station.clone()), Action::Stop),
        (Target::Workstation(station), Action::Limit { limit: 3 }),
        (Target::Resource(resource), Action::Quantity { quantity: 3 }),
        (Target::Prompt(prompt), Action::Reply { answer }),
    ] {
        let command = Command {
            target,
            run: None,
            action,
        };
        report.any(format!("{action:?}"), client.act(&command, &why()).await);
    }
    Ok(())
}

async fn against_mock(client: &HwaClient, report: &mut Report) -> Result<(), BoxError> {
    report.any("engine info", client.engine_info().await);
    for query in queries()? {
        report.any("jobs", client.jobs(&query).await);
    }
    report.any("streams", client.streams(0, 50).await);
    report.any("workstations", client.workstations().await);
    let id = "a788f98b-7064-3c3b-98b1-e20e97a076dc";
    let (job, run) = (JobId::parse(id)?, RunId::parse(id)?);
    report.any("job", client.job(&job).await);
    for direction in [
        NeighbourDirection::Predecessors,
        NeighbourDirection::Successors,
    ] {
        report.any("neighbours", client.neighbours(&job, direction, 3).await);
    }
    let log = client.job_log(&run, LineRange::clamped(1, 5)).await;
    report.any("log", log);
    for action in [
        Action::RERUN,
        Action::Hold,
        Action::Release,
        Action::Cancel,
        Action::Kill,
        Action::Confirm {
            status: ConfirmOutcome::Succ,
        },
        Action::Confirm {
            status: ConfirmOutcome::Abend,
        },
        Action::Priority {
            priority: Priority::new(0)?,
        },
    ] {
        let command = Command {
            target: job.clone().into(),
            run: Some(run.clone()),
            action,
        };
        report.any(format!("{action:?}"), client.act(&command, &why()).await);
    }
    Ok(())
}

async fn session(kind: &str, url: &str) -> Result<Report, BoxError> {
    let client = client(url)?;
    let mut report = Report::default();
    match kind {
        "proxy" => {
            let jobs = reads(&client, &mut report).await?;
            actions(&client, &jobs, &mut report).await?;
            objects(&client, &mut report).await?;
        }
        "mock" => {
            against_mock(&client, &mut report).await?;
            objects_of_mock(&client, &mut report).await?;
            let most = report.read * 2 > report.held;
            let (read, held) = (report.read, report.held);
            report.check(format!("most are read ({read} of {held})"), most, &read);
        }
        _ => return Err("the first argument is proxy or mock".into()),
    }
    Ok(report)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, url] = arguments.as_slice() else {
        println!("usage: prism_session proxy|mock URL");
        return ExitCode::from(2);
    };
    match session(kind, url).await {
        Ok(report) => {
            let broken = report.broken.len();
            println!("{kind}: {} held, {broken} broken", report.held);
            ExitCode::from(u8::from(broken > 0))
        }
        Err(error) => {
            println!("{kind}: {error}");
            ExitCode::FAILURE
        }
    }
}
