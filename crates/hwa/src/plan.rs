//! Reads of the plan, with filters pushed down to the engine.
//!
//! What is pushed: name, stream, workstation, folder, and the status when the engine's vocabulary has
//! it. What the engine cannot decide is decided here after reading, by [`Job::state`], and then the
//! answer has no total and its page may hold fewer jobs than asked, down to none, while
//! `next_offset` goes on: `SCHED` and `ADD`, which are not in the vendor's document, words that we do
//! not know, and `CANCLP`, which is a flag that not every engine filters by. For other statuses a job
//! to be cancelled later is dropped after reading, so that a total may count a few of those. Lateness, phases and times are no part of [`JobQuery`]; the plan cache derives them.
//!
//! The status is asked of `lastRunCompositeStatus`, which every job has. The manual's own example asks
//! `jobruns.compositeStatus`, which misses jobs that never ran and finds those whose earlier run was
//! in that status; it is used for the rest of the client's life when the engine calls the first
//! field a syntax error, and then only for statuses that need a run.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use reqwest::header::HeaderValue;
use resync_tws::model::{
    EngineInfo, Job, JobId, JobQuery, JobSort, JobStatus, JobStream, Neighbour, NeighbourDirection,
    Slice, Workstation,
};
use resync_tws::ports::{GatewayError, PlanGateway};

use crate::HwaClient;
use crate::encode::segment;
use crate::oql::{Oql, OqlError};
use crate::transport::{Call, JSON_CAP};
use crate::wire::{
    Object, Scalar, WireEngineInfo, WireJob, WireNode, WirePage, WireStream, WireWorkstation,
};

/// The most objects of one page.
const MAX_PAGE: u32 = 1_000;
/// Workstations are read to the end, but not for ever.
const MAX_WORKSTATION_PAGES: usize = 32;

const LAST_RUN_STATUS: &str = "lastRunCompositeStatus.status";
const LAST_RUN_CANCELED: &str = "lastRunCompositeStatus.canceled";
const ANY_RUN_STATUS: &str = "jobruns.compositeStatus.status";

/// How much of the wanted statuses the engine can decide.
#[derive(Debug, PartialEq, Eq)]
enum StatusFilter {
    /// All of it.
    Exact(Oql),
    /// It narrows the list, which must be looked through afterwards.
    Wider(Oql),
    /// Nothing of it.
    None,
}

/// The words of the vendor's document for a status; none when it has none.
fn words(status: &JobStatus) -> &'static [&'static str] {
    match status {
        JobStatus::Hold => &["HOLD"],
        JobStatus::Ready => &["READY"],
        JobStatus::Fence => &["FENCE"],
        JobStatus::Intro => &["INTRO"],
        JobStatus::Wait => &["WAIT"],
        JobStatus::Exec => &["EXEC"],
        JobStatus::Pend => &["PEND"],
        JobStatus::SuccPending => &["SUCCP"],
        JobStatus::AbendPending => &["ABENP"],
        JobStatus::Succ => &["SUCC"],
        JobStatus::Abend => &["ABEND"],
        JobStatus::Fail => &["FAIL"],
        JobStatus::Suppr => &["SUPPR"],
        JobStatus::Cancl => &["CANCL"],
        JobStatus::CanclPending => &["CANCLP"],
        JobStatus::Susp => &["SUSP"],
        JobStatus::Stuck => &["STUCK"],
        JobStatus::Undecided => &["UNDCDED", "EXTRN", "ERROR"],
        JobStatus::Sched | JobStatus::Add | JobStatus::Other(_) => &[],
    }
}

/// Whether a job in this status has a run, at whichever release.
fn needs_a_run(status: &JobStatus) -> bool {
    matches!(
        status,
        JobStatus::Exec
            | JobStatus::Pend
            | JobStatus::SuccPending
            | JobStatus::AbendPending
            | JobStatus::Succ
            | JobStatus::Abend
            | JobStatus::Fail
    )
}

fn status_filter(wanted: &[JobStatus], by_last_run: bool) -> Result<StatusFilter, OqlError> {
    if wanted.is_empty() || wanted.iter().any(|status| words(status).is_empty()) {
        return Ok(StatusFilter::None);
    }
    if !by_last_run {
        if !wanted.iter().all(needs_a_run) {
            return Ok(StatusFilter::None);
        }
        let words = wanted.iter().flat_map(words).copied();
        return Ok(StatusFilter::Wider(Oql::any_of(ANY_RUN_STATUS, words)?));
    }
    // Not every engine filters by the flag of a pending cancel, so it is looked at afterwards.
    if wanted.contains(&JobStatus::CanclPending) {
        return Ok(StatusFilter::None);
    }
    // A cancelled job keeps its status beside the flag, and the flag beats it.
    let mut either = Vec::new();
    let plain: Vec<&str> = wanted
        .iter()
        .filter(|status| !matches!(status, JobStatus::Cancl))
        .flat_map(words)
        .copied()
        .collect();
    if !plain.is_empty() {
        either.push(Oql::all([
            Oql::any_of(LAST_RUN_STATUS, plain)?,
            Oql::flag(LAST_RUN_CANCELED, false),
        ])?);
    }
    if wanted.contains(&JobStatus::Cancl) {
        either.push(Oql::flag(LAST_RUN_CANCELED, true));
        either.push(Oql::is(LAST_RUN_STATUS, "CANCL")?);
    }
    Ok(StatusFilter::Exact(Oql::any(either)?))
}

