//! The tools of one answer: each call is timed, bounded by the answer's deadline, noted, and what it
//! told goes into the book as evidence.
//!
//! Invariants:
//! - A turn makes at most [`MAX_CALLS`] calls and keeps at most so much evidence as the book takes;
//!   what goes beyond is [`PlanToolError::Spent`], and the answer says that it is incomplete.
//! - Nothing that a tool told reaches a draft without the id of its evidence.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use resync_kernel::{Clock, Monotonic};
use resync_rag::{SearchHit, SearchResults};
use resync_tws::model::JobId;
use resync_tws::{
    Diagnosis, GraphDirection, GraphView, HistoryView, ImpactView, JobView, LogRequest, LogView,
    Meta, Snapshot,
};
use tokio::time::Instant;

use super::book::Book;
use super::facts;
use crate::answer::{Place, ToolUse};
use crate::events::{ChatEvent, Progress};
use crate::evidence::{Evidence, EvidenceFact, EvidenceKind, EvidenceSource, MAX_CALLS};
use crate::text;
use crate::tools::{
    EngineFacts, JobFilter, JobList, KnowledgeTools, PlanToolError, PlanTools, Seen,
};

/// The greatest length of the words of a piece of evidence, in characters.
pub(crate) const EXCERPT: usize = 1_200;

pub(crate) struct Desk<'a> {
    pub(crate) plan: &'a dyn PlanTools,
    pub(crate) knowledge: &'a dyn KnowledgeTools,
    pub(crate) clock: &'a dyn Clock,
    /// Who hears of each call.
    pub(crate) progress: &'a dyn Progress,
    /// When the plan as a whole must be there.
    pub(crate) plan_deadline: Instant,
    /// When everything must be there.
    pub(crate) deadline: Instant,
    /// The engine that is asked; `None` when none is configured.
    pub(crate) engine: Option<EngineFacts>,
    /// Guards a list; no await is made under it.
    pub(crate) used: Mutex<Vec<ToolUse>>,
    /// What the calls told.
    pub(crate) book: Book,
}

/// Where something that was told stands: its age, and its piece of evidence.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    pub(crate) meta: Meta,
    pub(crate) evidence: String,
}

/// What a tool told.
#[derive(Debug)]
pub(crate) struct Told<V> {
    pub(crate) value: Arc<V>,
    pub(crate) ground: Ground,
}

impl<V> Clone for Told<V> {
    fn clone(&self) -> Self {
        Self {
            value: Arc::clone(&self.value),
            ground: self.ground.clone(),
        }
    }
}

