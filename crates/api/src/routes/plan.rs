//! The rows of the plan and of what administrators set about it.

use axum::http::Method;
use resync_auth::{Permission as P, RateClass};

use super::{CURSOR, Get, LIMIT, Route};
use crate::edge::guard::Guard;
use crate::tws;

const ENGINE: (&str, &str) = ("engine", "The engine's name; the first one when absent.");

/// Reads of the plan, and actions in two steps.
pub(super) fn plan() -> Vec<Route> {
    let get = |path, guard, summary| Get(path, guard, summary);
    let can = Guard::Permission;
    vec![
        get("/api/v1/tws/engines", can(P::ReadPlan), "The engines and how they are").by(tws::reads::engines),
        get("/api/v1/tws/summary", can(P::ReadPlan), "The plan at a glance").by(tws::reads::summary).query(&[ENGINE]),
        get("/api/v1/tws/jobs", can(P::ReadPlan), "Jobs that match").by(tws::reads::jobs).query(&[
            ENGINE,
            ("status", "One or more of the engine's words, with commas between them."),
            ("job", "The job's name; `*` and `?` are wildcards."),
            ("stream", "The stream's name; `*` and `?` are wildcards."),
            ("workstation", "The workstation's name; `*` and `?` are wildcards."),
            ("folder", "The folder."),
            ("since", "Planned at this time or later, RFC 3339."),
            ("until", "Planned before this time, RFC 3339."),
            ("sort", "`name`, `scheduled`, `priority`, `deadline`, `status`, `workstation` or `started`; `name` when absent."),
            LIMIT,
            CURSOR,
        ]),
        get("/api/v1/tws/jobs/{id}", can(P::ReadPlan), "A job, its runs and why it waits").by(tws::reads::job).query(&[ENGINE]),
        get("/api/v1/tws/jobs/{id}/log", can(P::ReadPlan), "Lines of a run's log").by(tws::reads::log).query(&[
            ENGINE,
            ("run", "The run's id; the latest when absent."),
            ("from", "The first line, from 1."),
            ("lines", "Lines at most, 1 to 2000; 500 when absent."),
            ("search", "Text to look for in the whole log; the numbers of matching lines are in `matches`."),
        ]),
        get("/api/v1/tws/jobs/{id}/dependencies", can(P::ReadPlan), "What is around a job").by(tws::reads::dependencies).query(&[
            ENGINE,
            ("depth", "1 to 10; 1 when absent."),
            ("direction", "`predecessors`, `successors` or `both`; predecessors when absent."),
        ]),
        get("/api/v1/tws/jobs/{id}/impact", can(P::ReadPlan), "Who is held up by a job, and which deadlines fall").by(tws::reads::impact).query(&[ENGINE]),
        get("/api/v1/tws/jobs/{id}/history", can(P::ReadPlan), "The runs of a job that were seen, and how long they took").by(tws::reads::history).query(&[ENGINE, LIMIT]),
        get("/api/v1/tws/jobs/{id}/diagnosis", can(P::ReadPlan), "Why a job failed").by(tws::reads::diagnosis).query(&[ENGINE]),
        get("/api/v1/tws/late", can(P::ReadPlan), "Jobs that have not ended or begun when they should, with why").by(tws::lists::late).query(&[ENGINE]),
        get("/api/v1/tws/stuck", can(P::ReadPlan), "Jobs that cannot go on by themselves, with why").by(tws::lists::stuck).query(&[ENGINE]),
        get("/api/v1/tws/long-running", can(P::ReadPlan), "Jobs that run longer than they should, with why").by(tws::lists::long_running).query(&[ENGINE]),
        get("/api/v1/tws/job-streams", can(P::ReadPlan), "Job streams of the plan").by(tws::lists::streams).query(&[ENGINE, LIMIT, CURSOR]),
        get("/api/v1/tws/job-streams/{id}", can(P::ReadPlan), "A job stream and its jobs").by(tws::lists::stream).query(&[ENGINE]),
        get("/api/v1/tws/workstations", can(P::ReadPlan), "Workstations of the plan").by(tws::lists::workstations).query(&[ENGINE]),
        get("/api/v1/tws/workstations/{name}", can(P::ReadPlan), "A workstation").by(tws::lists::workstation).query(&[ENGINE]),
        get("/api/v1/tws/resources", can(P::ReadPlan), "Resources of the plan").by(tws::lists::resources).query(&[ENGINE]),
        get("/api/v1/tws/prompts", can(P::ReadPlan), "Prompts of the plan").by(tws::lists::prompts).query(&[ENGINE]),
        Route::new(
            Method::POST,
            "/api/v1/tws/jobs/{id}/actions/{action}",
            can(P::ProposeActions),
            "Propose an action, then confirm it: rerun, hold, release, cancel, kill, confirm, priority",
            tws::act::act,
        )
        .class(RateClass::Actions)
        .takes::<tws::act::ActRequest>()
        .query(&[ENGINE, ("dry_run", "`true` stops at the impact.")])
        .status(202),
        Route::new(
            Method::POST,
            "/api/v1/tws/prompts/{id}/actions/reply",
            can(P::ProposeActions),
            "Propose an answer to a prompt, then confirm it",
            tws::act::reply,
        )
        .class(RateClass::Actions)
        .takes::<tws::act::ActRequest>()
        .query(&[ENGINE, ("dry_run", "`true` stops at the impact.")])
        .status(202),
    ]
}

