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
use crate::diagnosis::{self, Diagnosis};
use crate::model::{EngineName, JobId, LineRange, RunId};
use crate::plan::snapshot::off_the_workers;
use crate::plan::{Live, LogRequest, LogView, Meta, Question, ReadError};
use crate::redact::redact_lines;

/// How many lines of a log one gets who does not say.
const DEFAULT_LINES: u32 = 500;
/// How many lines before a range are read with it: more than a private key has.
const LOOK_BACK: u32 = 120;
/// How many ranges a search reads at most: 50,000 lines.
const MAX_SEARCH_RANGES: u32 = 25;
/// How many matches a search tells at most.
const MAX_MATCHES: usize = 1_000;
/// How many ranges of a log a diagnosis reads to find its end.
const MAX_LOG_RANGES: u32 = 10;

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
    /// Reads the job, the end of its latest log and the snapshot, each through the cache; the answer is
    /// as old as the oldest of them. A log or a plan that cannot be read is named as missing.
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
        let view = self.job(engine, id).await?;
        let job = &view.value.job;
        let log = async {
            match job.latest_run() {
                Some(run) if view.value.state.has_ended() || job.long_running => {
                    self.log_tail(engine, id, &run.id).await
                }
                _ => Err(ReadError::NoLog),
            }
        };
        let (log, snapshot) = futures_util::join!(log, self.snapshot(engine));
        let mut meta = view.meta.clone();
        if let Ok((_, log)) = &log {
            meta = meta.oldest(log);
        }
        if let Ok(snapshot) = &snapshot {
            meta = meta.oldest(&snapshot.meta);
        }
        let roots = snapshot.as_ref().map(|plan| plan.value.failed_roots_of(id));
        let facts = diagnosis::Facts {
            view: &view.value,
            log: log.as_ref().map(|(log, _)| log),
            victims: snapshot.as_ref().map(|plan| plan.value.victims(id).len()),
            failed_roots: roots.unwrap_or_else(|_| Vec::new()),
        };
        Live::composed(diagnosis::diagnose(&facts), meta)
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
        let mut last = tail.lines.len();
        for _ in 1..MAX_LOG_RANGES {
            if !tail.truncated || last == 0 {
                break;
            }
            let read = u32::try_from(tail.lines.len()).unwrap_or(u32::MAX);
            let from = tail.from_line.saturating_add(read);
            let next = match self.log_range(engine, id, run, range(from)).await {
                Ok(next) => next,
                Err(ReadError::NoLog) => break,
                Err(error) => return Err(error),
            };
            let dropped = tail.lines.len() - last;
            tail.lines.drain(..dropped);
            tail.from_line = tail
                .from_line
                .saturating_add(u32::try_from(dropped).unwrap_or(u32::MAX));
            last = next.value.lines.len();
            tail.lines.extend(next.value.lines.iter().cloned());
            tail.truncated = next.value.truncated;
            meta = meta.oldest(&next.meta);
        }
        Ok((tail, meta))
    }
}