impl Desk<'_> {
    /// Tells that a call begins; returns when.
    async fn begin(&self, name: &str) -> Monotonic {
        let (name, took_ms) = (name.to_owned(), None);
        self.progress.tell(ChatEvent::Step { name, took_ms }).await;
        self.clock.monotonic()
    }

    /// Notes and tells that a call is done.
    async fn note(&self, name: &str, since: Monotonic, cache: Option<&str>) {
        let took = self.clock.monotonic() - since;
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let used = ToolUse {
            name: name.to_owned(),
            took_ms,
            cache: cache.map(str::to_owned),
        };
        self.used
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(used);
        let (name, took_ms) = (name.to_owned(), Some(took_ms));
        self.progress.tell(ChatEvent::Step { name, took_ms }).await;
    }

    /// Whether another call may be made.
    pub(crate) fn may_call(&self) -> bool {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.len() < MAX_CALLS
    }

    async fn asked<V>(
        &self,
        name: &str,
        until: Instant,
        call: impl Future<Output = Result<Seen<V>, PlanToolError>>,
    ) -> Result<Seen<V>, PlanToolError> {
        if !self.may_call() {
            return Err(PlanToolError::Spent);
        }
        let since = self.begin(name).await;
        let timed = tokio::time::timeout_at(until, call).await;
        let found = timed.unwrap_or(Err(PlanToolError::TimedOut));
        let cache = found.as_ref().ok().map(|seen| seen.meta.cache.as_str());
        self.note(name, since, cache).await;
        if let Err(error) = &found {
            self.nothing(name, *error);
            tracing::debug!(
                tool = name,
                error = error as &dyn std::error::Error,
                "a tool gave no answer"
            );
        }
        found
    }

    /// Asks, and keeps what was told.
    async fn told<V>(
        &self,
        (name, kind): (&str, EvidenceKind),
        call: impl Future<Output = Result<Seen<V>, PlanToolError>>,
        facts: impl FnOnce(&V, &Meta) -> Vec<EvidenceFact>,
    ) -> Result<Told<V>, PlanToolError> {
        let seen = self.asked(name, self.deadline, call).await?;
        let facts = facts(&seen.value, &seen.meta);
        let ground = self.ground(kind, name, &seen.meta, facts)?;
        Ok(Told {
            value: seen.value,
            ground,
        })
    }

    /// Keeps facts of something that was read before, such as of the plan as a whole.
    pub(crate) fn ground(
        &self,
        kind: EvidenceKind,
        question: &str,
        meta: &Meta,
        facts: Vec<EvidenceFact>,
    ) -> Result<Ground, PlanToolError> {
        let piece = Evidence {
            facts,
            ..of_engine(kind, question, meta)
        };
        let evidence = self.book.take(piece).ok_or(PlanToolError::Spent)?;
        Ok(Ground {
            meta: meta.clone(),
            evidence,
        })
    }

    /// Keeps that a tool gave no answer.
    fn nothing(&self, question: &str, error: PlanToolError) {
        let source = match &self.engine {
            Some(engine) => EvidenceSource::Engine {
                engine: engine.name.clone(),
                question: question.to_owned(),
            },
            None => EvidenceSource::Search {
                through: "engines".to_owned(),
            },
        };
        let outcome = EvidenceFact::words("outcome", &error.to_string());
        self.keep(EvidenceKind::Nothing, source, vec![outcome]);
    }

    /// Keeps a piece that has no age of its own: it is of now.
    fn keep(&self, kind: EvidenceKind, source: EvidenceSource, facts: Vec<EvidenceFact>) {
        let piece = Evidence {
            id: String::new(),
            kind,
            source,
            fetched_at: self.now(),
            age_ms: 0,
            stale: false,
            span: None,
            facts,
            text: None,
            cut: false,
        };
        let _id = self.book.take(piece);
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Keeps what is known of the engine itself.
    pub(crate) fn engine_is(&self, facts: Vec<EvidenceFact>) {
        if let Some(engine) = &self.engine {
            let source = EvidenceSource::Engine {
                engine: engine.name.clone(),
                question: "configuration".to_owned(),
            };
            self.keep(EvidenceKind::Names, source, facts);
        }
    }

    fn engine(&self) -> Result<&EngineFacts, PlanToolError> {
        if self.engine.is_none() {
            self.nothing("engine", PlanToolError::Unreachable);
        }
        self.engine.as_ref().ok_or(PlanToolError::Unreachable)
    }

    pub(crate) async fn snapshot(&self) -> Result<Seen<Snapshot>, PlanToolError> {
        let engine = &self.engine()?.name;
        self.asked("snapshot", self.plan_deadline, self.plan.snapshot(engine))
            .await
    }

    pub(crate) async fn job(&self, id: &JobId) -> Result<Told<JobView>, PlanToolError> {
        let engine = &self.engine()?.name;
        let call = self.plan.job(engine, id);
        self.told(("job", EvidenceKind::Job), call, facts::of_job)
            .await
    }

    pub(crate) async fn jobs(&self, filter: &JobFilter) -> Result<Told<JobList>, PlanToolError> {
        let engine = &self.engine()?.name;
        let call = self.plan.job_list(engine, filter);
        self.told(("job_list", EvidenceKind::Jobs), call, |list, _| {
            facts::of_jobs(filter, list)
        })
        .await
    }

    pub(crate) async fn diagnosis(&self, id: &JobId) -> Result<Told<Diagnosis>, PlanToolError> {
        let engine = &self.engine()?.name;
        let call = self.plan.diagnosis(engine, id);
        self.told(
            ("diagnosis", EvidenceKind::Diagnosis),
            call,
            facts::of_diagnosis,
        )
        .await
    }

    pub(crate) async fn graph(
        &self,
        id: &JobId,
        direction: GraphDirection,
        depth: u8,
    ) -> Result<Told<GraphView>, PlanToolError> {
        let engine = &self.engine()?.name;
        let call = self.plan.graph(engine, id, direction, depth);
        let name = match direction {
            GraphDirection::Predecessors => "predecessors",
            GraphDirection::Successors => "successors",
            GraphDirection::Both => "dependencies",
        };
        self.told((name, EvidenceKind::Dependencies), call, |graph, _| {
            facts::of_graph(graph)
        })
        .await
    }

    pub(crate) async fn impact(&self, id: &JobId) -> Result<Told<ImpactView>, PlanToolError> {
        let engine = &self.engine()?.name;
        let call = self.plan.impact(engine, id);
        self.told(("impact", EvidenceKind::Impact), call, |view, _| {
            facts::of_impact(view)
        })
        .await
    }

    pub(crate) async fn history(
        &self,
        id: &JobId,
        limit: u32,
    ) -> Result<Told<HistoryView>, PlanToolError> {
        let engine = &self.engine()?.name;
        let call = self.plan.history(engine, id, limit);
        self.told(("history", EvidenceKind::History), call, |view, _| {
            facts::of_history(view)
        })
        .await
    }

    /// A range of a log. Its lines become evidence where they are cited.
    pub(crate) async fn log(
        &self,
        id: &JobId,
        request: LogRequest,
    ) -> Result<Seen<LogView>, PlanToolError> {
        let engine = &self.engine()?.name;
        self.asked("log", self.deadline, self.plan.log(engine, id, request))
            .await
    }

    /// Keeps lines of a log as evidence; its id, and the words as they are kept.
    pub(crate) fn lines(
        &self,
        meta: &Meta,
        place: &Place,
        words: &str,
    ) -> Option<(String, String)> {
        let piece = Evidence {
            span: Some(place.clone()),
            text: Some(text::excerpt(words, EXCERPT)),
            ..of_engine(EvidenceKind::Log, "log", meta)
        };
        self.passage(piece)
    }

    /// Keeps a section of a document as evidence; its id, and the words as they are kept.
    pub(crate) fn section(&self, hit: &SearchHit, place: &Place) -> Option<(String, String)> {
        let title = EvidenceFact::words("title", &text::name(&hit.title));
        let piece = Evidence {
            id: String::new(),
            kind: EvidenceKind::Document,
            source: EvidenceSource::Document {
                document_id: hit.document_id,
                source: text::name(&hit.source),
            },
            fetched_at: self.now(),
            age_ms: 0,
            stale: false,
            span: Some(place.clone()),
            facts: vec![title],
            text: Some(text::excerpt(&hit.text, EXCERPT)),
            cut: false,
        };
        self.passage(piece)
    }

    /// Keeps a piece with words; its id, and the words as there was room for them.
    fn passage(&self, piece: Evidence) -> Option<(String, String)> {
        let id = self.book.take(piece)?;
        let text = self.book.text(&id)?;
        Some((id, text))
    }

    /// Keeps that the documents were looked through for something that is not in them.
    pub(crate) fn searched(&self, facts: Vec<EvidenceFact>) {
        let source = EvidenceSource::Search {
            through: "documents".to_owned(),
        };
        self.keep(EvidenceKind::Nothing, source, facts);
    }

    /// The best sections for `text`; `None` when the documents cannot be searched.
    pub(crate) async fn search(&self, text: &str, k: usize) -> Option<SearchResults> {
        if !self.may_call() {
            return None;
        }
        let since = self.begin("search").await;
        let found = tokio::time::timeout_at(self.deadline, self.knowledge.search(text, k)).await;
        self.note("search", since, None).await;
        match found {
            Ok(Ok(results)) => Some(results),
            Ok(Err(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the documents cannot be searched"
                );
                None
            }
            Err(_) => {
                tracing::warn!("the documents did not answer in time");
                None
            }
        }
    }
}

/// An empty piece that an engine told.
fn of_engine(kind: EvidenceKind, question: &str, meta: &Meta) -> Evidence {
    Evidence {
        id: String::new(),
        kind,
        source: EvidenceSource::Engine {
            engine: meta.engine.clone(),
            question: question.to_owned(),
        },
        fetched_at: meta.fetched_at,
        age_ms: meta.age_ms,
        stale: meta.stale,
        span: None,
        facts: Vec::new(),
        text: None,
        cut: false,
    }
}
