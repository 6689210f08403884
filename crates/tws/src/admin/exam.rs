//! What an engine of an unknown version can do, seen by asking it.
//!
//! Invariants:
//! - It only reads.
//! - Each ability is tried by itself; one that is missing does not hide the next. After an engine that
//!   cannot be reached or refuses our credentials the rest is said to be untried, not missing.

use std::time::Duration;

use resync_kernel::Clock;
use serde::Serialize;
use tokio::time::timeout;

use super::test::{TestReason, reason_of};
use crate::engines::Engine;
use crate::model::{
    CountBy, Counted, DefinitionQuery, Job, JobKey, JobQuery, JobSort, JobStatus, LineRange,
    NeighbourDirection, RunId,
};
use crate::ports::GatewayError;
use crate::text::Text;

/// How long one question may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);
/// After an engine that does not answer, or refuses us.
const NOT_ASKED: &str = "the engine was not asked";
/// How many jobs the page holds whose time is taken.
const PAGE: u32 = 100;

/// What an engine can do, as seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exam {
    /// The engine's version, when it said.
    pub version: Option<String>,
    /// Its time zone, when it said.
    pub timezone: Option<String>,
    /// One row an ability, in the order they were tried.
    pub rows: Vec<ExamRow>,
}

impl Exam {
    /// Why the engine cannot be used at all, if it cannot: it does not answer, refuses us, or its list
    /// of jobs cannot be read.
    #[must_use]
    pub fn unusable(&self) -> Option<TestReason> {
        let needed = [Ability::EngineInfo, Ability::Jobs];
        self.rows
            .iter()
            .filter(|row| needed.contains(&row.ability))
            .find_map(|row| match row.seen {
                Seen::Failed(TestReason::Unsupported) if row.ability == Ability::EngineInfo => None,
                Seen::Failed(reason) => Some(reason),
                Seen::Ok | Seen::Untried => None,
            })
    }
}

/// One ability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExamRow {
    /// Which.
    pub ability: Ability,
    /// How it went.
    pub seen: Seen,
    /// What came, for people; no secret.
    pub detail: String,
    /// What Resync does without it; absent when it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead: Option<Text>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// How an ability was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "result", content = "reason")]
pub enum Seen {
    /// It is there.
    Ok,
    /// It did not work.
    Failed(TestReason),
    /// It was not tried: there was nothing to try it on, or no engine.
    Untried,
}

/// The abilities that Resync uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ability {
    /// Who the engine is.
    EngineInfo,
    /// A page of jobs.
    Jobs,
    /// How many jobs match, beside a page.
    Total,
    /// A filter by the status of the last run.
    StatusFilter,
    /// An order by name.
    Order,
    /// A page behind a name, so that lists stay whole while the plan moves.
    Keyset,
    /// One job with its runs and dependencies.
    Job,
    /// What a job waits for.
    Predecessors,
    /// What waits for a job.
    Successors,
    /// The log of a run.
    JobLog,
    /// Job streams.
    Streams,
    /// Workstations.
    Workstations,
    /// Resources.
    Resources,
    /// Prompts.
    Prompts,
    /// Counts by status.
    Counts,
    /// Definitions of streams.
    StreamDefinitions,
    /// Definitions of jobs.
    JobDefinitions,
    /// What the release says it can do.
    Discovery,
}

