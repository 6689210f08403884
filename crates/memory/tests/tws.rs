#![expect(
    clippy::unwrap_used,
    reason = "a fixture that cannot be made fails its test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Ready, ready};
use std::sync::Arc;

use resync_memory::tws::{
    InMemoryAuditLog, InMemoryEngineRepository, InMemoryProposalStore, InMemoryRunHistory,
    InMemoryThresholdRepository, ScriptedEngine,
};
use resync_tws::contract::Stage;
use resync_tws::model::{
    Capabilities, DefinitionId, Dependency, DependencyKind, Job, JobDefinition, JobId, JobStatus,
    JobStream, LinkState, ObjectAbilities, ObjectKind, PromptStatus, Resource, ResourceId, RunId,
    StreamDefinition, StreamId, Workstation, WorkstationId,
};

fn job(number: usize) -> Job {
    let status = if number < 3 {
        JobStatus::Succ
    } else {
        JobStatus::Hold
    };
    let mut job = Job {
        folder: Some(
            if number.is_multiple_of(2) {
                "/FIN/"
            } else {
                "/DWH/"
            }
            .to_owned(),
        ),
        workstation: Some(
            if number.is_multiple_of(3) {
                "WS1"
            } else {
                "WS2"
            }
            .to_owned(),
        ),
        priority: Some(10 + u8::try_from(number % 4).unwrap()),
        ..ScriptedEngine::plain_job(&format!("fin_job_{number:02}"), status.clone())
    };
    job.stream.name = Some(if number < 6 { "EARLY" } else { "LATE" }.to_owned());
    if number < 3 {
        let run = ScriptedEngine::plain_run(&format!("run-{number}"), status, Some(0));
        job.runs.push(run);
    }
    if number > 0 {
        let before = format!("fin_job_{:02}", number - 1);
        job.dependencies.push(Dependency {
            id: None,
            satisfied: Some(number <= 3),
            kind: DependencyKind::Job {
                job_id: Some(JobId::parse(&before).unwrap()),
                name: Some(before),
                stream: None,
                workstation: None,
            },
        });
    }
    job
}

fn stream(name: &str) -> JobStream {
    JobStream {
        id: StreamId::parse(name).unwrap(),
        name: name.to_owned(),
        folder: None,
        workstation: None,
        status: JobStatus::Exec,
        scheduled_at: None,
        deadline: None,
        priority: None,
        limit: None,
    }
}

fn station(name: &str) -> Workstation {
    Workstation {
        id: WorkstationId::parse(name).unwrap(),
        name: name.to_owned(),
        folder: None,
        kind: None,
        os: None,
        limit: None,
        fence: None,
        link: LinkState::Linked,
        jobman_up: None,
        ignored: false,
    }
}

fn resource(name: &str) -> Resource {
    Resource {
        id: ResourceId::parse(name).unwrap(),
        name: name.to_owned(),
        folder: None,
        workstation: Some("WS1".to_owned()),
        quantity: Some(10),
        in_use: Some(0),
        available: Some(10),
        status: Some("AVAILABLE".to_owned()),
        holders: Vec::new(),
    }
}

fn stream_definition(name: &str) -> StreamDefinition {
    StreamDefinition {
        id: DefinitionId::parse(&format!("def-{name}")).unwrap(),
        name: name.to_owned(),
        folder: None,
        workstation: Some("WS1".to_owned()),
        description: None,
        valid_from: None,
        valid_to: None,
        priority: Some(10),
        draft: false,
        jobs: None,
    }
}

fn job_definition(name: &str) -> JobDefinition {
    JobDefinition {
        id: DefinitionId::parse(&format!("def-{name}")).unwrap(),
        name: name.to_owned(),
        folder: None,
        workstation: Some("WS1".to_owned()),
        description: None,
        kind: Some("UNIX".to_owned()),
        recovery: None,
    }
}

/// A plan of twelve jobs, of which each waits for the one before it.
fn stage() -> Ready<Stage> {
    let engine = Arc::new(ScriptedEngine::with_jobs((0..12).map(job).collect()));
    engine.set_version("10.1");
    for number in 0..3 {
        let lines = (1..=5).map(|line| format!("line {line}")).collect();
        engine.set_log(RunId::parse(&format!("run-{number}")).unwrap(), lines);
    }
    engine.set_streams(vec![stream("EARLY"), stream("LATE")]);
    engine.set_workstations(vec![station("WS1"), station("WS2")]);
    engine.set_resources(vec![resource("DB_SLOTS"), resource("TAPES")]);
    engine.set_prompts(vec![
        ScriptedEngine::plain_prompt("p1", PromptStatus::NotAsked),
        ScriptedEngine::plain_prompt("p2", PromptStatus::Asked),
    ]);
    engine.set_definitions(
        vec![stream_definition("FIN_EOD"), stream_definition("DWH_LOAD")],
        vec![job_definition("GL_POST"), job_definition("GL_OPEN")],
    );
    let jobs = ObjectAbilities {
        actions: BTreeSet::from(["hold".to_owned()]),
        statuses: BTreeSet::new(),
    };
    engine.set_capabilities(Capabilities {
        objects: BTreeMap::from([(ObjectKind::Job, jobs)]),
        prompt_list: Some(true),
    });
    ready(Stage::of(engine, Box::new(())))
}

mod engine {
    use super::stage;

    resync_tws::plan_gateway_contract!(stage());
    resync_tws::log_gateway_contract!(stage());
    resync_tws::action_gateway_contract!(stage());
    resync_tws::object_gateway_contract!(stage());
    resync_tws::keyset_contract!(stage());
    resync_tws::definition_gateway_contract!(stage());
    resync_tws::engine_monitor_contract!(stage());
}

mod proposals {
    use super::*;

    fn fresh() -> Ready<(Arc<InMemoryProposalStore>, ())> {
        ready((Arc::default(), ()))
    }

    resync_tws::proposal_store_contract!(fresh());
}

mod audit {
    use super::*;

    fn fresh() -> Ready<(Arc<InMemoryAuditLog>, ())> {
        ready((Arc::default(), ()))
    }

    resync_tws::audit_log_contract!(fresh());
}

mod engines {
    use super::*;

    fn fresh() -> Ready<(Arc<InMemoryEngineRepository>, ())> {
        ready((Arc::default(), ()))
    }

    resync_tws::engine_repository_contract!(fresh());
}

mod history {
    use super::*;

    fn fresh() -> Ready<(Arc<InMemoryRunHistory>, ())> {
        ready((Arc::default(), ()))
    }

    resync_tws::run_history_contract!(fresh());
}

mod thresholds {
    use super::*;

    fn fresh() -> Ready<(Arc<InMemoryThresholdRepository>, ())> {
        ready((Arc::default(), ()))
    }

    resync_tws::threshold_repository_contract!(fresh());
}
