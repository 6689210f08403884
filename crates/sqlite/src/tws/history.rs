//! Ended runs in SQLite.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_tws::model::{EngineName, RunId};
use resync_tws::ports::{EndedRun, HistoryError, JobIdentity, RunHistory};
use sqlx::FromRow;
use sqlx::types::Json;

use crate::row::{RowName, signed};
use crate::{SqliteDatabase, SqliteError};

/// Ended runs in the table `run_history`.
#[derive(Debug, Clone)]
pub struct SqliteRunHistory {
    database: SqliteDatabase,
}

#[derive(FromRow)]
struct Row {
    run: String,
    status: String,
    good: bool,
    return_code: Option<i64>,
    started_at_ms: Option<i64>,
    ended_at_ms: i64,
    seconds: Option<i64>,
}

impl Row {
    fn read(self, job: &JobIdentity) -> Result<EndedRun, SqliteError> {
        let name = RowName {
            table: "run_history",
            id: &self.run,
        };
        let run = RunId::parse(&self.run).map_err(|error| name.broken("run", error))?;
        let time = |column, ms| {
            DateTime::from_timestamp_millis(ms).ok_or_else(|| name.broken(column, "out of range"))
        };
        Ok(EndedRun {
            job: job.clone(),
            run,
            status: self.status.clone(),
            good: self.good,
            return_code: self
                .return_code
                .map(|code| name.number("return_code", code))
                .transpose()?,
            started_at: self
                .started_at_ms
                .map(|ms| time("started_at_ms", ms))
                .transpose()?,
            ended_at: time("ended_at_ms", self.ended_at_ms)?,
            seconds: self
                .seconds
                .map(|seconds| name.number("seconds", seconds))
                .transpose()?,
        })
    }
}

/// The durations of good runs as an array for each place in a list of names. The index gives the runs of
/// a job in their order, so that no more than the newest are touched.
const GOOD_SECONDS: &str = "\
    SELECT wanted.key, (\
    SELECT json_group_array(seconds) FROM (\
    SELECT seconds, good FROM run_history \
    WHERE engine = wanted.value ->> 0 AND job = wanted.value ->> 1 AND stream = wanted.value ->> 2 \
    AND workstation = wanted.value ->> 3 AND folder = wanted.value ->> 4 \
    ORDER BY ended_at_ms DESC, run LIMIT ?2) \
    WHERE good AND seconds IS NOT NULL) \
    FROM json_each(?1) AS wanted";

fn unavailable(error: impl Into<SqliteError>) -> HistoryError {
    HistoryError::Unavailable(error.into().into())
}

