//! Logs, and what they tell of a failure.
//!
//! Invariants:
//! - Secrets are taken out before the cache keeps a line, so none can be found by searching either.
//! - A key of several lines is known also when a range begins inside it: some lines before the range are
//!   read with it and not shown.
//! - A search looks through the whole log, in reads of bounded size and number, and says when it did not
//!   get to the end.
//! - A run is read only by way of the job that it belongs to.

use std::sync::Arc;

use tracing::instrument;

use super::{PlanService, fetched};
use crate::diagnosis::{self, Diagnosis, PastRuns};
use crate::history::runs_of;
use crate::model::{EngineName, JobId, LineRange, RunId};
use crate::plan::snapshot::off_the_workers;
use crate::plan::{JobView, Live, LogRequest, LogView, Meta, Question, ReadError};
use crate::ports::HistoryError;
use crate::redact::redact_lines;

/// How many lines of a log one gets who does not say.
const DEFAULT_LINES: u32 = 500;
/// How many lines before a range are read with it: more than a private key has.
const LOOK_BACK: u32 = 120;
/// How many ranges a search reads at most: 50,000 lines.
const MAX_SEARCH_RANGES: u32 = 25;
/// How many matches a search tells at most.
const MAX_MATCHES: usize = 1_000;
/// How many lines a diagnosis reads to find the end of a log: enough for some hundred million.
const MAX_PROBES: u32 = 40;

/// What a search found.
#[derive(Default)]
struct Found {
    lines: Vec<u32>,
    searched: u32,
    complete: bool,
}

impl PlanService {
    /// Some lines of the log of a run, without secrets.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::UnknownJob`], [`ReadError::NoLog`],
    /// [`ReadError::Gateway`].
    #[instrument(name = "tws.log", level = "debug", skip_all, fields(job.id = %id))]
    pub async fn log(
        &self,
        engine: Option<&EngineName>,
        id: &JobId,
        request: LogRequest,
    ) -> Result<Live<LogView>, ReadError> {
        let job = self.job(engine, id).await?;
        let job = &job.value.job;
        let run = match request.run {
            // A run of another job would be a way around the job's own rights.
            Some(run) if job.runs.iter().any(|known| known.id == run) => run,
            Some(_) => return Err(ReadError::NoLog),
            None => job
                .latest_run()
                .map(|run| run.id.clone())
                .ok_or(ReadError::NoLog)?,
        };
        let range = LineRange::clamped(
            request.from.unwrap_or(1),
            request.lines.unwrap_or(DEFAULT_LINES),
        );
        let log = self.log_range(engine, id, &run, range).await?;
        let Some(search) = request.search.filter(|text| !text.is_empty()) else {
            return Ok(log);
        };
        let mut view = LogView::clone(&log.value);
        let (found, meta) = self.search(engine, id, &run, &search, log.meta).await?;
        view.matches = Some(found.lines);
        view.searched_lines = Some(found.searched);
        view.search_complete = Some(found.complete);
        Live::composed(view, meta)
    }

    /// Looks through the whole log of a run, range by range.
    async fn search(
        &self,
        engine: Option<&EngineName>,
        id: &JobId,
        run: &RunId,
        text: &str,
        mut meta: Meta,
    ) -> Result<(Found, Meta), ReadError> {
        let wanted = text.to_lowercase();
        let mut found = Found::default();
        let mut from = 1;
        for _ in 0..MAX_SEARCH_RANGES {
            let range = LineRange::clamped(from, LineRange::MAX_COUNT);
            let part = match self.log_range(engine, id, run, range).await {
                Ok(part) => part,
                // A log may end where a range ends.
                Err(ReadError::NoLog) if from > 1 => {
                    found.complete = true;
                    break;
                }
                Err(error) => return Err(error),
            };
            meta = meta.oldest(&part.meta);
            for (number, line) in (part.value.from_line..).zip(&part.value.lines) {
                if !line.to_lowercase().contains(&wanted) {
                    continue;
                }
                if found.lines.len() >= MAX_MATCHES {
                    return Ok((found, meta));
                }
                found.lines.push(number);
            }
            let read = u32::try_from(part.value.lines.len()).unwrap_or(u32::MAX);
            found.searched = found.searched.saturating_add(read);
            from = part.value.from_line.saturating_add(read);
            if !part.value.truncated || read == 0 {
                found.complete = !part.value.truncated;
                break;
            }
        }
        Ok((found, meta))
    }