/// Engines and thresholds.
pub(super) fn administration() -> Vec<Route> {
    let get = |path, guard, summary| Get(path, guard, summary);
    let can = Guard::Permission;
    vec![
        get(
            "/api/v1/admin/engines",
            can(P::ManageEngines),
            "The engines and how they are reached",
        )
        .by(tws::engines::list),
        Route::new(
            Method::POST,
            "/api/v1/admin/engines",
            can(P::ManageEngines),
            "Add an engine",
            tws::engines::add,
        )
        .takes::<tws::engines::EngineRequest>()
        .status(201),
        Route::new(
            Method::PUT,
            "/api/v1/admin/engines/{name}",
            can(P::ManageEngines),
            "Change an engine",
            tws::engines::change,
        )
        .takes::<tws::engines::EngineRequest>(),
        Route::new(
            Method::DELETE,
            "/api/v1/admin/engines/{name}",
            can(P::ManageEngines),
            "Remove an engine",
            tws::engines::remove,
        )
        .gives::<tws::engines::Removed>(200),
        Route::new(
            Method::POST,
            "/api/v1/admin/engines/test",
            can(P::ManageEngines),
            "Try an engine before it is added",
            tws::engines::test,
        )
        .takes::<tws::engines::EngineRequest>(),
        Route::new(
            Method::POST,
            "/api/v1/admin/engines/{name}/test",
            can(P::ManageEngines),
            "Try an engine as it is",
            tws::engines::test_running,
        ),
        get(
            "/api/v1/admin/thresholds",
            can(P::ManageEngines),
            "How long jobs may run and how late they may start",
        )
        .by(tws::thresholds::list),
        Route::new(
            Method::POST,
            "/api/v1/admin/thresholds",
            can(P::ManageEngines),
            "Add a threshold",
            tws::thresholds::add,
        )
        .takes::<tws::thresholds::ThresholdRequest>()
        .status(201),
        Route::new(
            Method::PUT,
            "/api/v1/admin/thresholds/{id}",
            can(P::ManageEngines),
            "Change a threshold",
            tws::thresholds::change,
        )
        .takes::<tws::thresholds::ThresholdRequest>(),
        Route::new(
            Method::DELETE,
            "/api/v1/admin/thresholds/{id}",
            can(P::ManageEngines),
            "Remove a threshold",
            tws::thresholds::remove,
        )
        .gives::<tws::engines::Removed>(200),
    ]
}
