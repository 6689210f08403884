//! What the plan cache is keyed by, how long an entry lives, and what an answer says of its age.
//!
//! Invariants:
//! - A key is an engine and typed ids (I-04), so no two questions share an entry and one engine is
//!   invalidated without the others.
//! - Every answer carries when it was fetched and whether it is stale (I-15).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use resync_sync::{CacheKey, Cached, ETag, FetchLost, Freshness, Windows};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    EngineHealth, GraphDirection, GraphView, ImpactView, JobDefinitionPage, JobListQuery, JobPage,
    JobView, LogView, PromptList, ResourceList, Snapshot, StreamDefinitionPage, StreamPage,
    StreamView, WorkstationList,
};
use crate::engines::UnknownEngine;
use crate::model::{
    Capabilities, CountBy, Counted, Counts, DefinitionQuery, EngineName, JobId, JobQuery,
    LineRange, ObjectKind, RunId, StreamId,
};
use crate::ports::GatewayError;

/// Why a read gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    /// There is no such engine.
    #[error(transparent)]
    UnknownEngine(#[from] UnknownEngine),
    /// The plan has no such job.
    #[error("the plan has no job with the id {0}")]
    UnknownJob(JobId),
    /// The plan has no such object.
    #[error("the plan has no such object")]
    UnknownObject(ObjectKind),
    /// The plan has no such workstation. The name is not repeated, it may be anything.
    #[error("the plan has no workstation of that name")]
    UnknownWorkstation,
    /// The job has no such run, has not run yet, or its log is kept no longer.
    #[error("the engine has no log of that run")]
    NoLog,
    /// The engine gave no answer that we can use.
    #[error("the engine gave no usable answer")]
    Gateway(#[from] GatewayError),
    /// The read ended without an outcome.
    #[error("the read ended without an outcome")]
    Lost(#[from] FetchLost),
    /// The answer could not be written as JSON.
    #[error("the answer could not be written")]
    Unwritable,
}

/// Groups of entries with windows of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// How jobs, streams and workstations stand.
    JobStatus,
    /// Logs.
    JobLogs,
    /// What is around a job.
    Graph,
    /// What changes with a release of the engine.
    Static,
    /// The rest.
    Default,
}

impl Category {
    /// The word for it, as in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JobStatus => "job_status",
            Self::JobLogs => "job_logs",
            Self::Graph => "graph",
            Self::Static => "static",
            Self::Default => "default",
        }
    }

    /// The category of a word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::JobStatus,
            Self::JobLogs,
            Self::Graph,
            Self::Static,
            Self::Default,
        ]
        .into_iter()
        .find(|category| category.as_str() == text)
    }
}

/// How long each category is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachePolicy {
    /// 10 s fresh, 30 s stale.
    pub job_status: Windows,
    /// 30 s and 60 s.
    pub job_logs: Windows,
    /// 5 and 10 minutes.
    pub graph: Windows,
    /// 1 and 2 hours.
    pub statics: Windows,
    /// 1 and 2 minutes.
    pub default: Windows,
}

impl Default for CachePolicy {
    fn default() -> Self {
        let windows = |fresh, stale| Windows {
            fresh: Duration::from_secs(fresh),
            stale: Duration::from_secs(stale),
        };
        Self {
            job_status: windows(10, 30),
            job_logs: windows(30, 60),
            graph: windows(300, 600),
            statics: windows(3_600, 7_200),
            default: windows(60, 120),
        }
    }
}

impl CachePolicy {
    /// The windows of a key. Health is never served stale: a dead engine must show as dead.
    pub(crate) fn windows(&self, key: &PlanKey) -> Windows {
        let windows = match key.category() {
            Category::JobStatus => self.job_status,
            Category::JobLogs => self.job_logs,
            Category::Graph => self.graph,
            Category::Static => self.statics,
            Category::Default => self.default,
        };
        match key.what {
            Question::Health => Windows {
                stale: windows.fresh,
                ..windows
            },
            _ => windows,
        }
    }
}

impl CachePolicy {
    /// The age from which a fresh entry is refreshed while somebody asks for it. The board is asked for
    /// every few seconds; with two fifths of its window behind it a refresh has time to end before the
    /// entry would show as stale, at any poll of six tenths of the window or faster. What is asked for
    /// once is left alone, so that no engine works for nobody.
    pub(crate) fn ahead(&self, key: &PlanKey) -> Duration {
        match key.what {
            Question::Snapshot => self.job_status.fresh * 2 / 5,
            _ => Duration::MAX,
        }
    }
}

/// A question to one engine: what the cache finds an answer by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PlanKey {
    /// The engine.
    pub engine: EngineName,
    /// The question.
    pub(crate) what: Question,
}