    async fn log_range(
        &self,
        engine: Option<&EngineName>,
        id: &JobId,
        run: &RunId,
        range: LineRange,
    ) -> Result<Live<LogView>, ReadError> {
        let engine = self.engines.get(engine)?;
        let (asked, job_id, run) = (Arc::clone(&engine), id.clone(), run.clone());
        let question = Question::Log(run.clone(), range);
        self.read(&engine, question, move || async move {
            let back = LOOK_BACK.min(range.from - 1);
            let wider = LineRange {
                from: range.from - back,
                count: range.count.saturating_add(back),
            };
            let log = asked
                .logs
                .job_log(&run, wider)
                .await?
                .ok_or(ReadError::NoLog)?;
            let (raw, first) = (log.lines, log.from_line);
            let skip = range.from.saturating_sub(first);
            // Some thousand lines against a dozen patterns must not hold up the answers of others.
            let (lines, redacted) = off_the_workers(move || {
                let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(raw.len());
                let (mut lines, all) = redact_lines(&raw);
                let (_, before) = redact_lines(raw.get(..skip).unwrap_or(&[]));
                lines.drain(..skip);
                (lines, all - before)
            })
            .await?;
            fetched(LogView {
                job_id,
                run: log.run,
                from_line: range.from.max(first),
                lines,
                truncated: log.truncated,
                redacted,
                matches: None,
                searched_lines: None,
                search_complete: None,
            })
        })
        .await
    }

    /// Why a job failed or does not run, as far as the engine's facts tell.
    ///
    /// Reads the job, the end of its latest log and the snapshot, each through the cache, and the history
    /// where one is kept; for a victim also the log of the first job that it is a victim of. The answer is
    /// as old as the oldest of them. What cannot be read is named as missing.
    /// Cancel safe.
    ///
    /// # Errors
    /// [`ReadError::UnknownEngine`], [`ReadError::UnknownJob`], [`ReadError::Gateway`] when the job
    /// itself cannot be read.
    #[instrument(name = "tws.diagnosis", level = "debug", skip_all, fields(job.id = %id))]
    pub async fn diagnosis(
        &self,
        engine: Option<&EngineName>,
        id: &JobId,
    ) -> Result<Live<Diagnosis>, ReadError> {
        let (mut found, mut meta) = self.own_diagnosis(engine, id).await?;
        if let Some(root) = found.roots.first_mut() {
            // Why that one failed is worth a second look; without it the answer is shorter, not wrong.
            if let Ok((why, age)) = self.own_diagnosis(engine, &root.job_id).await {
                meta = meta.oldest(&age);
                root.verdict = why.verdict;
                root.cause = why.cause;
            }
        }
        Live::composed(found, meta)
    }

    /// The diagnosis of a job without a look at another one's log.
    async fn own_diagnosis(
        &self,
        engine: Option<&EngineName>,
        id: &JobId,
    ) -> Result<(Diagnosis, Meta), ReadError> {
        let view = self.job(engine, id).await?;
        let job = &view.value.job;
        let log = async {
            match job.latest_run() {
                Some(run) if diagnosis::wants_log(&view.value) => {
                    self.log_tail(engine, id, &run.id).await
                }
                _ => Err(ReadError::NoLog),
            }
        };
        let past = self.past(&view.meta.engine, &view.value);
        let (log, snapshot, past) = futures_util::join!(log, self.snapshot(engine), past);
        let mut meta = view.meta.clone();
        if let Ok((_, log)) = &log {
            meta = meta.oldest(log);
        }
        if let Ok(snapshot) = &snapshot {
            meta = meta.oldest(&snapshot.meta);
        }
        let plan = snapshot.as_ref().map(|plan| &*plan.value);
        let failed = view.value.state.has_failed();
        let before = plan.ok().filter(|_| failed);
        let facts = diagnosis::Facts {
            causes: &self.causes,
            view: &view.value,
            log: log.as_ref().map(|(log, _)| log),
            victims: plan.map(|plan| plan.victims(id).len()),
            failed_roots: plan.map_or_else(|_| Vec::new(), |plan| plan.failed_roots_of(id)),
            failed_before: before.map_or_else(Vec::new, |plan| plan.failed_before(id)),
            past,
        };
        Ok((diagnosis::diagnose(&facts), meta))
    }