fn other_filters(query: &JobQuery) -> Result<Vec<Oql>, OqlError> {
    let mut parts = Vec::new();
    if let Some(name) = &query.name {
        parts.push(Oql::name("name", name)?);
    }
    if let Some(stream) = &query.stream {
        parts.push(Oql::name("jobStreamName", stream)?);
    }
    if let Some(workstation) = &query.workstation {
        parts.push(Oql::workstation("workstation", workstation)?);
    }
    if let Some(folder) = &query.folder {
        parts.push(Oql::folder("folder", folder)?);
    }
    Ok(parts)
}

fn order(sort: JobSort) -> Option<&'static str> {
    match sort {
        JobSort::Plan => None,
        // The id makes the order whole, so that no page overlaps another.
        JobSort::Name => Some("ORDER BY name ASC, id ASC"),
        JobSort::Priority => Some("ORDER BY priority DESC, name ASC, id ASC"),
    }
}

fn filter_error(error: OqlError) -> GatewayError {
    GatewayError::Rejected(error.to_string().into())
}

fn scope(with_dependencies: bool) -> HeaderValue {
    HeaderValue::from_static(if with_dependencies {
        "WHOLE_NO_JOB_DEFINITIONS"
    } else {
        "WHOLE_NO_JOB_DEFINITIONS_AND_NO_DEPENDENCIES"
    })
}

/// A page with its items still as they came.
struct RawPage<T> {
    items: Vec<T>,
    total: Option<u64>,
    next_offset: Option<u64>,
}

fn page_of<T>(wire: WirePage<T>, offset: u64, limit: u32) -> Result<RawPage<T>, GatewayError> {
    let count = wire.count.number::<u64>();
    let results = match wire.results.0 {
        Some(results) => results,
        None if count == Some(0) => Vec::new(),
        None => return Err(GatewayError::Unreadable("results is missing".into())),
    };
    let items: Vec<T> = results
        .into_iter()
        .enumerate()
        .map(|(index, Object(item))| {
            item.ok_or_else(|| {
                GatewayError::Unreadable(format!("results[{index}] is no object").into())
            })
        })
        .collect::<Result<_, _>>()?;
    let came = u64::try_from(items.len()).unwrap_or(u64::MAX);
    let end = offset.saturating_add(came);
    // A count below what was seen is a guess of the engine's, or a zero that means "not counted".
    let total = count.filter(|count| *count >= end || (came == 0 && *count <= offset));
    let next_offset = if came == 0 {
        None
    } else {
        match next_offset_of(&wire.next) {
            // One that does not go forward would page for ever.
            Some(Some(next)) if next > offset => Some(next),
            Some(_) => Some(end),
            // A document-conform engine leaves `next` out on the last page only; one that forgets it
            // still shows by its count and a full page that there is more.
            None => {
                (total.is_some_and(|total| total > end) && came >= u64::from(limit)).then_some(end)
            }
        }
    };
    Ok(RawPage {
        items,
        total,
        next_offset,
    })
}

/// The offset in the query part of a `next` URL: nothing without a URL, and nothing inside when it
/// names no offset. Its host is the engine's idea of itself, and is not looked at.
#[expect(
    clippy::option_option,
    reason = "no page, and a page at an unknown place, are two things"
)]
fn next_offset_of(next: &Scalar) -> Option<Option<u64>> {
    let text = next.text()?;
    let (_, query) = text.split_once('?').unwrap_or(("", ""));
    let query = query.split('#').next().unwrap_or("");
    Some(
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(name, _)| *name == "offset")
            .and_then(|(_, value)| value.parse().ok()),
    )
}

impl HwaClient {
    async fn page<T: serde::de::DeserializeOwned>(
        &self,
        call: Call,
        offset: u64,
        limit: u32,
    ) -> Result<RawPage<T>, GatewayError> {
        let call = call
            .query("limit", limit)
            .query("offset", offset)
            .header("include-count", HeaderValue::from_static("true"));
        let body = self
            .transport
            .send(call, JSON_CAP, false)
            .await
            .map_err(|failure| failure.into_error(GatewayError::Unsupported))?;
        page_of(body.read()?, offset, limit)
    }