/// The questions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    Health,
    Snapshot,
    Jobs(JobQuery),
    Job(JobId),
    Log(RunId, LineRange),
    Streams {
        offset: u64,
        limit: u32,
    },
    Workstations,
    Stream(StreamId),
    Resources,
    Prompts,
    Counts(Counted, Option<CountBy>),
    StreamDefinitions(DefinitionQuery),
    JobDefinitions(DefinitionQuery),
    Capabilities,
    /// Worked out of the snapshot of that revision, so that it is right for as long as it is kept.
    Derived(u64, Derived),
}

/// What is worked out of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Derived {
    List(JobListQuery),
    Graph(JobId, GraphDirection, u8),
    Impact(JobId),
}

impl PlanKey {
    /// The category, which gives the windows.
    #[must_use]
    pub fn category(&self) -> Category {
        match self.what {
            Question::Health
            | Question::Snapshot
            | Question::Jobs(_)
            | Question::Job(_)
            | Question::Streams { .. }
            | Question::Workstations
            | Question::Stream(_)
            | Question::Resources
            | Question::Prompts
            | Question::Counts(..)
            | Question::Derived(_, Derived::List(_)) => Category::JobStatus,
            Question::Log(..) => Category::JobLogs,
            Question::Derived(_, Derived::Graph(..) | Derived::Impact(_)) => Category::Graph,
            Question::StreamDefinitions(_) | Question::JobDefinitions(_) => Category::Default,
            Question::Capabilities => Category::Static,
        }
    }
}

impl fmt::Display for PlanKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            Question::Health => write!(f, "health"),
            Question::Snapshot => write!(f, "snapshot"),
            Question::Jobs(_) | Question::Derived(_, Derived::List(_)) => write!(f, "jobs"),
            Question::Job(id) => write!(f, "job/{id}"),
            Question::Log(run, _) => write!(f, "log/{run}"),
            Question::Streams { .. } => write!(f, "streams"),
            Question::Workstations => write!(f, "workstations"),
            Question::Stream(id) => write!(f, "stream/{id}"),
            Question::Resources => write!(f, "resources"),
            Question::Prompts => write!(f, "prompts"),
            Question::Counts(..) => write!(f, "counts"),
            Question::StreamDefinitions(_) | Question::JobDefinitions(_) => {
                write!(f, "definitions")
            }
            Question::Capabilities => write!(f, "capabilities"),
            Question::Derived(_, Derived::Graph(id, ..)) => write!(f, "graph/{id}"),
            Question::Derived(_, Derived::Impact(id)) => write!(f, "impact/{id}"),
        }
    }
}

/// A set of entries: each field that is set must match, and nothing set is everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlanScope {
    /// Of this engine.
    pub engine: Option<EngineName>,
    /// Of this category.
    pub category: Option<Category>,
    /// Of this question by its text: `snapshot`, `jobs`, `job/<id>`, `log/<run>`,
    /// `graph/<id>`, `impact/<id>`, `streams`, `stream/<id>`, `workstations`,
    /// `resources`, `prompts`, `counts`, `definitions`, `capabilities`, `health`.
    pub key: Option<String>,
}

impl CacheKey for PlanKey {
    type Scope = PlanScope;

    fn is_within(&self, scope: &PlanScope) -> bool {
        scope
            .engine
            .as_ref()
            .is_none_or(|name| *name == self.engine)
            && scope
                .category
                .is_none_or(|category| category == self.category())
            && scope
                .key
                .as_ref()
                .is_none_or(|key| *key == self.to_string())
    }
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheStatus {
    /// The cache, fresh.
    Hit,
    /// The engine, asked for this answer.
    Miss,
    /// The cache, stale.
    Stale,
    /// The engine, asked by another caller at the same time.
    Coalesced,
}

impl CacheStatus {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Stale => "stale",
            Self::Coalesced => "coalesced",
        }
    }
}

impl From<Freshness> for CacheStatus {
    fn from(freshness: Freshness) -> Self {
        match freshness {
            Freshness::Fresh => Self::Hit,
            Freshness::Stale => Self::Stale,
            Freshness::Fetched => Self::Miss,
            Freshness::Coalesced => Self::Coalesced,
        }
    }
}

/// What every live answer says of itself (I-15).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Meta {
    /// Which engine.
    pub engine: EngineName,
    /// When the engine answered.
    pub fetched_at: DateTime<Utc>,
    /// How long ago that was, in milliseconds, by the monotonic clock.
    pub age_ms: u64,
    /// Older than its fresh window.
    pub stale: bool,
    /// Where it came from.
    pub cache: CacheStatus,
    /// The last try to refresh it failed, so that it may get older than it should.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refresh_failed: bool,
}

impl Meta {
    /// The meta of an answer made of two: the older one's age, stale when one is.
    #[must_use]
    pub fn oldest(self, other: &Self) -> Self {
        let older = if other.age_ms > self.age_ms {
            other.clone()
        } else {
            self.clone()
        };
        Self {
            stale: self.stale || other.stale,
            refresh_failed: self.refresh_failed || other.refresh_failed,
            ..older
        }
    }
}