    /// The runs before, of a job that failed; `None` where no history is kept.
    async fn past(
        &self,
        engine: &EngineName,
        view: &JobView,
    ) -> Option<Result<PastRuns, HistoryError>> {
        let runs = self.runs.as_deref().filter(|_| view.state.has_failed())?;
        let limit = u32::try_from(diagnosis::LOOKED_AT).unwrap_or(u32::MAX) + 1;
        let read = async {
            Ok(PastRuns {
                runs: runs_of(runs, engine, &view.job, limit).await?,
                observed_since: runs.observed_since(engine).await?,
            })
        };
        Some(read.await)
    }

    /// The end of a log, which is where its error stands: the last range, with the one before it when
    /// there is one, since the last may hold no more than the trailer.
    async fn log_tail(
        &self,
        engine: Option<&EngineName>,
        id: &JobId,
        run: &RunId,
    ) -> Result<(LogView, Meta), ReadError> {
        let range = |from| LineRange::clamped(from, LineRange::MAX_COUNT);
        let first = self.log_range(engine, id, run, range(1)).await?;
        let (mut tail, mut meta) = (LogView::clone(&first.value), first.meta);
        let read = u32::try_from(tail.lines.len()).unwrap_or(u32::MAX);
        if !tail.truncated || read == 0 {
            return Ok((tail, meta));
        }
        let from = self.last_range(engine, id, run, 1 + read).await?;
        if from > 1 + read {
            let before = from.saturating_sub(LineRange::MAX_COUNT);
            let part = self.log_range(engine, id, run, range(before)).await?;
            tail = LogView::clone(&part.value);
            meta = meta.oldest(&part.meta);
        }
        let last = match self.log_range(engine, id, run, range(from)).await {
            Ok(last) => last,
            // A log may end where a range ends.
            Err(ReadError::NoLog) => return Ok((tail, meta)),
            Err(error) => return Err(error),
        };
        tail.lines.extend(last.value.lines.iter().cloned());
        tail.truncated = last.value.truncated;
        Ok((tail, meta.oldest(&last.meta)))
    }

    /// Where the last range of a log begins that has a line at `from`, by doubling and halving: some dozen
    /// lines are read of a log of a million.
    async fn last_range(
        &self,
        engine: Option<&EngineName>,
        id: &JobId,
        run: &RunId,
        from: u32,
    ) -> Result<u32, ReadError> {
        let count = LineRange::MAX_COUNT;
        let (mut there, mut step, mut beyond): (u32, u32, Option<u32>) = (from, count, None);
        for _ in 0..MAX_PROBES {
            let probe = match beyond {
                None => there.saturating_add(step),
                // Ranges stay whole, so that they are found in the cache again.
                Some(beyond) if beyond - there > count => {
                    there + ((beyond - there) / (2 * count) * count).max(count)
                }
                Some(_) => break,
            };
            if probe == there {
                break;
            }
            match self
                .log_range(engine, id, run, LineRange::clamped(probe, 1))
                .await
            {
                Ok(line) if !line.value.lines.is_empty() => {
                    there = probe;
                    step = step.saturating_mul(2);
                }
                Ok(_) | Err(ReadError::NoLog) => beyond = Some(probe),
                Err(error) => return Err(error),
            }
        }
        Ok(there)
    }
}