    async fn jobs_by(
        &self,
        query: &JobQuery,
        by_last_run: bool,
    ) -> Result<Slice<Job>, GatewayError> {
        let limit = query.limit.clamp(1, MAX_PAGE);
        let mut parts = other_filters(query).map_err(filter_error)?;
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
        let mut text = if parts.is_empty() {
            String::new()
        } else {
            Oql::all(parts).map_err(filter_error)?.to_string()
        };
        if let Some(order) = order(query.sort) {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(order);
        }
        let mut call = Call::get("/plan/job").header("scope", scope(query.with_dependencies));
        if !text.is_empty() {
            call = call.query("oql", text);
        }
        let page = self.page::<WireJob>(call, query.offset, limit).await?;
        let read = page.items.len();
        let mut items = Vec::with_capacity(read);
        for (index, wire) in page.items.into_iter().enumerate() {
            let job = wire.read(&format!("results[{index}]"))?;
            if query.status.is_empty() || query.status.contains(&job.state()) {
                items.push(job);
            }
        }
        let total = page.total.filter(|_| exact && items.len() == read);
        Ok(Slice {
            items,
            total,
            next_offset: page.next_offset,
        })
    }

    /// One object by id; `None` for 404, and for an id that can stand in no path.
    async fn one<T: serde::de::DeserializeOwned>(
        &self,
        call: Option<Call>,
    ) -> Result<Option<T>, GatewayError> {
        let Some(call) = call else {
            return Ok(None);
        };
        match self.transport.send(call, JSON_CAP, false).await {
            Ok(body) => body.read().map(Some),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure.into_error(GatewayError::Unsupported)),
        }
    }
}