/// An answer with its age. Cheap to clone: the value and the bytes are shared.
#[derive(Debug)]
pub struct Live<T> {
    /// The typed answer.
    pub value: Arc<T>,
    /// The answer as a JSON object, without `meta`.
    pub bytes: Bytes,
    /// The tag of `bytes`.
    pub etag: ETag,
    /// Its age and origin.
    pub meta: Meta,
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self {
            value: Arc::clone(&self.value),
            bytes: self.bytes.clone(),
            etag: self.etag,
            meta: self.meta.clone(),
        }
    }
}

impl<T> Live<T> {
    /// The JSON object with `meta` as its first member.
    ///
    /// # Errors
    /// [`ReadError::Unwritable`] when the answer is no JSON object.
    pub fn body(&self) -> Result<Bytes, ReadError> {
        let Some((b'{', rest)) = self.bytes.split_first() else {
            return Err(ReadError::Unwritable);
        };
        // Meta has some 150 bytes, 63 of them at most the engine's name.
        let mut body = Vec::with_capacity(rest.len() + 256);
        body.extend_from_slice(b"{\"meta\":");
        serde_json::to_writer(&mut body, &self.meta).map_err(|_| ReadError::Unwritable)?;
        if rest.first() != Some(&b'}') {
            body.push(b',');
        }
        body.extend_from_slice(rest);
        Ok(body.into())
    }
}

impl<T: Serialize> Live<T> {
    /// An answer made of others, which no entry of the cache holds.
    pub(crate) fn composed(value: T, meta: Meta) -> Result<Self, ReadError> {
        let bytes: Bytes = serde_json::to_vec(&value)
            .map_err(|_| ReadError::Unwritable)?
            .into();
        Ok(Self {
            value: Arc::new(value),
            etag: ETag::of(&bytes),
            bytes,
            meta,
        })
    }
}

/// What the cache holds: one variant a question.
#[derive(Debug)]
pub(crate) enum PlanValue {
    Health(Arc<EngineHealth>),
    Snapshot(Arc<Snapshot>),
    Jobs(Arc<JobPage>),
    Job(Arc<JobView>),
    Log(Arc<LogView>),
    Streams(Arc<StreamPage>),
    Workstations(Arc<WorkstationList>),
    Stream(Arc<StreamView>),
    Resources(Arc<ResourceList>),
    Prompts(Arc<PromptList>),
    Counts(Arc<Counts>),
    StreamDefinitions(Arc<StreamDefinitionPage>),
    JobDefinitions(Arc<JobDefinitionPage>),
    Capabilities(Arc<Capabilities>),
    Graph(Arc<GraphView>),
    Impact(Arc<ImpactView>),
}

/// A type that answers a question.
pub(crate) trait Answer: Sized + Send + Sync + 'static {
    /// Puts it into the cache's value.
    fn wrap(self: Arc<Self>) -> PlanValue;
    /// Takes it out; `None` when the value answers another question.
    fn unwrap(value: &PlanValue) -> Option<Arc<Self>>;
}

macro_rules! answers {
    ($($variant:ident => $type:ty),* $(,)?) => {$(
        impl Answer for $type {
            fn wrap(self: Arc<Self>) -> PlanValue {
                PlanValue::$variant(self)
            }
            fn unwrap(value: &PlanValue) -> Option<Arc<Self>> {
                match value {
                    PlanValue::$variant(value) => Some(Arc::clone(value)),
                    _ => None,
                }
            }
        }
    )*};
}

answers! {
    Health => EngineHealth,
    Snapshot => Snapshot,
    Jobs => JobPage,
    Job => JobView,
    Log => LogView,
    Streams => StreamPage,
    Workstations => WorkstationList,
    Stream => StreamView,
    Resources => ResourceList,
    Prompts => PromptList,
    Counts => Counts,
    StreamDefinitions => StreamDefinitionPage,
    JobDefinitions => JobDefinitionPage,
    Capabilities => Capabilities,
    Graph => GraphView,
    Impact => ImpactView,
}

/// A cached value as an answer of type `T`.
pub(crate) fn live<T: Answer>(
    engine: &EngineName,
    cached: &Cached<PlanValue>,
) -> Result<Live<T>, ReadError> {
    // A key fixes its variant, so this fails for no key; a lost read is what it would be.
    let value = T::unwrap(cached.value()).ok_or(ReadError::Lost(FetchLost::Cancelled))?;
    let cache = CacheStatus::from(cached.freshness());
    Ok(Live {
        value,
        bytes: cached.bytes().clone(),
        etag: cached.etag(),
        meta: Meta {
            engine: engine.clone(),
            fetched_at: cached.fetched_at(),
            age_ms: u64::try_from(cached.age().as_millis()).unwrap_or(u64::MAX),
            stale: cache == CacheStatus::Stale,
            cache,
            refresh_failed: cached.refresh_failed(),
        },
    })
}