impl Ability {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EngineInfo => "engine_info",
            Self::Jobs => "jobs",
            Self::Total => "total",
            Self::StatusFilter => "status_filter",
            Self::Order => "order",
            Self::Keyset => "keyset",
            Self::Job => "job",
            Self::Predecessors => "predecessors",
            Self::Successors => "successors",
            Self::JobLog => "job_log",
            Self::Streams => "streams",
            Self::Workstations => "workstations",
            Self::Resources => "resources",
            Self::Prompts => "prompts",
            Self::Counts => "counts",
            Self::StreamDefinitions => "stream_definitions",
            Self::JobDefinitions => "job_definitions",
            Self::Discovery => "discovery",
        }
    }

    /// What Resync does without it.
    fn instead(self) -> Text {
        let (en, pt) = match self {
            Self::EngineInfo => (
                "Shows no version and no time zone.",
                "Não mostra versão nem fuso horário.",
            ),
            Self::Jobs => (
                "Nothing: the engine cannot be used.",
                "Nada: o engine não pode ser usado.",
            ),
            Self::Total => (
                "Lists do not say how many jobs match.",
                "As listas não dizem quantos jobs correspondem.",
            ),
            Self::StatusFilter => (
                "Reads the whole plan and filters it.",
                "Lê o plano inteiro e o filtra.",
            ),
            Self::Order | Self::Keyset => (
                "Lists come from the whole plan that was read last.",
                "As listas vêm do plano inteiro lido por último.",
            ),
            Self::Job => (
                "A job's page stays empty.",
                "A página de um job fica vazia.",
            ),
            Self::Predecessors | Self::Successors => (
                "Draws the graph from the plan that was read.",
                "Desenha o grafo a partir do plano lido.",
            ),
            Self::JobLog => (
                "Diagnoses from status and return code alone.",
                "Diagnostica só por status e código de retorno.",
            ),
            Self::Streams => ("Names no stuck streams.", "Não nomeia streams travados."),
            Self::Workstations => (
                "Cannot say that a workstation is off.",
                "Não diz que uma workstation está fora.",
            ),
            Self::Resources => ("Shows no resources.", "Não mostra recursos."),
            Self::Prompts => (
                "Shows no prompts to answer.",
                "Não mostra prompts a responder.",
            ),
            Self::Counts => ("Counts the plan that was read.", "Conta o plano lido."),
            Self::StreamDefinitions | Self::JobDefinitions => (
                "Cannot submit what is defined.",
                "Não submete o que está definido.",
            ),
            Self::Discovery => (
                "Offers every action, and says so when the engine refuses one.",
                "Oferece todas as ações e avisa quando o engine recusa uma.",
            ),
        };
        Text::new(en, pt)
    }
}

/// Tries what Resync uses of an engine. Takes some seconds; cancel safe.
pub async fn examine(engine: &Engine, clock: &dyn Clock) -> Exam {
    let mut exam = Examiner {
        clock,
        rows: Vec::new(),
        hopeless: false,
    };
    let info = exam
        .ask(Ability::EngineInfo, engine.plan.engine_info(), |info| {
            info.version.clone().unwrap_or_else(|| "no version".into())
        })
        .await;
    let page = JobQuery {
        limit: PAGE,
        ..JobQuery::default()
    };
    let jobs = exam
        .ask(Ability::Jobs, engine.plan.jobs(&page), |slice| {
            format!("{} on a page of {PAGE}", slice.items.len())
        })
        .await;
    exam.total(jobs.as_ref().and_then(|slice| slice.total));
    let jobs = jobs.map(|slice| slice.items).unwrap_or_default();
    exam.lists(engine, &jobs).await;
    exam.around(engine, &jobs).await;
    exam.objects(engine).await;
    Exam {
        version: info.as_ref().and_then(|info| info.version.clone()),
        timezone: info.and_then(|info| info.timezone),
        rows: exam.rows,
    }
}

struct Examiner<'a> {
    clock: &'a dyn Clock,
    rows: Vec<ExamRow>,
    /// Nothing that follows can work.
    hopeless: bool,
}

