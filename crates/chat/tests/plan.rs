//! A small plan to ask about.

use chrono::{DateTime, TimeDelta, Utc};
use resync_chat::Vocabulary;
use resync_tws::model::{
    Dependency, DependencyKind, EngineName, Job, JobId, JobStatus, LinkState, Run, RunId,
    StreamRef, Workstation, WorkstationId,
};
use resync_tws::ports::{EndedRun, JobIdentity};

/// 2026-03-02T00:00:00Z, where the manual clock starts.
pub(crate) fn midnight() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_409_600, 0).unwrap()
}

pub(crate) fn job(workstation: &str, stream: &str, name: &str, status: JobStatus) -> Job {
    let id = JobId::parse(&format!("id-{stream}-{name}")).unwrap();
    Job {
        folder: Some("/".to_owned()),
        workstation: Some(workstation.to_owned()),
        stream: StreamRef {
            id: None,
            name: Some(stream.to_owned()),
            workstation: Some(workstation.to_owned()),
        },
        priority: Some(10),
        scheduled_at: Some(midnight() - TimeDelta::hours(3)),
        estimated_seconds: Some(600),
        ..Job::bare(id, name, status)
    }
}

pub(crate) fn run(job: &str, status: JobStatus, return_code: Option<i32>) -> Run {
    let ended = midnight() - TimeDelta::minutes(47);
    Run {
        id: RunId::parse(&format!("run-{job}")).unwrap(),
        number: Some(48_213),
        workstation: Some("LX_PRD01".to_owned()),
        status,
        return_code,
        submitted_at: Some(ended - TimeDelta::minutes(12)),
        started_at: Some(ended - TimeDelta::minutes(12)),
        ended_at: return_code.map(|_| ended),
        elapsed_seconds: Some(720),
        kind: Some("REGULAR".to_owned()),
        last_in_chain: true,
    }
}

/// What was seen to end in the days before: nine good runs of one job, and one that failed; two of
/// another.
pub(crate) fn past_runs() -> Vec<EndedRun> {
    let engine = EngineName::parse("prod").unwrap();
    let jobs = jobs();
    let ended = |name: &str, day: i64, minutes: i64, good: bool| {
        let job = jobs.iter().find(|job| job.name == name).unwrap();
        let ended_at = midnight() - TimeDelta::days(day);
        EndedRun {
            job: JobIdentity::of(&engine, job),
            run: RunId::parse(&format!("past-{name}-{day}")).unwrap(),
            status: if good { "SUCC" } else { "ABEND" }.to_owned(),
            good,
            return_code: Some(if good { 0 } else { 12 }),
            started_at: Some(ended_at - TimeDelta::minutes(minutes)),
            ended_at,
            seconds: u64::try_from(minutes * 60).ok(),
        }
    };
    let mut runs: Vec<EndedRun> = (1..=9)
        .map(|day| ended("RUNNING", day, 5 + day % 3, true))
        .collect();
    runs.push(ended("RUNNING", 10, 2, false));
    runs.extend((1..=2).map(|day| ended("REPORT", day, 10, true)));
    runs
}

fn after(job: &Job) -> Dependency {
    Dependency {
        id: Some(format!("dep-{}", job.name)),
        satisfied: Some(false),
        kind: DependencyKind::Job {
            job_id: Some(job.id.clone()),
            name: Some(job.name.clone()),
            stream: job.stream.name.clone(),
            workstation: job.workstation.clone(),
        },
    }
}

pub(crate) fn jobs() -> Vec<Job> {
    let mut post = job("LX_PRD01", "FIN_EOD", "FIN_GL_POST", JobStatus::Abend);
    post.runs = vec![run("FIN_GL_POST", JobStatus::Abend, Some(12))];
    let mut balance = job("LX_PRD01", "FIN_EOD", "FIN_BAL", JobStatus::Hold);
    balance.dependencies = vec![after(&post)];
    balance.late = true;
    let mut calc = job("LX_PRD02", "PAYROLL", "PAY_CALC", JobStatus::Hold);
    calc.dependencies = vec![after(&balance)];
    let mut payroll = job("LX_PRD02", "PAYROLL", "payroll", JobStatus::Fail);
    payroll.runs = vec![run("payroll", JobStatus::Fail, None)];
    let mut running = job("LX_PRD01", "HOUSE", "RUNNING", JobStatus::Exec);
    running.runs = vec![run("RUNNING", JobStatus::Exec, None)];
    let mut report = job("LX_PRD01", "HOUSE", "REPORT", JobStatus::Succ);
    report.runs = vec![run("REPORT", JobStatus::Succ, Some(0))];
    vec![
        post,
        balance,
        calc,
        payroll,
        running,
        report,
        job("LX_PRD02", "PAYROLL", "WAITS_FOR_YOU", JobStatus::Pend),
        job("LX_PRD01", "HOUSE", "CLEANUP", JobStatus::Succ),
        job("LX_PRD01", "HOUSE", "HOLD_CHECK", JobStatus::Ready),
        job("LX_PRD01", "DAILY_A", "TWIN_LOAD", JobStatus::Succ),
        job("LX_PRD02", "DAILY_B", "TWIN_LOAD", JobStatus::Abend),
    ]
}

fn workstation(name: &str, link: LinkState) -> Workstation {
    Workstation {
        id: WorkstationId::parse(name).unwrap(),
        name: name.to_owned(),
        folder: None,
        kind: Some("AGENT".to_owned()),
        os: Some("UNIX".to_owned()),
        limit: Some(25),
        fence: Some(0),
        link,
        jobman_up: Some(link == LinkState::Linked),
        ignored: false,
    }
}

pub(crate) fn workstations() -> Vec<Workstation> {
    vec![
        workstation("LX_PRD01", LinkState::Linked),
        workstation("LX_PRD02", LinkState::Unlinked),
    ]
}

pub(crate) fn vocabulary() -> Vocabulary {
    Vocabulary::new(&jobs(), ["LX_PRD01", "LX_PRD02"])
}
