//! Reads of the plan, with filters pushed down to the engine.
//!
//! What is pushed: name, stream, workstation, folder, and the status when the engine's vocabulary has
//! it. What the engine cannot decide is decided here after reading, by [`Job::state`], and then the
//! answer has no total and its page may hold fewer jobs than asked, down to none, while
//! `next_offset` goes on: `SCHED` and `ADD`, which are not in the vendor's document, words that we do
//! not know, and `CANCLP`, which is a flag that not every engine filters by. For other statuses a job
//! to be cancelled later is dropped after reading, so that a total may count a few of those. Lateness, phases
//! and times are no part of [`JobQuery`]; the plan cache derives them.
//!
//! The status is asked of `lastRunCompositeStatus`, which every job has. The manual's own example asks
//! `jobruns.compositeStatus`, which misses jobs that never ran and finds those whose earlier run was
//! in that status; it is used for the rest of the client's life when the engine calls the first
//! field a syntax error, and then only for statuses that need a run.

mod filter;
mod page;

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use reqwest::header::HeaderValue;
use resync_tws::model::{
    EngineInfo, Job, JobId, JobQuery, JobSort, JobStream, Neighbour, NeighbourDirection, Slice,
    Workstation,
};
use resync_tws::ports::{GatewayError, PlanGateway};
use serde::de::DeserializeOwned;

pub(crate) use self::filter::filter_error;
use self::filter::{StatusFilter, behind, other_filters, status_filter};
use self::page::ListPage;
pub(crate) use self::page::page_of;
use crate::HwaClient;
use crate::body::Json;
use crate::encode::segment;
use crate::list::ListSink;
use crate::oql::{Direction, OqlError, OqlQuery};
use crate::transport::Call;
use crate::wire::{Place, WireEngineInfo, WireJob, WireNode, WireStream, WireWorkstation};

/// The most objects of one page.
pub(crate) const MAX_PAGE: u32 = 1_000;

/// The id makes the order whole, so that no page overlaps another.
fn sorted(query: OqlQuery, sort: JobSort) -> Result<OqlQuery, OqlError> {
    let by_name = |query: OqlQuery| {
        query
            .order_by("name", Direction::Ascending)?
            .order_by("id", Direction::Ascending)
    };
    match sort {
        JobSort::Plan => Ok(query),
        JobSort::Name => by_name(query),
        JobSort::Priority => by_name(query.order_by("priority", Direction::Descending)?),
    }
}

fn scope(with_dependencies: bool) -> HeaderValue {
    HeaderValue::from_static(if with_dependencies {
        "WHOLE_NO_JOB_DEFINITIONS"
    } else {
        "WHOLE_NO_JOB_DEFINITIONS_AND_NO_DEPENDENCIES"
    })
}

impl HwaClient {
    /// One page of a list; each element becomes ours as it arrives.
    pub(crate) async fn page<W: DeserializeOwned, T: Send>(
        &self,
        call: Call,
        offset: u64,
        limit: u32,
        become_ours: fn(W, Place) -> Result<T, GatewayError>,
    ) -> Result<ListPage<T>, GatewayError> {
        let call = call
            .query("limit", limit)
            .query("offset", offset)
            .header("include-count", HeaderValue::from_static("true"));
        let list = self
            .transport
            .read(call, || ListSink::new(become_ours))
            .await
            .map_err(|failure| failure.into_error(GatewayError::Unsupported))?;
        page_of(list, offset, limit)
    }

    async fn jobs_by(
        &self,
        query: &JobQuery,
        by_last_run: bool,
    ) -> Result<Slice<Job>, GatewayError> {
        let limit = query.limit.clamp(1, MAX_PAGE);
        let mut parts = other_filters(query).map_err(filter_error)?;
        if let Some(after) = &query.after {
            // A name with a character that no query can hold has no place to go on from.
            parts.push(behind(after).map_err(|_| GatewayError::Unsupported)?);
        }
        let exact = match status_filter(&query.status, by_last_run).map_err(filter_error)? {
            StatusFilter::Exact(part) => {
                parts.push(part);
                true
            }
            StatusFilter::Wider(part) => {
                parts.push(part);
                false
            }
            StatusFilter::None => query.status.is_empty(),
        };
        let text = sorted(OqlQuery::of(parts), query.sort)
            .and_then(|query| query.text())
            .map_err(filter_error)?;
        let mut call = Call::get("/plan/job").header("scope", scope(query.with_dependencies));
        if let Some(text) = text {
            call = call.query("oql", text);
        }
        let page = self.page(call, query.offset, limit, WireJob::read).await?;
        let (mut items, read) = (page.items, page.came);
        if !query.status.is_empty() {
            items.retain(|job| query.status.contains(&job.state()));
        }
        let total = page.total.filter(|_| exact && items.len() == read);
        Ok(Slice {
            items,
            total,
            next_offset: page.next_offset,
        })
    }