impl Examiner<'_> {
    async fn ask<T>(
        &mut self,
        ability: Ability,
        question: impl Future<Output = Result<T, GatewayError>>,
        detail: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        if self.hopeless {
            self.untried(ability, NOT_ASKED);
            return None;
        }
        let start = self.clock.monotonic();
        let answer = timeout(STEP_TIMEOUT, question)
            .await
            .unwrap_or(Err(GatewayError::TimedOut(STEP_TIMEOUT)));
        let took = self.clock.monotonic() - start;
        let (seen, detail) = match &answer {
            Ok(value) => (Seen::Ok, detail(value)),
            Err(error) => (Seen::Failed(reason_of(error)), error.to_string()),
        };
        self.hopeless = matches!(
            seen,
            Seen::Failed(
                TestReason::Unreachable | TestReason::TimedOut | TestReason::CredentialsRefused
            )
        );
        self.note(ability, seen, detail, took);
        answer.ok()
    }

    fn note(&mut self, ability: Ability, seen: Seen, detail: String, took: Duration) {
        self.rows.push(ExamRow {
            ability,
            seen,
            detail,
            instead: matches!(seen, Seen::Failed(_)).then(|| ability.instead()),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        });
    }

    fn untried(&mut self, ability: Ability, why: &str) {
        let why = if self.hopeless { NOT_ASKED } else { why };
        self.note(ability, Seen::Untried, why.to_owned(), Duration::ZERO);
    }

    /// The count came with the page of jobs, or did not.
    fn total(&mut self, total: Option<u64>) {
        if self.hopeless {
            return self.untried(Ability::Total, NOT_ASKED);
        }
        let (seen, detail) = match total {
            Some(total) => (Seen::Ok, format!("{total} jobs in the plan")),
            None => (
                Seen::Failed(TestReason::Unsupported),
                "the page holds no count".to_owned(),
            ),
        };
        self.note(Ability::Total, seen, detail, Duration::ZERO);
    }

    async fn lists(&mut self, engine: &Engine, jobs: &[Job]) {
        let plan = &engine.plan;
        let failed = JobQuery {
            status: vec![JobStatus::Abend],
            limit: 1,
            ..JobQuery::default()
        };
        self.ask(Ability::StatusFilter, plan.jobs(&failed), |_| {
            "accepted".to_owned()
        })
        .await;
        let by_name = JobQuery {
            sort: JobSort::Name,
            limit: 1,
            ..JobQuery::default()
        };
        self.ask(Ability::Order, plan.jobs(&by_name), |_| {
            "accepted".to_owned()
        })
        .await;
        let Some(first) = jobs.first() else {
            return self.untried(Ability::Keyset, "the plan has no job");
        };
        let behind = JobQuery {
            after: Some(JobKey::of(first)),
            ..by_name
        };
        self.ask(Ability::Keyset, plan.jobs(&behind), |_| {
            "accepted".to_owned()
        })
        .await;
    }

    async fn around(&mut self, engine: &Engine, jobs: &[Job]) {
        let abilities = [Ability::Job, Ability::Predecessors, Ability::Successors];
        let Some(job) = jobs.first() else {
            for ability in abilities.into_iter().chain([Ability::JobLog]) {
                self.untried(ability, "the plan has no job");
            }
            return;
        };
        self.ask(
            Ability::Job,
            engine.plan.job(&job.id),
            |found| match found {
                Some(job) => job.label(),
                None => "it is gone meanwhile".to_owned(),
            },
        )
        .await;
        for (ability, direction) in [
            (Ability::Predecessors, NeighbourDirection::Predecessors),
            (Ability::Successors, NeighbourDirection::Successors),
        ] {
            let neighbours = engine.plan.neighbours(&job.id, direction, 1);
            self.ask(ability, neighbours, |found| {
                let count = found.as_ref().map_or(0, Vec::len);
                format!("{count} at depth 1")
            })
            .await;
        }
        let ended = |job: &Job| -> Option<RunId> {
            let run = job.latest_run().filter(|run| run.ended_at.is_some())?;
            Some(run.id.clone())
        };
        let Some(run) = jobs.iter().find_map(ended) else {
            return self.untried(Ability::JobLog, "no run of these jobs has ended");
        };
        let some = LineRange { from: 1, count: 20 };
        self.ask(
            Ability::JobLog,
            engine.logs.job_log(&run, some),
            |log| match log {
                Some(_) => "its first lines".to_owned(),
                None => "the engine keeps no log of that run".to_owned(),
            },
        )
        .await;
    }

    async fn objects(&mut self, engine: &Engine) {
        self.ask(Ability::Streams, engine.plan.streams(0, PAGE), |slice| {
            format!("{} on a page of {PAGE}", slice.items.len())
        })
        .await;
        self.ask(Ability::Workstations, engine.plan.workstations(), |all| {
            format!("{}", all.len())
        })
        .await;
        self.ask(Ability::Resources, engine.objects.resources(), |all| {
            format!("{}", all.len())
        })
        .await;
        let prompts = engine.objects.prompts();
        self.ask(Ability::Prompts, prompts, |all| {
            let more = if all.truncated { " or more" } else { "" };
            format!("{}{more}", all.items.len())
        })
        .await;
        let counts = engine.objects.count(Counted::Jobs, Some(CountBy::Status));
        self.ask(Ability::Counts, counts, |counts| {
            format!("{} in {} statuses", counts.total, counts.groups.len())
        })
        .await;
        let few = DefinitionQuery {
            name: None,
            workstation: None,
            folder: None,
            offset: 0,
            limit: 1,
        };
        let streams = engine.definitions.stream_definitions(&few);
        self.ask(Ability::StreamDefinitions, streams, |_| "read".to_owned())
            .await;
        let jobs = engine.definitions.job_definitions(&few);
        self.ask(Ability::JobDefinitions, jobs, |_| "read".to_owned())
            .await;
        self.ask(Ability::Discovery, engine.monitor.capabilities(), |known| {
            let actions: usize = known.objects.values().map(|kind| kind.actions.len()).sum();
            let prompts = match known.prompt_list {
                Some(true) => "lists prompts",
                Some(false) => "has no list of prompts: they are collected",
                None => "does not tell of prompts",
            };
            format!("{actions} actions; {prompts}")
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use resync_kernel::ManualClock;

    use super::*;
    use crate::model::{EngineInfo, EngineName, Slice};
    use crate::ports::{MockActionGateway, MockLogGateway, MockPlanGateway, Unsupported};
    use crate::test_support::job;

    fn engine(plan: MockPlanGateway) -> Engine {
        let lacks = Arc::new(Unsupported);
        Engine {
            name: EngineName::parse("PROD").unwrap(),
            demo: false,
            read_only: true,
            verify: None,
            plan: Arc::new(plan),
            logs: Arc::new(MockLogGateway::new()),
            actions: Arc::new(MockActionGateway::new()),
            objects: lacks.clone(),
            definitions: lacks.clone(),
            submit: lacks.clone(),
            monitor: lacks,
        }
    }

    fn row(exam: &Exam, ability: Ability) -> &ExamRow {
        exam.rows.iter().find(|row| row.ability == ability).unwrap()
    }

    #[tokio::test]
    async fn what_is_missing_hides_nothing_behind_it_and_says_what_is_done_instead() {
        let mut plan = MockPlanGateway::new();
        plan.expect_engine_info().returning(|| {
            Ok(EngineInfo {
                version: Some("10.1".to_owned()),
                timezone: None,
                simulated: false,
            })
        });
        plan.expect_jobs().returning(|query| {
            if query.after.is_some() {
                return Err(GatewayError::Unsupported);
            }
            Ok(Slice {
                items: vec![job("A", JobStatus::Hold)],
                total: None,
                next_offset: None,
            })
        });
        plan.expect_job().returning(|_| Ok(None));
        plan.expect_neighbours().returning(|_, _, _| Ok(None));
        plan.expect_streams()
            .returning(|_, _| Err(GatewayError::Forbidden));
        plan.expect_workstations().returning(|| Ok(Vec::new()));
        let exam = examine(&engine(plan), &ManualClock::default()).await;
        assert_eq!(exam.version.as_deref(), Some("10.1"));
        assert_eq!(exam.unusable(), None);
        assert_eq!(row(&exam, Ability::Jobs).seen, Seen::Ok);
        let keyset = row(&exam, Ability::Keyset);
        assert_eq!(keyset.seen, Seen::Failed(TestReason::Unsupported));
        assert!(keyset.instead.is_some());
        assert_eq!(
            row(&exam, Ability::Total).seen,
            Seen::Failed(TestReason::Unsupported)
        );
        assert_eq!(row(&exam, Ability::JobLog).seen, Seen::Untried);
        assert_eq!(
            row(&exam, Ability::Streams).seen,
            Seen::Failed(TestReason::Forbidden)
        );
        assert_eq!(row(&exam, Ability::Workstations).seen, Seen::Ok);
        assert_eq!(
            row(&exam, Ability::Resources).seen,
            Seen::Failed(TestReason::Unsupported)
        );
        assert_eq!(exam.rows.len(), 18);
    }

    #[tokio::test]
    async fn an_engine_that_refuses_us_is_asked_once() {
        let mut plan = MockPlanGateway::new();
        plan.expect_engine_info()
            .times(1)
            .returning(|| Err(GatewayError::CredentialsRefused));
        let exam = examine(&engine(plan), &ManualClock::default()).await;
        assert_eq!(exam.unusable(), Some(TestReason::CredentialsRefused));
        assert!(
            exam.rows
                .iter()
                .skip(1)
                .all(|row| row.seen == Seen::Untried)
        );
        assert_eq!(exam.rows.len(), 18);
    }
}