#[async_trait]
impl PlanGateway for HwaClient {
    async fn engine_info(&self) -> Result<EngineInfo, GatewayError> {
        let body = self
            .transport
            .send(Call::get("/engine/info"), JSON_CAP, false)
            .await
            .map_err(|failure| failure.into_error(GatewayError::Unsupported))?;
        body.read::<WireEngineInfo>().map(EngineInfo::from)
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
            answer => answer,
        }
    }

    async fn job(&self, id: &JobId) -> Result<Option<Job>, GatewayError> {
        let call = segment(id.as_str()).map(|id| Call::get(format!("/plan/job/{id}")));
        match self.one::<WireJob>(call).await? {
            Some(wire) => wire.read("job").map(Some),
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
        let Some(wire) = self.one::<WirePage<WireNode>>(call).await? else {
            return Ok(None);
        };
        let page = page_of(wire, 0, u32::MAX)?;
        let mut seen = HashSet::from([id.as_str().to_owned()]);
        let mut nodes = Vec::with_capacity(page.items.len());
        for (index, node) in page.items.into_iter().enumerate() {
            let node = node.read(&format!("results[{index}]"))?;
            let key = match &node {
                Neighbour::Job(job) => job.id.as_str(),
                Neighbour::Stream(stream) => stream.id.as_str(),
            };
            if seen.insert(key.to_owned()) {
                nodes.push(node);
            }
        }
        Ok(Some(nodes))
    }

    async fn streams(&self, offset: u64, limit: u32) -> Result<Slice<JobStream>, GatewayError> {
        let call = Call::get("/plan/jobstream").header("scope", scope(false));
        let page = self
            .page::<WireStream>(call, offset, limit.clamp(1, MAX_PAGE))
            .await?;
        let items = page
            .items
            .into_iter()
            .enumerate()
            .map(|(index, wire)| wire.read(&format!("results[{index}]")))
            .collect::<Result<_, _>>()?;
        Ok(Slice {
            items,
            total: page.total,
            next_offset: page.next_offset,
        })
    }

    async fn workstations(&self) -> Result<Vec<Workstation>, GatewayError> {
        let mut all: Vec<Workstation> = Vec::new();
        let mut seen = HashSet::new();
        let mut offset = 0;
        for _ in 0..MAX_WORKSTATION_PAGES {
            let page = self
                .page::<WireWorkstation>(Call::get("/plan/workstation"), offset, MAX_PAGE)
                .await?;
            for (index, wire) in page.items.into_iter().enumerate() {
                let workstation = wire.read(&format!("results[{index}]"))?;
                if seen.insert(workstation.id.clone()) {
                    all.push(workstation);
                }
            }
            match page.next_offset {
                Some(next) => offset = next,
                None => return Ok(all),
            }
        }
        Err(GatewayError::Unreadable(Arc::from(
            "its list of workstations does not end",
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use resync_tws::model::NamePattern;

    fn page(json: &str, offset: u64, limit: u32) -> Result<RawPage<WireStream>, GatewayError> {
        page_of(serde_json::from_str(json).unwrap(), offset, limit)
    }

    #[test]
    fn only_the_query_of_next_is_used() {
        let json = r#"{"count":9,"results":[{}],"next":"https://evil:1/x?limit=2&offset=7#f"}"#;
        let read = page(json, 4, 2).unwrap();
        assert_eq!((read.total, read.next_offset), (Some(9), Some(7)));
    }

    #[test]
    fn a_next_that_goes_back_or_says_nothing_goes_on_by_what_came() {
        for next in ["https://h/x?offset=0", "https://h/x", "?offset=x"] {
            let json = format!(r#"{{"results":[{{}},{{}}],"next":"{next}"}}"#);
            assert_eq!(page(&json, 4, 2).unwrap().next_offset, Some(6), "{next}");
        }
    }

    #[test]
    fn the_last_page_has_no_next_however_that_is_written() {
        for next in ["", r#","next":null"#, r#","next":"""#] {
            let json = format!(r#"{{"count":5,"results":[{{}}]{next}}}"#);
            assert_eq!(page(&json, 4, 2).unwrap().next_offset, None, "{next}");
        }
    }

    #[test]
    fn a_forgotten_next_is_made_up_for_by_the_count() {
        let read = page(r#"{"count":5,"results":[{},{}]}"#, 0, 2).unwrap();
        assert_eq!(read.next_offset, Some(2));
    }

    #[test]
    fn an_empty_page_is_the_last_whatever_it_says() {
        let read = page(r#"{"count":5,"results":[],"next":"?offset=9"}"#, 2, 2).unwrap();
        assert_eq!(read.next_offset, None);
    }

    #[test]
    fn a_count_that_cannot_be_is_no_total() {
        for json in [
            r#"{"results":[{}]}"#,
            r#"{"count":-1,"results":[{}]}"#,
            r#"{"count":0,"results":[{}]}"#,
            r#"{"count":"many","results":[{}]}"#,
        ] {
            assert_eq!(page(json, 0, 2).unwrap().total, None, "{json}");
        }
        assert_eq!(page(r#"{"count":0}"#, 0, 2).unwrap().total, Some(0));
        assert_eq!(
            page(r#"{"count":"3","results":[{}]}"#, 0, 2).unwrap().total,
            Some(3)
        );
    }

    #[test]
    fn results_that_are_not_there_or_no_objects_are_named() {
        for (json, place) in [
            ("{}", "results is missing"),
            (r#"{"results":[{},7]}"#, "results[1] is no object"),
        ] {
            assert_eq!(
                page(json, 0, 2).map(|_| ()),
                Err(GatewayError::Unreadable(place.into()))
            );
        }
    }

    #[test]
    fn a_status_that_the_engine_cannot_decide_is_not_pushed() {
        for status in [
            JobStatus::Sched,
            JobStatus::CanclPending,
            JobStatus::Other("X' OR".into()),
        ] {
            assert_eq!(
                status_filter(&[JobStatus::Hold, status], true),
                Ok(StatusFilter::None)
            );
        }
    }

    #[test]
    fn the_flag_of_a_cancel_beats_the_status() {
        let Ok(StatusFilter::Exact(oql)) =
            status_filter(&[JobStatus::Abend, JobStatus::Cancl], true)
        else {
            panic!("not exact");
        };
        assert_eq!(
            oql.to_string(),
            "lastRunCompositeStatus.status = 'ABEND' AND lastRunCompositeStatus.canceled != true \
             OR lastRunCompositeStatus.canceled = true OR lastRunCompositeStatus.status = 'CANCL'"
        );
    }

    #[test]
    fn without_the_last_run_only_statuses_with_a_run_are_pushed() {
        assert_eq!(
            status_filter(&[JobStatus::Hold, JobStatus::Abend], false),
            Ok(StatusFilter::None)
        );
        assert_eq!(
            status_filter(&[JobStatus::Abend], false),
            Ok(StatusFilter::Wider(
                Oql::is(ANY_RUN_STATUS, "ABEND").unwrap()
            ))
        );
    }

    #[test]
    fn every_filter_of_a_query_is_pushed() {
        let pattern = |text: &str| Some(NamePattern::parse(text).unwrap());
        let query = JobQuery {
            name: pattern("FIN_*"),
            stream: pattern("FIN_EOD"),
            workstation: pattern("/FINDB01"),
            folder: pattern("/FIN/"),
            ..JobQuery::default()
        };
        let text = Oql::all(other_filters(&query).unwrap())
            .unwrap()
            .to_string();
        assert_eq!(
            text,
            "name LIKE 'FIN_@' AND jobStreamName = 'FIN_EOD' AND workstation = '/FINDB01' \
             AND folder IN ['/FIN/','/FIN']"
        );
    }
}