    /// One object by id; `None` for 404, and for an id that can stand in no path.
    pub(crate) async fn one<T: DeserializeOwned + Send>(
        &self,
        call: Option<Call>,
    ) -> Result<Option<T>, GatewayError> {
        let Some(call) = call else {
            return Ok(None);
        };
        match self.transport.read(call, Json::new).await {
            Ok(value) => Ok(Some(value)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure.into_error(GatewayError::Unsupported)),
        }
    }
}

#[async_trait]
impl PlanGateway for HwaClient {
    async fn engine_info(&self) -> Result<EngineInfo, GatewayError> {
        self.transport
            .read(Call::get("/engine/info"), Json::<WireEngineInfo>::new)
            .await
            .map(EngineInfo::from)
            .map_err(|failure| failure.into_error(GatewayError::Unsupported))
    }

    async fn jobs(&self, query: &JobQuery) -> Result<Slice<Job>, GatewayError> {
        let by_last_run = !self.any_run_only.load(Ordering::Relaxed);
        let answer = self.jobs_by(query, by_last_run).await;
        match answer {
            Err(GatewayError::Rejected(message))
                if by_last_run
                    && !query.status.is_empty()
                    && message.contains("OQL_FILTER_SYNTAX_ERROR") =>
            {
                // Only when the other field is taken is the first one known to be the cause.
                let second = self.jobs_by(query, false).await?;
                self.any_run_only.store(true, Ordering::Relaxed);
                tracing::warn!("the engine does not filter by the status of the last run");
                Ok(second)
            }
            // An engine that does not compare names says so in the same words.
            Err(GatewayError::Rejected(message))
                if query.after.is_some() && message.contains("OQL_FILTER_SYNTAX_ERROR") =>
            {
                Err(GatewayError::Unsupported)
            }
            answer => answer,
        }
    }

    async fn job(&self, id: &JobId) -> Result<Option<Job>, GatewayError> {
        let call = segment(id.as_str()).map(|id| Call::get(format!("/plan/job/{id}")));
        match self.one::<WireJob>(call).await? {
            Some(wire) => wire.read(Place::Whole("job")).map(Some),
            None => Ok(None),
        }
    }

    async fn neighbours(
        &self,
        id: &JobId,
        direction: NeighbourDirection,
        depth: u8,
    ) -> Result<Option<Vec<Neighbour>>, GatewayError> {
        let word = match direction {
            NeighbourDirection::Predecessors => "predecessors",
            NeighbourDirection::Successors => "successors",
        };
        let call = segment(id.as_str()).map(|id| {
            Call::get(format!("/plan/job/{id}/{word}")).query("depth", depth.clamp(1, 10))
        });
        let Some(call) = call else {
            return Ok(None);
        };
        let list = match self
            .transport
            .read(call, || ListSink::new(WireNode::read))
            .await
        {
            Ok(list) => list,
            Err(failure) if failure.is_not_found() => return Ok(None),
            Err(failure) => return Err(failure.into_error(GatewayError::Unsupported)),
        };
        let mut nodes = page_of(list, 0, u32::MAX)?.items;
        let mut seen = HashSet::from([id.as_str().to_owned()]);
        nodes.retain(|node| {
            let key = match node {
                Neighbour::Job(job) => job.id.as_str(),
                Neighbour::Stream(stream) => stream.id.as_str(),
            };
            seen.insert(key.to_owned())
        });
        Ok(Some(nodes))
    }

    async fn streams(&self, offset: u64, limit: u32) -> Result<Slice<JobStream>, GatewayError> {
        let call = Call::get("/plan/jobstream").header("scope", scope(false));
        let page = self
            .page(call, offset, limit.clamp(1, MAX_PAGE), WireStream::read)
            .await?;
        Ok(Slice {
            items: page.items,
            total: page.total,
            next_offset: page.next_offset,
        })
    }

    async fn workstations(&self) -> Result<Vec<Workstation>, GatewayError> {
        self.every(
            || Call::get("/plan/workstation"),
            WireWorkstation::read,
            |workstation| workstation.id.clone(),
        )
        .await
    }
}
