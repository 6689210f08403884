//! The tools that read: the same services as the API's, with smaller pages.

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use resync_auth::{RateClass, RateKey};
use resync_chat::AnswerMode;
use resync_rag::SearchQuery;
use resync_tws::model::{EngineName, JobId, JobStatus, NamePattern, RunId};
use resync_tws::{GraphDirection, JobListQuery, ListSort, Live, LogRequest, ReadError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Asking;
use super::tools::{Called, Kind};
use crate::chat::question;
use crate::edge::extract::parsed;
use crate::problem::Problem;

/// Jobs of one name that are told apart at most.
const NAMESAKES: u32 = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskArguments {
    question: String,
    session_id: Option<Uuid>,
    engine: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfEngine {
    engine: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfJob {
    job: String,
    engine: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Only {
    Late,
    Stuck,
    LongRunning,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListArguments {
    #[serde(default)]
    status: Vec<String>,
    only: Option<Only>,
    job: Option<String>,
    stream: Option<String>,
    workstation: Option<String>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    limit: Option<u32>,
    engine: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogArguments {
    job: String,
    run: Option<String>,
    from: Option<u32>,
    lines: Option<u32>,
    search: Option<String>,
    engine: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DependencyArguments {
    job: String,
    #[serde(default)]
    direction: GraphDirection,
    depth: Option<u8>,
    engine: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryArguments {
    job: String,
    limit: Option<u32>,
    engine: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StationArguments {
    workstation: Option<String>,
    engine: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchArguments {
    query: String,
    limit: Option<usize>,
    collection: Option<String>,
}

/// The arguments of a tool; a wrong one is named by its place.
pub(super) fn arguments<T: DeserializeOwned>(value: &Value) -> Result<T, Problem> {
    crate::edge::extract::parse_json(value.to_string().as_bytes())
}

pub(super) fn engine_of(name: Option<&str>) -> Result<Option<EngineName>, Problem> {
    name.map(|name| parsed("/engine", EngineName::parse(name)))
        .transpose()
}

fn limit_of(limit: Option<u32>) -> Result<u32, Problem> {
    match limit.unwrap_or(20) {
        limit @ 1..=100 => Ok(limit),
        _ => Err(Problem::invalid("/limit", "must be 1 to 100")),
    }
}

fn pattern(place: &str, text: Option<&str>) -> Result<Option<NamePattern>, Problem> {
    text.map(|text| parsed(place, NamePattern::parse(text)))
        .transpose()
}

/// What the engine told, with its age.
fn told(bytes: &Bytes) -> Result<Called, Problem> {
    let value =
        serde_json::from_slice(bytes).map_err(|error| Problem::internal().caused_by(error))?;
    Ok(Called {
        value,
        text: None,
        untrusted: true,
    })
}

fn live<T>(live: &Live<T>) -> Result<Called, Problem> {
    told(&live.body()?)
}

impl Asking {
    pub(super) async fn read(&self, kind: Kind, given: &Value) -> Result<Called, Problem> {
        let plan = &self.app.plan;
        match kind {
            Kind::Ask => self.ask(arguments(given)?).await,
            Kind::PlanSummary => {
                let engine = engine_of(arguments::<OfEngine>(given)?.engine.as_deref())?;
                live(&plan.summary(engine.as_ref()).await?)
            }
            Kind::JobList => self.list(arguments(given)?).await,
            Kind::JobStatus => {
                let (engine, id) = self.job_given(given).await?;
                live(&plan.job(engine.as_ref(), &id).await?)
            }
            Kind::JobDiagnose => {
                let (engine, id) = self.job_given(given).await?;
                live(&plan.diagnosis(engine.as_ref(), &id).await?)
            }
            Kind::Impact => {
                let (engine, id) = self.job_given(given).await?;
                live(&plan.impact(engine.as_ref(), &id).await?)
            }
            Kind::JobLog => self.log(arguments(given)?).await,
            Kind::JobDependencies => {
                let given: DependencyArguments = arguments(given)?;
                let depth = given.depth.unwrap_or(1);
                if !(1..=10).contains(&depth) {
                    return Err(Problem::invalid("/depth", "must be 1 to 10"));
                }
                let engine = engine_of(given.engine.as_deref())?;
                let id = self.job_id(engine.as_ref(), &given.job).await?;
                live(
                    &plan
                        .graph(engine.as_ref(), &id, given.direction, depth)
                        .await?,
                )
            }
            Kind::HistoryTrend => {
                let given: HistoryArguments = arguments(given)?;
                let limit = limit_of(given.limit)?;
                let engine = engine_of(given.engine.as_deref())?;
                let id = self.job_id(engine.as_ref(), &given.job).await?;
                let history = &self.app.history;
                live(&history.history(engine.as_ref(), &id, limit).await?)
            }
            Kind::WorkstationStatus => {
                let given: StationArguments = arguments(given)?;
                let engine = engine_of(given.engine.as_deref())?;
                match given.workstation {
                    Some(name) => live(&plan.workstation(engine.as_ref(), &name).await?),
                    None => live(&plan.workstations(engine.as_ref()).await?),
                }
            }
            Kind::SearchKnowledge => self.search(arguments(given)?).await,
            // They are called elsewhere.
            Kind::PreviewAction | Kind::ExecuteAction => Err(Problem::internal()),
        }
    }

    async fn ask(&self, given: AskArguments) -> Result<Called, Problem> {
        let (app, principal) = (&self.app, &self.principal);
        app.limits
            .pass(RateClass::Chat, RateKey::of(principal))
            .await?;
        let engine = given.engine.as_deref();
        let mut ask = question(principal, given.question, given.session_id, engine)?;
        // The caller has a model of its own; what it needs of ours is the evidence.
        ask.mode = Some(AnswerMode::Deterministic);
        let answer = app.chat.ask(ask).await?;
        let links: Vec<Value> = answer
            .citations
            .iter()
            .map(|citation| {
                let url = app.edge.links.of(&citation.place);
                json!({"id": citation.id, "title": citation.title, "url": url, "excerpt": citation.excerpt})
            })
            .collect();
        let mut text = answer.answer.clone();
        for link in &links {
            let (id, url) = (&link["id"], &link["url"]);
            text = format!(
                "{text}\n[{}]: {}",
                id.as_str().unwrap_or_default(),
                url.as_str().unwrap_or_default()
            );
        }
        let value = json!({
            "answer": answer.answer,
            "session_id": answer.session_id,
            "intent": answer.intent,
            "incomplete": answer.incomplete,
            "figures": answer.figures,
            "citations": links,
            "clarify": answer.clarify,
            "saved": answer.saved,
        });
        Ok(Called {
            value,
            text: Some(text),
            untrusted: true,
        })
    }

    async fn list(&self, given: ListArguments) -> Result<Called, Problem> {
        let engine = engine_of(given.engine.as_deref())?;
        let (app, engine) = (&self.app, engine.as_ref());
        match given.only {
            Some(Only::Late) => return live(&app.attention.late(engine).await?),
            Some(Only::Stuck) => return live(&app.attention.stuck(engine).await?),
            Some(Only::LongRunning) => return live(&app.attention.long_running(engine).await?),
            None => {}
        }
        let status = given.status.iter().map(|word| {
            JobStatus::known(word)
                .ok_or_else(|| Problem::invalid("/status", "has a word that is no status of a job"))
        });
        let query = JobListQuery {
            status: status.collect::<Result<_, _>>()?,
            name: pattern("/job", given.job.as_deref())?,
            stream: pattern("/stream", given.stream.as_deref())?,
            stream_id: None,
            workstation: pattern("/workstation", given.workstation.as_deref())?,
            folder: None,
            since: given.since,
            until: given.until,
            sort: ListSort::Name,
            cursor: None,
            limit: limit_of(given.limit)?,
        };
        live(&app.plan.job_list(engine, query).await?)
    }

    async fn log(&self, given: LogArguments) -> Result<Called, Problem> {
        let engine = engine_of(given.engine.as_deref())?;
        if given.from == Some(0) {
            return Err(Problem::invalid("/from", "lines are counted from 1"));
        }
        let lines = given.lines.unwrap_or(100);
        if !(1..=500).contains(&lines) {
            return Err(Problem::invalid("/lines", "must be 1 to 500"));
        }
        let run = given
            .run
            .as_deref()
            .map(|run| parsed("/run", RunId::parse(run)))
            .transpose()?;
        let id = self.job_id(engine.as_ref(), &given.job).await?;
        let request = LogRequest {
            run,
            from: given.from,
            lines: Some(lines),
            search: given.search,
        };
        live(&self.app.plan.log(engine.as_ref(), &id, request).await?)
    }

    async fn search(&self, given: SearchArguments) -> Result<Called, Problem> {
        let k = given.limit.unwrap_or(5);
        if !(1..=20).contains(&k) {
            return Err(Problem::invalid("/limit", "must be 1 to 20"));
        }
        let query = SearchQuery {
            k,
            collection: given.collection,
            ..SearchQuery::new(given.query)
        };
        let found = self.app.knowledge.search(query).await?;
        let items: Vec<crate::rag::HitDto> = found.items.into_iter().map(Into::into).collect();
        Ok(Called {
            value: json!({"items": items, "answerable": found.answerable}),
            text: None,
            untrusted: true,
        })
    }

    async fn job_given(&self, given: &Value) -> Result<(Option<EngineName>, JobId), Problem> {
        let given: OfJob = arguments(given)?;
        let engine = engine_of(given.engine.as_deref())?;
        let id = self.job_id(engine.as_ref(), &given.job).await?;
        Ok((engine, id))
    }

    /// The id of the job that a name, a label or an id means.
    ///
    /// # Errors
    /// 404 when it means none, 409 with the labels and ids when it means several.
    pub(super) async fn job_id(
        &self,
        engine: Option<&EngineName>,
        text: &str,
    ) -> Result<JobId, Problem> {
        let (workstation, rest) = match text.split_once('#') {
            Some((workstation, rest)) => (Some(workstation), rest),
            None => (None, text),
        };
        let (stream, name) = match rest.rsplit_once('.') {
            Some((stream, name)) => (Some(stream), name),
            None => (None, rest),
        };
        // What cannot be a name may still be an id.
        let named = |text: &str| NamePattern::parse(text).ok();
        if let Some(name) = named(name).filter(|_| !text.contains(['*', '?'])) {
            let query = JobListQuery {
                status: Vec::new(),
                name: Some(name),
                stream: stream.and_then(named),
                stream_id: None,
                workstation: workstation.and_then(named),
                folder: None,
                since: None,
                until: None,
                sort: ListSort::Name,
                cursor: None,
                limit: NAMESAKES,
            };
            let found = self.app.plan.job_list(engine, query).await?;
            match found.value.items.as_slice() {
                [] => {}
                [job] => return Ok(job.id.clone()),
                several => {
                    let named: Vec<Value> = several
                        .iter()
                        .map(|job| json!({"job": job.label(), "id": job.id, "status": job.status}))
                        .collect();
                    return Err(Problem::new(
                        axum::http::StatusCode::CONFLICT,
                        "ambiguous-job",
                        "Several jobs have that name; name one by its id",
                    )
                    .member("jobs", named));
                }
            }
        }
        let unknown = || Problem::not_found("unknown-job", "The plan has no such job");
        let id = JobId::parse(text).map_err(|_| unknown())?;
        match self.app.plan.job(engine, &id).await {
            Ok(_) => Ok(id),
            Err(ReadError::UnknownJob(_)) => Err(unknown()),
            Err(error) => Err(error.into()),
        }
    }
}