impl SqliteRunHistory {
    /// The runs of `database`.
    #[must_use]
    pub const fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl RunHistory for SqliteRunHistory {
    async fn record(
        &self,
        engine: &EngineName,
        runs: &[EndedRun],
        now: DateTime<Utc>,
    ) -> Result<u64, HistoryError> {
        let (engine, runs, now) = (engine.to_string(), runs.to_vec(), now.timestamp_millis());
        let record = self.database.write(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO run_history_since (engine, at_ms) VALUES (?, ?) \
                     ON CONFLICT (engine) DO NOTHING",
                )
                .bind(engine)
                .bind(now)
                .execute(&mut *tx)
                .await?;
                let mut new = 0;
                for run in runs {
                    let done = sqlx::query(
                        "INSERT INTO run_history (engine, run, workstation, folder, stream, job, \
                         status, good, return_code, started_at_ms, ended_at_ms, seconds) \
                         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
                         ON CONFLICT (engine, run) DO NOTHING",
                    )
                    .bind(run.job.engine.to_string())
                    .bind(run.run.to_string())
                    .bind(run.job.workstation)
                    .bind(run.job.folder)
                    .bind(run.job.stream)
                    .bind(run.job.job)
                    .bind(run.status)
                    .bind(run.good)
                    .bind(run.return_code)
                    .bind(run.started_at.map(|at| at.timestamp_millis()))
                    .bind(run.ended_at.timestamp_millis())
                    .bind(run.seconds.map(signed))
                    .execute(&mut *tx)
                    .await?;
                    new += done.rows_affected();
                }
                Ok::<_, SqliteError>(new)
            })
        });
        record.await.map_err(unavailable)
    }

    async fn of_job(&self, job: &JobIdentity, limit: u32) -> Result<Vec<EndedRun>, HistoryError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT run, status, good, return_code, started_at_ms, ended_at_ms, seconds \
             FROM run_history \
             WHERE engine = ? AND job = ? AND stream = ? AND workstation = ? AND folder = ? \
             ORDER BY ended_at_ms DESC, run LIMIT ?",
        )
        .bind(job.engine.as_str())
        .bind(&job.job)
        .bind(&job.stream)
        .bind(&job.workstation)
        .bind(&job.folder)
        .bind(limit)
        .fetch_all(self.database.reader())
        .await
        .map_err(unavailable)?;
        rows.into_iter()
            .map(|row| row.read(job).map_err(unavailable))
            .collect()
    }

    async fn good_seconds(
        &self,
        jobs: &[JobIdentity],
        limit: u32,
    ) -> Result<HashMap<JobIdentity, Vec<u64>>, HistoryError> {
        // Each once, so that the number of a job stands for it alone.
        let jobs: BTreeSet<&JobIdentity> = jobs.iter().collect();
        let jobs: Vec<&JobIdentity> = jobs.into_iter().collect();
        let names: Vec<_> = jobs
            .iter()
            .map(|job| {
                [
                    job.engine.as_str(),
                    &job.job,
                    &job.stream,
                    &job.workstation,
                    &job.folder,
                ]
            })
            .collect();
        let rows: Vec<(i64, Json<Vec<u64>>)> = sqlx::query_as(GOOD_SECONDS)
            .bind(Json(names))
            .bind(limit)
            .fetch_all(self.database.reader())
            .await
            .map_err(unavailable)?;
        let mut found = HashMap::new();
        for (place, Json(seconds)) in rows {
            let job = usize::try_from(place).ok().and_then(|at| jobs.get(at));
            // The query numbers nothing but what it was given.
            let Some(&job) = job else { continue };
            if !seconds.is_empty() {
                found.insert(job.clone(), seconds);
            }
        }
        Ok(found)
    }

    async fn observed_since(
        &self,
        engine: &EngineName,
    ) -> Result<Option<DateTime<Utc>>, HistoryError> {
        let at: Option<i64> =
            sqlx::query_scalar("SELECT at_ms FROM run_history_since WHERE engine = ?")
                .bind(engine.as_str())
                .fetch_optional(self.database.reader())
                .await
                .map_err(unavailable)?;
        let name = RowName {
            table: "run_history_since",
            id: engine,
        };
        at.map(|ms| {
            DateTime::from_timestamp_millis(ms)
                .ok_or_else(|| unavailable(name.broken("at_ms", "out of range")))
        })
        .transpose()
    }

    async fn purge(&self, before: DateTime<Utc>, keep: u32) -> Result<u64, HistoryError> {
        let before = before.timestamp_millis();
        let purge = self.database.write(move |tx| {
            Box::pin(async move {
                let old = sqlx::query("DELETE FROM run_history WHERE ended_at_ms < ?")
                    .bind(before)
                    .execute(&mut *tx)
                    .await?;
                let many = sqlx::query(
                    "DELETE FROM run_history WHERE (engine, run) IN (\
                     SELECT engine, run FROM (\
                     SELECT engine, run, row_number() OVER (\
                     PARTITION BY engine, job, stream, workstation, folder \
                     ORDER BY ended_at_ms DESC, run) AS place FROM run_history) \
                     WHERE place > ?)",
                )
                .bind(keep)
                .execute(&mut *tx)
                .await?;
                Ok::<_, SqliteError>(old.rows_affected() + many.rows_affected())
            })
        });
        purge.await.map_err(unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A history of millions of runs is read by its index, and sorted by it too.
    #[tokio::test]
    async fn the_durations_of_many_jobs_come_from_the_index() {
        let folder = tempfile::tempdir().unwrap();
        let database = SqliteDatabase::open(folder.path().join("test.db"));
        let database = database.await.unwrap();
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "EXPLAIN QUERY PLAN {GOOD_SECONDS}"
        )))
        .bind("[]")
        .bind(5)
        .fetch_all(database.reader())
        .await
        .unwrap();
        let steps: Vec<&str> = plan.iter().map(|(.., step)| step.as_str()).collect();
        let of_the_history = |step: &&&str| step.contains("run_history");
        let read: Vec<_> = steps.iter().filter(of_the_history).collect();
        assert_eq!(
            read,
            [
                &"SEARCH run_history USING INDEX run_history_by_job (engine=? AND job=? AND stream=? \
                AND workstation=? AND folder=?)"
            ],
            "{steps:?}"
        );
        assert!(
            !steps.iter().any(|step| step.contains("B-TREE")),
            "{steps:?}"
        );
    }
}
